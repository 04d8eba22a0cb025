"""Whether a node is what a pod's ``nodeSelector`` and node affinity ask for."""

from collections.abc import Callable, Mapping
from typing import Any

from selfheal_sandbox.store.objects import Object, labels_of, name_of, spec_of

_FIELD_NAME = "metadata.name"


def matches_node(pod: Object, node: Object) -> bool:
    """Return whether the node satisfies the pod's nodeSelector and required node affinity."""
    spec = spec_of(pod)
    labels = labels_of(node)
    if any(labels.get(label) != value for label, value in (spec.get("nodeSelector") or {}).items()):
        return False
    required = _node_affinity(spec).get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return any(_matches_term(term, node) for term in required.get("nodeSelectorTerms") or [])


def preference(pod: Object, node: Object) -> int:
    """Return the summed weights of the preferred node affinity terms that the node satisfies."""
    preferred = _node_affinity(spec_of(pod)).get("preferredDuringSchedulingIgnoredDuringExecution") or []
    return sum(int(each.get("weight", 1)) for each in preferred if _matches_term(each.get("preference") or {}, node))


def _node_affinity(spec: Object) -> Object:
    affinity: Object = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    return affinity


def _matches_term(term: Object, node: Object) -> bool:
    """Return whether every expression of a term holds; an empty term matches nothing."""
    expressions = term.get("matchExpressions") or []
    fields = term.get("matchFields") or []
    if not expressions and not fields:
        return False
    own_fields = {_FIELD_NAME: name_of(node)}
    return all(_holds(each, labels_of(node)) for each in expressions) and all(
        _holds(each, own_fields) for each in fields
    )


def _holds(expression: Object, values: Mapping[str, str]) -> bool:
    actual = values.get(expression["key"])
    return _OPERATORS[expression["operator"]](actual, expression.get("values") or [])


def _compares(actual: str | None, wanted: list[str], larger: bool) -> bool:
    try:
        difference = int(actual or "") - int(wanted[0])
    except (ValueError, IndexError):
        return False
    return difference > 0 if larger else difference < 0


_OPERATORS: dict[str, Callable[[str | None, list[Any]], bool]] = {
    "In": lambda actual, wanted: actual in wanted,
    "NotIn": lambda actual, wanted: actual not in wanted,
    "Exists": lambda actual, _: actual is not None,
    "DoesNotExist": lambda actual, _: actual is None,
    "Gt": lambda actual, wanted: _compares(actual, wanted, larger=True),
    "Lt": lambda actual, wanted: _compares(actual, wanted, larger=False),
}
