"""Tab 3: revisions of Helm releases, newest first; any of them can be gone back to."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from selfheal_core.domain.escape import printable
from selfheal_core.domain.filters import FilterError, fuzzy
from selfheal_core.domain.snapshot import AppKey
from selfheal_core.ops.operation import Target
from selfheal_core.ops.registry import VERBS
from selfheal_tui.commands import View
from selfheal_tui.navigation import Tab
from selfheal_tui.present.detail import revision_detail
from selfheal_tui.present.history import RevisionRow, history_table, revision_rows
from selfheal_tui.present.kubectl import history_of
from selfheal_tui.present.spans import Line
from selfheal_tui.present.tables import TableSpec
from selfheal_tui.screens.tables import TableScreen

RevisionKey = tuple[str, str, int]


class HistoryScreen(TableScreen[RevisionKey, RevisionRow]):
    """Revisions."""

    view: ClassVar[View] = "history"
    tab: Tab = "history"

    def spec(self) -> TableSpec[RevisionRow]:
        """Columns of revisions."""
        return history_table(self.session.glyphs, all_namespaces=self.session.all_namespaces)

    def rows(self) -> Mapping[RevisionKey, RevisionRow]:
        """All revisions in scope, or those of one application."""
        return revision_rows(self.session.snapshot, self.place.application)

    def reader(self, text: str) -> Callable[[RevisionRow, float], bool]:
        """Plain words on application, release, status and image; fields belong to pods and applications.

        Raises:
            FilterError: A word names a field.
        """
        words = text.lower().split()
        if any(mark in word for word in words for mark in ":=<>"):
            raise FilterError("revisions are filtered by plain words", "write app-a failed")
        return lambda row, _now: all(_has(row, word) for word in words)

    def detail_lines(self, row: RevisionRow) -> list[Line]:
        """What is known of it."""
        return revision_detail(row, self.session.glyphs)

    def detail_title(self, row: RevisionRow) -> str:
        """Release and revision."""
        return printable(f"{row.revision.release} {row.revision.number}")

    def target_of(self, row: RevisionRow, verb: str) -> Target | None:
        """The application whose release it is."""
        if VERBS[verb].target_kind != "application":
            return None
        return Target("application", row.app.namespace, row.app.name, row.app.name)

    def parameters_of(self, row: RevisionRow, verb: str) -> dict[str, str]:
        """A rollback goes to the selected revision, or to the recommended one where that is no way back."""
        return {"revision": str(row.revision.number)} if verb == "rollback" and row.target else {}

    def kubectl_command(self, row: RevisionRow) -> str:
        """Its release's history."""
        where = self.session.feed.surroundings
        return history_of(row, where.context, where.kubeconfig)

    def application_of(self, row: RevisionRow) -> AppKey:
        """The application whose release it is."""
        return row.app

    def do_enter(self) -> None:
        """To everything known of the application."""
        self.run_command(self._commands["d"])


def _has(row: RevisionRow, word: str) -> bool:
    text = f"{row.app.name} {row.revision.release} {row.revision.status} {row.revision.image}".lower()
    if word.startswith("!"):
        return word[1:] not in text
    return word in text or fuzzy(word, row.app.name.lower())
