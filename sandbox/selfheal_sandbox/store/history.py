"""The changes of one kind: a bounded log for watches that resume, and one bounded queue per open watch."""

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal, TypeAlias

import msgspec

from selfheal_sandbox.store.objects import Key, Object

ChangeType: TypeAlias = Literal["ADDED", "MODIFIED", "DELETED"]

_encode = msgspec.json.Encoder().encode


class Entry:
    """One version of one object.

    Attributes:
        obj: the object; never mutated.
        revision: the number in its ``metadata.resourceVersion``.
    """

    __slots__ = ("_raw", "obj", "revision")

    def __init__(self, obj: Object, revision: int) -> None:
        self.obj = obj
        self.revision = revision
        self._raw: bytes | None = None

    @property
    def raw(self) -> bytes:
        """The object as JSON; encoded once, however many readers ask."""
        if self._raw is None:
            self._raw = _encode(self.obj)
        return self._raw


@dataclass(frozen=True, slots=True)
class Change:
    """One write to the store; for DELETED, ``new`` is the last state under the revision of the deletion."""

    revision: int
    type: ChangeType
    key: Key
    new: Entry
    old: Entry | None


class WatchQueue:
    """Changes that wait for one client; cut, not grown, when the client does not keep up."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pending: deque[Change] = deque()
        self._arrived = asyncio.Event()
        self.overflowed = False

    def push(self, change: Change) -> None:
        """Add a change, or mark the queue as overflowed when it is full."""
        if len(self._pending) >= self._limit:
            self.overflowed = True
            self._pending.clear()
        elif not self.overflowed:
            self._pending.append(change)
        self._arrived.set()

    def drain(self) -> list[Change]:
        """Take everything that waits."""
        changes = list(self._pending)
        self._pending.clear()
        self._arrived.clear()
        return changes

    async def wait(self, timeout_seconds: float) -> None:
        """Return when something arrived or the time is over, whichever comes first."""
        if self._pending or self.overflowed or timeout_seconds <= 0:
            return
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._arrived.wait()
        except TimeoutError:
            return


class History:
    """The last changes of one kind, oldest first.

    Attributes:
        floor: changes up to and including this revision are no longer held.
    """

    def __init__(self, limit: int, floor: int) -> None:
        self._limit = limit
        self._log: deque[Change] = deque()
        self._queues: set[WatchQueue] = set()
        self.floor = floor

    def append(self, change: Change) -> None:
        """Log a change and hand it to every open watch."""
        self._log.append(change)
        if len(self._log) > self._limit:
            self.floor = self._log.popleft().revision
        for queue in self._queues:
            queue.push(change)

    def since(self, revision: int) -> Iterator[Change]:
        """Yield the changes after a revision that is not below the floor."""
        start = bisect_right(self._log, revision, key=_revision)
        return islice(self._log, start, None)

    def open_queue(self, limit: int) -> WatchQueue:
        """Start handing changes to a new queue."""
        queue = WatchQueue(limit)
        self._queues.add(queue)
        return queue

    def close_queue(self, queue: WatchQueue) -> None:
        """Stop handing changes to a queue."""
        self._queues.discard(queue)

    @property
    def watchers(self) -> int:
        """How many watches are open."""
        return len(self._queues)


def _revision(change: Change) -> int:
    return change.revision
