"""Which pods a ReplicaSet deletes first."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from selfheal_sandbox.controllers.availability import is_active
from selfheal_sandbox.store.objects import (
    Object,
    annotations_of,
    condition,
    is_ready,
    name_of,
    parse_rfc3339,
    spec_of,
    status_of,
)

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASE_ORDER = {"Pending": 0, "Unknown": 1, "Running": 2}

_Rank: TypeAlias = tuple[bool, int, bool, int, int, float, int, float, str]


def pods_per_node(related: Iterable[Object]) -> Counter[str]:
    """Count the active pods on each node, among the pods of every ReplicaSet of the same owner."""
    return Counter(spec_of(pod).get("nodeName", "") for pod in related if is_active(pod))


def victims(pods: Sequence[Object], count: int, related: Iterable[Object]) -> list[Object]:
    """Return ``count`` of the pods, those whose loss costs least first.

    The order is that of the ReplicaSet controller of Kubernetes (``ActivePodsWithRanks``): not scheduled before
    scheduled; Pending before Unknown before Running; not Ready before Ready; lower deletion cost first; more pods of
    the same owner on the node first; Ready for a shorter time first; more restarts first; newer first.

    Args:
        pods: the active pods of the ReplicaSet.
        count: how many to choose.
        related: the pods of all ReplicaSets of the same Deployment, which decide what is doubled up on a node.
    """
    if count >= len(pods):
        return list(pods)
    crowd = pods_per_node(related)
    return sorted(pods, key=lambda pod: _rank(pod, crowd))[:count]


def deletion_cost(pod: Object) -> int:
    """Return the pod-deletion-cost annotation, 0 when it is absent or not a number."""
    text = annotations_of(pod).get(DELETION_COST, "0")
    return int(text) if text.removeprefix("-").isdecimal() else 0


def _rank(pod: Object, crowd: Counter[str]) -> _Rank:
    node = spec_of(pod).get("nodeName", "")
    ready = is_ready(pod)
    ready_since = (condition(pod, "Ready") or {}).get("lastTransitionTime") if ready else None
    restarts = max((each.get("restartCount", 0) for each in status_of(pod).get("containerStatuses") or []), default=0)
    return (
        bool(node),
        _PHASE_ORDER.get(status_of(pod).get("phase", "Pending"), 0),
        ready,
        deletion_cost(pod),
        -crowd[node],
        -_seconds(ready_since),
        -restarts,
        -_seconds(pod["metadata"].get("creationTimestamp")),
        name_of(pod),
    )


def _seconds(time: str | None) -> float:
    return parse_rfc3339(time).timestamp() if time else 0.0
