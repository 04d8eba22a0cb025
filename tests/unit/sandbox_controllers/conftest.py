"""Fixtures of the controllers' tests."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.sandbox_controllers.cluster import Cluster, start_cluster


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """A cluster whose pods start and stop at once, at 20 times the usual speed."""
    made = start_cluster(speed=20)
    async with made.controllers:
        yield made
        made.kubelet.unsubscribe()
