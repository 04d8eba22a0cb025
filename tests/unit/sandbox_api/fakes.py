"""Doubles of what the API server reaches: a clock set by hand, a pod runtime and a network that do as they are told."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.api.ports import ContainerUsage, LogOptions, NodeUsage
from selfheal_sandbox.kinds.registry import Registry
from selfheal_sandbox.store.objects import Object, name_of
from selfheal_sandbox.store.store import Store

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class ManualClock:
    """Stands still until it is told to go on."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)


class FakeProgram:
    """A program that echoes its input, or says what it was given, and exits with a code."""

    def __init__(self, argv: list[str], stdin: AsyncIterator[bytes] | None, exit_code: int) -> None:
        self._argv = argv
        self._stdin = stdin
        self._exit_code = exit_code
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        yield 1, " ".join(self._argv).encode()
        yield 2, b"a warning"
        if self._stdin is not None:
            async for data in self._stdin:
                yield 1, b"echo " + data

    async def wait(self) -> int:
        return self._exit_code

    async def close(self) -> None:
        self.closed = True


@dataclass
class FakeRuntime:
    """Gives the logs, usages and exit codes that a test put in; an error put in is raised."""

    logs: list[bytes] = field(default_factory=list)
    usages: dict[str, list[ContainerUsage]] = field(default_factory=dict)
    node_usages: dict[str, NodeUsage] = field(default_factory=dict)
    exit_code: int = 0
    keeps_following: bool = False
    left: bool = False
    error: Exception | None = None
    asked: list[tuple[str, LogOptions]] = field(default_factory=list)
    programs: list[FakeProgram] = field(default_factory=list)

    async def read_logs(self, pod: Object, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        self.asked.append((container, options))
        if self.error is not None:
            raise self.error
        for chunk in self.logs:
            yield chunk
        if self.keeps_following:
            try:
                await asyncio.Event().wait()
            finally:
                self.left = True

    async def execute(
        self, pod: Object, container: str, argv: list[str], stdin: AsyncIterator[bytes] | None
    ) -> FakeProgram:
        if self.error is not None:
            raise self.error
        self.programs.append(FakeProgram(argv, stdin, self.exit_code))
        return self.programs[-1]

    def usage(self, pod: Object) -> list[ContainerUsage]:
        return self.usages.get(name_of(pod), [])

    def node_usage(self, node: str) -> NodeUsage | None:
        return self.node_usages.get(node)


class FakeNetwork:
    """Counts addresses up; Services lead where a test says."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.released: list[str] = []
        self.endpoints: dict[tuple[str, str | int], tuple[str, int]] = {}

    def allocate_service_ip(self) -> str:
        number = next(self._numbers)
        return f"127.99.{number // 256}.{number % 256}"

    def release_service_ip(self, ip: str) -> None:
        self.released.append(ip)

    def allocate_pod_ip(self) -> str:
        return self.allocate_service_ip()

    def release_pod_ip(self, ip: str) -> None:
        self.released.append(ip)

    def address_of_service(self, service: Object, port: str | int) -> tuple[str, int] | None:
        return self.endpoints.get((name_of(service), port))


def make_objects(clock: ManualClock | None = None, network: FakeNetwork | None = None, **limits: int) -> Objects:
    """Return the verbs over an empty store."""
    return Objects(Store(**limits), Registry(), clock or ManualClock(), addresses=network or FakeNetwork())
