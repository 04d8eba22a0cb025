"""Which node a pod should run on, and the words for why there is none.

Filters, weights and messages follow the default profile of kube-scheduler.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from selfheal_sandbox.controllers.node_selection import matches_node, preference
from selfheal_sandbox.controllers.pod_requests import Requests, allocatable_of, requests_of
from selfheal_sandbox.controllers.tolerations import (
    NO_EXECUTE,
    NO_SCHEDULE,
    NOT_READY,
    PREFER_NO_SCHEDULE,
    UNSCHEDULABLE,
    taints_of,
    tolerations_of,
    untolerated,
)
from selfheal_sandbox.controllers.topology import Placement, affinity_reason, attraction, crowding, spread_reason
from selfheal_sandbox.store.objects import Object, is_ready, is_terminating, name_of, spec_of

REASON_UNSCHEDULABLE = "node(s) were unschedulable"
REASON_SELECTION = "node(s) didn't match Pod's node affinity/selector"
REASON_TOO_MANY = "Too many pods"

_WEIGHT_TAINTS = 3
_WEIGHT_PREFERENCE = 2
_WEIGHT_SPREAD = 2
_WEIGHT_ATTRACTION = 2
_WEIGHT_RESOURCES = 1


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node as the scheduler sees it: its pods and the sum of their requests."""

    place: Placement
    used: Requests = field(default_factory=Requests)


@dataclass(frozen=True, slots=True)
class Choice:
    """The outcome for one pod: the name of a node, or None and a message that says why."""

    node: str | None
    message: str = ""


@dataclass(frozen=True, slots=True)
class _Obstacle:
    """Why a node cannot take a pod; ``curable``: removing other pods from it could help."""

    reasons: tuple[str, ...]
    curable: bool


def choose(pod: Object, candidates: Sequence[Candidate]) -> Choice:
    """Return the best node for a pod among all nodes of the cluster."""
    if not candidates:
        return Choice(None, "no nodes available to schedule pods")
    everywhere = [candidate.place for candidate in candidates]
    obstacles: list[_Obstacle] = []
    fitting: list[Candidate] = []
    for candidate in candidates:
        obstacle = _obstacle(pod, candidate, everywhere)
        if obstacle is None:
            fitting.append(candidate)
        else:
            obstacles.append(obstacle)
    if not fitting:
        return Choice(None, _explain(obstacles))
    scores = _scores(pod, fitting, everywhere)
    best = max(fitting, key=lambda each: (scores[name_of(each.place.node)], -each.used.pods, _reversed_name(each)))
    return Choice(name_of(best.place.node))


def _reversed_name(candidate: Candidate) -> list[int]:
    """Make ``max`` prefer the alphabetically first name among equals."""
    return [-ord(letter) for letter in name_of(candidate.place.node)]


def _obstacle(pod: Object, candidate: Candidate, everywhere: Sequence[Placement]) -> _Obstacle | None:
    fixed = _fixed_reason(pod, candidate.place.node)
    if fixed:
        return _Obstacle((fixed,), curable=False)
    missing = _missing_resources(requests_of(pod), allocatable_of(candidate.place.node) - candidate.used)
    if missing:
        return _Obstacle(missing, curable=True)
    relative = spread_reason(pod, candidate.place, everywhere) or affinity_reason(pod, candidate.place, everywhere)
    return _Obstacle((relative,), curable=True) if relative else None


def _fixed_reason(pod: Object, node: Object) -> str:
    """Return what about the node itself forbids the pod, or ""."""
    tolerations = tolerations_of(pod)
    if spec_of(node).get("unschedulable") and untolerated([UNSCHEDULABLE], tolerations, [NO_SCHEDULE]):
        return REASON_UNSCHEDULABLE
    taints = list(taints_of(node))
    if (not is_ready(node) or is_terminating(node)) and NOT_READY["key"] not in {taint["key"] for taint in taints}:
        taints.append(NOT_READY)
    blocking = untolerated(taints, tolerations, (NO_SCHEDULE, NO_EXECUTE))
    if blocking:
        return f"node(s) had untolerated taint {{{blocking[0]['key']}: {blocking[0].get('value', '')}}}"
    return "" if matches_node(pod, node) else REASON_SELECTION


def _missing_resources(wanted: Requests, free: Requests) -> tuple[str, ...]:
    reasons = []
    if free.pods < 1:
        reasons.append(REASON_TOO_MANY)
    if wanted.cpu_millicores > max(free.cpu_millicores, 0):
        reasons.append("Insufficient cpu")
    if wanted.memory_bytes > max(free.memory_bytes, 0):
        reasons.append("Insufficient memory")
    return tuple(reasons)


def _explain(obstacles: Sequence[_Obstacle]) -> str:
    """Word the obstacles as kube-scheduler's FitError does."""
    total = len(obstacles)
    reasons = Counter(reason for obstacle in obstacles for reason in obstacle.reasons)
    listed = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    curable = sum(obstacle.curable for obstacle in obstacles)
    remedies = {
        "No preemption victims found for incoming pod": curable,
        "Preemption is not helpful for scheduling": total - curable,
    }
    preemption = ", ".join(sorted(f"{count} {remedy}" for remedy, count in remedies.items() if count))
    return f"0/{total} nodes are available: {listed}. preemption: 0/{total} nodes are available: {preemption}."


def _scores(pod: Object, fitting: Sequence[Candidate], everywhere: Sequence[Placement]) -> dict[str, float]:
    """Return the weighted score of each fitting node, by name; higher is better."""
    tolerations = tolerations_of(pod)
    parts = [
        (_WEIGHT_TAINTS, [-float(_soft_taints(each, tolerations)) for each in fitting]),
        (_WEIGHT_PREFERENCE, [float(preference(pod, each.place.node)) for each in fitting]),
        (_WEIGHT_SPREAD, [-crowding(pod, each.place, everywhere) for each in fitting]),
        (_WEIGHT_ATTRACTION, [attraction(pod, each.place, everywhere) for each in fitting]),
    ]
    wanted = requests_of(pod)
    scores = {name_of(each.place.node): _WEIGHT_RESOURCES * _free_share(each, wanted) for each in fitting}
    for weight, values in parts:
        for each, value in zip(fitting, _normalised(values), strict=True):
            scores[name_of(each.place.node)] += weight * value
    return scores


def _soft_taints(candidate: Candidate, tolerations: Sequence[Object]) -> int:
    return len(untolerated(taints_of(candidate.place.node), tolerations, (PREFER_NO_SCHEDULE,)))


def _normalised(values: Sequence[float]) -> list[float]:
    """Map the lowest value to 0 and the highest to 100; equal values all to 0."""
    low, high = min(values), max(values)
    return [100 * (value - low) / (high - low) if high > low else 0.0 for value in values]


def _free_share(candidate: Candidate, wanted: Requests) -> float:
    """Return 0..100: the share of CPU and memory that stays free (LeastAllocated)."""
    allocatable = allocatable_of(candidate.place.node)
    left = allocatable - candidate.used - wanted
    cpu = left.cpu_millicores / allocatable.cpu_millicores if allocatable.cpu_millicores else 0
    memory = left.memory_bytes / allocatable.memory_bytes if allocatable.memory_bytes else 0
    return 50 * (max(cpu, 0) + max(memory, 0))
