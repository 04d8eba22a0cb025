"""Which columns a table shows at which width, and how wide they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

GAP = 1
"""Cells between two columns."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        id: Also the name by which it is sorted.
        width: Cells; for a stretching column the least it may shrink to.
        gives_way: Columns with the highest number disappear first as the screen narrows; 0 never does.
        stretch: Takes what the others leave, up to its longest content.
        cut: Where too long a content is shortened.
    """

    id: str
    title: str
    width: int
    align: Literal["left", "right"] = "left"
    gives_way: int = 0
    stretch: bool = False
    cut: Literal["middle", "end"] = "end"


@dataclass(frozen=True, slots=True)
class Placed:
    """A column that is shown, with its index among all columns of the table and its width."""

    column: Column
    index: int
    width: int


def fit(columns: Sequence[Column], width: int, wanted: Mapping[str, int]) -> tuple[Placed, ...]:
    """Choose the columns that fit and give the stretching ones what is left.

    Args:
        columns: All columns, left to right.
        width: Cells available.
        wanted: Longest content of each stretching column; without an entry it takes no more than its ``width``.

    Returns:
        The shown columns, left to right. Those that never give way are there even if they don't fit.
    """
    shown = list(enumerate(columns))
    while _least(shown) > width and any(column.gives_way for _, column in shown):
        shown.remove(max(shown, key=lambda item: item[1].gives_way))
    spare = max(0, width - _least(shown))
    placed = []
    for index, column in shown:
        extra = min(spare, max(0, wanted.get(column.id, 0) - column.width)) if column.stretch else 0
        spare -= extra
        placed.append(Placed(column, index, column.width + extra))
    return tuple(placed)


def _least(shown: Sequence[tuple[int, Column]]) -> int:
    return sum(column.width for _, column in shown) + GAP * max(0, len(shown) - 1)
