"""The journal as rows, one for each operation, and one operation's record in full."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from selfheal_cli import words
from selfheal_core.domain.escape import printable
from selfheal_tui.present.columns import Column
from selfheal_tui.present.spans import BLANK, Line, Span, Tone, line
from selfheal_tui.present.tables import Sort, TableSpec

if TYPE_CHECKING:  # the journal's file is read when the tab is opened, and not imported before
    from collections.abc import Iterable, Mapping

    from selfheal_core.domain.snapshot import Severity
    from selfheal_core.ops.journal import Entry
    from selfheal_tui.present.glyphs import Glyphs

EMPTY = "Nothing was asked for yet. What the upper-case keys and the command line change is written here."
LABEL_WIDTH = 13

COLUMNS = (
    Column("time", "WHEN", 4, align="right"),
    Column("verb", "VERB", 8),
    Column("target", "TARGET", 13, stretch=True, cut="middle"),
    Column("phase", "PHASE", 14),
    Column("who", "WHO", 12, gives_way=3, stretch=True),
    Column("reason", "WHY OR RESULT", 20, gives_way=2, stretch=True),
)
_SEVERITIES: Mapping[str, Severity] = {
    "recovered": "ok",
    "not verified": "bad",
    "failed": "bad",
    "refused": "warn",
    "cancelled": "warn",
}
"""How an operation that ended this way is to be taken; all other phases are under way, or were given up silently."""


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """Everything that the journal holds of one operation.

    Attributes:
        entries: Oldest first, at least one.
    """

    operation_id: str
    entries: tuple[Entry, ...]

    @property
    def newest(self) -> Entry:
        """Its last entry."""
        return self.entries[-1]

    @property
    def severity(self) -> Severity:
        """How it went."""
        return _SEVERITIES.get(self.newest.phase, "info")

    @property
    def where(self) -> str:
        """``payments/app-a``."""
        return f"{self.newest.namespace}/{self.newest.target}"

    @property
    def who(self) -> str:
        """``ops@bastion by console``."""
        return f"{self.newest.user}@{self.newest.host} by {self.newest.source}"

    @property
    def reason(self) -> str:
        """Why, in the operator's words; else what became of it."""
        return self.newest.reason or self.newest.text


SORTS: tuple[Sort[OperationRecord], ...] = (
    Sort("time", "newest first", lambda record: (-record.newest.at, record.operation_id)),
    Sort("target", "target", lambda record: (record.where, -record.newest.at)),
    Sort("verb", "verb", lambda record: (record.newest.verb, -record.newest.at)),
)


def records_of(entries: Iterable[Entry], known: Mapping[str, OperationRecord]) -> dict[str, OperationRecord]:
    """Group the journal's entries by operation.

    Args:
        entries: Oldest first.
        known: The records before; those that are the same stay the same objects.
    """
    grouped: dict[str, list[Entry]] = {}
    for entry in entries:
        grouped.setdefault(entry.operation_id, []).append(entry)
    records = {key: OperationRecord(key, tuple(of_one)) for key, of_one in grouped.items()}
    return {key: known[key] if known.get(key) == record else record for key, record in records.items()}


def journal_table(glyphs: Glyphs) -> TableSpec[OperationRecord]:
    """The table of operations.

    Args:
        glyphs: Signs to draw with.
    """
    return TableSpec(columns=COLUMNS, cells=partial(_cells, glyphs), sorts=SORTS, longest=_longest, empty=EMPTY)


def _cells(glyphs: Glyphs, record: OperationRecord, now: float) -> tuple[Span, ...]:
    newest = record.newest
    return (
        Span(words.age(newest.at, now), "dim"),
        Span(printable(newest.verb), "title"),
        Span(printable(record.where)),
        Span(f"{glyphs.of(record.severity)} {printable(newest.phase or newest.step)}", _tone(record.severity)),
        Span(printable(record.who), "dim"),
        Span(printable(record.reason, limit=200), "dim" if not newest.reason else "plain"),
    )


def _tone(severity: Severity) -> Tone:
    return "info" if severity == "info" else severity


def _longest(records: Iterable[OperationRecord]) -> Mapping[str, int]:
    shown = list(records)
    return {
        "target": max((len(record.where) for record in shown), default=0),
        "who": max((len(record.who) for record in shown), default=0),
        "reason": max((len(record.reason) for record in shown), default=0),
    }


def record_detail(record: OperationRecord) -> list[Line]:
    """An operation in sentences."""
    newest = record.newest
    why = f" because: {newest.reason}" if newest.reason else ", without a reason given"
    context = f", context {printable(newest.context)}" if newest.context else ""
    return [
        line(Span(printable(words.sentence(newest.text)), _tone(record.severity))),
        line(Span("Asked for by ", "dim"), printable(f"{record.who}{why}.")),
        line(Span(f"{words.moment(newest.at)}{context}", "dim")),
    ]


def record_lines(record: OperationRecord, now: float) -> list[Line]:
    """The whole record of an operation, oldest step first."""
    first = record.entries[0]
    facts = (
        ("Operation", record.operation_id),
        ("Verb", first.verb),
        ("Target", record.where),
        ("Context", first.context or words.NONE),
        ("Asked by", record.who),
        ("Reason", first.reason or "none given"),
    )
    lines = [line(Span(f"{label} ".ljust(LABEL_WIDTH), "dim"), printable(text)) for label, text in facts]
    for entry in record.entries:
        when = f"{words.moment(entry.at)} ({words.age(entry.at, now)} ago)  "
        tone: Tone = "warn" if entry.step == "refused" else "title"
        phase = f", {printable(entry.phase)}" if entry.phase else ""
        lines += [BLANK, line(Span(when, "dim"), Span(printable(entry.step), tone), Span(phase, "dim"))]
        lines.append(line("  ", printable(words.sentence(entry.text))))
    return lines
