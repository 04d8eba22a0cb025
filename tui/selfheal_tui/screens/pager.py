"""Screens to read: a text that is made anew while it is shown, and logs that grow."""

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import ClassVar

from textual import events
from textual.app import ComposeResult

from selfheal_core.domain.escape import printable
from selfheal_core.domain.words import counted
from selfheal_core.errors import SelfhealError
from selfheal_tui.commands import View
from selfheal_tui.feed import LogBatch
from selfheal_tui.navigation import Place, Tab
from selfheal_tui.present.glyphs import plain
from selfheal_tui.present.kubectl import logs_of
from selfheal_tui.present.line_edit import edit
from selfheal_tui.present.logs import POD_TONES, SINCE_CHOICES, LogLine, LogRequest, log_spans, short_names
from selfheal_tui.present.picker import PickerItem
from selfheal_tui.present.spans import Line, Span, line, width_of
from selfheal_tui.screens.frame import ConsoleScreen, Copy, Go, typed
from selfheal_tui.session import Session
from selfheal_tui.widgets.text_view import LINE_LIMIT, TextView


def found_words(found: int, needle: str) -> str:
    """What a search found."""
    if not found:
        return f"No row contains “{needle}”."
    return f"{counted(found, 'row')} with “{needle}”; n and N go through them."


class PagerScreen(ConsoleScreen):
    """A text with scrolling and search."""

    view: ClassVar[View] = "document"

    def __init__(self, session: Session, title: str, tab: Tab) -> None:
        super().__init__(session)
        self.tab = tab
        self.title_text = title
        self.text = TextView()
        self._searching: str | None = None

    def compose_body(self) -> ComposeResult:
        """The text."""
        yield self.text

    def heading_line(self, width: int) -> Line:
        """What is read, and where in it."""
        if self._searching is not None:
            return line(
                Span(" /", "key"), Span(f"{self._searching}_", "title"), Span("  enter finds, esc drops", "dim")
            )
        left = line(Span(f" {printable(self.title_text)}", "title"), *self.remarks())
        right = line(Span(self.text.place_words(), "dim"))
        return (*left, Span(" " * max(1, width - width_of(left) - width_of(right) - 1)), *right)

    def remarks(self) -> Line:
        """More on what is read."""
        return ()

    def take_key(self, event: events.Key) -> bool:
        """While a search is typed every key belongs to it."""
        if self._searching is None:
            return False
        if event.key == "enter":
            self.session.say(found_words(self.text.search(self._searching), self._searching))
            self._searching = None
        elif event.key == "escape":
            self._searching = None
        else:
            self._searching = edit(self._searching, event.key, typed(event))
        self.redraw_heading()
        return True

    def redraw_heading(self) -> None:
        """Position and search line are part of the heading."""
        self.heading.show([self.heading_line(self.app.size.width)])

    def do_search(self) -> None:
        """Begin to type a search."""
        self._searching = ""
        self.redraw_heading()

    def do_next_match(self) -> None:
        """Next match."""
        self.session.say(self.text.next_match(1), "dim")
        self.redraw_heading()

    def do_previous_match(self) -> None:
        """Match before."""
        self.session.say(self.text.next_match(-1), "dim")
        self.redraw_heading()

    def do_wrap(self) -> None:
        """Wrap or cut."""
        self.text.toggle_wrap()

    def _scroll(self, rows: int) -> None:
        self.text.scroll_by(rows)
        self.redraw_heading()

    def do_down(self) -> None:
        """A row on."""
        self._scroll(1)

    def do_up(self) -> None:
        """A row back."""
        self._scroll(-1)

    def do_page_down(self) -> None:
        """A page on."""
        self.text.page(1)
        self.redraw_heading()

    def do_page_up(self) -> None:
        """A page back."""
        self.text.page(-1)
        self.redraw_heading()

    def do_first(self) -> None:
        """To the beginning."""
        self._scroll(-(10**9))

    def do_last(self) -> None:
        """To the end."""
        self._scroll(10**9)

    def do_back(self) -> None:
        """Back to where it was opened."""
        self.post_message(Go(None))

    def do_tab_journal(self) -> None:
        """To what was asked for and done; this text is closed."""
        self.post_message(Go(Place("journal")))


class DocumentScreen(PagerScreen):
    """A text out of the newest data.

    Args:
        session: What all screens share.
        title: What it is about.
        tab: Whose data the status line speaks of.
        compose_lines: Makes the text for a width; asked again while it is shown if ``live``.
        command: For the clipboard, "" if there is none.
        live: Whether it depends on data that changes.
    """

    def __init__(
        self,
        session: Session,
        title: str,
        tab: Tab,
        compose_lines: Callable[[int], list[Line]],
        *,
        command: str,
        live: bool,
    ) -> None:
        super().__init__(session, title, tab)
        self._compose_lines = compose_lines
        self._command = command
        self._live = live

    def on_mount(self) -> None:
        """Show it."""
        self.text.replace(self._compose_lines(self.app.size.width - 1))
        super().on_mount()

    def refresh_data(self) -> None:
        """Make it anew, unless it is being read with a key just now."""
        if self._live and self.is_mounted and not self.session.held:
            self.text.replace(self._compose_lines(self.app.size.width - 1))
        super().refresh_data()

    def do_copy(self) -> None:
        """Copy the command that shows the same."""
        if self._command:
            self.post_message(Copy(self._command))


