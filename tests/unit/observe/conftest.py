"""A cluster in process, and an observer that runs against it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from selfheal_core.observe.observer import Observer
from tests.unit.observe.live_cluster import LiveCluster, live_cluster

Watch = Callable[..., Awaitable[Observer]]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[LiveCluster]:
    async with live_cluster(tmp_path) as running:
        yield running


@pytest.fixture
async def watch(cluster: LiveCluster) -> AsyncIterator[Watch]:
    """Start an observer; it is stopped at the end of the test, and must not have died before."""
    tasks: list[asyncio.Task[None]] = []

    async def begin(**options: Any) -> Observer:
        observer = Observer(cluster.client, **options)
        tasks.append(asyncio.create_task(observer.run()))
        return observer

    yield begin
    for task in tasks:
        assert not task.done(), task
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
