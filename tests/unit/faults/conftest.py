"""A reflector over the scripted server, with waits of milliseconds instead of seconds."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from selfheal_core.cluster.kubernetes.backoff import Pacing
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import connect
from selfheal_core.cluster.kubernetes.reflector import Change, Reflector
from selfheal_core.domain.objects import Pod
from selfheal_core.domain.snapshot import Source
from tests.faults.server import FaultServer

FAST = Pacing(reopen_seconds=0.01, first_seconds=0.01, ceiling_seconds=0.1, steady_seconds=0.5, refused_seconds=30)


@dataclass
class Reflected:
    """A running reflector and everything it told."""

    server: FaultServer
    reflector: Reflector[Pod] = field(init=False)
    changes: list[Change[Pod]] = field(default_factory=list)
    told: list[Source] = field(default_factory=list)

    @property
    def names(self) -> set[str]:
        return {pod.metadata.name for pod in self.reflector.store.values()}

    @property
    def heard(self) -> list[tuple[str, str]]:
        return [(change.kind, change.object.metadata.name) for change in self.changes]

    @property
    def conditions(self) -> list[str]:
        return [source.condition for source in self.told]

    @property
    def condition(self) -> str:
        return self.reflector.source.condition

    async def until(self, seen: Callable[[], bool], seconds: float = 5.0) -> None:
        """Wait until something is so; fails with what is known instead."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not seen():
                    await asyncio.sleep(0.005)
        statistics = self.reflector.statistics
        assert seen(), f"never seen; store {self.names}, source {self.reflector.source}, {statistics}"


Start = Callable[..., Awaitable[Reflected]]


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with FaultServer() as running:
        await running.put("a")
        await running.put("b")
        yield running


@pytest.fixture
async def client(server: FaultServer, tmp_path: Path) -> AsyncIterator[KubernetesClient]:
    connection = await connect(kubeconfig=server.kubeconfig(tmp_path), environ={})
    client = KubernetesClient(connection, user_agent="selfheal-tests")
    # Tests of streamed lists switch them on: most faults are about what comes after the list.
    client.streams_lists = False
    yield client
    await connection.close()


@pytest.fixture
async def reflect(server: FaultServer, client: KubernetesClient) -> AsyncIterator[Start]:
    """Start a reflector; it is stopped at the end of the test, and must not have died before."""
    tasks: list[asyncio.Task[None]] = []

    async def start(
        *, over: KubernetesClient | None = None, consumer: Callable[[Change[Pod]], None] | None = None, **settings: Any
    ) -> Reflected:
        reflected = Reflected(server)
        arguments: dict[str, Any] = {"pacing": FAST, "idle_seconds": 5.0, "random": lambda: 0.5, **settings}
        reflected.reflector = Reflector(
            over or client,
            server.collection,
            Pod,
            name="pods",
            on_change=consumer or reflected.changes.append,
            on_source=reflected.told.append,
            **arguments,
        )
        tasks.append(asyncio.create_task(reflected.reflector.run()))
        return reflected

    yield start
    for task in tasks:
        assert not task.done(), "a reflector ended by itself"
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
