"""What the schema of a kind says: is an object well formed, which fields are unknown, and how are its lists merged?

A built-in object is decoded by the API server into Go types, so that a wrong type is an error of decoding (400) and a
missing field one of validation (422). A custom object is checked against its OpenAPI schema, where both are causes.
"""

import base64
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from selfheal_sandbox.kinds import cause, schema_node
from selfheal_sandbox.kinds.allowed_values import ALLOWED_VALUES
from selfheal_sandbox.kinds.cause import Cause
from selfheal_sandbox.kinds.quantity import is_quantity
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.kinds.schema_node import ANY, INT_OR_STRING, INT_OR_STRING_NAME, QUANTITY, SchemaNode
from selfheal_sandbox.kinds.value_rules import broken_rules
from selfheal_sandbox.store.objects import Object

ListType = Literal["map", "set", "atomic"]

QUANTITY_PATTERN = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
"""As the API server's own message has it (k8s.io/apimachinery/pkg/api/resource)."""

_TOLD_OF_THE_PARENT = frozenset({("io.k8s.api.apps.v1.DeploymentStrategy", "type")})
"""Fields whose unsupported values the API server reports at the struct that holds them."""

_TOLD_AS_INVALID = {
    ("io.k8s.api.autoscaling.v2.MetricTarget", "type"): "must be either Utilization, Value, or AverageValue",
    ("io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement", "operator"): "not a valid selector operator",
}
"""Fields whose unsupported values the API server calls invalid, and its words."""

_KEPT_EMPTY = frozenset(
    {
        ("io.k8s.api.autoscaling.v2.HPAScalingRules", "policies"),
        ("io.k8s.api.discovery.v1.EndpointSlice", "endpoints"),
        ("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", "managedFields"),
    }
)
"""Optional lists for which it matters whether they are empty or not there."""

_STRUCTS = ("spec", "template", "scaleTargetRef", "involvedObject")
"""Required fields that are structs in Go: where they are missing, what they require is."""

OWNER_REFERENCE = "io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference"
"""Its required fields are a matter of the rules of metadata, which word it otherwise."""

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_BITS = {"int32": 32, "int64": 64}
_JSON_NAMES: dict[type, str] = {
    str: "string",
    bool: "bool",
    int: "number",
    float: "number",
    dict: "object",
    list: "array",
}
_PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "object": dict,
    "array": list,
    INT_OR_STRING: (str, int, float),
}

Path = tuple[Any, str | int] | None
"""A path as a chain (path of the parent, name or index): written out only when there is something to report."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with the shape of an object.

    Attributes:
        type_errors: Built-in kinds: errors of decoding, as the end of the API server's message
            (`... cannot be handled as a Deployment: ` goes before them). A request with one is answered with 400.
        causes: Missing fields and values that are not allowed: answered with 422.
        unknown_fields: Paths that the schema does not know; `prune` removes them.
        empty_fields: Built-in kinds: (object, name) of optional maps and lists without content, which Go leaves out.
    """

    type_errors: list[str] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    unknown_fields: list[str] = field(default_factory=list)
    empty_fields: list[tuple[Object, str]] = field(default_factory=list)


def root(resource: Resource) -> SchemaNode:
    """The schema of a whole object of a resource."""
    return schema_node.root(resource)


def check(resource: Resource, obj: Object) -> Findings:
    """Compare an object with its schema. Nulls count as absent. Call it before defaults are applied."""
    findings = Findings()
    node = root(resource)
    if resource.is_custom:
        _Walk(findings, custom=True).visit({key: value for key, value in obj.items() if key != "metadata"}, node, None)
        _Walk(findings).visit(
            obj.get("metadata"), child(node, "metadata"), (None, "metadata")
        )  # a Go type for all kinds
    else:
        status = {key: obj[key] for key in ("status",) if key in obj}
        rest = {key: value for key, value in obj.items() if key != "status"}
        _Walk(findings).visit(rest, node, None)
        # The API server does not ask for fields of a status: what is missing there is a zero value in Go.
        _Walk(findings, requires_fields=False).visit(status, node, None)
        findings.empty_fields[:] = [(obj if each is rest else each, name) for each, name in findings.empty_fields]
    return findings


def prune(resource: Resource, obj: Object) -> None:
    """Remove the fields that the schema does not know, in place."""
    _prune(obj, root(resource))


def _prune(value: Any, node: SchemaNode) -> None:
    if isinstance(value, list):
        for item in value:
            _prune(item, node.items)
    elif isinstance(value, dict):
        for name in list(value):
            known = _member(node, name)
            if known is not None:
                _prune(value[name], known)
            elif not _keeps_unknown(node):
                del value[name]


