"""Probes as values: what a container asks for, how results add up, and what follows. No IO, no clock."""

from dataclasses import dataclass, field, replace
from enum import Enum

from selfheal_sandbox.store.objects import Object


class ProbeKind(Enum):
    """The three probes; the value is the field of a container that holds it."""

    STARTUP = "startupProbe"
    LIVENESS = "livenessProbe"
    READINESS = "readinessProbe"

    @property
    def word(self) -> str:
        """How events call it."""
        return self.name.capitalize()


@dataclass(frozen=True, slots=True)
class HttpGet:
    """GET this; a status from 200 to 399 is a success."""

    port: int
    path: str = "/"
    scheme: str = "http"
    host: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TcpSocket:
    """Connect to this."""

    port: int
    host: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """Run this in the container; exit code 0 is a success."""

    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait (life-cycle hooks only)."""

    seconds: float


Action = HttpGet | TcpSocket | Command | Sleep


class ActionError(ValueError):
    """The action cannot be carried out: it names a port that the container does not have, or nothing at all."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe of a container, in seconds and counts; defaults are those of the API.

    Attributes:
        termination_grace_seconds: overrides the pod's when this probe kills the container.
    """

    kind: ProbeKind
    action: Action
    initial_delay_seconds: float = 0.0
    period_seconds: float = 10.0
    timeout_seconds: float = 1.0
    success_threshold: int = 1
    failure_threshold: int = 3
    termination_grace_seconds: float | None = None


class Verdict(Enum):
    """What a probe's result means for the container."""

    UNCHANGED = "unchanged"
    STARTED = "started"
    READY = "ready"
    NOT_READY = "not ready"
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class ProbeState:
    """How a probe went so far: the length of the current run of equal results."""

    healthy: bool = False
    successes: int = 0
    failures: int = 0
    verdict: Verdict = field(default=Verdict.UNCHANGED)


def initial_state(kind: ProbeKind) -> ProbeState:
    """Return the state before the first result: a container counts as live, and as not started and not ready."""
    return ProbeState(healthy=kind is ProbeKind.LIVENESS)


def observe(probe: Probe, state: ProbeState, succeeded: bool) -> ProbeState:
    """Return the state after one more result; its ``verdict`` says what changed, if anything."""
    if succeeded:
        counted = replace(state, successes=state.successes + 1, failures=0, verdict=Verdict.UNCHANGED)
        if counted.successes < probe.success_threshold or state.healthy:
            return counted
        good = Verdict.STARTED if probe.kind is ProbeKind.STARTUP else Verdict.READY
        return replace(counted, healthy=True, verdict=good if probe.kind is not ProbeKind.LIVENESS else counted.verdict)
    counted = replace(state, successes=0, failures=state.failures + 1, verdict=Verdict.UNCHANGED)
    if counted.failures < probe.failure_threshold:
        return counted
    if probe.kind is not ProbeKind.READINESS:
        return replace(counted, healthy=False, verdict=Verdict.KILL)
    return replace(counted, healthy=False, verdict=Verdict.NOT_READY if state.healthy else Verdict.UNCHANGED)


def probe_of(container: Object, kind: ProbeKind) -> Probe | None:
    """Return a container's probe of this kind, or None if it has none.

    Raises:
        ActionError: it names a port that the container does not declare.
    """
    spec = container.get(kind.value)
    if not spec:
        return None
    grace = spec.get("terminationGracePeriodSeconds")
    return Probe(
        kind=kind,
        action=action_of(spec, container),
        initial_delay_seconds=spec.get("initialDelaySeconds") or 0,
        period_seconds=spec.get("periodSeconds") or 10,
        timeout_seconds=spec.get("timeoutSeconds") or 1,
        success_threshold=spec.get("successThreshold") or 1,
        failure_threshold=spec.get("failureThreshold") or 3,
        termination_grace_seconds=grace,
    )


def action_of(handler: Object, container: Object) -> Action:
    """Return what a probe or a life-cycle hook does.

    Raises:
        ActionError: it does nothing that the sandbox knows, or names an undeclared port.
    """
    if command := handler.get("exec"):
        return Command(tuple(command.get("command") or ()))
    if get := handler.get("httpGet"):
        headers = tuple((header["name"], header["value"]) for header in get.get("httpHeaders") or [])
        scheme = str(get.get("scheme") or "HTTP").lower()
        return HttpGet(port_of(get["port"], container), get.get("path") or "/", scheme, get.get("host") or "", headers)
    if socket := handler.get("tcpSocket"):
        return TcpSocket(port_of(socket["port"], container), socket.get("host") or "")
    if sleep := handler.get("sleep"):
        return Sleep(float(sleep.get("seconds") or 0))
    raise ActionError("missing handler: one of exec, httpGet, tcpSocket, sleep")


def port_of(port: int | str, container: Object) -> int:
    """Return the number of a port given as a number or as the name of one of the container's ports.

    Raises:
        ActionError: no port of the container has this name.
    """
    if isinstance(port, int):
        return port
    named = {entry["name"]: entry["containerPort"] for entry in container.get("ports") or [] if entry.get("name")}
    if port in named:
        return int(named[port])
    if port.isdigit():
        return int(port)
    raise ActionError(f"couldn't find port {port!r} in container {container.get('name', '')!r}")
