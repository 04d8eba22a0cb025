"""What a table needs to know of its rows, whatever they are."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from selfheal_core.domain.snapshot import Severity
from selfheal_tui.present.columns import Column
from selfheal_tui.present.spans import Span

Row = TypeVar("Row")
Key = TypeVar("Key", bound=Hashable)

WORST_FIRST: Mapping[Severity, int] = {"bad": 0, "warn": 1, "unknown": 2, "info": 3, "ok": 4}


@dataclass(frozen=True, slots=True)
class Sort(Generic[Row]):
    """One order that rows can be put in.

    Attributes:
        id: The column it belongs to; its title gets the mark.
        title: How a message names it.
        key: Ascending is the useful direction (worst, youngest, most first).
    """

    id: str
    title: str
    key: Callable[[Row], Any]


@dataclass(frozen=True, slots=True)
class TableSpec(Generic[Row]):
    """Columns, cells and orders of one table.

    Attributes:
        cells: One span per column, given a row and the time.
        longest: Longest content of the stretching columns over many rows, by column id.
        empty: What would be here, and why it is not.
    """

    columns: tuple[Column, ...]
    cells: Callable[[Row, float], tuple[Span, ...]]
    sorts: tuple[Sort[Row], ...]
    longest: Callable[[Iterable[Row]], Mapping[str, int]]
    empty: str
