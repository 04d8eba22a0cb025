"""``metadata.managedFields``: who set which field, and who loses a field when another one writes it."""

from datetime import datetime
from typing import Any, Literal

from selfheal_sandbox.api import errors, field_sets, unset_fields
from selfheal_sandbox.api.field_sets import FieldSet
from selfheal_sandbox.kinds import cause, schema
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.store.objects import Object, name_of, now_rfc3339

UPDATE_MANAGER_LIMIT = 10
"""Entries of operation Update kept at most; older ones are merged, as the API server does."""
_ANCIENT = "ancient-changes"
BEFORE_FIRST_APPLY = "before-first-apply"
"""Manager of what was there before owners were told."""


def entries_of(obj: Object | None) -> list[Object]:
    """Return the entries of an object; do not change them."""
    return [] if obj is None else obj["metadata"].get("managedFields") or []


def _distinct(entries: list[Object]) -> list[Object]:
    """Return the last of each two entries that nothing but their fields and time tell apart.

    See DecodeManagedFields of apimachinery's pkg/util/managedfields.
    """
    return list({_identity(item): item for item in entries}.values())


def _identity(item: Object) -> tuple[str, ...]:
    version = item.get("apiVersion", "") if item.get("operation") == "Update" else ""
    return item.get("manager", ""), item.get("operation", ""), item.get("subresource", ""), version


def fields_of(entry: Object) -> FieldSet:
    """Return the set of fields of one entry."""
    return entry.get("fieldsV1") or {}


def is_of(entry: Object, manager: str, operation: Literal["Apply", "Update"], subresource: str) -> bool:
    """Return whether an entry belongs to this manager, operation and subresource."""
    found = entry.get("manager"), entry.get("operation"), entry.get("subresource", "")
    return found == (manager, operation, subresource)


def entry(
    resource: Resource,
    manager: str,
    operation: Literal["Apply", "Update"],
    subresource: str,
    fields: FieldSet,
    now: datetime,
) -> Object:
    """Return one entry as it is stored."""
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": resource.group_version,
        "time": now_rfc3339(now),
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
        **({"subresource": subresource} if subresource else {}),
    }


def check(resource: Resource, obj: Object) -> None:
    """Refuse managed fields from a client that do not have their form.

    Raises:
        ApiError: 422.
    """
    listed: Any = entries_of(obj)
    if isinstance(listed, list) and all(_is_well_formed(item) for item in listed):
        return
    problem = cause.invalid("metadata.managedFields", "", "must be a list of entries with fieldsV1 sets")
    raise errors.invalid(resource, name_of(obj), [problem])


def _is_well_formed(item: Any) -> bool:
    return isinstance(item, dict) and (not item.get("fieldsV1") or field_sets.is_field_set(item["fieldsV1"]))


def track(resource: Resource, old: Object | None, new: Object, manager: str, subresource: str, now: datetime) -> None:
    """Set the managed fields of ``new``, in place: the manager owns what it changed, and nobody else does.

    A client may rewrite the entries themselves; its own version is then what the change is counted on.

    Raises:
        ApiError: 422, the client's managed fields are malformed.
    """
    given, known = new["metadata"].get("managedFields"), entries_of(old)
    if subresource or (given == [] and resource.is_custom):
        given = None  # a subresource sets no owners; an empty list asks to forget those of built-in objects alone
    if given is not None and given != known:
        check(resource, new)
        known = given
    is_untracked = old is not None and not known  # owners are told from the beginning, or from the first application on
    known = _distinct(known)
    if is_untracked or (subresource == "scale" and not _are_owners(known, _scaled(resource))):
        set_entries(new, known)
        return
    changed, removed = _written(resource, old, new, subresource)
    if changed or removed:
        known = _reassign(known, field_sets.union(changed, removed), manager, subresource)
        credited = {} if subresource == "scale" and _is_zero(changed, new) else changed
        known = _credit(resource, known, credited, manager, subresource, now) if credited else known
    set_entries(new, _split_by_scale(resource, known) if subresource == "scale" else known)


def _written(resource: Resource, old: Object | None, new: Object, subresource: str) -> tuple[FieldSet, FieldSet]:
    """Return the fields that a write sets, and those that it takes away."""
    before = unset_fields.of(resource) if old is None else field_sets.tracked_part(resource, old, subresource)
    after = field_sets.tracked_part(resource, new, subresource)
    before, after = unset_fields.with_nulls(resource, before), unset_fields.with_nulls(resource, after)
    return field_sets.changes(before, after, schema.root(resource))


