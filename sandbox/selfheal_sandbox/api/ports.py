"""What the API server needs from the kubelet and from the network; tests use small fakes of these."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from selfheal_sandbox.store.objects import Object

STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
"""Channel numbers of the WebSocket exec protocol (``v4.channel.k8s.io``)."""


IssueToken: TypeAlias = Callable[[str, str, str, datetime], str]
"""Makes a token of a service account: (namespace, name, uid of the account, when it ends) -> token."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who sent a request."""

    username: str
    groups: tuple[str, ...] = ()
    uid: str = ""


@dataclass(frozen=True, slots=True)
class LogOptions:
    """The query of ``pods/NAME/log``."""

    previous: bool = False
    follow: bool = False
    tail_lines: int | None = None
    since_seconds: int | None = None
    since_time: datetime | None = None
    timestamps: bool = False
    limit_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ContainerUsage:
    """What the processes of one container use now."""

    name: str
    cpu_millicores: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class NodeUsage:
    """What the processes on one node use now."""

    cpu_millicores: int
    memory_bytes: int


class ExecStream(Protocol):
    """A program running in a container."""

    def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        """Yield (channel, data) pairs, channel 1 for standard output and 2 for standard error, until both end."""
        ...

    async def wait(self) -> int:
        """Return the exit code (128 + signal number for a killed program); called after the iteration ended."""
        ...

    async def close(self) -> None:
        """End the program, its children too, if it still runs; safe to call twice and after its end."""
        ...


class PodRuntime(Protocol):
    """What the kubelet does for the API server."""

    def read_logs(self, pod: Object, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        """Yield the container's log in whole lines; with ``follow``, until the container ends.

        Raises:
            ApiError: 400, worded as a kubelet words it, when there is no such log (before the first item).
        """
        ...

    async def execute(
        self, pod: Object, container: str, argv: list[str], stdin: AsyncIterator[bytes] | None
    ) -> ExecStream:
        """Start a program in a running container, without a terminal; ``stdin`` None means closed.

        Raises:
            ApiError: the container does not run, or the program cannot be started.
        """
        ...

    def usage(self, pod: Object) -> list[ContainerUsage]:
        """Return what each running container uses; empty when unknown."""
        ...

    def node_usage(self, node: str) -> NodeUsage | None:
        """Return what the pods on a node use, or None when unknown."""
        ...


class ServiceAddresses(Protocol):
    """Gives out virtual addresses for Services."""

    def allocate_service_ip(self) -> str:
        """Return a free address, now taken."""
        ...

    def release_service_ip(self, ip: str) -> None:
        """Give an address back; an unknown one is ignored."""
        ...


class ServiceNetwork(ServiceAddresses, Protocol):
    """What the network does for the API server."""

    def address_of_service(self, service: Object, port: str | int) -> tuple[str, int] | None:
        """Return (IP address, port) of a Ready endpoint behind a Service port (number or name), or None."""
        ...

    def allocate_pod_ip(self) -> str:
        """Return a free pod address, now taken."""
        ...

    def release_pod_ip(self, ip: str) -> None:
        """Give a pod address back; an unknown one is ignored."""
        ...
