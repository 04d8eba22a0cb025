"""Label and field selectors: parsing what clients write, matching what objects have."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from selfheal_sandbox.store.objects import Object

Operator: TypeAlias = Literal["in", "notin", "exists", "!", "gt", "lt"]

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?"
_KEY = re.compile(rf"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?/)?{_NAME}")
_VALUE = re.compile(rf"(?:{_NAME})?")
_REQUIREMENT = re.compile(
    r"""\s*(?:
        (?P<absent>!)\s*(?P<absent_key>[^\s!=<>,()]+)
      | (?P<key>[^\s!=<>,()]+)\s*(?:
            (?P<sign>==|!=|=|>|<)\s*(?P<value>[^\s!=<>,()]*)
          | (?P<set>in|notin)\s*\((?P<values>[^()]*)\)
        )?
    )\s*""",
    re.VERBOSE,
)
_SIGNS: dict[str, Operator] = {"=": "in", "==": "in", "!=": "notin", ">": "gt", "<": "lt"}
_EXPRESSION_OPERATORS: dict[str, Operator] = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}

SELECTABLE_FIELDS: dict[str, tuple[str, ...]] = {
    "Pod": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "Event": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    "Secret": ("type",),
    "Namespace": ("status.phase",),
    "Node": ("spec.unschedulable",),
    "ReplicationController": ("status.replicas",),
    "Job": ("status.successful",),
}
"""Fields that a field selector may name, by kind, besides ``metadata.name`` and ``metadata.namespace``."""
_FIELDS_OF_ALL = ("metadata.name", "metadata.namespace")
_ALIASES = {"regarding": "involvedObject", "reportingController": "reportingComponent"}  # events.k8s.io/v1
_ZERO_VALUES = {"spec.unschedulable": "false", "spec.hostNetwork": "false", "status.replicas": "0"}


class SelectorError(ValueError):
    """A selector cannot be understood."""


@dataclass(frozen=True, slots=True)
class LabelRequirement:
    """One part of a label selector."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    """One part of a field selector; ``equal`` False means the field must differ."""

    path: tuple[str, ...]
    equal: bool
    value: str


def parse_labels(text: str) -> tuple[LabelRequirement, ...]:
    """Parse a label selector such as ``app=web,tier in (a, b),!canary``.

    Raises:
        SelectorError: it is none.
    """
    requirements = []
    position = 0
    expects_more = bool(text.strip())
    while expects_more:
        match = _REQUIREMENT.match(text, position)
        if match is None:
            raise SelectorError(f"unable to parse requirement: {text[position:]!r}")
        requirements.append(_label_requirement(match))
        position = match.end()
        expects_more = position < len(text)
        if expects_more and text[position] != ",":
            raise SelectorError(f"found '{text[position]}', expected: ',' or end of string in {text!r}")
        position += 1
    return tuple(requirements)


def _label_requirement(match: re.Match[str]) -> LabelRequirement:
    key = match["absent_key"] or match["key"]
    if not _KEY.fullmatch(key):
        raise SelectorError(f"unable to parse requirement: <nil>: Invalid value: {key!r}: not a label key")
    if match["absent"]:
        return LabelRequirement(key, "!")
    if match["set"]:
        values = frozenset(value.strip() for value in match["values"].split(","))
        operator: Operator = "in" if match["set"] == "in" else "notin"
    elif match["sign"]:
        values, operator = frozenset([match["value"]]), _SIGNS[match["sign"]]
    else:
        return LabelRequirement(key, "exists")
    for value in values:
        _check_value(operator, value)
    return LabelRequirement(key, operator, values)


def _check_value(operator: Operator, value: str) -> None:
    if operator in ("gt", "lt"):
        if not re.fullmatch(r"-?\d{1,18}", value):
            raise SelectorError(f"values[0]: Invalid value: {value!r}: for 'Gt', 'Lt' operators, an integer is needed")
    elif not _VALUE.fullmatch(value) or len(value) > 63:
        raise SelectorError(f"values[0]: Invalid value: {value!r}: not a label value")


def matches_labels(requirements: Sequence[LabelRequirement], labels: Mapping[str, str]) -> bool:
    """Return whether labels meet every requirement."""
    return all(_is_met(requirement, labels.get(requirement.key)) for requirement in requirements)


def _is_met(requirement: LabelRequirement, value: str | None) -> bool:
    match requirement.operator:
        case "in":
            return value in requirement.values
        case "notin":
            return value is None or value not in requirement.values
        case "exists":
            return value is not None
        case "!":
            return value is None
        case "gt" | "lt" as operator:
            if value is None or not re.fullmatch(r"-?\d{1,18}", value):
                return False
            limit = int(next(iter(requirement.values)))
            return int(value) > limit if operator == "gt" else int(value) < limit


def matches_selector(selector: Object | None, labels: Mapping[str, str] | None) -> bool:
    """Return whether labels match a ``LabelSelector`` object: None matches nothing, an empty one everything."""
    if selector is None:
        return False
    labels = labels or {}
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return matches_labels(requirements_of(selector), labels)


def requirements_of(selector: Object) -> tuple[LabelRequirement, ...]:
    """Return the ``matchExpressions`` of a ``LabelSelector`` object as requirements."""
    return tuple(
        LabelRequirement(
            expression["key"],
            _EXPRESSION_OPERATORS[expression["operator"]],
            frozenset(expression.get("values") or ()),
        )
        for expression in selector.get("matchExpressions") or ()
    )


def selector_text(selector: Object | None) -> str:
    """Return a ``LabelSelector`` object as text, as ``status.selector`` of a Scale has it."""
    if selector is None:
        return ""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for requirement in sorted(requirements_of(selector), key=_by_key):
        match requirement.operator:
            case "in" | "notin" as operator:
                parts.append(f"{requirement.key} {operator} ({','.join(sorted(requirement.values))})")
            case "exists":
                parts.append(requirement.key)
            case _:
                parts.append(f"!{requirement.key}")
    return ",".join(parts)


def _by_key(requirement: LabelRequirement) -> str:
    return requirement.key


def parse_fields(text: str, kind: str) -> tuple[FieldRequirement, ...]:
    """Parse a field selector such as ``metadata.name=web,status.phase!=Running`` for objects of one kind.

    Raises:
        SelectorError: it is none, or names a field that objects of this kind cannot be selected by.
    """
    return tuple(_field_requirement(part, kind) for part in text.split(",") if part)


def _field_requirement(part: str, kind: str) -> FieldRequirement:
    match = re.fullmatch(r"([^=!]+)(==|!=|=)(.*)", part, re.DOTALL)
    if match is None:
        raise SelectorError(f"invalid selector: '{part}'; can't understand '{part}'")
    first, *rest = match[1].split(".")
    field = ".".join([_ALIASES.get(first, first), *rest]) if kind == "Event" else match[1]
    if field not in _FIELDS_OF_ALL and field not in SELECTABLE_FIELDS.get(kind, ()):
        raise SelectorError(f"field label not supported: {match[1]}")
    return FieldRequirement(tuple(field.split(".")), match[2] != "!=", match[3])


def matches_fields(requirements: Sequence[FieldRequirement], obj: Object) -> bool:
    """Return whether an object, in its stored version, meets every requirement."""
    return all((_text_at(obj, each.path) == each.value) == each.equal for each in requirements)


def _text_at(obj: Object, path: tuple[str, ...]) -> str:
    """Return a field as text; a missing one as the zero value it has in Go."""
    value: Any = obj
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    if path == ("source",) and isinstance(value, dict):
        value = value.get("component")
    if value is None:
        return _ZERO_VALUES.get(".".join(path), "")
    return str(value).lower() if isinstance(value, bool) else str(value)