def _are_owners(entries: list[Object], fields: FieldSet) -> bool:
    """Return whether anyone owns one of the fields: a Scale without an owner gets none."""
    return any(field_sets.intersection(fields_of(item), fields) for item in entries)


def _split_by_scale(resource: Resource, known: list[Object]) -> list[Object]:
    """Give those who own the scaled field by an update an entry of its own for it, without a time.

    The API server takes it from them and gives it back under the version of the Scale (ScaleHandler.ToParent of
    apimachinery's pkg/util/managedfields).
    """
    result = []
    for item in known:
        owned = field_sets.intersection(fields_of(item), _scaled(resource)) if item.get("operation") == "Update" else {}
        result.append({**item, "fieldsV1": field_sets.difference(fields_of(item), owned)} if owned else item)
        if owned:
            result.append({**{name: value for name, value in item.items() if name != "time"}, "fieldsV1": owned})
    return result


def _scaled(resource: Resource) -> FieldSet:
    """Return the set of the field that a Scale stands for."""
    scaled: FieldSet = {}
    for step in reversed(resource.replica_paths[0].split(".")[1:]):
        scaled = {f"f:{step}": scaled}
    return scaled


def entries_to_apply(resource: Resource, live: Object, subresource: str, now: datetime) -> list[Object]:
    """Return the entries that an application finds; what nobody owns belongs to a manager from before the first one."""
    known = _distinct(entries_of(live))
    if known:
        return known
    there = field_sets.tracked_part(resource, live, subresource)
    fields, _ = field_sets.changes(unset_fields.of(resource), there, schema.root(resource))
    return [entry(resource, BEFORE_FIRST_APPLY, "Update", "", fields, now)] if fields else []


def _is_zero(changed: FieldSet, obj: Any) -> bool:
    """Return whether the one field that a scale changes is 0, which a Scale leaves out, so that nobody owns it."""
    for edge, below in changed.items():
        return _is_zero(below, obj.get(edge.removeprefix("f:"))) if isinstance(obj, dict) else False
    return bool(obj == 0)


def _reassign(known: list[Object], written: FieldSet, manager: str, subresource: str) -> list[Object]:
    """Take the written fields from everyone."""
    result = []
    for item in known:
        left = field_sets.difference(fields_of(item), written)
        if left or is_of(item, manager, "Update", subresource):
            result.append(item if left is fields_of(item) else {**item, "fieldsV1": left})
    return result


def _credit(
    resource: Resource, known: list[Object], changed: FieldSet, manager: str, subresource: str, now: datetime
) -> list[Object]:
    """Give the changed fields to the manager's entry, which gets the time of this write."""
    mine = next((item for item in known if is_of(item, manager, "Update", subresource)), None)
    fields = field_sets.union(fields_of(mine) if mine else {}, changed)
    others = [item for item in known if item is not mine]
    if not fields:
        return others
    own = entry(resource, manager, "Update", subresource, fields, now)
    if subresource == "scale":  # Kubernetes loses the time on the way from the Scale to its object
        del own["time"]
    return _merge_ancient([*others, own])


def _merge_ancient(entries: list[Object]) -> list[Object]:
    """Merge the oldest Update entries of one version into one when there are too many."""
    updates = sorted((item for item in entries if item.get("operation") == "Update"), key=_time_of)
    surplus = len(updates) - UPDATE_MANAGER_LIMIT
    if surplus <= 0:
        return entries
    oldest = updates[: surplus + 1]
    merged = {**oldest[-1], "manager": _ANCIENT, "fieldsV1": field_sets.union_of(fields_of(item) for item in oldest)}
    merged.pop("subresource", None)
    return [merged, *(item for item in entries if not any(item is old for old in oldest))]


def _time_of(item: Object) -> str:
    return str(item.get("time", ""))


def _order(item: Object) -> tuple[str, ...]:
    return tuple(str(item.get(name, "")) for name in ("operation", "time", "manager", "apiVersion", "subresource"))


def set_entries(obj: Object, entries: list[Object]) -> None:
    """Store entries in an object, in place and in the API server's order; those without a field are left out."""
    kept = sorted((item for item in entries if fields_of(item)), key=_order)
    if kept:
        obj["metadata"]["managedFields"] = kept
    else:
        obj["metadata"].pop("managedFields", None)
