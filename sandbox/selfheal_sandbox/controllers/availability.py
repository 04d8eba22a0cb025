"""When a pod counts as active, ready and available."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from selfheal_sandbox.store.objects import Object, condition, is_ready, is_terminating, parse_rfc3339, status_of

FINISHED_PHASES = frozenset({"Succeeded", "Failed"})


def is_active(pod: Object) -> bool:
    """Return whether the pod counts as a replica: neither ended nor being deleted."""
    return not is_terminating(pod) and status_of(pod).get("phase") not in FINISHED_PHASES


def is_serving(pod: Object) -> bool:
    """Return whether the pod is Ready and stays."""
    return is_ready(pod) and is_active(pod)


def available_in(pod: Object, min_ready_seconds: int, now: datetime) -> float | None:
    """Return in how many seconds an active pod counts as available: 0 when it does, None while it is not Ready.

    Kubernetes counts a pod as available when it has been Ready for ``minReadySeconds`` without a break.
    """
    if not is_serving(pod):
        return None
    since = (condition(pod, "Ready") or {}).get("lastTransitionTime")
    if not min_ready_seconds or not since:
        return 0.0
    left = parse_rfc3339(since) + timedelta(seconds=min_ready_seconds) - now
    return max(left.total_seconds(), 0.0)


@dataclass(frozen=True, slots=True)
class PodCounts:
    """How many replicas a set of pods holds.

    Attributes:
        next_available_seconds: when the next Ready pod becomes available; None when no pod waits for that.
    """

    replicas: int
    ready: int
    available: int
    next_available_seconds: float | None


def count_pods(pods: list[Object], min_ready_seconds: int, now: datetime) -> PodCounts:
    """Count the active ones among ``pods``."""
    active = [pod for pod in pods if is_active(pod)]
    waits = [wait for pod in active if (wait := available_in(pod, min_ready_seconds, now)) is not None]
    pending = [wait for wait in waits if wait > 0]
    return PodCounts(len(active), len(waits), len(waits) - len(pending), min(pending, default=None))
