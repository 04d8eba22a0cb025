"""A client over the scripted server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import connect
from tests.faults.server import FaultServer


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with FaultServer() as running:
        yield running


@pytest.fixture
async def client(server: FaultServer, tmp_path: Path) -> AsyncIterator[KubernetesClient]:
    connection = await connect(kubeconfig=server.kubeconfig(tmp_path), environ={})
    yield KubernetesClient(connection, user_agent="selfheal-tests/1")
    await connection.close()