def _member(node: SchemaNode, name: str) -> SchemaNode | None:
    return node.field(name) or node.values


def _keeps_unknown(node: SchemaNode) -> bool:
    """Whether a schema lets fields pass that it does not list: it says so, or it lists none at all in a built-in."""
    return node.is_open or node.type != "object" or (bool(node.name) and not node.fields)


def _known_part(value: Object, node: SchemaNode) -> Object:
    """What pruning leaves of an object's own fields: the API server prunes before it counts properties."""
    return {name: item for name, item in value.items() if _member(node, name) or _keeps_unknown(node)}


class _Walk:
    """One comparison of an object with its schema."""

    def __init__(self, findings: Findings, *, custom: bool = False, requires_fields: bool = True) -> None:
        self._findings = findings
        self._custom = custom
        self._requires_fields = requires_fields

    def visit(self, value: Any, node: SchemaNode, path: Path, owner: str = "") -> None:
        """Check one value; `owner` names the definition whose field it is."""
        if value is None or node is ANY:
            return
        if not self._has_right_type(value, node):
            self._report_type(value, node, path, owner)
        elif isinstance(value, dict):
            self._visit_object(value, node, path)
        elif isinstance(value, list):
            items = node.items
            for index, item in enumerate(value):
                self.visit(item, items, (path, index), owner)
        elif not self._custom:
            self._check_text(value, node, path)
        if self._custom:
            counted = _known_part(value, node) if isinstance(value, dict) else value
            self._findings.causes.extend(broken_rules(counted, node.keywords, written(path)))

    def _visit_object(self, value: Object, node: SchemaNode, path: Path) -> None:
        for name, item in value.items():
            known = _member(node, name)
            if known is not None:
                if (item == {} or item == []) and not self._custom and _is_omitted(node, name, known):
                    self._findings.empty_fields.append((value, name))
                self.visit(item, known, (path, name), node.name)
                self._check_allowed(item, node, name, path)
            elif not _keeps_unknown(node):
                self._findings.unknown_fields.append(written((path, name)))
        if self._requires_fields and node.name != OWNER_REFERENCE:
            # A custom field with a default is filled in later, so it may be missing here.
            missing = [name for name in node.required if value.get(name) is None and not _has_default(node, name)]
            for name in missing:
                below = node.field(name)
                if name in _STRUCTS and below is not None and not self._custom:
                    self._visit_object({}, below, (path, name))
                else:
                    self._findings.causes.append(cause.required(written((path, name))))

    def _check_allowed(self, value: Any, node: SchemaNode, name: str, path: Path) -> None:
        allowed = ALLOWED_VALUES.get((node.name, name))
        if allowed is None or not isinstance(value, str) or value in allowed:
            return
        if value or name in node.required:  # an empty text is no choice, which is fine where none need be made
            place = written(path if (node.name, name) in _TOLD_OF_THE_PARENT else (path, name))
            detail = _TOLD_AS_INVALID.get((node.name, name))
            broken = cause.invalid(place, value, detail) if detail else cause.not_supported(place, value, allowed)
            self._findings.causes.append(broken)

    def _has_right_type(self, value: Any, node: SchemaNode) -> bool:
        expected = _PYTHON_TYPES.get(node.type)
        if expected is None:
            return True
        if isinstance(value, bool):
            return node.type == "boolean"
        if node.name != QUANTITY and node.type in ("integer", INT_OR_STRING):
            if isinstance(value, float):
                return self._custom and value.is_integer()
            if isinstance(value, int):
                return -(1 << _bits(node) - 1) <= value < 1 << _bits(node) - 1
        return isinstance(value, expected)

    def _report_type(self, value: Any, node: SchemaNode, path: Path, owner: str) -> None:
        if self._custom:
            expected = "integer or string" if node.type == INT_OR_STRING else node.type
            self._findings.causes.append(cause.wrong_type(written(path), _JSON_NAMES[type(value)], expected))
            if expected == "integer" and isinstance(value, float):  # the rule of ranges tells it again, of the whole
                whole = "status" if _steps(path)[0] == "status" else "<nil>"
                detail = f"Checked value must be of type integer (default format) in {written(path)}"
                self._findings.causes.append(cause.invalid(whole, "", detail))
            return
        shown = f"number {value}" if _is_number(value) else _JSON_NAMES[type(value)]
        place = f"Go struct field {owner.rsplit('.', 1)[-1]}.{_go_path(path)}" if path else "Go value"
        self._findings.type_errors.append(f"json: cannot unmarshal {shown} into {place} of type {_go_type(node)}")

    def _check_text(self, value: Any, node: SchemaNode, path: Path) -> None:
        """Report what the API server's own decoders of quantities, times and bytes would not read."""
        if node.name == QUANTITY and not is_quantity(str(value)):
            self._findings.type_errors.append(f"quantities must match the regular expression '{QUANTITY_PATTERN}'")
        if not isinstance(value, str):
            return
        wants_fraction = node.name.endswith(".MicroTime")
        if node.keywords.get("format") == "date-time" and (
            not _TIME.fullmatch(value) or (wants_fraction and "." not in value)
        ):
            message = f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse "{value}" as a time'
            self._findings.type_errors.append(message)
        elif node.keywords.get("format") == "byte" and not _is_base64(value):
            self._findings.type_errors.append(f"illegal base64 data in {written(path)}")


