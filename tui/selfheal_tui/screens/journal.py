"""Tab 8: what was asked for and done from this user's consoles and command lines, one row for each operation."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from selfheal_core.domain.escape import printable
from selfheal_core.domain.filters import FilterError
from selfheal_core.domain.snapshot import AppKey
from selfheal_core.ops.operation import Target
from selfheal_tui.commands import View
from selfheal_tui.navigation import Tab
from selfheal_tui.present.journal import OperationRecord, journal_table, record_detail
from selfheal_tui.present.spans import Line
from selfheal_tui.present.tables import TableSpec
from selfheal_tui.screens.tables import TableScreen


class JournalScreen(TableScreen[str, OperationRecord]):
    """Operations."""

    view: ClassVar[View] = "journal"
    tab: Tab = "journal"

    def spec(self) -> TableSpec[OperationRecord]:
        """Columns of operations."""
        return journal_table(self.session.glyphs)

    def rows(self) -> Mapping[str, OperationRecord]:
        """All operations that the journal still holds."""
        return self.session.records

    def reader(self, text: str) -> Callable[[OperationRecord, float], bool]:
        """Plain words on verb, target, phase, person and reason.

        Raises:
            FilterError: A word names a field.
        """
        wanted = text.lower().split()
        if any(mark in word for word in wanted for mark in ":=<>"):
            raise FilterError("operations are filtered by plain words", "write rollback app-a")
        return lambda record, _now: all(_has(record, word) for word in wanted)

    def detail_lines(self, row: OperationRecord) -> list[Line]:
        """What came of it, who asked, and why."""
        return record_detail(row)

    def detail_title(self, row: OperationRecord) -> str:
        """Verb and target."""
        return printable(f"{row.newest.verb} {row.where}")

    def target_of(self, row: OperationRecord, verb: str) -> Target | None:  # noqa: ARG002 - as for every tab
        """None: what was done is not done again from here."""
        return None

    def kubectl_command(self, row: OperationRecord) -> str:
        """The record's identity, to look for in the file."""
        return row.operation_id

    def application_of(self, row: OperationRecord) -> AppKey:
        """Where it was aimed at."""
        return AppKey(row.newest.namespace, row.newest.target)

    def empty_note(self) -> str:
        """Why there are no rows; the journal does not depend on the cluster."""
        if self.place.filter_text:
            return f"No operation matches the filter “{self.place.filter_text}”; esc clears it."
        return self.table.spec.empty


def _has(record: OperationRecord, word: str) -> bool:
    newest = record.newest
    text = f"{newest.verb} {record.where} {newest.phase} {record.who} {record.reason}".lower()
    return word[1:] not in text if word.startswith("!") else word in text
