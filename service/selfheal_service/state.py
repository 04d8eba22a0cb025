"""What the process is doing and what the practice switches say; the answers of both probes follow from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Phase(StrEnum):
    """Life of the process, in order."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class Switches:
    """Answers that practice imposes on the probes.

    Attributes:
        healthy: False makes `/health` fail.
        ready: False makes `/ready` fail.
        not_ready_reason: Reason that `/ready` then gives.
    """

    healthy: bool = True
    ready: bool = True
    not_ready_reason: str = "switched off through /practice/ready"


@dataclass(slots=True)
class ServiceState:
    """The one mutable record of an application; only its own event loop touches it."""

    phase: Phase = Phase.STARTING
    switches: Switches = field(default_factory=Switches)


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """HTTP status and JSON body of a probe."""

    status: int
    body: Mapping[str, str]


def health_answer(switches: Switches) -> ProbeAnswer:
    """Answer of the liveness probe: about this process alone, never about anything it depends on."""
    if switches.healthy:
        return ProbeAnswer(200, {"status": "healthy"})
    return ProbeAnswer(503, {"status": "unhealthy", "reason": "switched off through /practice/health"})


def ready_answer(phase: Phase, switches: Switches) -> ProbeAnswer:
    """Answer of the readiness probe; whatever keeps the pod from taking traffic is the reason."""
    if phase is not Phase.SERVING:
        return ProbeAnswer(503, {"status": "not ready", "reason": phase.value})
    if not switches.ready:
        return ProbeAnswer(503, {"status": "not ready", "reason": switches.not_ready_reason})
    return ProbeAnswer(200, {"status": "ready"})