class LogsScreen(PagerScreen):
    """Logs of one or many pods, merged by time.

    Args:
        session: What all screens share.
        title: What it is about.
        tab: Whose data the status line speaks of.
        request: Which logs.

    Attributes:
        containers: Names to choose from; known once the feed has told.
    """

    view: ClassVar[View] = "logs"

    def __init__(self, session: Session, title: str, tab: Tab, request: LogRequest) -> None:
        super().__init__(session, title, tab)
        self.request = request
        self.containers: tuple[str, ...] = ()
        self.dropped = 0
        self.note = ""
        self.raw = False
        self._names = short_names(request.pods)
        self._entries: deque[LogLine] = deque(maxlen=LINE_LIMIT)
        self.text.following = True

    def on_mount(self) -> None:
        """Begin to read."""
        super().on_mount()
        self._restart()

    def _restart(self) -> None:
        self.dropped, self.note = 0, "reading …"
        self._entries.clear()
        self.text.replace([])
        self.run_worker(self._read(), exclusive=True, group="logs", exit_on_error=False)
        self.redraw_heading()

    async def _read(self) -> None:
        feed, request = self.session.feed, self.request
        try:
            self.containers = await feed.containers(request.namespace, request.pods[0])
            # A pod may log nothing for hours: what is said until then must not look like a delay of the console.
            self.note = "no line yet"
            self.redraw_heading()
            async with aclosing(feed.logs(request)) as batches:
                await self._take_all(batches)
            self.note = "" if self.text.lines else "nothing was logged"
        except SelfhealError as error:
            self.note = str(error)
        self.redraw_heading()

    async def _take_all(self, batches: AsyncIterator[LogBatch]) -> None:
        async for batch in batches:
            self.dropped += batch.dropped
            self.note = batch.note
            self._entries.extend(batch.lines)
            self.text.append([self._drawn(entry) for entry in batch.lines])
            self.redraw_heading()

    def _drawn(self, entry: LogLine) -> Line:
        pods = self.request.pods
        tone = POD_TONES[pods.index(entry.pod) % len(POD_TONES)] if entry.pod in pods else "dim"
        return log_spans(entry, self._names, tone, raw=self.raw)

    def remarks(self) -> Line:
        """Container, reach, and what is missing."""
        request = self.request
        spans = [Span("  previous run", "warn")] if request.previous else []
        if request.container:
            spans.append(Span(f"  container {printable(request.container)}", "dim"))
        if request.since_seconds:
            spans.append(Span(f"  last {request.since_seconds // 60} min", "dim"))
        if self.text.following and not request.previous:
            spans.append(Span("  following", "info"))
        left_out = self.dropped + self.text.left_out
        if left_out:
            spans.append(Span(f"  {left_out:,} lines left out", "warn"))
        if self.note:
            spans.append(Span(f"  {printable(plain(self.note, self.session.glyphs), limit=60)}", "warn"))
        return tuple(spans)

    def do_follow(self) -> None:
        """Stay at the newest line, or stop there."""
        self.text.follow(not self.text.following)
        self.redraw_heading()

    def do_last(self) -> None:
        """To the newest line, and stay there."""
        self.text.follow(True)
        self.redraw_heading()

    def do_raw(self) -> None:
        """JSON as it was logged, or as words."""
        self.raw = not self.raw
        self.text.replace([self._drawn(entry) for entry in self._entries])

    def do_container(self) -> None:
        """The other container; of more than two, one that is chosen from a list."""
        if len(self.containers) < 2:
            self.session.say("These pods have one container.", "dim")
            return
        at = self.containers.index(self.request.container) if self.request.container in self.containers else 0
        if len(self.containers) == 2:
            self._read_container(self.containers[1 - at])
            return
        from selfheal_tui.screens.picker import PickerDialog

        items = [
            PickerItem(name, "shown now" if index == at else "", partial(self._read_container, name))
            for index, name in enumerate(self.containers)
        ]
        self.session.dialog_pending = True
        self.app.push_screen(PickerDialog(self.session, "Container", items))

    def _read_container(self, name: str) -> None:
        self.request = replace(self.request, container=name)
        self._restart()

    def do_since(self) -> None:
        """Next reach."""
        at = SINCE_CHOICES.index(self.request.since_seconds)
        self.request = replace(self.request, since_seconds=SINCE_CHOICES[(at + 1) % len(SINCE_CHOICES)])
        self._restart()

    def do_copy(self) -> None:
        """Copy the command that shows the same."""
        where = self.session.feed.surroundings
        self.post_message(Copy(logs_of(self.request, where.context, where.kubeconfig)))
