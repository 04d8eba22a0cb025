"""A table for ten thousand live rows: only what is on the screen is ever drawn, and only where it changed.

Textual's ``DataTable`` rebuilds all rows' offsets and caches with every cell that changes, which costs most of a core
at this size. Here a row is drawn when its line is painted; four times a second the visible rows' cells are compared
with those painted last, and the lines that differ are painted again.
"""

from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from selfheal_core.domain.escape import printable
from selfheal_tui.present.columns import GAP, Placed, fit
from selfheal_tui.present.glyphs import Glyphs, cut_end, cut_middle
from selfheal_tui.present.ordering import RowOrder
from selfheal_tui.present.spans import Span, line, wrap
from selfheal_tui.present.tables import Key, Row, TableSpec
from selfheal_tui.widgets.ink import style_of, to_strip

MARK_WIDTH = 2
"""Cells in front of each row, for the cursor's sign and the mark."""
MARK = "*"
HEADER_LINES = 1


class Painted(NamedTuple):
    """What a line shows; equal values need no new paint."""

    key: object
    cells: tuple[Span, ...]
    selected: bool
    gone: bool
    marked: bool


class RowTable(Widget, Generic[Key, Row]):
    """Rows of one kind, sorted, filtered, with a cursor that follows its row's key.

    Args:
        spec: Columns, cells and orders.
        glyphs: Signs to draw with.
        clock: Seconds since the epoch.

    Attributes:
        order: Which rows are shown, in which order.
        touched: Whether the operator chose a row; until then the cursor stays on the first one.
        marks: Keys of the rows that the operator marked, in that order; they need not be shown.
    """

    def __init__(self, spec: TableSpec[Row], glyphs: Glyphs, clock: Callable[[], float]) -> None:
        super().__init__()
        self.spec = spec
        self.glyphs = glyphs
        self.clock = clock
        self.order: RowOrder[Key, Row] = RowOrder(spec.sorts[0].key)
        self.touched = False
        self.marks: dict[Key, None] = {}
        self.sort_index = 0
        self.reverse_order = False
        self._note = spec.empty
        self._matches: Callable[[Row], bool] | None = None
        self._cursor: Key | None = None
        self._at = 0
        self._top = 0
        self._dimmed = False
        self._layout: tuple[Placed, ...] = ()
        self._wanted: dict[str, int] = {}
        self._painted: dict[int, Painted] = {}

    @property
    def page(self) -> int:
        """Rows that fit."""
        return max(1, self.size.height - HEADER_LINES)

    @property
    def cursor(self) -> Key | None:
        """Key of the selected row; None while there are no rows."""
        return self._cursor

    @property
    def cursor_row(self) -> Row | None:
        """The selected row as it is now."""
        return None if self._cursor is None else self.order.row(self._cursor)

    def use(self, spec: TableSpec[Row]) -> None:
        """Show other columns."""
        self.spec = spec
        self._note = spec.empty
        self._lay_out()
        self.refresh()

    def explain(self, note: str) -> None:
        """Say why there are no rows, in their place while there are none."""
        if note != self._note:
            self._note = note
            if not len(self.order):
                self.refresh()

    def sort_and_filter(self, *, sort_index: int, reverse: bool, matches: Callable[[Row], bool] | None) -> None:
        """Set order and filter."""
        self.sort_index, self.reverse_order, self._matches = sort_index, reverse, matches
        key = self.spec.sorts[sort_index].key
        self.order.sort_by(sort_key=key, reverse=reverse, matches=matches)
        self._reordered()

    def refilter(self) -> None:
        """Apply the filter again, because time passed."""
        self.sort_and_filter(sort_index=self.sort_index, reverse=self.reverse_order, matches=self._matches)

    def take(self, rows: Mapping[Key, Row], *, held: bool, dimmed: bool) -> None:
        """Show the newest rows.

        Args:
            rows: All of them; unchanged ones should be the same objects as before.
            held: Whether rows must stay where they are.
            dimmed: Whether the data is no longer live.
        """
        if self.order.update(rows, held=held):
            self._reordered()
        elif dimmed != self._dimmed:
            self.refresh()
        else:
            self._repaint_changed()
        self._dimmed = dimmed

    def _reordered(self) -> None:
        """Find the cursor's row again and keep it at the same height of the screen.

        Where the first row was in sight it stays in sight as long as the cursor does: the worst rows come first.
        """
        position = self.order.position(self._cursor) if self.touched else 0
        count = len(self.order)
        if position is None:
            position = min(self._at, count - 1)
        height = self._at - self._top
        self._at = max(0, min(position, count - 1))
        self._cursor = self.order.keys[self._at] if count else None
        wanted = self._at - height if self._top else self._at - self.page + 1
        self._top = max(0, min(wanted, count - self.page))
        self._lay_out()
        self.refresh()

    def select(self, key: Key) -> bool:
        """Put the cursor on a row; False if it is not shown."""
        position = self.order.position(key)
        if position is None:
            return False
        self.touched = True
        self._cursor = key
        self.move_to(position)
        return True

    def mark(self, key: Key) -> None:
        """Mark a row, or take its mark away."""
        if key in self.marks:
            del self.marks[key]
        else:
            self.marks[key] = None
        self._repaint_changed()

    def unmark_all(self) -> None:
        """Take every mark away."""
        self.marks.clear()
        self._repaint_changed()

    def hidden_marks(self) -> int:
        """How many marked rows are not among those shown."""
        return sum(self.order.position(key) is None for key in self.marks)

    def move(self, by: int) -> None:
        """Move the cursor by rows."""
        self.move_to(self._at + by)

    def move_to(self, position: int) -> None:
        """Move the cursor to an index, scrolling as little as needed."""
        self.touched = True
        count = len(self.order)
        if not count:
            return
        before, self._at = self._at, max(0, min(position, count - 1))
        self._cursor = self.order.keys[self._at]
        top = max(min(self._top, self._at), self._at - self.page + 1)
        if top != self._top:
            self._top = top
            self._lay_out()
            self.refresh()
        elif before != self._at:
            width = self.size.width
            rows = (before - top + HEADER_LINES, self._at - top + HEADER_LINES)
            self.refresh(*(Region(0, y, width, 1) for y in rows))

    def on_resize(self) -> None:
        """Fit the columns to the new width and keep the cursor on the screen."""
        self._top = max(0, min(self._top, self._at, len(self.order) - self.page), self._at - self.page + 1)
        self._lay_out()
        self.refresh()

    def _lay_out(self) -> None:
        # Measuring only what is visible keeps a change of order cheap however many rows there are.
        rows = (self.order.row(key) for key in self.visible_keys())
        longest = self.spec.longest(row for row in rows if row is not None)
        for column, cells in longest.items():
            # Grows only: names come and go, columns that jump are hard to read.
            self._wanted[column] = max(self._wanted.get(column, 0), cells)
        self._layout = fit(self.spec.columns, self.size.width - MARK_WIDTH, self._wanted)

    def _repaint_changed(self) -> None:
        now = self.clock()
        width, height = self.size
        changed = [
            Region(0, y, width, 1)
            for y in range(HEADER_LINES, height)
            if (old := self._painted.get(y)) is not None and old != self._line_at(y, now)
        ]
        if changed:
            self.refresh(*changed)

    def _line_at(self, y: int, now: float) -> Painted | None:
        """What a screen line shows now; None below the last row."""
        index = self._top + y - HEADER_LINES
        if not 0 <= index < len(self.order):
            return None
        key = self.order.keys[index]
        row = self.order.row(key)
        cells = self.spec.cells(row, now) if row is not None else ()
        return Painted(key, cells, index == self._at, self.order.is_gone(key), key in self.marks)

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        width = self.size.width
        if y < HEADER_LINES:
            return self._header(width)
        painted = self._line_at(y, self.clock())
        if painted is None:
            self._painted.pop(y, None)
            return self._blank(y, width)
        self._painted[y] = painted
        return self._draw(painted, width)

    def _header(self, width: int) -> Strip:
        sorted_by = self.spec.sorts[self.sort_index].id
        segments = [Segment(" " * MARK_WIDTH)]
        for placed in self._layout:
            style = style_of("dim") + Style(underline=placed.column.id == sorted_by)
            title = placed.column.title
            gap = placed.width - len(title)
            pad = Segment(" " * max(0, gap))
            text = Segment(title[: placed.width], style)
            segments += [pad, text] if placed.column.align == "right" else [text, pad]
            segments.append(Segment(" " * GAP))
        return Strip(segments).adjust_cell_length(width)

    def _blank(self, y: int, width: int) -> Strip:
        if len(self.order) or y < HEADER_LINES + 1:
            return to_strip((), width)
        lines = wrap(line(Span(self._note, "dim")), max(10, width - 2 * MARK_WIDTH))
        at = y - HEADER_LINES - 1
        return to_strip((Span(" " * MARK_WIDTH), *lines[at]) if at < len(lines) else (), width)

    def _draw(self, painted: Painted, width: int) -> Strip:
        reverse, dimmed = painted.selected, self._dimmed or painted.gone
        base = style_of("plain", dimmed, reverse)
        sign = (self.glyphs.cursor if reverse else " ") + (MARK if painted.marked else " ")
        segments = [Segment(sign, base)]
        for placed in self._layout:
            span = painted.cells[placed.index]
            text = _fitted(span.text, placed, self.glyphs.ellipsis)
            segments.append(Segment(text + " " * GAP, style_of(span.tone, dimmed, reverse)))
        return Strip(segments).adjust_cell_length(width, base)

    def state_words(self, *, held: bool) -> str:
        """Position among the rows and what the filter hides: ``12/10,000``, ``3/40, 160 hidden, order held``."""
        count = len(self.order)
        at = f"{min(self._at + 1, count):,}/{count:,}"
        hidden = f", {self.order.hidden:,} hidden" if self.order.hidden else ""
        return f"{at}{hidden}{', order held' if held and self.order.pending else ''}"

    def visible_keys(self) -> list[Key]:
        """Keys of the rows on the screen, top to bottom."""
        return self.order.keys[self._top : self._top + self.page]


def _fitted(text: str, placed: Placed, ellipsis: str) -> str:
    """Cell text in exactly its column's width; looked at once more, because nothing may reach a terminal unseen."""
    width = placed.width
    text = text if text.isprintable() else printable(text)
    if not text.isascii() and cell_len(text) != len(text):
        return set_cell_size(text, width)
    if len(text) > width:
        return cut_middle(text, width, ellipsis) if placed.column.cut == "middle" else cut_end(text, width, ellipsis)
    return text.rjust(width) if placed.column.align == "right" else text.ljust(width)
