"""The versioned object store: everything the sandbox knows, in memory, in one asyncio loop."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from selfheal_sandbox.store.history import Change, ChangeType, Entry, History, WatchQueue
from selfheal_sandbox.store.objects import Key, Object, name_of, namespace_of, revision_of

__all__ = ["Change", "Entry", "ExpiredError", "Key", "Store", "WatchQueue"]

FIRST_REVISION = 100
"""Where revisions start, so that a client which asks for revision 1 learns that it is too old, as on a cluster."""
HISTORY_LIMIT = 2000
"""Changes held for each kind. A cluster holds five minutes of them."""
WATCH_QUEUE_LIMIT = 4096
"""Changes that may wait for one client before it is cut."""

_Place: TypeAlias = tuple[str, str]  # (namespace, name)
_AFTER_EVERY_NAME = "\U0010ffff"


class ExpiredError(LookupError):
    """A revision is older than the history that is held."""

    def __init__(self, asked: int, floor: int) -> None:
        super().__init__(f"too old resource version: {asked} ({floor})")


class _Kind:
    """All objects of one kind."""

    def __init__(self, history_limit: int, floor: int) -> None:
        self.entries: dict[_Place, Entry] = {}
        self.order: list[_Place] = []
        self.history = History(history_limit, floor)

    def set(self, place: _Place, entry: Entry) -> Entry | None:
        old = self.entries.get(place)
        self.entries[place] = entry
        if old is None:
            insort(self.order, place)
        return old

    def pop(self, place: _Place) -> Entry | None:
        old = self.entries.pop(place, None)
        if old is not None:
            del self.order[bisect_left(self.order, place)]
        return old

    def places(self, namespace: str | None) -> list[_Place]:
        if namespace is None:
            return self.order
        start = bisect_left(self.order, (namespace, ""))
        end = bisect_left(self.order, (namespace, _AFTER_EVERY_NAME))
        return self.order[start:end]


class Store:
    """Objects by key, namespace and name; every write gets the next revision and is told to watchers.

    Not thread-safe: use it from one asyncio loop. Cluster-scoped objects have the namespace "".
    """

    def __init__(self, *, history_limit: int = HISTORY_LIMIT, watch_queue_limit: int = WATCH_QUEUE_LIMIT) -> None:
        self.revision = FIRST_REVISION
        self._floor = FIRST_REVISION
        self._history_limit = history_limit
        self._watch_queue_limit = watch_queue_limit
        self._kinds: dict[Key, _Kind] = {}
        self._subscribers: list[Callable[[Change], None]] = []

    def restore(self, revision: int, objects: Iterable[tuple[Key, Object]]) -> None:
        """Fill a store that holds nothing and that nobody watches; each object keeps its revision.

        What went before ``revision`` is forgotten: a watch that resumes from there learns that it is too old.
        """
        self.revision = self._floor = revision
        for key, obj in objects:
            self._kind(key).set(_place_of(obj), Entry(obj, revision_of(obj)))

    def get(self, key: Key, namespace: str, name: str) -> Object | None:
        """Return one object, or None; do not change it."""
        entry = self._kind(key).entries.get((namespace, name))
        return entry.obj if entry else None

    def entries(self, key: Key, namespace: str | None = None) -> list[Entry]:
        """Return what `list` returns, each with its revision and its JSON."""
        kind = self._kind(key)
        return [kind.entries[place] for place in kind.places(namespace)]

    def entries_at(self, key: Key, namespace: str | None, revision: int) -> list[Entry]:
        """Return what `entries` returned when the store stood at an earlier revision.

        Raises:
            ExpiredError: the history no longer reaches back that far.
        """
        changes = list(self.changes_since(key, revision))
        if not changes:
            return self.entries(key, namespace)
        state: dict[_Place, Entry | None] = dict(self._kind(key).entries)
        for change in reversed(changes):
            state[_place_of(change.new.obj)] = change.old
        chosen = sorted(place for place in state if namespace is None or place[0] == namespace)
        return [entry for place in chosen if (entry := state[place]) is not None]

    def keys(self) -> list[Key]:
        """Return the keys under which anything was ever stored or asked for."""
        return list(self._kinds)

    def put(self, key: Key, obj: Object) -> Object:
        """Store an object under the next revision and return it.

        Sets ``metadata.resourceVersion`` in ``obj``, whose ``metadata`` must not be shared with a stored object.
        The caller gives the object away: nobody changes it from here on.
        """
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        entry = Entry(obj, self.revision)
        old = self._kind(key).set(_place_of(obj), entry)
        self._emit("ADDED" if old is None else "MODIFIED", key, entry, old)
        return obj

    def remove(self, key: Key, namespace: str, name: str) -> Object | None:
        """Remove an object and return its last state under the revision of the removal, or None when there is none."""
        old = self._kind(key).pop((namespace, name))
        if old is None:
            return None
        self.revision += 1
        obj = {**old.obj, "metadata": {**old.obj["metadata"], "resourceVersion": str(self.revision)}}
        self._emit("DELETED", key, Entry(obj, self.revision), old)
        return obj

    def subscribe(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Call ``callback`` on every write, inside the write; it must not block or raise. Returns what ends it.

        A callback may write to the store; subscribers then see the inner change before the outer one.
        """
        self._subscribers.append(callback)

        def unsubscribe() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)

        return unsubscribe

    def changes_since(self, key: Key, revision: int) -> Iterator[Change]:
        """Yield the changes of one kind after a revision.

        Raises:
            ExpiredError: the history no longer reaches back that far.
        """
        history = self._kind(key).history
        if revision < history.floor:
            raise ExpiredError(revision, history.floor)
        return history.since(revision)

    def open_watch(self, key: Key) -> WatchQueue:
        """Open a queue that receives every later change of one kind; end it with `close_watch`."""
        return self._kind(key).history.open_queue(self._watch_queue_limit)

    def close_watch(self, key: Key, queue: WatchQueue) -> None:
        """Close a queue that `open_watch` returned."""
        self._kind(key).history.close_queue(queue)

    def watchers(self, key: Key) -> int:
        """Return how many watches of one kind are open."""
        return self._kind(key).history.watchers

    def list(self, key: Key, namespace: str | None = None) -> list[Object]:
        """Return the objects of one namespace, or of all, by namespace and name; do not change them."""
        return [entry.obj for entry in self.entries(key, namespace)]

    def _kind(self, key: Key) -> _Kind:
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = _Kind(self._history_limit, self._floor)
        return kind

    def _emit(self, change_type: ChangeType, key: Key, new: Entry, old: Entry | None) -> None:
        change = Change(new.revision, change_type, key, new, old)
        self._kind(key).history.append(change)
        for callback in tuple(self._subscribers):
            callback(change)


def _place_of(obj: Object) -> _Place:
    return namespace_of(obj), name_of(obj)
