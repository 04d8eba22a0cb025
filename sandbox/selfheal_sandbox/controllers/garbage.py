"""The garbage collector: what happens to dependents when their owner goes, and to an owner that waits for them."""

from collections.abc import Iterable

from selfheal_sandbox.api.deletion import FOREGROUND_FINALIZER, ORPHAN_FINALIZER, DeleteOptions, Propagation
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.controllers.claims import released
from selfheal_sandbox.controllers.controller import newest
from selfheal_sandbox.controllers.ownership import Ownership, Reference
from selfheal_sandbox.store.objects import (
    Object,
    finalizers_of,
    is_terminating,
    name_of,
    namespace_of,
    owners_of,
    uid_of,
    with_metadata,
)
from selfheal_sandbox.store.store import Change


class GarbageCollector:
    """Deletes objects whose owners are all gone, and finishes foreground and orphaning deletions."""

    name = "garbage-collector"
    watches = None

    def __init__(self, objects: Objects, ownership: Ownership) -> None:
        self._objects = objects
        self._ownership = ownership

    def items_for(self, change: Change) -> Iterable[Reference]:
        """Return what to look at: the object itself when its owners or its deletion changed, else its kin."""
        obj = newest(change)
        own = Reference(change.key, namespace_of(obj), name_of(obj))
        if change.type == "DELETED":
            return [*self._ownership.dependents(uid_of(obj)), *self._waiting_owners(obj)]
        if change.old is not None and owners_of(change.old.obj) == owners_of(obj) and not _is_waiting(obj):
            return []
        return [own] if owners_of(obj) or _is_waiting(obj) else []

    def everything(self) -> Iterable[Reference]:
        """Return every object that has owners or waits for its dependents."""
        return [
            Reference(key, namespace_of(obj), name_of(obj))
            for key in self._objects.store.keys()  # noqa: SIM118 (a store is no mapping)
            for obj in self._objects.store.list(key)
            if owners_of(obj) or _is_waiting(obj)
        ]

    def reconcile(self, item: Reference) -> float | None:
        """Delete one object if nobody owns it any more; if it waits for its dependents, see to them."""
        obj = self._objects.store.get(*item)
        if obj is None:
            return None
        if _is_waiting(obj):
            self._finish(item, obj)
        elif owners_of(obj) and not is_terminating(obj):
            self._check_owners(item, obj)
        return None

    def _check_owners(self, item: Reference, obj: Object) -> None:
        alive = [owner for owner in owners_of(obj) if self._exists(owner, item.namespace)]
        if not alive:
            self._delete(item, obj, None)
        elif len(alive) < len(owners_of(obj)):
            self._objects.patch_object(item.key, obj, lambda current: with_metadata(current, ownerReferences=alive))

    def _exists(self, owner: Object, namespace: str) -> bool:
        """Return whether an owner is there; one of a kind that is not served counts as there, so nothing is lost."""
        group, _, version = owner["apiVersion"].rpartition("/")
        resource = self._objects.registry.by_kind(group, version, owner["kind"])
        if resource is None or (resource.namespaced and not namespace):
            return True
        found = self._objects.store.get(resource.storage_key, namespace if resource.namespaced else "", owner["name"])
        return found is not None and uid_of(found) == owner["uid"]

    def _waiting_owners(self, obj: Object) -> list[Reference]:
        """Return the owners of a deleted object that wait for their dependents to go."""
        found = []
        for owner in owners_of(obj):
            group, _, version = owner["apiVersion"].rpartition("/")
            resource = self._objects.registry.by_kind(group, version, owner["kind"])
            if resource is not None:
                namespace = namespace_of(obj) if resource.namespaced else ""
                found.append(Reference(resource.storage_key, namespace, owner["name"]))
        return found

    def _finish(self, item: Reference, obj: Object) -> None:
        """See to the dependents of a terminating object, and take its finalizer away when none is in the way."""
        if ORPHAN_FINALIZER in finalizers_of(obj):
            self._orphan(obj)
            self._drop_finalizer(item, obj, ORPHAN_FINALIZER)
            return
        for reference, dependent in self._dependents(obj):
            if not is_terminating(dependent):
                self._delete(reference, dependent, "Foreground")
        if not any(_blocks(dependent, obj) for _, dependent in self._dependents(obj)):
            self._drop_finalizer(item, obj, FOREGROUND_FINALIZER)

    def _dependents(self, owner: Object) -> list[tuple[Reference, Object]]:
        references = self._ownership.dependents(uid_of(owner))
        return [(each, found) for each in references if (found := self._objects.store.get(*each)) is not None]

    def _orphan(self, owner: Object) -> None:
        for reference, dependent in self._dependents(owner):
            self._objects.patch_object(reference.key, dependent, lambda current: released(current, owner))

    def _delete(self, item: Reference, obj: Object, propagation: Propagation | None) -> None:
        options = DeleteOptions(propagation=propagation, uid=uid_of(obj))
        self._objects.delete(item.key, item.namespace, item.name, options=options)

    def _drop_finalizer(self, item: Reference, obj: Object, finalizer: str) -> None:
        if self._objects.store.get(*item) is None:
            return
        self._objects.patch_object(
            item.key,
            obj,
            lambda current: with_metadata(
                current, finalizers=[each for each in finalizers_of(current) if each != finalizer]
            ),
        )


def _is_waiting(obj: Object) -> bool:
    finalizers = finalizers_of(obj)
    return is_terminating(obj) and (FOREGROUND_FINALIZER in finalizers or ORPHAN_FINALIZER in finalizers)


def _blocks(dependent: Object, owner: Object) -> bool:
    """Return whether a dependent keeps its owner from going."""
    references = (each for each in owners_of(dependent) if each.get("uid") == uid_of(owner))
    return any(each.get("blockOwnerDeletion") for each in references)
