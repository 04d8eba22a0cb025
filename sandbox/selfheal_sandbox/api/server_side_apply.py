"""Server-side apply: merging what a manager wants into the live object, with conflicts where others own a field.

It follows structured-merge-diff in its results, not step by step: a map is a member of the set only when it is empty or
atomic, and the applied configuration is read in the version that the object is stored in.
"""

import json
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from selfheal_sandbox.api import errors, field_sets, managed_fields
from selfheal_sandbox.api.admission import without_nulls
from selfheal_sandbox.api.field_sets import SELF, FieldSet, Path
from selfheal_sandbox.kinds import schema
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.kinds.schema_node import SchemaNode
from selfheal_sandbox.store.objects import Object


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that the applied configuration would change and another manager owns."""

    entry: Object
    path: Path


def first_apply(resource: Resource, applied: Object, manager: str, now: datetime) -> Object:
    """Return the object to create when nothing of this name exists yet."""
    wanted = applied_fields(resource, applied, "")
    created = {**applied, "metadata": dict(applied["metadata"])}
    managed_fields.set_entries(created, [managed_fields.entry(resource, manager, "Apply", "", wanted, now)])
    return created


def applied_fields(resource: Resource, applied: Object, subresource: str) -> FieldSet:
    """Return the fields that an applied configuration is about."""
    part = field_sets.tracked_part(resource, applied, subresource)
    filled = {name: value for name, value in part.items() if value or name != "metadata"}
    return field_sets.of_value(filled, schema.root(resource))


def check_keys(value: Any, node: SchemaNode, *, custom: bool, path: str = "") -> None:
    """Refuse a list that is merged by key and has a key twice, or in a custom object an item without one.

    Raises:
        ApiError: 500 without a reason, as the API server has it.
    """
    if isinstance(value, dict):
        for name, item in value.items():
            check_keys(item, schema.child(node, name), custom=custom, path=f"{path}.{name}")
    elif isinstance(value, list) and not field_sets.is_atomic(value, node):
        if custom:  # in built-in kinds every key has a default, if only ""
            _check_key_fields(value, node, path)
        edges = [field_sets.edge_of(item, node) for item in value]
        repeated = next((edge for number, edge in enumerate(edges) if edge in edges[:number]), None)
        if repeated is not None:
            what = "key " if repeated.startswith("k:") else ""
            text = f"{path}: duplicate entries for {what}{field_sets.text_of((repeated,))}"
            raise errors.ApiError(500, "", text)
        for edge, item in zip(edges, value, strict=True):
            check_keys(item, node.items, custom=custom, path=path + field_sets.text_of((edge,)))


def _check_key_fields(items: list[Any], node: SchemaNode, path: str) -> None:
    keys = schema.list_map_keys(node)
    if not keys or any("default" in (node.items.fields.get(key) or {}) for key in keys):
        return
    for number, item in enumerate(items):
        if all(item.get(key) is None for key in keys):
            text = (
                f"{path}: element {number}: associative list with keys has an element that omits all key fields "
                f"{json.dumps(keys)} (and doesn't have default values for any key fields)"
            )
            raise errors.ApiError(500, "", text)


def apply(
    resource: Resource,
    live: Object,
    applied: Object,
    manager: str,
    *,
    force: bool,
    subresource: str,
    now: datetime,
) -> Object:
    """Return the live object with the applied configuration merged in and its managed fields brought up to date.

    Raises:
        ApiError: 409, other managers own fields that would change, and ``force`` is false.
    """
    root = schema.root(resource)
    wanted = applied_fields(resource, applied, subresource)
    entries = managed_fields.entries_to_apply(resource, live, subresource, now)
    mine = next((item for item in entries if managed_fields.is_of(item, manager, "Apply", subresource)), None)
    others = [item for item in entries if item is not mine]
    conflicts = find_conflicts(root, live, applied, wanted, others)
    if conflicts and not force:
        raise conflict_error(conflicts)
    kept = field_sets.union_of([wanted, *(managed_fields.fields_of(item) for item in others)])
    dropped = field_sets.difference(managed_fields.fields_of(mine), kept) if mine else {}
    kept = {"f:metadata": {}, **kept}  # with the name, which is applied each time
    merged: Object = without_fields(merge(live, applied, root), dropped, kept, root)
    merged["metadata"] = dict(merged["metadata"])
    own = managed_fields.entry(resource, manager, "Apply", subresource, wanted, now)
    if without_nulls(_without_entries(merged)) == _without_entries(live):  # the time tells when something changed
        del own["time"]
        own.update({"time": mine["time"]} if mine and mine.get("time") else {})
    managed_fields.set_entries(merged, [*_give_up(others, conflicts), own])
    return merged


def _without_entries(obj: Object) -> Object:
    metadata = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    return {**obj, "metadata": metadata}


def _give_up(others: list[Object], conflicts: list[Conflict]) -> list[Object]:
    """Take the fields that were forced from those who owned them."""
    result = []
    for item in others:
        lost = [conflict.path for conflict in conflicts if conflict.entry is item]
        fields = field_sets.difference(managed_fields.fields_of(item), _tree_of(lost))
        result.append({**item, "fieldsV1": fields} if lost else item)
    return result


def _tree_of(lost: list[Path]) -> FieldSet:
    tree: FieldSet = {}
    for path in lost:
        branch: FieldSet = {}
        for edge in reversed(path):
            branch = {edge: branch}
        tree = field_sets.union(tree, branch)
    return tree


def find_conflicts(
    root: SchemaNode, live: Object, applied: Object, wanted: FieldSet, others: list[Object]
) -> list[Conflict]:
    """Return the fields that others own and that the applied configuration sets to another value than they have."""
    conflicts = []
    for item in others:
        shared = field_sets.intersection(managed_fields.fields_of(item), wanted)
        conflicts += [Conflict(item, path) for path in _differing(shared, live, applied, root, ())]
    return conflicts


def _differing(shared: FieldSet, live: Any, applied: Any, node: SchemaNode, prefix: Path) -> list[Path]:
    """Return the members of ``shared`` whose values differ; an item of a list is only a place, never a value."""
    if not shared:
        if not applied and isinstance(live, dict | list) and not field_sets.is_atomic(live, node):
            return []  # nothing is merged into it
        return [] if live == without_nulls(applied) or not prefix or prefix[-1].startswith("k:") else [prefix]
    found: list[Path] = []
    for edge in sorted(shared.keys() - {SELF}, key=lambda edge: (bool(shared[edge]), edge)):  # members come first
        left, below = step(live, edge, node)
        right, _ = step(applied, edge, node)
        found += _differing(shared[edge], left, right, below, (*prefix, edge))
    return found


def step(value: Any, edge: str, node: SchemaNode) -> tuple[Any, SchemaNode]:
    """Return what lies behind one edge (None when nothing does), and its schema."""
    if edge.startswith("f:"):
        name = edge[2:]
        return (value.get(name) if isinstance(value, dict) else None), schema.child(node, name)
    if not isinstance(value, list):
        return None, node.items
    if edge.startswith("v:"):
        wanted = json.loads(edge[2:])
        return (wanted if wanted in value else None), node.items
    items = [item for item in value if isinstance(item, dict)]
    return field_sets.items_by_edge(items, node).get(edge), node.items


def conflict_error(conflicts: list[Conflict]) -> errors.ApiError:
    """Return the 409 that names every conflict, worded as the API server words it."""
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {_manager_text(conflict.entry)}",
            "field": field_sets.text_of(conflict.path),
        }
        for conflict in conflicts
    ]
    if len(conflicts) == 1:
        only = causes[0]
        text = f"Apply failed with 1 conflict: {only['message']}: {only['field']}"
    else:
        text = f"Apply failed with {len(conflicts)} conflicts: {_listed(conflicts)}"
    return errors.ApiError(409, "Conflict", text, {"causes": causes})


def _listed(conflicts: list[Conflict]) -> str:
    by_manager: dict[str, list[str]] = {}
    for conflict in sorted(conflicts, key=lambda conflict: _identifier(conflict.entry)):
        by_manager.setdefault(_manager_text(conflict.entry), []).append(field_sets.text_of(conflict.path))
    blocks = [
        "\n".join([f"conflicts with {manager}:", *(f"- {path}" for path in paths)])
        for manager, paths in by_manager.items()
    ]
    return "\n".join(blocks)


def _identifier(item: Object) -> str:
    """Return what the API server sorts managers by (BuildManagerIdentifier of apimachinery's managedfields)."""
    names = ("manager", "operation", *(["apiVersion"] if item.get("operation") == "Update" else []), "subresource")
    return json.dumps({name: item[name] for name in names if item.get(name)}, separators=(",", ":"))


def _manager_text(item: Object) -> str:
    text = json.dumps(item.get("manager", ""))
    if item.get("subresource"):
        text += f" with subresource {json.dumps(item['subresource'])}"
    return f"{text} using {item.get('apiVersion')}" if item.get("operation") == "Update" else text


def merge(live: Any, applied: Any, node: SchemaNode) -> Any:
    """Return the live value with the applied one merged in, as the schema says for its lists and maps."""
    if isinstance(live, dict) and isinstance(applied, dict):
        if node.keywords.get("x-kubernetes-map-type") == "atomic":
            return applied
        merged = {name: merge(live.get(name), item, schema.child(node, name)) for name, item in applied.items()}
        return {**live, **merged}
    if applied is None and isinstance(live, dict | list) and not field_sets.is_atomic(live, node):
        return live or None  # a null owns a map or list, and leaves what is in it
    if isinstance(live, list) and isinstance(applied, list):
        if any(field_sets.is_atomic(side, node) for side in (live, applied) if side):
            return applied
        if schema.list_type(node) == "set":
            old, new = ({field_sets.value_edge(item): item for item in side} for side in (live, applied))
            return [{**old, **new}[edge] for edge in merged_order(list(old), list(new))]
        return _merge_items(live, applied, node)
    return applied


def _merge_items(live: list[Object], applied: list[Object], node: SchemaNode) -> list[Object]:
    """Merge by key, in the order of `merged_order`."""
    old = field_sets.items_by_edge(live, node)
    new = field_sets.items_by_edge(applied, node)
    both = {edge: merge(old[edge], new[edge], node.items) for edge in old.keys() & new.keys()}
    items = {**old, **new, **both}
    return [items[edge] for edge in merged_order(list(old), list(new))]


def merged_order(old: list[str], new: list[str]) -> list[str]:
    """Return the order of the items of a list after an application: the applied ones as applied, the others between.

    See visitListItems in merge.go of structured-merge-diff.
    """
    known, wanted = set(old), set(new)
    order: dict[str, None] = {}
    waiting, shared = deque(old), deque(edge for edge in new if edge in known)
    for edge in new:
        next_shared = shared[0] if shared else None
        while waiting and waiting[0] != edge:
            first = waiting[0]
            if first in wanted and next_shared in (None, first):
                break
            waiting.popleft()
            if first not in wanted:
                order[first] = None
        if waiting and (waiting[0] == edge or waiting[0] in order):
            waiting.popleft()
        if edge == next_shared:
            shared.popleft()
        order[edge] = None
    return [*order, *(edge for edge in waiting if edge not in wanted)]


def without_fields(value: Any, dropped: FieldSet, kept: FieldSet, node: SchemaNode) -> Any:
    """Return a value without the dropped fields, and without parents that this empties and nobody keeps."""
    if isinstance(value, dict):
        result = dict(value)
        for edge, below in dropped.items():
            name = edge[2:]
            if edge.startswith("f:") and name in result:
                child = schema.child(node, name)
                whole = node.field(name) is not None and child.values is None
                left = _remainder(result.pop(name), below, kept.get(edge), child, whole=whole)
                result.update({name: left} if left is not None else {})
        return result
    if isinstance(value, list) and dropped:
        left_items = [
            _remainder(item, dropped[edge], kept.get(edge), node.items) if edge in dropped else item
            for edge, item in _edges(value, node)
        ]
        return [item for item in left_items if item is not None]
    return value


def _remainder(value: Any, dropped: FieldSet, kept: FieldSet | None, node: SchemaNode, *, whole: bool = False) -> Any:
    """Return what is left of one child, or None when it goes.

    A struct goes as a ``whole`` once nobody owns anything in it, with the defaults that nobody ever owned (see
    EnsureNamedFieldsAreMembers of structured-merge-diff). A map stays: controllers here add to maps as nobody.
    """
    if kept is None and (whole or field_sets.is_member(dropped)):
        return None
    left = without_fields(value, dropped, kept or {}, node)
    return None if left in ({}, []) and kept is None else left


def _edges(value: list[Any], node: SchemaNode) -> list[tuple[str, Any]]:
    keys = schema.list_map_keys(node)
    return [
        (field_sets.item_edge(item, keys) if isinstance(item, dict) else field_sets.value_edge(item), item)
        for item in value
    ]
