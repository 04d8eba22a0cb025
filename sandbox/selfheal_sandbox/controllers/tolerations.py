"""Taints of nodes and the tolerations of pods."""

from collections.abc import Collection, Iterable, Sequence

from selfheal_sandbox.store.objects import Object, spec_of

NO_SCHEDULE = "NoSchedule"
NO_EXECUTE = "NoExecute"
PREFER_NO_SCHEDULE = "PreferNoSchedule"

UNSCHEDULABLE: Object = {"key": "node.kubernetes.io/unschedulable", "effect": NO_SCHEDULE}
"""The taint that stands for ``spec.unschedulable``, which ``kubectl cordon`` sets."""
NOT_READY: Object = {"key": "node.kubernetes.io/not-ready", "effect": NO_SCHEDULE}


def taints_of(node: Object) -> list[Object]:
    """Return the node's taints; do not change the result."""
    return spec_of(node).get("taints") or []


def tolerations_of(pod: Object) -> list[Object]:
    """Return the pod's tolerations; do not change the result."""
    return spec_of(pod).get("tolerations") or []


def tolerates(toleration: Object, taint: Object) -> bool:
    """Return whether one toleration covers one taint."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")


def untolerated(taints: Iterable[Object], tolerations: Sequence[Object], effects: Collection[str]) -> list[Object]:
    """Return the taints with one of the effects that no toleration covers."""
    return [
        taint
        for taint in taints
        if taint["effect"] in effects and not any(tolerates(each, taint) for each in tolerations)
    ]


def stays_for_seconds(taints: Iterable[Object], tolerations: Sequence[Object]) -> float | None:
    """Return how long a pod may stay on a node with NoExecute taints: None for ever, 0 not at all.

    A pod stays as long as the shortest ``tolerationSeconds`` among the tolerations that cover the taints allows.
    """
    shortest: float | None = None
    for taint in taints:
        if taint.get("effect") != NO_EXECUTE:
            continue
        covering = [each for each in tolerations if tolerates(each, taint)]
        if not covering:
            return 0.0
        for each in covering:
            seconds = each.get("tolerationSeconds")
            if seconds is not None:
                shortest = max(0.0, min(float(seconds), float("inf") if shortest is None else shortest))
    return shortest
