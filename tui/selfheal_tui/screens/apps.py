"""Tab 1: every application in one word, and the selected one in five sentences."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from textual.app import ComposeResult

from selfheal_core.domain.escape import printable
from selfheal_core.domain.filters import parse_filter
from selfheal_core.domain.snapshot import AppKey, Application, PodRow
from selfheal_core.ops.operation import Target
from selfheal_core.ops.registry import VERBS
from selfheal_tui.commands import View
from selfheal_tui.navigation import Place, Tab
from selfheal_tui.present.applications import REVISION, applications_table
from selfheal_tui.present.detail import DetailFacts, application_detail
from selfheal_tui.present.kubectl import pods_of
from selfheal_tui.present.spans import Line
from selfheal_tui.present.tables import TableSpec
from selfheal_tui.present.trends import trend_lines
from selfheal_tui.screens.frame import Go
from selfheal_tui.screens.tables import TableScreen
from selfheal_tui.session import Session
from selfheal_tui.widgets.lines import Lines


class AppsScreen(TableScreen[AppKey, Application]):
    """Applications."""

    view: ClassVar[View] = "apps"
    tab: Tab = "apps"
    detail_heights = (11, 16)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.trends = Lines(id="trends")

    def spec(self) -> TableSpec[Application]:
        """Columns of applications."""
        wide = self.has_class("-wide")
        return applications_table(self.session.glyphs, all_namespaces=self.session.all_namespaces, wide=wide)

    def refresh_data(self) -> None:
        """A screen that became wider or narrower has other columns."""
        if self.has_class("-wide") != (REVISION in self.table.spec.columns):
            self.table.use(self.spec())
        super().refresh_data()

    def rows(self) -> Mapping[AppKey, Application]:
        """All applications in scope."""
        return self.session.snapshot.applications

    def reader(self, text: str) -> Callable[[Application, float], bool]:
        """The filter language of applications."""
        return parse_filter(text).matches

    def compose_extras(self) -> ComposeResult:
        """The strip of small charts, on tall screens."""
        yield self.trends

    def refresh_detail(self) -> None:
        """The sentences, and the charts of the same application."""
        super().refresh_detail()
        app = self.table.cursor_row
        if app is not None:
            rings = self.session.trends.of(app.key)
            lines = trend_lines(app, rings, self.session.glyphs, self.app.size.width)
            self.trends.show(lines, dimmed=self.session.is_stale(self.tab))

    def detail_lines(self, row: Application) -> list[Line]:
        """The five answers."""
        session = self.session
        said = session.last_words(self.evidence_pod(row)) or ""
        facts = DetailFacts(session.clock(), session.snapshot.controller, said, session.keys)
        return application_detail(row, facts, session.glyphs)

    def detail_title(self, row: Application) -> str:
        """The application's name."""
        return printable(row.key.name)

    def target_of(self, row: Application, verb: str) -> Target | None:
        """The application."""
        if VERBS[verb].target_kind != "application":
            return None
        return Target("application", row.key.namespace, row.key.name, row.key.name)

    def evidence_pod(self, row: Application) -> PodRow | None:
        """The pod in most trouble."""
        return self.session.troubled_pod(row) if row.severity != "ok" else None

    def kubectl_command(self, row: Application) -> str:
        """Its pods."""
        where = self.session.feed.surroundings
        return pods_of(row, where.context, where.kubeconfig)

    def application_of(self, row: Application) -> AppKey:
        """Itself."""
        return row.key

    def do_enter(self) -> None:
        """To its pods."""
        row = self.table.cursor_row
        if row is not None:
            self.post_message(Go(Place("pods", row.key)))
