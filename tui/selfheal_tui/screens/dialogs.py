"""What covers a screen for a moment: the confirmation of a verb, a choice, a question."""

import time
from collections.abc import Callable, Sequence

from textual import events
from textual.app import ComposeResult
from textual.message import Message
from textual.screen import ModalScreen
from textual.strip import Strip

from selfheal_core.domain.escape import printable
from selfheal_tui.operation import Operation
from selfheal_tui.present.confirmation import dialog_lines, doing, headline
from selfheal_tui.present.glyphs import plain
from selfheal_tui.present.spans import BLANK, Line, Span, line, width_of, wrap
from selfheal_tui.screens.frame import parts_of, typed
from selfheal_tui.session import Session
from selfheal_tui.widgets.lines import Lines

WIDTH_LIMIT = 100
MARGIN = 4
FRAME_LINES = 2
TOP_LINES = 2
"""Lines that stay free above: a box that grows downwards does not jump."""


SCROLL = {"pagedown": 1, "pageup": -1}
"""Keys that show other lines of a box that is higher than the screen."""
SCROLL_LINES = 3


def shortened(lines: Sequence[Line], room: int, skipped: int) -> list[Line]:
    """A box's lines where there are too many: the end, which holds what can be pressed, and a part of the others.

    Args:
        lines: More than ``room``.
        room: Lines that fit.
        skipped: How many of the first lines are scrolled away.
    """
    hidden = len(lines) - room + 1
    shown = max(1, room // 2)
    note = f"… {hidden} lines are hidden: PgDn and PgUp show them"
    return [*lines[skipped : skipped + shown], line(Span(note, "warn")), *lines[shown + hidden :]]


class Box(Lines):
    """The box of an overlay; it knows since when its present content can be seen.

    Attributes:
        painted_at: By the clock of events; infinite until the content is painted.
    """

    def __init__(self) -> None:
        super().__init__(id="box")
        self.painted_at = float("inf")

    def expect_paint(self) -> None:
        """The content is another one now; what was typed before it is painted is not meant for it."""
        self.painted_at = float("inf")
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        if self.painted_at == float("inf"):
            self.painted_at = time.monotonic()
        return super().render_line(y)


class Overlay(ModalScreen[None], inherit_bindings=False):
    """A box over the screen. It takes every key; those typed before it was drawn are thrown away.

    Args:
        session: What all screens share.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.box = Box()
        self._hidden = 0
        self._skipped = 0

    def compose(self) -> ComposeResult:
        """The box."""
        yield self.box

    def on_mount(self) -> None:
        """Draw it; from then on listen."""
        self.session.dialog_pending = False
        self.session.dialog_open = True
        self.draw()

    def on_unmount(self) -> None:
        """Rows may move again."""
        self.session.dialog_open = False

    def on_resize(self) -> None:
        """The box depends on the width."""
        self.draw()

    @property
    def box_width(self) -> int:
        """Cells inside the frame."""
        return max(20, min(WIDTH_LIMIT, self.app.size.width - MARGIN) - 4)

    def content(self, width: int) -> tuple[str, list[Line]]:
        """Title and lines of the box."""
        raise NotImplementedError

    def refresh_data(self) -> None:
        """Draw what changed with time."""
        self.draw()

    def draw(self) -> None:
        """Draw the frame around the content, as high as it needs."""
        if not self.is_mounted or not self.app.size.width:
            return
        width = self.box_width
        title, lines = self.content(width)
        room = max(4, self.app.size.height - FRAME_LINES - TOP_LINES)
        self._hidden = len(lines) - room + 1 if len(lines) > room else 0
        self._skipped = min(self._skipped, self._hidden)
        if self._hidden:
            lines = shortened(lines, room, self._skipped)
        self.box.styles.width = width + 4
        self.box.styles.height = len(lines) + FRAME_LINES
        self.box.show(self._framed(title, lines, width))

    def _framed(self, title: str, lines: Sequence[Line], width: int) -> list[Line]:
        g = self.session.glyphs
        top_left, top_right, bottom_left, bottom_right = g.corners
        shown = title[: width - 2]
        head = line(
            Span(f"{top_left}{g.rule} ", "dim"),
            Span(shown, "title"),
            Span(f" {g.rule * (width - len(shown) - 1)}{top_right}", "dim"),
        )
        foot = line(Span(f"{bottom_left}{g.rule * (width + 2)}{bottom_right}", "dim"))
        side = Span(g.side, "dim")
        body = [(side, Span(" "), *spans, Span(" " * (width - width_of(spans) + 1)), side) for spans in lines]
        return [head, *body, foot]

    async def on_key(self, event: events.Key) -> None:
        """Take the key, if it was typed to what is drawn. Esc is taken at any time."""
        event.stop()
        event.prevent_default()
        # What follows Esc at once was meant for what Esc closes; it is not taken for what is below.
        key = parts_of(event)[0]
        if self.app.screen is self and (event.time >= self.box.painted_at or key.key in ("escape", "ctrl+c")):
            if self._hidden and key.key in SCROLL:
                self._skipped = max(0, self._skipped + SCROLL[key.key] * SCROLL_LINES)
                self.draw()
            else:
                self.take(key.key, typed(key))

    def take(self, key: str, character: str | None) -> None:
        """Take a key."""
        raise NotImplementedError


class Wanted(Message):
    """A dialog wants something done with its operation."""

    def __init__(self, wish: str, operation: Operation) -> None:
        super().__init__()
        self.wish = wish
        self.operation = operation


class OperationDialog(Overlay):
    """Preview, confirmation and progress of a verb, in place.

    Args:
        session: What all screens share.
        operation: The verb on its way.
    """

    def __init__(self, session: Session, operation: Operation) -> None:
        super().__init__(session)
        self.operation = operation
        self._stage = operation.dialog.stage

    def on_mount(self) -> None:
        """Draw with every change of the operation."""
        self.operation.changed = self._changed
        self.set_interval(1.0, self._second)
        super().on_mount()

    def on_unmount(self) -> None:
        """The operation goes on without being drawn."""
        super().on_unmount()
        self.operation.changed = lambda: None

    def _changed(self) -> None:
        stage = self.operation.dialog.stage
        arrived = stage != self._stage and stage in ("preview", "ended")
        self._stage = stage
        self.draw()
        if arrived:
            self.box.expect_paint()

    def _second(self) -> None:
        self._act(self.operation.tick())
        if self.operation.dialog.stage == "running":
            self.draw()

    def content(self, width: int) -> tuple[str, list[Line]]:
        """What the operation says."""
        dialog = self.operation.dialog
        where = self.session.feed.surroundings.context
        title = plain(headline(dialog, self.operation.target.name), self.session.glyphs)
        lines = dialog_lines(dialog, width, self.session.glyphs, self.session.clock())
        return (title if where in title else f"{title} on {printable(where)}"), lines

    def on_paste(self, event: events.Paste) -> None:
        """Pasted text is typed; a line break in it is no Enter."""
        event.stop()
        self.operation.paste(event.text)

    def take(self, key: str, character: str | None) -> None:
        """Let the operation decide."""
        self._act(self.operation.press(key, character))
        self.draw()

    def _act(self, wish: str) -> None:
        if wish in ("close", "remedy"):
            self.dismiss()
        if wish not in ("none", "close"):
            self.app.post_message(Wanted(wish, self.operation))


class LeaveDialog(Overlay):
    """Asks before leaving, the console or the cluster, while an operation runs here.

    Args:
        session: What all screens share.
        leave: Called if the answer is yes.
        question: Title of the box.
    """

    def __init__(self, session: Session, leave: Callable[[], None], question: str = "Leave?") -> None:
        super().__init__(session)
        self._leave = leave
        self._question = question

    def content(self, width: int) -> tuple[str, list[Line]]:
        """What runs, and what leaving means for it."""
        running = [operation.dialog for operation in self.session.running()]
        lines: list[Line] = []
        for dialog in running:
            name = dialog.preview.target.name if dialog.preview else ""
            what = f"Still running here: {printable(doing(dialog.verb, name))}."
            lines += wrap(line(f"{what} It ends with this console; what was sent may be left half done."), width)
        keys = line(Span("[ Stay ]", "title"), Span("  enter or esc", "dim"), "    ", Span("y", "key"), " leave")
        return self._question, [*lines, BLANK, keys]

    def take(self, key: str, character: str | None) -> None:  # noqa: ARG002
        """Only y leaves."""
        self.dismiss()
        if character == "y":
            self._leave()
