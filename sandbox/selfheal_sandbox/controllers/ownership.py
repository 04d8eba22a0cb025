"""An index over owner references: who depends on whom, without looking through the whole store."""

from collections.abc import Iterator
from typing import NamedTuple

from selfheal_sandbox.controllers.keys import PODS, REPLICA_SETS
from selfheal_sandbox.store.objects import Key, Object, controller_of, name_of, namespace_of, owners_of
from selfheal_sandbox.store.store import Change, Store

_CLAIMED = frozenset({PODS, REPLICA_SETS})
"""The kinds that have an adopter, and whose orphans are therefore remembered."""


class Reference(NamedTuple):
    """One object of any kind."""

    key: Key
    namespace: str
    name: str


class Ownership:
    """Follows every change of the store; subscribe `observe` before anything that asks the index."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._dependents: dict[str, dict[Reference, None]] = {}
        self._orphans: dict[tuple[Key, str], dict[str, None]] = {}
        for key in store.keys():  # noqa: SIM118 (a store is no mapping)
            for obj in store.list(key):
                self._add(key, obj)

    def observe(self, change: Change) -> None:
        """Follow one change."""
        if change.old is not None:
            if change.type == "MODIFIED" and owners_of(change.old.obj) == owners_of(change.new.obj):
                return
            self._discard(change.key, change.old.obj)
        if change.type != "DELETED":
            self._add(change.key, change.new.obj)

    def dependents(self, uid: str) -> list[Reference]:
        """Return the objects with an owner reference to this uid."""
        return list(self._dependents.get(uid, ()))

    def children(self, uid: str, key: Key) -> list[Object]:
        """Return the objects of one kind with an owner reference to this uid."""
        return [obj for each in self.dependents(uid) if each.key == key and (obj := self._store.get(*each)) is not None]

    def orphans(self, key: Key, namespace: str) -> Iterator[Object]:
        """Yield the objects of one kind and namespace that no controller owns; pods and ReplicaSets only."""
        for name in list(self._orphans.get((key, namespace), ())):
            obj = self._store.get(key, namespace, name)
            if obj is not None:
                yield obj

    def _add(self, key: Key, obj: Object) -> None:
        reference = Reference(key, namespace_of(obj), name_of(obj))
        for owner in owners_of(obj):
            self._dependents.setdefault(owner["uid"], {})[reference] = None
        if key in _CLAIMED and controller_of(obj) is None:
            self._orphans.setdefault((key, reference.namespace), {})[reference.name] = None

    def _discard(self, key: Key, obj: Object) -> None:
        reference = Reference(key, namespace_of(obj), name_of(obj))
        for owner in owners_of(obj):
            held = self._dependents.get(owner["uid"], {})
            held.pop(reference, None)
            if not held:
                self._dependents.pop(owner["uid"], None)
        self._discard_orphan(reference)

    def _discard_orphan(self, reference: Reference) -> None:
        held = self._orphans.get((reference.key, reference.namespace), {})
        held.pop(reference.name, None)
        if not held:
            self._orphans.pop((reference.key, reference.namespace), None)
