"""Strategic merge patch: a merge patch that knows from the schema which lists are merged, and by which key.

See sig-api-machinery's strategic-merge-patch document and k8s.io/apimachinery/pkg/util/strategicpatch.
"""

from collections.abc import Callable
from typing import Any

from selfheal_sandbox.api.errors import ApiError, bad_request
from selfheal_sandbox.kinds import schema
from selfheal_sandbox.kinds.schema_node import SchemaNode
from selfheal_sandbox.store.objects import Object

DIRECTIVE = "$patch"
RETAIN_KEYS = "$retainKeys"
SET_ORDER = "$setElementOrder/"
DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"


def strategic_merge(target: Any, patch: Any, node: SchemaNode) -> Any:
    """Return the target with the patch merged in; neither is changed.

    Raises:
        ApiError: 400, the patch is malformed.
    """
    if not isinstance(patch, dict):
        raise bad_request("a strategic merge patch is an object")
    return _merge_map(target, patch, node)


def _malformed(name: str, wanted: str) -> ApiError:
    return bad_request(f"malformed strategic merge patch: {name} must be {wanted}")


def _merge_map(target: Any, patch: Object, node: SchemaNode) -> Object:
    match patch.get(DIRECTIVE, "merge"):
        case "replace":
            return _plain_map(patch)
        case "delete":
            return {}
        case "merge":
            pass
        case other:
            raise bad_request(f"Unknown patch type found: {other!r}")
    merged = _retained(target if isinstance(target, dict) else {}, patch)
    for name, value in patch.items():
        if name.startswith(DELETE_PRIMITIVES):
            _delete_primitives(merged, name.removeprefix(DELETE_PRIMITIVES), value)
        elif name not in (DIRECTIVE, RETAIN_KEYS) and not name.startswith(SET_ORDER):
            _merge_field(merged, name, value, schema.child(node, name))
    for name, order in patch.items():
        if name.startswith(SET_ORDER):
            field = name.removeprefix(SET_ORDER)
            _set_order(merged, field, order, schema.child(node, field))
    return merged


def _retained(target: Object, patch: Object) -> Object:
    if RETAIN_KEYS not in patch:
        return dict(target)
    keys = patch[RETAIN_KEYS]
    if not isinstance(keys, list):
        raise _malformed(RETAIN_KEYS, "a list of field names")
    return {name: value for name, value in target.items() if name in keys}


def _delete_primitives(merged: Object, field: str, values: Any) -> None:
    if not isinstance(values, list):
        raise _malformed(DELETE_PRIMITIVES + field, "a list")
    current = merged.get(field)
    if isinstance(current, list):
        merged[field] = [value for value in current if value not in values]


def _merge_field(merged: Object, name: str, value: Any, node: SchemaNode) -> None:
    if value is None:
        merged.pop(name, None)
    elif isinstance(value, dict):
        current = merged.get(name)
        if value.get(DIRECTIVE) == "delete" and len(value) == 1:
            merged.pop(name, None)
        elif "replace" in schema.patch_strategy(node) and "retainKeys" not in schema.patch_strategy(node):
            merged[name] = without_directives(value)
        else:
            merged[name] = _merge_map(current, value, node)
    elif isinstance(value, list):
        merged[name] = _merge_list(merged.get(name), value, node)
    else:
        merged[name] = value


def _merge_list(current: Any, patch: list[Any], node: SchemaNode) -> list[Any]:
    replaces = any(isinstance(item, dict) and item.get(DIRECTIVE) == "replace" for item in patch)
    if replaces or "merge" not in schema.patch_strategy(node):
        return [without_directives(item) for item in patch if not (isinstance(item, dict) and set(item) == {DIRECTIVE})]
    existing = current if isinstance(current, list) else []
    key = schema.merge_key(node)
    if key is None:
        return _in_order(existing + [value for value in patch if value not in existing], existing, patch, key)
    return _in_order(_merge_items(existing, patch, key, node.items), existing, patch, key)


def _in_order(merged: list[Any], existing: list[Any], patch: list[Any], key: str | None) -> list[Any]:
    """Sort a merged list: items of the patch in its order, and before each what was before it, as upstream sorts.

    An item that is new stands before all others that are not in the patch (``mergeSortedSlice`` of strategicpatch).
    """
    identity = _identity_by(key)
    before, asked = [identity(item) for item in existing], [identity(item) for item in patch]
    right = sorted((item for item in merged if identity(item) in asked), key=lambda item: asked.index(identity(item)))
    result: list[Any] = []
    for item in (item for item in merged if identity(item) not in asked):
        while right and not _stands_before(identity(item), identity(right[0]), before):
            result.append(right.pop(0))
        result.append(item)
    return result + right


def _stands_before(one: Any, other: Any, order: list[Any]) -> bool:
    return one in order and other in order and order.index(one) < order.index(other)


def _merge_items(current: list[Any], patch: list[Any], key: str, node: SchemaNode) -> list[Any]:
    merged = list(current)
    for item in patch:
        if not isinstance(item, dict):
            raise bad_request("malformed strategic merge patch: an item of a list that is merged by key is an object")
        if key not in item:
            raise bad_request(f"map: {sorted(item)} does not contain declared merge key: {key}")
        places = [index for index, old in enumerate(merged) if _has_key(old, key, item[key])]
        if item.get(DIRECTIVE) == "delete":
            merged = [old for old in merged if not _has_key(old, key, item[key])]
        elif places:
            merged[places[0]] = _merge_map(merged[places[0]], item, node)
        else:
            merged.append(_merge_map({}, item, node))
    return merged


def _has_key(item: Any, key: str, value: Any) -> bool:
    return isinstance(item, dict) and key in item and item[key] == value


def _set_order(merged: Object, field: str, order: Any, node: SchemaNode) -> None:
    """Sort a merged list as the client's list is; items that the client does not know keep their place after it."""
    if not isinstance(order, list):
        raise _malformed(SET_ORDER + field, "a list")
    current = merged.get(field)
    if not isinstance(current, list):
        return
    identity = _identity_by(schema.merge_key(node))
    wanted = [identity(item) for item in order]
    ranks = {id(item): wanted.index(identity(item)) for item in current if identity(item) in wanted}
    known = sorted((item for item in current if id(item) in ranks), key=lambda item: ranks[id(item)])
    merged[field] = _interleaved(current, known, ranks)


def _interleaved(current: list[Any], known: list[Any], ranks: dict[int, int]) -> list[Any]:
    """Return the known items in their new order, each unknown one after the item it followed before."""
    if len(known) == len(current):
        return known
    followers: dict[int | None, list[Any]] = {}
    leader: int | None = None
    for item in current:
        if id(item) in ranks:
            leader = id(item)
        else:
            followers.setdefault(leader, []).append(item)
    result = list(followers.get(None, ()))
    for item in known:
        result += [item, *followers.pop(id(item), ())]
    return result


def _identity_by(key: str | None) -> Callable[[Any], Any]:
    def identity(item: Any) -> Any:
        return item.get(key) if key is not None and isinstance(item, dict) else item

    return identity


def without_directives(value: Any) -> Any:
    """Return a value of a patch as plain data."""
    if isinstance(value, dict):
        return _plain_map(value)
    if isinstance(value, list):
        return [without_directives(item) for item in value]
    return value


def _plain_map(value: Object) -> Object:
    return {
        name: without_directives(item)
        for name, item in value.items()
        if name not in (DIRECTIVE, RETAIN_KEYS) and not name.startswith((SET_ORDER, DELETE_PRIMITIVES))
    }
