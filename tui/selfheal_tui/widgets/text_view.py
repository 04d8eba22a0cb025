"""A long text to read: logs that grow, descriptions, YAML. Scrolls, wraps, searches; draws only what is visible."""

from collections.abc import Iterable

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from selfheal_tui.present.spans import Line, text_of, wrap
from selfheal_tui.widgets.ink import to_strip

LINE_LIMIT = 20_000
"""Lines kept; older ones are left out and counted."""
LEFT_OUT_AT_ONCE = 2_000
WRAP_INDENT = "  "
_REVERSE = Style(reverse=True)


class TextView(Widget):
    """Lines with a viewport.

    Attributes:
        wrapping: Long lines go on in the next row.
        following: The newest line stays visible.
        left_out: Older lines that are no longer kept.
    """

    def __init__(self) -> None:
        super().__init__()
        self.wrapping = True
        self.following = False
        self.left_out = 0
        self._lines: list[Line] = []
        self._rows: list[Line] = []
        self._heights: list[int] = []
        self._top = 0
        self._needle = ""
        self._matches: list[int] = []
        self._match = -1

    @property
    def bottom(self) -> int:
        """First row of the last page."""
        return max(0, len(self._rows) - max(1, self.size.height))

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines, unwrapped."""
        return tuple(self._lines)

    def replace(self, lines: Iterable[Line]) -> None:
        """Show another text, keeping the place where it was read."""
        fresh = list(lines)
        if fresh != self._lines:
            self._lines = fresh
            self._rebuild()

    def append(self, lines: Iterable[Line]) -> None:
        """Add lines at the end; beyond the limit the oldest are left out."""
        fresh = list(lines)
        self._lines += fresh
        first = len(self._rows)
        self._lay_out(fresh)
        self._matches += [y for y in range(first, len(self._rows)) if self._hits(y)]
        if len(self._lines) > LINE_LIMIT:
            self._leave_out(len(self._lines) - LINE_LIMIT + LEFT_OUT_AT_ONCE)
        if self.following:
            self._top = self.bottom
        self.refresh()

    def _leave_out(self, count: int) -> None:
        """Forget the oldest lines; what is read stays where it is."""
        rows = sum(self._heights[:count])
        del self._lines[:count], self._heights[:count], self._rows[:rows]
        kept = [y - rows for y in self._matches if y >= rows]
        self._match = max(-1, self._match - (len(self._matches) - len(kept)))
        self._matches = kept
        self._top = max(0, self._top - rows)
        self.left_out += count

    def _lay_out(self, lines: Iterable[Line]) -> None:
        """Add the rows of lines at the end."""
        for spans in lines:
            rows = self._wrapped(spans)
            self._rows += rows
            self._heights.append(len(rows))

    def _wrapped(self, spans: Line) -> list[Line]:
        return wrap(spans, max(10, self.size.width - 1), WRAP_INDENT) if self.wrapping else [spans]

    def _rebuild(self) -> None:
        self._rows, self._heights = [], []
        self._lay_out(self._lines)
        self._matches = [y for y in range(len(self._rows)) if self._hits(y)]
        self._top = self.bottom if self.following else min(self._top, self.bottom)
        self.refresh()

    def on_resize(self) -> None:
        """Wrap anew."""
        self._rebuild()

    def toggle_wrap(self) -> None:
        """Wrap long lines or cut them."""
        self.wrapping = not self.wrapping
        self._rebuild()

    def follow(self, on: bool) -> None:
        """Stay at the newest line, or where we are."""
        self.following = on
        if on:
            self._top = self.bottom
        self.refresh()

    def scroll_by(self, rows: int) -> None:
        """Move the viewport; moving up ends following."""
        self._top = max(0, min(self._top + rows, self.bottom))
        if rows < 0:
            self.following = False
        self.refresh()

    def page(self, pages: int) -> None:
        """Move by pages, with one row of overlap."""
        self.scroll_by(pages * max(1, self.size.height - 1))

    def search(self, needle: str) -> int:
        """Mark all rows that contain a text, whatever its case, and go to the first from here on.

        Returns:
            How many rows contain it.
        """
        self._needle = needle.lower()
        self._matches = [y for y in range(len(self._rows)) if self._hits(y)]
        self._match = next((i for i, y in enumerate(self._matches) if y >= self._top), 0) - 1
        if self._matches:
            self.next_match(1)
        self.refresh()
        return len(self._matches)

    def next_match(self, step: int) -> str:
        """Go to another match.

        Returns:
            Where we are among them: ``match 2 of 7``.
        """
        if not self._matches:
            return "no match" if self._needle else "search with / first"
        self._match = (self._match + step) % len(self._matches)
        self.following = False
        self._top = max(0, min(self._matches[self._match] - self.size.height // 3, self.bottom))
        self.refresh()
        return f"match {self._match + 1} of {len(self._matches)}"

    def _hits(self, row: int) -> bool:
        return bool(self._needle) and self._needle in text_of(self._rows[row]).lower()

    def place_words(self) -> str:
        """Where the viewport is: ``all``, ``40%``, ``end``."""
        if not self.bottom:
            return "all"
        return "end" if self._top >= self.bottom else f"{100 * self._top // max(1, self.bottom)}%"

    def render_line(self, y: int) -> Strip:
        """Draw one row, matches in reverse video."""
        at = self._top + y
        if at >= len(self._rows):
            return to_strip((), self.size.width)
        strip = to_strip(self._rows[at], self.size.width)
        return _marked(strip, self._needle) if self._needle and self._hits(at) else strip


def _marked(strip: Strip, needle: str) -> Strip:
    """The strip with every occurrence of a text in reverse video, as far as it lies within one run of a style."""
    segments: list[Segment] = []
    for text, style, _ in strip:
        rest = text
        while (at := rest.lower().find(needle)) >= 0:
            hit = rest[at : at + len(needle)]
            segments += [Segment(rest[:at], style), Segment(hit, (style or Style()) + _REVERSE)]
            rest = rest[at + len(needle) :]
        segments.append(Segment(rest, style))
    return Strip([segment for segment in segments if segment.text], strip.cell_length)
