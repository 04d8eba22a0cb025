"""Which rows a table shows and in which order, kept up to date by what changed.

Everything follows keys (uids), never positions. While an operator is about to press a key, rows must not move: held
changes wait, and a row that is gone meanwhile keeps its place until the hold ends.
"""

from bisect import insort
from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from operator import is_not
from typing import Any, Generic

from selfheal_tui.present.tables import Key, Row

FEW = 20
"""Up to one row in twenty is put in its place by bisection; more are cheaper to sort in."""


class RowOrder(Generic[Key, Row]):
    """Filtered and sorted keys over the newest rows.

    Args:
        sort_key: Ascending order of rows.

    Attributes:
        keys: Keys in the order they are drawn.
        pending: Whether a change of order waits for the hold to end.
    """

    def __init__(self, sort_key: Callable[[Row], Any]) -> None:
        self.keys: list[Key] = []
        self.pending = False
        self._rows: Mapping[Key, Row] = {}
        self._sort_key = sort_key
        self._reverse = False
        self._matches: Callable[[Row], bool] | None = None
        self._ranks: dict[Key, Any] = {}
        self._kept: dict[Key, Row] = {}
        self._waiting: set[Key] = set()

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def hidden(self) -> int:
        """How many rows the filter hides."""
        if self._matches is None:
            return 0
        return max(0, len(self._rows) - len(self.keys) + sum(key not in self._rows for key in self._kept))

    def row(self, key: Key) -> Row | None:
        """The newest row of that key; the last one known while a removed row keeps its place."""
        row = self._rows.get(key)
        return row if row is not None else self._kept.get(key)

    def is_gone(self, key: Key) -> bool:
        """Whether the row only keeps its place because the order is held."""
        return key not in self._rows

    def position(self, key: Key | None) -> int | None:
        """Where a key is drawn; None if it is not."""
        if key is None or (key not in self._ranks and key not in self._kept):
            return None
        return self.keys.index(key)

    def sort_by(self, *, sort_key: Callable[[Row], Any], reverse: bool, matches: Callable[[Row], bool] | None) -> None:
        """Set order and filter and apply them now; the operator asked for it, so no hold applies.

        Args:
            sort_key: Ascending order of rows.
            reverse: Turn the order around.
            matches: Which rows are shown; None for all.
        """
        self._sort_key, self._reverse, self._matches = sort_key, reverse, matches
        self._ranks = {key: sort_key(row) for key, row in self._rows.items() if matches is None or matches(row)}
        self._waiting.clear()
        self._settle(list(self._ranks))

    def update(self, rows: Mapping[Key, Row], *, held: bool) -> bool:
        """Take new rows; find out by identity which ones differ.

        Args:
            rows: All rows, newest state. Unchanged rows should be the same objects as before.
            held: Whether positions must stay as they are.

        Returns:
            Whether ``keys`` changed.
        """
        before, self._rows = self._rows, rows
        changed, gone = differences(before, rows) if before is not rows else (set(), set())
        self._waiting |= changed
        self._waiting |= gone
        if held:
            self._kept.update({key: before[key] for key in gone if key in self._ranks})
        if held:
            self.pending = self.pending or any(self._moves(key) for key in self._waiting)
            return False
        return self._apply()

    def _apply(self) -> bool:
        if not self._waiting:
            return False
        moved = {key for key in self._waiting if self._moves(key)}
        self._waiting.clear()
        self.pending = False
        if not moved:
            return False
        for key in moved:
            row = self._rows.get(key)
            if row is None or not self._shows(row):
                self._ranks.pop(key, None)
            else:
                self._ranks[key] = self._sort_key(row)
        self._settle([key for key in self.keys if key not in moved], [key for key in moved if key in self._ranks])
        return True

    def _settle(self, keys: list[Key], arriving: Sequence[Key] = ()) -> None:
        """Put keys in order.

        Args:
            keys: In order already where some arrive.
            arriving: Keys to put where they belong among them.
        """
        rank = self._ranks.__getitem__
        if arriving and not self._reverse and len(arriving) * FEW <= len(keys):
            for key in arriving:
                insort(keys, key, key=rank)
        else:
            keys += arriving
            keys.sort(key=rank, reverse=self._reverse)
        self.keys = keys
        self._kept.clear()
        self.pending = False

    def _shows(self, row: Row) -> bool:
        return self._matches is None or self._matches(row)

    def _moves(self, key: Key) -> bool:
        """Whether the newest row of this key belongs elsewhere than where it is drawn."""
        row = self._rows.get(key)
        if row is None or not self._shows(row):
            return key in self._ranks
        return key not in self._ranks or self._ranks[key] != self._sort_key(row)


def differences(before: Mapping[Key, Row], after: Mapping[Key, Row]) -> tuple[set[Key], set[Key]]:
    """Keys that are new or stand for another object, and keys that are gone.

    Objects are compared by identity. Two mappings with the same keys in the same order, which is what changes of
    values alone leave, are compared without a step of Python per row.
    """
    if len(before) == len(after):
        pairs = list(compress(zip(before, after, strict=True), map(is_not, before.values(), after.values())))
        if all(old == new for old, new in pairs):
            return {new for _, new in pairs}, set()
    known = before.get
    changed = {key for key, row in after.items() if known(key) is not row}
    return changed, {key for key in before if key not in after}
