"""Where a pod may or should run relative to other pods: topology spread and (anti-)affinity between pods."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from selfheal_sandbox.controllers.availability import is_active
from selfheal_sandbox.controllers.node_selection import matches_node
from selfheal_sandbox.store.objects import Object, controller_of, labels_of, namespace_of, spec_of
from selfheal_sandbox.store.selectors import matches_selector

HOSTNAME = "kubernetes.io/hostname"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"

REASON_SPREAD = "node(s) didn't match pod topology spread constraints"
REASON_NO_LABEL = f"{REASON_SPREAD} (missing required label)"
REASON_AFFINITY = "node(s) didn't match pod affinity rules"
REASON_ANTI_AFFINITY = "node(s) didn't match pod anti-affinity rules"
REASON_EXISTING = "node(s) didn't satisfy existing pods anti-affinity rules"


@dataclass(frozen=True, slots=True)
class Placement:
    """One node and the active pods on it."""

    node: Object
    pods: tuple[Object, ...] = ()

    def domain(self, topology_key: str) -> str | None:
        """Return the node's value of a topology label, or None when it has none."""
        return labels_of(self.node).get(topology_key)


def spread_reason(pod: Object, place: Placement, everywhere: Sequence[Placement]) -> str:
    """Return why DoNotSchedule spread constraints forbid the node, or "" when they do not."""
    for constraint in _constraints(pod, "DoNotSchedule"):
        domain = place.domain(constraint["topologyKey"])
        if domain is None:
            return REASON_NO_LABEL
        counts = _pods_per_domain(pod, constraint, [each for each in everywhere if matches_node(pod, each.node)])
        own = int(matches_selector(constraint.get("labelSelector"), labels_of(pod)))
        if counts[domain] + own - min(counts.values(), default=0) > constraint["maxSkew"]:
            return REASON_SPREAD
    return ""


def crowding(pod: Object, place: Placement, everywhere: Sequence[Placement]) -> float:
    """Return how crowded a node is by the pods that ScheduleAnyway constraints want spread: lower is better.

    A pod without constraints is spread over nodes among the pods of its own controller, as the scheduler's default.
    """
    constraints = _constraints(pod, "ScheduleAnyway")
    if not spec_of(pod).get("topologySpreadConstraints"):
        return float(sum(_same_controller(pod, other) for other in place.pods))
    total = 0.0
    for constraint in constraints:
        counts = _pods_per_domain(pod, constraint, everywhere)
        domain = place.domain(constraint["topologyKey"])
        total += counts[domain] if domain is not None else max(counts.values(), default=0) + 1
    return total


def affinity_reason(pod: Object, place: Placement, everywhere: Sequence[Placement]) -> str:
    """Return why required (anti-)affinity between pods forbids the node, or "" when it does not."""
    for term in _terms(pod, "podAffinity"):
        if not _near(pod, term, place, everywhere) and not _first_of_its_kind(pod, term, place, everywhere):
            return REASON_AFFINITY
    if any(_near(pod, term, place, everywhere) for term in _terms(pod, "podAntiAffinity")):
        return REASON_ANTI_AFFINITY
    for other_place in everywhere:
        for other in other_place.pods:
            for term in _terms(other, "podAntiAffinity"):
                domain = place.domain(term["topologyKey"])
                if domain is not None and domain == other_place.domain(term["topologyKey"]) and _hits(other, term, pod):
                    return REASON_EXISTING
    return ""


def attraction(pod: Object, place: Placement, everywhere: Sequence[Placement]) -> float:
    """Return the summed weights of preferred affinity that the node satisfies, less those of anti-affinity."""
    liked = sum(weight for weight, term in _weighted(pod, "podAffinity") if _near(pod, term, place, everywhere))
    shunned = sum(weight for weight, term in _weighted(pod, "podAntiAffinity") if _near(pod, term, place, everywhere))
    return float(liked - shunned)


def _constraints(pod: Object, when: str) -> list[Object]:
    constraints = spec_of(pod).get("topologySpreadConstraints") or []
    return [each for each in constraints if each.get("whenUnsatisfiable", "DoNotSchedule") == when]


def _pods_per_domain(pod: Object, constraint: Object, places: Sequence[Placement]) -> Counter[str]:
    """Count the pods a constraint speaks of in each domain; every domain that exists has an entry."""
    counts: Counter[str] = Counter()
    for place in places:
        domain = place.domain(constraint["topologyKey"])
        if domain is not None:
            counts[domain] += sum(_is_counted(pod, constraint, other) for other in place.pods)
    return counts


def _is_counted(pod: Object, constraint: Object, other: Object) -> bool:
    if namespace_of(other) != namespace_of(pod) or not is_active(other):
        return False
    same = all(
        labels_of(other).get(each) == labels_of(pod).get(each) for each in constraint.get("matchLabelKeys") or ()
    )
    return same and matches_selector(constraint.get("labelSelector"), labels_of(other))


def _same_controller(pod: Object, other: Object) -> bool:
    mine, theirs = controller_of(pod), controller_of(other)
    return mine is not None and theirs is not None and mine["uid"] == theirs["uid"] and is_active(other)


def _affinity(pod: Object, kind: str) -> Object:
    affinity: Object = (spec_of(pod).get("affinity") or {}).get(kind) or {}
    return affinity


def _terms(pod: Object, kind: str) -> list[Object]:
    return _affinity(pod, kind).get(REQUIRED) or []


def _weighted(pod: Object, kind: str) -> Iterator[tuple[int, Object]]:
    for each in _affinity(pod, kind).get(PREFERRED) or []:
        yield int(each.get("weight", 1)), each.get("podAffinityTerm") or {}


def _hits(owner: Object, term: Object, other: Object) -> bool:
    """Return whether a term of ``owner`` speaks of the pod ``other``."""
    namespaces = term.get("namespaces") or [namespace_of(owner)]
    return namespace_of(other) in namespaces and matches_selector(term.get("labelSelector"), labels_of(other))


def _near(pod: Object, term: Object, place: Placement, everywhere: Sequence[Placement]) -> bool:
    """Return whether a pod that the term speaks of runs in the same domain as the node."""
    domain = place.domain(term["topologyKey"])
    if domain is None:
        return False
    neighbours = (each for each in everywhere if each.domain(term["topologyKey"]) == domain)
    return any(_hits(pod, term, other) for each in neighbours for other in each.pods)


def _first_of_its_kind(pod: Object, term: Object, place: Placement, everywhere: Sequence[Placement]) -> bool:
    """Return whether nobody matches the term yet and the pod itself does: then it may start the group."""
    if place.domain(term["topologyKey"]) is None or not _hits(pod, term, pod):
        return False
    return not any(_hits(pod, term, other) for each in everywhere for other in each.pods)
