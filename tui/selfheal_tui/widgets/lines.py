"""A widget that shows lines and repaints only those that changed."""

from collections.abc import Sequence

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from selfheal_tui.present.spans import BLANK, Line
from selfheal_tui.widgets.ink import to_strip


class Lines(Widget):
    """Fixed lines of spans: status line, footer, detail, dialogs.

    Attributes:
        dimmed: Draw everything as no longer live.
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self._lines: tuple[Line, ...] = ()
        self.dimmed = False

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is shown."""
        return self._lines

    def show(self, lines: Sequence[Line], *, dimmed: bool = False) -> None:
        """Show these lines from the top; those that stay the same are not painted again."""
        old, self._lines = self._lines, tuple(lines)
        if dimmed != self.dimmed:
            self.dimmed = dimmed
            self.refresh()
            return
        longest = max(len(old), len(self._lines))
        changed = [y for y in range(min(longest, self.size.height)) if _at(old, y) != _at(self._lines, y)]
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        return to_strip(_at(self._lines, y), self.size.width, dimmed=self.dimmed)


def _at(lines: Sequence[Line], y: int) -> Line:
    return lines[y] if y < len(lines) else BLANK
