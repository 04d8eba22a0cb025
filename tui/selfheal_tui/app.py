"""The console as a whole: screens, the mailbox, verbs on their way, and the way out."""

import asyncio
import gc
import logging
import os
from collections.abc import Callable, Coroutine
from typing import Any

from textual import events
from textual.timer import Timer
from textual.worker import Worker, WorkerState

from selfheal_core.domain.snapshot import AppKey, Application, PodRow
from selfheal_core.errors import SelfhealError
from selfheal_core.ops.operation import Target
from selfheal_core.ops.registry import VERBS
from selfheal_tui.feed import Feed
from selfheal_tui.log_file import log_path
from selfheal_tui.navigation import Place, Tab
from selfheal_tui.operation import Operation
from selfheal_tui.present.confirmation import doing, outcome, remedy
from selfheal_tui.present.glyphs import ASCII
from selfheal_tui.present.spans import Tone
from selfheal_tui.screens.apps import AppsScreen
from selfheal_tui.screens.frame import Ask, ConsoleScreen, Copy, Do, Go
from selfheal_tui.screens.tables import TableScreen
from selfheal_tui.session import Session
from selfheal_tui.terminal.hangup import Hangup
from selfheal_tui.terminal.link import Link
from selfheal_tui.terminal.paced import PacedApp

log = logging.getLogger(__name__)
FRAME_SECONDS = 0.25
"""Four frames a second: faster than reading, and an order of magnitude cheaper than a repaint per event."""
FIRST_FRAME_SECONDS = 0.02
"""Until the first rows are there, the mailbox is looked into more often."""
JOURNAL_SECONDS = 2.0
"""How often the journal is read while it is looked at; other consoles of this user write to it too."""
GC_THRESHOLDS = (10_000, 20, 20)
"""Rows come and go by reference counts; looking for cycles as often as Python does by default costs 0.5 % of a core."""
ALLOWED_SECONDS = 5.0
"""How long an answer about what is allowed is shown before it is asked for again."""

CSS = """
Screen { layout: vertical; background: ansi_default; color: ansi_default; }
#status, #heading, #footer { height: 1; }
#filter { height: 1; display: none; }
#body { height: 1fr; layout: vertical; }
RowTable { height: 1fr; width: 1fr; min-height: 3; }
TextView { height: 1fr; width: 1fr; }
#detail { height: 10; width: 100%; }
#trends { display: none; height: 2; }
.-tall #trends { display: block; }
.-wide #body { layout: horizontal; }
.-wide #detail { width: 36%; margin-left: 1; }
Overlay { align: center top; background: transparent; }
#box { width: 76; height: 10; margin-top: 2; }
.-tall #box { margin-top: 6; }
"""


