"""What a reflector has been through, as numbers that metrics and diagnostics read."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

ListCause = Literal["first", "retry", "gone", "idle", "futile", "absent"]
"""Why a collection was listed. first: nothing was known; retry: the list before failed; gone: its version was no longer
kept; idle: the watch fell silent; futile: watches from its version failed again and again; absent: the resource came
back after a 404."""

KEPT_UP_BYTES = 2**18
"""With less than this left to read, a reader keeps up: one read of a socket brings as much."""


@dataclass(slots=True)
class Statistics:
    """Counters of one reflector, or of several added up.

    Attributes:
        lists: Lists begun.
        lists_by_cause: The same by why.
        streamed_lists: Those of them that were asked for as a stream.
        watches: Watches opened, streamed lists among them.
        failures: Attempts that ended in an error.
        events: Lines of watches, bookmarks among them.
        unreadable: Objects left out because they did not fit.
        consumer_errors: Changes whose consumer raised.
        last_event_at: Newest event or bookmark, by our clock; None before the first.
        lag_seconds: How long the oldest event that has arrived may have waited to be read, as of the last one read: 0
            while the reader keeps up. By our own clock, so that the server's does not matter.
    """

    lists: int = 0
    lists_by_cause: dict[ListCause, int] = field(default_factory=dict)
    streamed_lists: int = 0
    watches: int = 0
    failures: int = 0
    events: int = 0
    unreadable: int = 0
    consumer_errors: int = 0
    last_event_at: float | None = None
    lag_seconds: float = 0.0
    _behind_since: float | None = None

    def count_list(self, cause: ListCause) -> None:
        """Count a list that begins."""
        self.lists += 1
        self.lists_by_cause[cause] = self.lists_by_cause.get(cause, 0) + 1

    def keep_up(self, unread_bytes: int, clock: Callable[[], float]) -> None:
        """Note, after one event, how much has arrived that is not read yet."""
        if unread_bytes < KEPT_UP_BYTES:
            self._behind_since, self.lag_seconds = None, 0.0
            return
        now = clock()
        if self._behind_since is None:
            self._behind_since = now
        self.lag_seconds = now - self._behind_since


SUMMED = tuple(item.name for item in fields(Statistics) if item.type is int or item.type == "int")


def total(parts: Iterable[Statistics]) -> Statistics:
    """Several reflectors as one: counts added, the newest event, the longest lag. Pure."""
    found = list(parts)
    events = [part.last_event_at for part in found if part.last_event_at is not None]
    return Statistics(
        **{name: sum(getattr(part, name) for part in found) for name in SUMMED},
        lists_by_cause=_summed(part.lists_by_cause for part in found),
        last_event_at=max(events, default=None),
        lag_seconds=max((part.lag_seconds for part in found), default=0.0),
    )


def _summed(parts: Iterable[Mapping[ListCause, int]]) -> dict[ListCause, int]:
    counts: dict[ListCause, int] = {}
    for part in parts:
        for cause, count in part.items():
            counts[cause] = counts.get(cause, 0) + count
    return counts