def _is_omitted(owner: SchemaNode, name: str, node: SchemaNode) -> bool:
    """Whether an empty value is as good as none: a map or list that may be left out, but no struct."""
    if name in owner.required or name not in owner.fields or (owner.name, name) in _KEPT_EMPTY:
        return False
    return node.type == "array" or (node.type == "object" and node.values is not None)


def _has_default(node: SchemaNode, name: str) -> bool:
    return "default" in (node.fields.get(name) or {})


def _bits(node: SchemaNode) -> int:
    return 32 if node.name == INT_OR_STRING_NAME else _BITS.get(node.keywords.get("format", ""), 64)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except ValueError:
        return False
    return True


def _go_type(node: SchemaNode) -> str:
    """The Go type behind a node, as decoding errors name it."""
    if node.type == "array":
        return f"[]{_go_type(node.items)}"
    if node.type == "object":
        values = node.values
        return f"map[string]{_go_type(values)}" if values else ".".join(node.name.split(".")[-2:])
    if node.type == INT_OR_STRING:
        return "int32"
    if node.type == "integer":
        return str(node.keywords.get("format", "int64"))
    return {"boolean": "bool", "number": "float64"}.get(node.type, node.type)


def _go_path(path: Path) -> str:
    """A path as Go writes it: names only."""
    return ".".join(str(step) for step in _steps(path) if isinstance(step, str))


def written(path: Path) -> str:
    """A path as messages write it: `spec.containers[0].name`."""
    text = ""
    for step in _steps(path):
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _steps(path: Path) -> list[str | int]:
    steps: list[str | int] = []
    while path is not None:
        path, step = path
        steps.append(step)
    return steps[::-1]


def child(node: SchemaNode, key: str) -> SchemaNode:
    """The schema of a member of an object or map; of a list: of its items' member. `ANY` when nothing is known."""
    if node.type == "array":
        node = node.items
    return _member(node, key) or ANY


def items(node: SchemaNode) -> SchemaNode:
    """The schema of a list's items."""
    return node.items


def merge_key(node: SchemaNode) -> str | None:
    """The field that tells the items of a list apart in a strategic merge patch (`x-kubernetes-patch-merge-key`)."""
    key = node.keywords.get("x-kubernetes-patch-merge-key")
    return None if key is None else str(key)


def patch_strategy(node: SchemaNode) -> frozenset[str]:
    """How a strategic merge patch treats a field: any of "merge", "replace" and "retainKeys"; empty is replace."""
    strategy: str = node.keywords.get("x-kubernetes-patch-strategy", "")
    return frozenset(strategy.split(",")) - {""}


def list_type(node: SchemaNode) -> ListType:
    """How server-side apply treats a list: owned item by item (by keys or by value), or as a whole."""
    declared = node.keywords.get("x-kubernetes-list-type")
    if declared in ("map", "set"):
        return "map" if declared == "map" else "set"
    if declared is None and "merge" in patch_strategy(node):  # as upstream derives it for older types
        return "map" if merge_key(node) else "set"
    return "atomic"


def list_map_keys(node: SchemaNode) -> tuple[str, ...]:
    """The fields that tell the items of a "map" list apart in server-side apply; empty for other lists."""
    if list_type(node) != "map":
        return ()
    declared = node.keywords.get("x-kubernetes-list-map-keys")
    key = merge_key(node)
    return tuple(declared) if declared else (key,) if key else ()


def is_atomic(node: SchemaNode) -> bool:
    """Whether server-side apply owns a value as a whole (also true for a list that is neither "map" nor "set")."""
    if node.type == "array":
        return list_type(node) == "atomic"
    return node.keywords.get("x-kubernetes-map-type") == "atomic"
