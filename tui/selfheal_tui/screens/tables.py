"""The three tabs have this in common: a table, a detail of the selected row, a filter."""

from collections.abc import Callable, Mapping
from typing import Generic

from textual import events
from textual.app import ComposeResult

from selfheal_core.domain.escape import printable
from selfheal_core.domain.filters import FilterError
from selfheal_core.domain.snapshot import AppKey, PodRow
from selfheal_core.ops.operation import Target
from selfheal_core.ops.registry import VERBS
from selfheal_tui.commands import Command
from selfheal_tui.navigation import Place, one_level_up
from selfheal_tui.present.confirmation import summary
from selfheal_tui.present.glyphs import plain
from selfheal_tui.present.line_edit import edit
from selfheal_tui.present.spans import Line, Span, fit_paragraphs, line
from selfheal_tui.present.status_line import tabs_line
from selfheal_tui.present.tables import Key, Row, TableSpec
from selfheal_tui.screens.frame import Ask, Body, ConsoleScreen, Copy, Go, typed
from selfheal_tui.session import Session
from selfheal_tui.widgets.lines import Lines
from selfheal_tui.widgets.table import RowTable

RESORT_SECONDS = 1.0
"""Rows change places at most this often: a list that hops four times a second can't be read, and costs more."""
TABLE_MARGIN = 2
"""Rows of the table beside its rows: the header, and one to see that nothing follows."""
REFILTER_SECONDS = 5.0
"""Filters may speak of ages; this often they are applied again."""


