"""What the screens need from the world: one port, so that they run on a cluster, in tests and in a picture alike.

Data comes through ``take``: a mailbox with room for one Snapshot, the newest. The screens look into it four times a
second; nobody is called for every event. Questions and verbs are awaited; their work is done elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from selfheal_tui.present.logs import LogLine, LogRequest

if TYPE_CHECKING:  # the executor brings the whole client along; the screens start without waiting for it
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from selfheal_core.domain.heal import HealPolicy
    from selfheal_core.domain.snapshot import AppKey, Snapshot
    from selfheal_core.ops.executor import Allowed
    from selfheal_core.ops.journal import Entry
    from selfheal_core.ops.operation import Preview, Progress, Target


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where we are, and as whom.

    Attributes:
        namespaces: Scope; empty means all.
        kubeconfig: File given on the command line; "" for the usual one.
        sandbox: Whether this is an embedded cluster.
    """

    context: str
    user: str
    server: str
    namespaces: tuple[str, ...]
    read_only: bool
    kubeconfig: str = ""
    sandbox: bool = False


@dataclass(frozen=True, slots=True)
class ContextChoice:
    """One context of the kubeconfig.

    Attributes:
        remark: Its server and namespace.
    """

    name: str
    remark: str


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Lines that arrived together, oldest first.

    Attributes:
        dropped: Lines that were not kept because they came faster than they could be shown.
        note: What there is to know of a stream: it ended, it could not be opened.
    """

    lines: tuple[LogLine, ...] = ()
    dropped: int = 0
    note: str = ""


class Feed(Protocol):
    """The world as the console sees it. Methods are called from the console's loop and never block it."""

    @property
    def surroundings(self) -> Surroundings:
        """Where we are, and as whom."""
        ...

    def take(self) -> Snapshot | None:
        """The newest Snapshot, if there is one since the last call."""
        ...

    def wake(self) -> None:
        """Try lost connections again now."""
        ...

    async def choose_namespaces(self, namespaces: tuple[str, ...]) -> None:
        """Follow other namespaces; empty means all."""
        ...

    async def contexts(self) -> tuple[ContextChoice, ...]:
        """The contexts to choose from, by name.

        Raises:
            SelfhealError: The kubeconfig can't be read.
        """
        ...

    async def switch_context(self, name: str) -> None:
        """Leave this cluster for that of another context; returns once nothing goes to the old one any more.

        Raises:
            SelfhealError: It can't be connected to; everything stays as it was.
        """
        ...

    async def known_namespaces(self) -> tuple[str, ...]:
        """Names of namespaces, as far as our rights let us list them.

        Raises:
            SelfhealError: They can't be listed.
        """
        ...

    async def healing_policy(self) -> tuple[HealPolicy, bool]:
        """What healerd is allowed to do here, and whether that was read from its own settings."""
        ...

    async def allowed(self, verb: str, target: Target) -> Allowed:
        """Whether a verb can run on a target now, and why not."""
        ...

    async def preview(self, verb: str, target: Target, parameters: Mapping[str, str]) -> Preview:
        """What a verb would do.

        Raises:
            SelfhealError: It can't be computed.
        """
        ...

    def run(self, preview: Preview, reason: str) -> AsyncGenerator[Progress, None]:
        """Do it, step by step; ends after a final step. Closing it early cancels the operation."""
        ...

    async def cancel(self, operation_id: str) -> bool:
        """Ask a running operation to stop before its next write."""
        ...

    async def containers(self, namespace: str, pod: str) -> tuple[str, ...]:
        """Names of a pod's containers."""
        ...

    async def last_words(self, target: Target) -> str:
        """The last line that the pod's previous run logged, "" where there is none."""
        ...

    async def error_trend(self, app: AppKey) -> Sequence[tuple[float, float]]:
        """Error ratios of the last quarter of an hour, as seconds before now and ratio; empty without Prometheus."""
        ...

    def logs(self, request: LogRequest) -> AsyncGenerator[LogBatch, None]:
        """Log lines, first those that exist, then those that come, until closed."""
        ...

    async def read_object(self, target: Target) -> Mapping[str, object]:
        """The pod, or the workload of an application, as the API server has it.

        Raises:
            SelfhealError: It can't be read.
        """
        ...

    async def journal(self) -> tuple[Entry, ...]:
        """What was asked for and done from this user's consoles and command lines, oldest first."""
        ...