class SelfhealApp(PacedApp, inherit_bindings=False):
    """The console.

    Args:
        session: What the screens share, the feed included.
        on_ready: Called once when the first rows were handed to the screen.
        frame_seconds: How often the screen is brought up to date.
        link: How well the terminal takes what is written.
        on_leave: Called when the operator or a signal ends it, before anything has ended.

    Attributes:
        hangup: Ends the console by signal; to be stood down once everything has ended.
    """

    CSS = CSS
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None
    TITLE = "selfheal"

    def __init__(
        self,
        session: Session,
        on_ready: Callable[[], None] = lambda: None,
        frame_seconds: float = FRAME_SECONDS,
        link: Link | None = None,
        on_leave: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(link, ascii_only=session.glyphs is ASCII)
        self.animation_level = "none"
        self.session = session
        self._tabs: dict[Tab, TableScreen[Any, Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_ready = on_ready
        self._on_leave = on_leave
        self.hangup = Hangup(self.leave)
        self._frame_seconds = frame_seconds
        self._timer: Timer | None = None
        self._settled = False
        self._asked: object = ()
        self._asked_at = float("-inf")
        self._journal_read_at = float("-inf")

    @property
    def feed(self) -> Feed:
        """The world."""
        return self.session.feed

    async def on_mount(self) -> None:
        """Show the applications and begin to look into the mailbox."""
        self._tabs["apps"] = AppsScreen(self.session)
        self.install_screen(self._tabs["apps"], "apps")
        await self.push_screen("apps")
        self._timer = self.set_interval(FIRST_FRAME_SECONDS, self.tick)
        self.hangup.listen(asyncio.get_running_loop())

    def tick(self) -> None:
        """Bring the screen up to date if there is something new and the terminal keeps up."""
        now, link = self.session.monotonic(), self.link
        self.session.slow_link = link.slow
        if not self.pace.may_draw(now, waiting=link.waiting_bytes > 0, slow=link.slow):
            return
        snapshot = self.feed.take()
        if snapshot is not None:
            self.session.accept(snapshot)
        restless = self.session.restless or self._table_screen() is None
        if snapshot is not None or self.pace.must_draw(now, restless=restless):
            self._draw(now)

    def frame(self) -> None:
        """Take what came, and bring the screens that can be seen up to date."""
        snapshot = self.feed.take()
        if snapshot is not None:
            self.session.accept(snapshot)
        self._draw(self.session.monotonic())

    def _draw(self, now: float) -> None:
        self.pace.drawn_at = now
        for screen in self._visible():
            screen.refresh_data()
        if not self._settled and self.session.snapshot.pods:
            self._settle()
        self._ask_what_is_allowed()
        self._ask_for_last_words()
        self._ask_for_past()
        self._ask_for_journal()

    def _settle(self) -> None:
        """The first rows are there: what lives from here on lives long, so the collector need not look at it."""
        self._settled = True
        self._on_ready()
        # Questions about what is allowed wait until the rows are drawn: they bring the executor along to import.
        self._asked_at = self.session.monotonic() + FRAME_SECONDS
        gc.set_threshold(*GC_THRESHOLDS)
        gc.enable()
        gc.collect()
        gc.freeze()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_interval(self._frame_seconds, self.tick)

    def _visible(self) -> list[Any]:
        """The topmost full screen and what covers it."""
        shown: list[Any] = []
        for screen in reversed(self.screen_stack):
            if hasattr(screen, "refresh_data"):
                shown.insert(0, screen)
            if isinstance(screen, ConsoleScreen):
                break
        return shown

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside the drawing; what fails is told, not raised."""

        async def guarded() -> None:
            try:
                await work
            except SelfhealError as error:
                self.session.say(str(error), "bad")

        task = asyncio.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._tell_fault(error)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A worker that failed is told of like any other work beside the drawing."""
        if event.state == WorkerState.ERROR and event.worker.error is not None:
            self._tell_fault(event.worker.error)

    def _tell_fault(self, error: BaseException) -> None:
        """An error that should not be: the console goes on, says so, and keeps the details for a bug report."""
        log.error("work beside the drawing failed", exc_info=error)
        self.session.say(f"A fault of this console: {error!r}. Details: {log_path(os.environ)}", "bad")

    # Questions that the selection raises

    def _table_screen(self) -> TableScreen[Any, Any] | None:
        top = self.screen_stack[-1] if self.screen_stack else None
        return top if isinstance(top, TableScreen) else None

    def _ask_what_is_allowed(self) -> None:
        screen = self._table_screen()
        source = self.session.source("pods")
        if screen is None or (source is not None and source.condition == "connecting"):
            # While the first list comes in nothing can be changed anyway, and whoever answers has much to import.
            return
        verbs = screen.verbs()
        now = self.session.monotonic()
        if now < self._asked_at or (verbs == self._asked and now - self._asked_at < ALLOWED_SECONDS):
            return
        self._asked, self._asked_at = verbs, now
        self.spawn(self._learn_what_is_allowed(screen))

    async def _learn_what_is_allowed(self, screen: TableScreen[Any, Any]) -> None:
        refusals, cautions = {}, {}
        for verb, target in screen.verbs():
            answer = await self.feed.allowed(verb, target)
            if not answer.ok:
                refusals[verb] = answer.reason
            elif answer.caution:
                cautions[verb] = answer.caution
        self.session.refusals, self.session.cautions = refusals, cautions
        screen.refresh_footer()

    def _ask_for_last_words(self) -> None:
        screen = self._table_screen()
        row = screen.table.cursor_row if screen is not None else None
        pod = screen.evidence_pod(row) if screen is not None and row is not None else None
        if pod is None or self.session.last_words(pod) is not None:
            return
        self.session.remember_last_words(pod, "")
        self.spawn(self._learn_last_words(pod))

    async def _learn_last_words(self, pod: PodRow) -> None:
        target = Target("pod", pod.namespace, pod.name, pod.app.name, pod.uid)
        self.session.remember_last_words(pod, await self.feed.last_words(target))

    def _ask_for_past(self) -> None:
        screen = self._table_screen()
        row = screen.table.cursor_row if screen is not None else None
        if isinstance(row, Application) and self.session.trends.wants_past(row):
            self.spawn(self._learn_past(row.key))

    async def _learn_past(self, app: AppKey) -> None:
        self.session.trends.put_past(app, await self.feed.error_trend(app))

    def _ask_for_journal(self) -> None:
        screen = self._table_screen()
        now = self.session.monotonic()
        if screen is not None and screen.tab == "journal" and now - self._journal_read_at >= JOURNAL_SECONDS:
            self._journal_read_at = now
            self.spawn(self._read_journal(screen))

    async def _read_journal(self, screen: TableScreen[Any, Any]) -> None:
        from selfheal_tui.present.journal import records_of

        self.session.records = records_of(await self.feed.journal(), self.session.records)
        screen.refresh_data()

    # Places

    async def on_go(self, message: Go) -> None:
        """Show another place, or close the screen on top."""
        message.stop()
        if message.place is None:
            if len(self.screen_stack) > 1 and not isinstance(self.screen, TableScreen):
                self.pop_screen()
            return
        self.session.trail.go(message.place)
        await self._show(message.place)

    async def switch_context(self, name: str) -> None:
        """Leave this cluster for another one; what runs here is stopped before its next write."""
        for operation in self.session.running():
            await operation.cancel()
        await self.feed.switch_context(name)
        self.session.begin_anew()
        self._asked = ()
        for screen in self._tabs.values():
            screen.forget()
        await self._show(self.session.trail.here)
        self.session.say(f"Looking at {name}.", "dim")

    async def _show(self, place: Place) -> None:
        while not isinstance(self.screen, TableScreen) and len(self.screen_stack) > 1:
            await self.pop_screen()
        screen = self._tab(place.tab)
        screen.show_place(place)
        if self.screen is not screen:
            await self.switch_screen(place.tab)
        if place.tab == "journal":
            self._journal_read_at = float("-inf")
            self._ask_for_journal()

    def _tab(self, tab: Tab) -> TableScreen[Any, Any]:
        """A tab's screen, made when it is first needed."""
        screen = self._tabs.get(tab)
        if screen is None:
            screen = self._make(tab)
            self._tabs[tab] = screen
            self.install_screen(screen, tab)
        return screen

    def _make(self, tab: Tab) -> TableScreen[Any, Any]:
        if tab == "pods":
            from selfheal_tui.screens.pods import PodsScreen

            return PodsScreen(self.session)
        if tab == "journal":
            from selfheal_tui.screens.journal import JournalScreen

            return JournalScreen(self.session)
        from selfheal_tui.screens.history import HistoryScreen

        return HistoryScreen(self.session)

    async def walk(self, *, older: bool) -> None:
        """Back or forth through the places visited."""
        trail = self.session.trail
        if trail.older() if older else trail.newer():
            await self._show(trail.here)
        else:
            self.session.say(f"There is no place {'before' if older else 'after'} this one.", "dim")

    # Verbs

    def on_ask(self, message: Ask) -> None:
        """Open the confirmation of a verb; a running one is shown again instead."""
        message.stop()
        from selfheal_tui.screens.dialogs import OperationDialog

        operation = self.session.operation_on(message.target, message.verb)
        if operation is None and self._picks_fault(message):
            return
        if operation is None:
            verb = VERBS[message.verb]
            operation = Operation(self.feed, verb, message.target, message.parameters, self.session.clock)
            self.spawn(operation.compute())
        self.push_screen(OperationDialog(self.session, operation))

    def _picks_fault(self, message: Ask) -> bool:
        """Let the operator choose what to break before its preview is computed."""
        where = self.feed.surroundings
        if not VERBS[message.verb].practice or message.parameters or where.read_only or not where.sandbox:
            return False
        from selfheal_tui.pickers import Pickers

        Pickers(self).fault(message)
        return True

    def on_wanted(self, message: Any) -> None:
        """Do what a confirmation asks for."""
        message.stop()
        operation = message.operation
        if message.wish == "confirm":
            self.session.operations.append(operation)
            self.spawn(self._run(operation))
        elif message.wish == "recompute":
            self.spawn(operation.compute())
        elif message.wish == "cancel run":
            self.spawn(operation.cancel())
        elif message.wish == "copy":
            self.copy(operation.dialog.preview.same_as)
        elif message.wish == "diff":
            self._show_diff(operation)
        elif message.wish == "remedy":
            self._ask_for_remedy(operation)

    def _ask_for_remedy(self, operation: Operation) -> None:
        """Open the confirmation of the verb that heals what this one breaks on purpose."""
        healing = remedy(operation.dialog)
        if healing is not None:
            self.session.dialog_pending = True
            self.on_ask(Ask(healing.name, operation.target, {}))

    async def _run(self, operation: Operation) -> None:
        try:
            await operation.run()
        finally:
            if not operation.running and operation in self.session.operations:
                self.session.operations.remove(operation)
        steps = operation.dialog.steps
        if steps:
            tone: Tone = "ok" if steps[-1].phase == "recovered" else "warn"
            name = doing(operation.dialog.verb, operation.target.name)
            self.session.say(f"{name}: {outcome(steps[-1])}{steps[-1].text}", tone)

    def _show_diff(self, operation: Operation) -> None:
        from selfheal_tui.present.diff import diff_lines

        preview = operation.dialog.preview
        if preview is not None:
            self.read(f"What {preview.title} changes", lambda _width: diff_lines(preview.diff), live=False)

    def cancel_pending(self) -> None:
        """Stop what was confirmed and has not ended."""
        running = self.session.running()
        for operation in running:
            self.spawn(operation.cancel())
        names = ", ".join(doing(operation.dialog.verb, operation.target.name) for operation in running)
        asked = f"Asked to stop: {names}. A write under way ends first."
        self.session.say(asked if running else "Nothing is pending.", "warn" if running else "dim")

    # Reading

    def read(self, title: str, compose_lines: Callable[[int], list[Any]], *, live: bool, command: str = "") -> None:
        """Open a text."""
        from selfheal_tui.screens.pager import DocumentScreen

        tab = self.session.trail.here.tab
        self.push_screen(DocumentScreen(self.session, title, tab, compose_lines, command=command, live=live))

    def on_do(self, message: Do) -> None:
        """Do what a screen left to the console."""
        message.stop()
        from selfheal_tui.actions import Actions

        Actions(self).do(message.command, message.view)

    def on_copy(self, message: Copy) -> None:
        """Put text on the operator's clipboard."""
        message.stop()
        self.copy(message.text)

    def copy(self, text: str) -> None:
        """Put text on the clipboard of the operator's terminal (OSC 52) and show it, as not every terminal obeys.

        A name that holds control characters stays here: pasted into a shell, it could run.
        """
        if not text.isprintable():
            self.session.say("Not copied: it holds control characters, which a shell could obey", "warn")
            return
        self.copy_to_clipboard(text)
        self.session.say(f"Copied: {text}", "dim")

    # Leaving

    def ask_to_leave(self) -> None:
        """Leave; while an operation of ours runs, ask first."""
        if not self.session.running():
            self.leave()
            return
        from selfheal_tui.screens.dialogs import LeaveDialog

        self.push_screen(LeaveDialog(self.session, self.leave))

    def leave(self, exit_code: int = 0) -> None:
        """Leave without asking."""
        self._on_leave()
        self.exit(return_code=exit_code)

    async def on_unmount(self) -> None:
        """Leave no task behind."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def on_event(self, event: events.Event) -> None:
        """Terminals that lose focus must not change what is drawn."""
        if not isinstance(event, events.AppBlur | events.AppFocus):
            await super().on_event(event)