class TableScreen(ConsoleScreen, Generic[Key, Row]):
    """A tab.

    Attributes:
        place: What of the tab is shown.
        detail_heights: Least and most rows of the detail below the table.
    """

    detail_heights: tuple[int, int] = (6, 9)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.place = Place(tab=self.tab)
        self.table: RowTable[Key, Row] = RowTable(self.spec(), session.glyphs, session.clock)
        self.detail = Lines(id="detail")
        self.filter_bar = Lines(id="filter")
        self.body = Body(id="body")
        self._typing: str | None = None
        self._filter_error = ""
        self._filtered_at = 0.0
        self._just_opened = True
        self._was_loading = True
        self._sorted_at = float("-inf")
        self._spec_namespaces = session.all_namespaces

    # What a tab has to say of itself

    def spec(self) -> TableSpec[Row]:
        """Columns, cells and orders for the present scope."""
        raise NotImplementedError

    def rows(self) -> Mapping[Key, Row]:
        """All rows of the newest snapshot."""
        raise NotImplementedError

    def reader(self, text: str) -> Callable[[Row, float], bool]:
        """A filter as typed, read; the function that it gives tells whether a row matches at a time.

        Raises:
            FilterError: It can't be read.
        """
        raise NotImplementedError

    def detail_lines(self, row: Row) -> list[Line]:
        """The selected row in sentences, unwrapped."""
        raise NotImplementedError

    def detail_title(self, row: Row) -> str:
        """Name of the selected row."""
        raise NotImplementedError

    def target_of(self, row: Row, verb: str) -> Target | None:
        """What a verb would be aimed at; None if it has no use here."""
        raise NotImplementedError

    def parameters_of(self, row: Row, verb: str) -> dict[str, str]:  # noqa: ARG002 - tabs know more than this one
        """What the selection says about a verb's parameters."""
        return {}

    def evidence_pod(self, row: Row) -> PodRow | None:  # noqa: ARG002 - tabs know more than this one
        """The pod whose last words the detail wants to quote."""
        return None

    def kubectl_command(self, row: Row) -> str:
        """For the clipboard."""
        raise NotImplementedError

    def application_of(self, row: Row) -> AppKey:
        """The application that a row belongs to."""
        raise NotImplementedError

    # Drawing

    def compose_body(self) -> ComposeResult:
        """Table and detail, the filter below."""
        with self.body:
            yield self.table
            yield self.detail
        yield from self.compose_extras()
        yield self.filter_bar

    def compose_extras(self) -> ComposeResult:
        """More between body and filter."""
        yield from ()

    def heading_line(self, width: int) -> Line:
        """The tabs, running operations, and the position in the table."""
        running = [summary(operation.dialog) for operation in self.session.running()]
        spans = [Span(f"{text}  ", "warn") for text in running[:1]]
        subject = printable(self.place.application.name) if self.place.application else ""
        position = Span(self.table.state_words(held=self.session.held), "dim")
        return tabs_line(self.tab, subject, (*spans, *self.mark_words(), position), width)

    def mark_words(self) -> Line:
        """How many rows are marked, and how many of them are not shown; nothing without a mark."""
        marks, hidden = len(self.table.marks), self.table.hidden_marks()
        return (Span(f"{marks} marked{f' ({hidden} hidden)' if hidden else ''}  ", "key"),) if marks else ()

    def refresh_data(self) -> None:
        """Rows first, then what depends on them."""
        if not self.is_mounted:
            return
        session = self.session
        if session.all_namespaces != self._spec_namespaces:
            self._spec_namespaces = session.all_namespaces
            self.table.use(self.spec())
        self.table.explain(self.empty_note())
        now = session.clock()
        held = self._holds_rows()
        if self.place.filter_text and now - self._filtered_at >= REFILTER_SECONDS and not held:
            self._filtered_at = now
            self.table.refilter()
        before = self.table.order.keys
        self.table.take(self.rows(), held=held, dimmed=session.is_stale(self.tab))
        if self.table.order.keys is not before:
            self._sorted_at = session.monotonic()
        self.refresh_detail()
        super().refresh_data()

    def _holds_rows(self) -> bool:
        """Whether rows stay where they are: under a dialog, after a key, and between two sortings.

        Until the first list has come in whole, only a dialog holds them: half a list helps nobody.
        """
        session = self.session
        arriving, self._was_loading = self._was_loading, self._is_loading()
        if self._just_opened or not len(self.table.order):
            self._just_opened = False
            return False
        if session.dialog_open or not (arriving or self._was_loading):
            return session.held or session.monotonic() - self._sorted_at < RESORT_SECONDS
        return False

    def _is_loading(self) -> bool:
        """Whether the first list still comes in, page by page."""
        source = self.session.source(self.tab)
        return source is None or source.condition == "connecting"

    def empty_note(self) -> str:
        """Why there are no rows."""
        source = self.session.source(self.tab)
        if source is None or self._is_loading():
            return f"Connecting {self.session.glyphs.ellipsis}"
        if source.condition in ("lost", "forbidden", "absent"):
            return f"Nothing is known: {source.name} {source.condition} ({source.reason})."
        typed_now = self.place.filter_text if self._typing is None else self._typing
        if typed_now:
            return f"No row matches the filter “{typed_now}”; esc {'clears' if self._typing is None else 'drops'} it."
        return self.table.spec.empty

    def refresh_detail(self) -> None:
        """Show the selected row in sentences."""
        self._share_height()
        width = max(10, self.detail.size.width - 2)
        row = self.table.cursor_row
        if row is None:
            self.detail.show([])
            return
        glyphs = self.session.glyphs
        title = self.detail_title(row)
        rule = line(Span(f" {title} ", "title"), Span(glyphs.rule * max(0, width - len(title) - 1), "dim"))
        height = max(1, self.detail.size.height - 1)
        body = fit_paragraphs(self.detail_lines(row), width, height, "  ", glyphs.ellipsis)
        lines = [rule, *((Span(" "), *spans) for spans in body)]
        self.detail.show(lines, dimmed=self.session.is_stale(self.tab))

    def _share_height(self) -> None:
        """Give the detail the rows that the table has no use for; beside the table it has all of them."""
        if self.has_class("-wide"):
            self.detail.styles.height = "100%"
            return
        spare = self.body.size.height - len(self.table.order) - TABLE_MARGIN
        least, most = self.detail_heights
        self.detail.styles.height = max(min(least, self.body.size.height // 2), min(spare, most))

    def refresh_filter_bar(self) -> None:
        """Show what is typed or what hides rows, and how many."""
        typing = self._typing is not None
        self.filter_bar.styles.display = "block" if typing or self.place.filter_text else "none"
        text = self._typing if self._typing is not None else self.place.filter_text
        shown = line(Span(" /", "key"), Span(f"{text}{'_' if typing else ''}", "title"))
        hint = self._filter_error or ("enter keeps it, esc drops it" if typing else "esc clears it")
        self.filter_bar.show([(*shown, Span(f"  {hint}", "warn" if self._filter_error else "dim"))])

    # Places

    def show_place(self, place: Place) -> None:
        """Show another part of the tab."""
        if place.application != self.place.application:
            self.table.touched = False
        self.place = place
        self._just_opened = True
        self._typing, self._filter_error = None, ""
        self._apply_filter(place.filter_text)
        if self.is_mounted:
            self.refresh_data()
            self.refresh_filter_bar()

    def forget(self) -> None:
        """Another cluster was chosen: marks, filter and cursor meant the old one."""
        self.table.unmark_all()
        self.table.touched = False
        self.show_place(Place(tab=self.tab))

    def on_screen_resume(self) -> None:
        """What came while another screen was shown has not been seen: show it in order."""
        self._just_opened = True
        super().on_screen_resume()

    def on_mount(self) -> None:
        """Draw what is known already."""
        super().on_mount()
        self.refresh_filter_bar()

    def _apply_filter(self, text: str) -> None:
        try:
            reads = self.reader(text) if text.strip() else None
        except FilterError as error:
            self._filter_error = plain(str(error), self.session.glyphs)
            return
        self._filter_error = ""
        clock = self.session.clock
        matches = None if reads is None else (lambda row: reads(row, clock()))
        self.table.sort_and_filter(sort_index=self.table.sort_index, reverse=self.table.reverse_order, matches=matches)

    # Keys

    def take_key(self, event: events.Key) -> bool:
        """While a filter is typed every key belongs to it."""
        if self._typing is None:
            return False
        if event.key in ("enter", "escape"):
            self._end_typing(keep=event.key == "enter")
        else:
            self._typing = edit(self._typing, event.key, typed(event))
            self._apply_filter(self._typing)
        self.refresh_filter_bar()
        self.refresh_data()
        return True

    def _end_typing(self, *, keep: bool) -> None:
        assert self._typing is not None
        text = self._typing.strip() if keep and not self._filter_error else self.place.filter_text
        self._typing, self._filter_error = None, ""
        self.session.trail.amend(text)
        self.place = self.session.trail.here
        self._apply_filter(text)

    def run_command(self, command: Command) -> None:
        """Verbs need a target; everything else is looked up by name."""
        row = self.table.cursor_row
        if not command.verb:
            super().run_command(command)
        elif row is None:
            self.session.say("Nothing is selected.", "warn")
        else:
            self.table.touched = True
            target = self.target_of(row, command.verb)
            if target is not None:
                self.session.dialog_pending = True
                self.post_message(Ask(command.verb, target, self.parameters_of(row, command.verb)))

    def verbs(self) -> list[tuple[str, Target]]:
        """Verbs of this tab with what they would be aimed at now."""
        row = self.table.cursor_row
        if row is None:
            return []
        names = [command.verb for command in self.session.commands if command.verb and self.view in command.views]
        targets = [(name, self.target_of(row, name)) for name in names if name in VERBS]
        return [(name, target) for name, target in targets if target is not None]

    def do_down(self) -> None:
        """Next row."""
        self._move(1)

    def do_up(self) -> None:
        """Row before."""
        self._move(-1)

    def do_page_down(self) -> None:
        """A page on."""
        self._move(self.table.page)

    def do_page_up(self) -> None:
        """A page back."""
        self._move(-self.table.page)

    def do_first(self) -> None:
        """First row."""
        self._move(-len(self.table.order))

    def do_last(self) -> None:
        """Last row."""
        self._move(len(self.table.order))

    def _move(self, by: int) -> None:
        self.table.move(by)
        self.refresh_detail()
        self.heading.show([self.heading_line(self.app.size.width)])

    def do_filter(self) -> None:
        """Begin to type a filter."""
        self._typing = self.place.filter_text
        self.refresh_filter_bar()

    def do_sort(self) -> None:
        """Next order."""
        self._sort((self.table.sort_index + 1) % len(self.table.spec.sorts), False)

    def do_invert(self) -> None:
        """Other way around."""
        self._sort(self.table.sort_index, not self.table.reverse_order)

    def _sort(self, index: int, reverse: bool) -> None:
        self.table.sort_index, self.table.reverse_order = index, reverse
        self.table.refilter()
        self.refresh_data()
        title = self.table.spec.sorts[index].title
        self.session.say(f"Sorted by: {title}{', turned around' if reverse else ''}.", "dim")

    def do_back(self) -> None:
        """One level up; at the top there is nothing to leave."""
        if self.table.marks:
            self.table.unmark_all()
            self.session.say("All marks are taken away.", "dim")
            return
        up = one_level_up(self.place)
        if up is None:
            self.session.say("This is the top. q leaves.", "dim")
        elif up.tab == self.place.tab and up.application == self.place.application:
            self.session.trail.amend("")
            self.show_place(self.session.trail.here)
        else:
            self.post_message(Go(up))

    def do_tab_apps(self) -> None:
        """To the applications."""
        self.post_message(Go(Place("apps")))

    def do_tab_pods(self) -> None:
        """To the pods of everything."""
        self.post_message(Go(Place("pods")))

    def do_tab_history(self) -> None:
        """To the revisions: of the selected application where there is one, of all from the tab itself."""
        row = self.table.cursor_row
        chosen = self.application_of(row) if row is not None and self.tab != "history" else None
        self.post_message(Go(Place("history", chosen)))

    def do_tab_journal(self) -> None:
        """To what was asked for and done."""
        self.post_message(Go(Place("journal")))

    def do_copy(self) -> None:
        """Copy the command that shows the same."""
        row = self.table.cursor_row
        if row is not None:
            self.post_message(Copy(self.kubectl_command(row)))
