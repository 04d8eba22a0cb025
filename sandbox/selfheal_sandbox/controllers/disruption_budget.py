"""How many pods of a PodDisruptionBudget may be evicted now.

The rules are those of the disruption controller of Kubernetes (``pkg/controller/disruption``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from selfheal_sandbox.controllers.amounts import resolve
from selfheal_sandbox.controllers.conditions import Verdict
from selfheal_sandbox.store.objects import Object, is_ready, is_terminating, name_of, parse_rfc3339

DELETION_TIMEOUT = timedelta(minutes=2)
"""How long an eviction that was allowed counts against the budget while its pod is not yet marked for deletion."""
DISRUPTION_ALLOWED = "DisruptionAllowed"


@dataclass(frozen=True, slots=True)
class Expectation:
    """How many pods a budget counts on, and how many must stay healthy."""

    expected: int
    desired_healthy: int


@dataclass(frozen=True, slots=True)
class Budget:
    """The numbers of a PodDisruptionBudget's status."""

    current_healthy: int
    desired_healthy: int
    expected: int
    allowed: int

    def verdict(self) -> Verdict:
        """Return what the DisruptionAllowed condition says."""
        if self.allowed > 0:
            return Verdict(DISRUPTION_ALLOWED, "True", "SufficientPods")
        return Verdict(DISRUPTION_ALLOWED, "False", "InsufficientPods")


def needs_scale(spec: Object) -> bool:
    """Return whether the number of expected pods comes from the pods' controllers rather than from the pods."""
    return spec.get("maxUnavailable") is not None or isinstance(spec.get("minAvailable"), str)


def expectation(spec: Object, scale: int) -> Expectation:
    """Return what a budget expects.

    Args:
        spec: the budget's spec.
        scale: the replicas that the pods' controllers ask for when `needs_scale`, else the number of pods.

    Raises:
        ValueError: a value is neither a number nor a percentage.
    """
    if spec.get("maxUnavailable") is not None:
        unavailable = resolve(spec["maxUnavailable"], scale, round_up=True)
        return Expectation(scale, max(scale - unavailable, 0))
    if spec.get("minAvailable") is not None:
        return Expectation(scale, resolve(spec["minAvailable"], scale, round_up=True))
    return Expectation(scale, 0)


def budget(expected: Expectation, pods: Iterable[Object], disrupted: Mapping[str, str]) -> Budget:
    """Return the numbers of the status.

    Args:
        expected: what the budget expects.
        pods: the pods it selects.
        disrupted: ``status.disruptedPods``: pods whose eviction was allowed but has not shown yet.
    """
    healthy = sum(1 for pod in pods if is_ready(pod) and not is_terminating(pod) and name_of(pod) not in disrupted)
    allowed = max(healthy - expected.desired_healthy, 0) if expected.expected > 0 else 0
    return Budget(healthy, expected.desired_healthy, expected.expected, allowed)


@dataclass(frozen=True, slots=True)
class Disrupted:
    """Evictions that still count, those that never came, and when the next one of the former becomes overdue."""

    pending: dict[str, str]
    overdue: list[str]
    next_check_seconds: float | None


def still_disrupted(marks: Mapping[str, str], pods: Sequence[Object], now: datetime) -> Disrupted:
    """Sort ``status.disruptedPods`` (name to time of the eviction) by what became of the pods."""
    waiting = {name_of(pod) for pod in pods if not is_terminating(pod)}
    pending: dict[str, str] = {}
    overdue: list[str] = []
    waits: list[float] = []
    for name, time in marks.items():
        if name not in waiting:
            continue
        left = (parse_rfc3339(time) + DELETION_TIMEOUT - now).total_seconds()
        if left <= 0:
            overdue.append(name)
        else:
            pending[name] = time
            waits.append(left)
    return Disrupted(pending, overdue, min(waits, default=None))
