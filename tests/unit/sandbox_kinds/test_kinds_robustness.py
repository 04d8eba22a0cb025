"""Whatever a client sends is either refused with a reason or goes all the way through; nothing raises."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfheal_sandbox.kinds import conversion, schema
from selfheal_sandbox.kinds.defaults import apply_defaults
from selfheal_sandbox.kinds.printing import cells, columns
from selfheal_sandbox.kinds.registry import BUILTIN, Resource, resources_of_definition
from selfheal_sandbox.kinds.schema_node import INT_OR_STRING, QUANTITY, SchemaNode, root
from selfheal_sandbox.kinds.validation import causes

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
MAX_DEPTH = 8  # JSON schemas contain themselves


def without_nulls(value: Any) -> Any:
    """An object as the API drops nulls from it before it is checked."""
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value if item is not None] if isinstance(value, list) else value


@st.composite
def values(draw: st.DrawFn, node: SchemaNode, depth: int = 0) -> Any:
    """A value that mostly has the shape its schema says, with a field left out or wrong here and there."""
    if draw(st.integers(0, 60)) == 0:
        return draw(JSON)
    if node.name == QUANTITY:
        return draw(st.sampled_from(["1", "500m", "1Gi", "-1", 2]))
    if node.type == INT_OR_STRING:
        return draw(st.sampled_from(["25%", "http", "", 0, 1, -1]))
    if node.type == "array":
        return [draw(values(node.items, depth + 1)) for _ in range(draw(st.integers(0, 2)))]
    if node.type == "object" and depth < MAX_DEPTH:
        if node.values is not None:
            return {key: draw(values(node.values, depth + 1)) for key in draw(st.lists(st.sampled_from(["a", "b/c"])))}
        chosen = draw(st.lists(st.sampled_from(sorted(node.fields)), max_size=6)) if node.fields else []
        known = {name: node.field(name) for name in (*node.required, *chosen)}
        return {name: draw(values(child, depth + 1)) for name, child in known.items() if child is not None}
    plain: dict[str, st.SearchStrategy[Any]] = {
        "string": st.sampled_from(["", "a", "web", "Always", "RollingUpdate", "2026-01-01T00:00:00Z", "eA=="]),
        "integer": st.sampled_from([0, 1, 80, -1]),
        "boolean": st.booleans(),
        "number": st.just(1.5),
    }
    return draw(plain.get(node.type, st.just({})))


def admitted(resource: Resource, obj: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any] | None:
    """The object as it would be stored, or None when it is refused."""
    findings = schema.check(resource, obj)
    if findings.type_errors:
        return None
    schema.prune(resource, obj)
    apply_defaults(resource, obj)
    return None if [*findings.causes, *causes(resource, obj, old)] else obj


@pytest.mark.parametrize("resource", BUILTIN, ids=lambda resource: f"{resource.group_resource}.{resource.version}")
@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_builtin_objects(resource: Resource, data: st.DataObject) -> None:
    obj = without_nulls(data.draw(values(root(resource))))
    if not isinstance(obj, dict) or not isinstance(obj.get("metadata"), dict):
        obj = {"metadata": {"name": "web"}}
    obj["metadata"]["name"] = "web"
    old = admitted(resource, copy.deepcopy(obj), None)
    new = admitted(resource, copy.deepcopy(obj), old)
    assert (new is None) == (old is None)
    if new is not None:
        assert admitted(resource, copy.deepcopy(new), new) == new  # stored objects can be written back
        assert len(cells(resource, new, NOW)) == len(columns(resource))
        stored = conversion.to_storage(resource, new)
        assert conversion.from_storage(resource, stored)["metadata"]["name"] == "web"


@settings(max_examples=60, deadline=None, derandomize=True)
@given(spec=st.dictionaries(st.sampled_from(["size", "color", "share", "limits", "labels", "free", "items"]), JSON))
def test_custom_objects(spec: dict[str, Any]) -> None:
    number = {"type": "integer", "default": 2, "minimum": 0, "multipleOf": 2}
    text = {"type": "string", "pattern": "^a", "maxLength": 3, "enum": ["a", "ab"], "format": "date-time"}
    fields = {
        "size": number,
        "color": text,
        "share": {"x-kubernetes-int-or-string": True},
        "limits": {"type": "object", "properties": {"cpu": text}, "minProperties": 1},
        "labels": {"type": "object", "additionalProperties": text},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "items": {"type": "array", "items": number, "minItems": 1},
    }
    definition = {
        "spec": {
            "group": "example.io",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {"spec": {"type": "object", "properties": fields}},
                        }
                    },
                    "additionalPrinterColumns": [
                        {"name": kind, "type": kind, "jsonPath": f".spec.{field}"}
                        for kind, field in (("integer", "size"), ("string", "free"), ("date", "color"))
                    ],
                }
            ],
        }
    }
    (widgets,) = resources_of_definition(definition)
    obj = {"metadata": {"name": "w"}, "spec": without_nulls(spec)}
    new = admitted(widgets, obj, None)
    if new is not None:
        assert admitted(widgets, copy.deepcopy(new), new) == new
        assert len(cells(widgets, new, NOW)) == len(columns(widgets))
