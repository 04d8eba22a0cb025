"""One of many by typing a part of its name: what matches, what fits best, and how it is drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from selfheal_core.domain.escape import cells, printable
from selfheal_core.domain.filters import fuzzy
from selfheal_tui.present.glyphs import Glyphs, cut_end, plain
from selfheal_tui.present.spans import BLANK, Line, Span, line

ROWS = 12
"""Choices that are shown at once."""


@dataclass(frozen=True, slots=True)
class PickerItem:
    """One thing to choose.

    Attributes:
        name: What is typed for, and shown.
        remark: Shown beside it.
        choose: Does it.
        refusal: Why it can't be chosen now; "" if it can.
    """

    name: str
    remark: str
    choose: Callable[[], None]
    refusal: str = ""


def matching(items: Sequence[PickerItem], typed: str) -> list[PickerItem]:
    """Those whose name has the typed letters in that order: names that begin with them first, then that hold them."""
    wanted = typed.lower()
    found = [item for item in items if fuzzy(wanted, item.name.lower())]
    return sorted(found, key=lambda item: _distance(item.name.lower(), wanted)) if wanted else found


def _distance(name: str, wanted: str) -> int:
    if name.startswith(wanted):
        return 0
    if f" {wanted}" in name:
        return 1
    return 2 if wanted in name else 3


def picker_lines(
    found: Sequence[PickerItem], at: int, typed: str, count: str, width: int, glyphs: Glyphs
) -> list[Line]:
    """The box's content.

    Args:
        found: What matches.
        at: Index of the one that Enter chooses.
        typed: So far.
        count: What the last line says.
        width: Cells.
        glyphs: Signs to draw with.
    """
    first = max(0, min(at - ROWS // 2, len(found) - ROWS))
    lines: list[Line] = [line(Span("/", "key"), Span(f"{printable(typed)}_", "title"))]
    shown = found[first : first + ROWS]
    names = min(width // 2, max((cells(printable(item.name)) for item in shown), default=0))
    lines += [_row(item, index == at, names, width, glyphs) for index, item in enumerate(shown, first)]
    return [*lines, BLANK, line(Span(plain(cut_end(count, width, glyphs.ellipsis), glyphs), "dim"))]


def _row(item: PickerItem, here: bool, names: int, width: int, glyphs: Glyphs) -> Line:
    """One choice: its name in as many cells as the longest one takes, then its remark."""
    mark = glyphs.cursor if here else " "
    label = f"{mark} {printable(item.name)}"
    name = cut_end(label + " " * (names + 2 - cells(label)), width, glyphs.ellipsis)
    remark = f"not now: {item.refusal}" if item.refusal else item.remark
    room = max(0, width - cells(name) - 2)
    rest = cut_end(printable(remark), room, glyphs.ellipsis) if room else ""
    if item.refusal:
        return line(Span(name, "off"), "  ", Span(rest, "warn"))
    return line(Span(name, "title" if here else "plain"), Span(f"  {rest}", "dim"))
