"""Sets of fields of an object, in the form they have in ``managedFields`` (``FieldsV1``).

A set is a tree of dicts. An edge names a step into the object: ``f:name`` a field, ``k:{"name":"web"}`` the item of a
list with that key, ``v:"x"`` a value of a list that is a set. A node is in the set when it has no children, or when it
has the child ``.``. Values are compared with their schema, because it says how a list is merged.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from selfheal_sandbox.kinds import schema
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.kinds.schema_node import SchemaNode
from selfheal_sandbox.store.objects import Object

FieldSet: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str, ...]

SELF = "."
_UNTRACKED_METADATA = frozenset(
    {
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "managedFields",
        "selfLink",
    }
)


def is_member(node: FieldSet) -> bool:
    """Return whether the place of a node is itself in the set (not only what lies below it)."""
    return not node or SELF in node


def is_field_set(value: Any) -> bool:
    """Return whether a value from outside has the form of a set: dicts all the way down."""
    return isinstance(value, dict) and all(is_field_set(child) for child in value.values())


def _node(member: bool, children: FieldSet) -> FieldSet | None:
    """Return the node for these children, or None when it says nothing."""
    if not children:
        return {} if member else None
    return {SELF: {}, **children} if member else children


def union(first: FieldSet, second: FieldSet) -> FieldSet:
    """Return what is in either set."""
    if not first or not second:
        return first or second
    return _union(first, second)


def _union(first: FieldSet, second: FieldSet) -> FieldSet:
    children = {edge: child for edge, child in first.items() if edge != SELF}
    for edge, child in second.items():
        if edge != SELF:
            children[edge] = _union(children[edge], child) if edge in children else child
    return _node(is_member(first) or is_member(second), children) or {}


def union_of(sets: Iterable[FieldSet]) -> FieldSet:
    """Return what is in any of the sets."""
    total: FieldSet = {}
    for each in sets:
        total = union(total, each)
    return total


def difference(first: FieldSet, second: FieldSet) -> FieldSet:
    """Return what is in the first set and not in the second; {} when nothing is."""
    if not second or not first:
        return first
    return _difference(first, second) or {}


def _difference(first: FieldSet, second: FieldSet) -> FieldSet | None:
    children = {}
    for edge, child in first.items():
        if edge == SELF:
            continue
        other = second.get(edge)
        rest = child if other is None else _difference(child, other)
        if rest is not None:
            children[edge] = rest
    return _node(is_member(first) and not is_member(second), children)


def intersection(first: FieldSet, second: FieldSet) -> FieldSet:
    """Return what is in both sets; {} when nothing is."""
    if not first or not second:
        return {}
    return _intersection(first, second) or {}


def _intersection(first: FieldSet, second: FieldSet) -> FieldSet | None:
    children = {}
    for edge in first.keys() & second.keys() - {SELF}:
        both = _intersection(first[edge], second[edge])
        if both is not None:
            children[edge] = both
    return _node(is_member(first) and is_member(second), children)


def paths(fields: FieldSet, prefix: Path = ()) -> Iterator[Path]:
    """Yield the path of every member, in the order of their names."""
    if prefix and is_member(fields):
        yield prefix
    for edge in sorted(fields):
        if edge != SELF:
            yield from paths(fields[edge], (*prefix, edge))


def text_of(path: Path) -> str:
    """Return a path as messages show it: ``.spec.template.spec.containers[name="web"].image``."""
    parts = []
    for edge in path:
        kind, _, rest = edge.partition(":")
        if kind == "f":
            parts.append(f".{rest}")
        elif kind == "k":
            keys = ",".join(f"{name}={json.dumps(value)}" for name, value in json.loads(rest).items())
            parts.append(f"[{keys}]")
        else:
            parts.append(f"[={rest}]")
    return "".join(parts)


def tracked_part(resource: Resource, obj: Object, subresource: str) -> Object:
    """Return the part of an object whose fields have owners in a request to this subresource."""
    part = {name: value for name, value in obj.items() if name not in ("apiVersion", "kind", "metadata")}
    if subresource == "status":
        part = {"status": obj["status"]} if "status" in obj else {}
        if resource.is_custom:
            return part
    elif "status" in resource.subresources:
        part.pop("status", None)
    metadata = {name: value for name, value in obj["metadata"].items() if name not in _UNTRACKED_METADATA}
    return {**part, "metadata": metadata}


def of_value(value: Any, node: SchemaNode) -> FieldSet:
    """Return the set of all fields of an applied value; {} when the value is one field as a whole."""
    if isinstance(value, dict) and not is_atomic(value, node):
        return {
            edge: (of_value if node.field(edge.removeprefix("f:")) else _of_item)(item, below)
            for edge, (item, below) in _children(value, node).items()
            if not _says_nothing(item, below)
        }
    if isinstance(value, list) and not is_atomic(value, node):
        if schema.list_type(node) == "set":
            return {value_edge(item): {} for item in value}
        return {edge: _of_item(item, node.items) for edge, item in items_by_edge(value, node).items()}
    return {}


def _says_nothing(value: Any, node: SchemaNode) -> bool:
    """Return whether nobody owns anything by applying a value: a list without items, or a map of nothing but those."""
    if not isinstance(value, dict | list) or is_atomic(value, node):
        return False
    if isinstance(value, list):
        return not value
    return bool(value) and all(_says_nothing(item, below) for item, below in _children(value, node).values())


def _of_item(item: Any, node: SchemaNode) -> FieldSet:
    """Return the set of an item of a list or of a map that is no struct: the place is a member itself."""
    children = of_value(item, node)
    return {SELF: {}, **children} if children else {}


def of_new(value: Any, node: SchemaNode) -> FieldSet:
    """Return the set of a value that was not there before an update; maps and lists on the way are members too."""
    if not isinstance(value, dict | list) or not value or is_atomic(value, node):
        return {}
    children = _children(value, node)
    return {SELF: {}, **{edge: of_new(item, below) for edge, (item, below) in children.items()}}


def changes(old: Any, new: Any, node: SchemaNode) -> tuple[FieldSet, FieldSet]:
    """Return (the fields that were added or got another value, the fields that are no longer there).

    A null in ``old`` stands for a field that is there without a value. See compare.go of structured-merge-diff.
    """
    changed, removed = _changes(old, new, node)
    return changed or {}, removed or {}


_Changes: TypeAlias = tuple[FieldSet | None, FieldSet | None]
_NO_CHANGES: _Changes = (None, None)


def _changes(old: Any, new: Any, node: SchemaNode) -> _Changes:
    if old is new or old == new:
        return _NO_CHANGES
    if not (old or new) or not (_has_children(old, node) and _has_children(new, node)):
        return {}, None
    return _changes_of_children(_children(old, node), _children(new, node))


def _has_children(value: Any, node: SchemaNode) -> bool:
    """Return whether the parts of a value have owners of their own; nothing has none, whatever it is compared with."""
    return value is None or (isinstance(value, dict | list) and not is_atomic(value, node))


_Children: TypeAlias = dict[str, tuple[Any, SchemaNode]]


def _children(value: Any, node: SchemaNode) -> _Children:
    """Return the parts of a map or list by their edges, each with its schema."""
    if isinstance(value, dict):
        return {f"f:{name}": (item, schema.child(node, name)) for name, item in value.items()}
    if not value:
        return {}
    if schema.list_type(node) == "set":
        return {value_edge(item): (item, node.items) for item in value}
    return {edge: (item, node.items) for edge, item in items_by_edge(value, node).items()}


def _changes_of_children(old: _Children, new: _Children) -> _Changes:
    changed: FieldSet = {}
    removed: FieldSet = {}
    for edge, (item, node) in new.items():
        if edge not in old:
            changed[edge] = of_new(item, node)
            continue
        below_changed, below_removed = _changes(old[edge][0], item, node)
        if below_changed is not None:
            changed[edge] = below_changed
        if below_removed is not None:
            removed[edge] = below_removed
    for edge, (item, node) in old.items():
        if edge not in new and item is not None:
            removed[edge] = of_new(item, node)
    return changed or None, removed or None


def is_atomic(value: dict[str, Any] | list[Any], node: SchemaNode) -> bool:
    """Return whether a map or list has one owner as a whole: so says the schema, or it is malformed."""
    if isinstance(value, dict):
        return node.keywords.get("x-kubernetes-map-type") == "atomic"
    match schema.list_type(node):
        case "map":
            return not all(isinstance(item, dict) for item in value)
        case "set":
            return any(isinstance(item, dict | list) for item in value)
    return True


def items_by_edge(items: list[Object], node: SchemaNode) -> dict[str, Object]:
    """Return the items of a list that is merged by key, under their edges."""
    keys = schema.list_map_keys(node)
    return {item_edge(item, keys): item for item in items}


def edge_of(item: Any, node: SchemaNode) -> str:
    """Return the edge to one item of a list that is no whole."""
    return item_edge(item, schema.list_map_keys(node)) if schema.list_type(node) == "map" else value_edge(item)


def item_edge(item: Object, keys: Iterable[str]) -> str:
    """Return the edge to an item of a list that is merged by these keys; a missing protocol is TCP, as everywhere."""
    found = {key: "TCP" if key == "protocol" and item.get(key) is None else item.get(key) for key in keys}
    return "k:" + _compact({key: value for key, value in found.items() if value is not None})


def value_edge(value: Any) -> str:
    """Return the edge to a value of a list that is a set."""
    return "v:" + _compact(value)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
