"""Revisions of Helm releases as rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from selfheal_cli import words
from selfheal_core.domain.escape import printable
from selfheal_core.domain.rollback import choose_target
from selfheal_core.domain.snapshot import AppKey, Application, Revision, Severity, Snapshot
from selfheal_tui.present.columns import Column
from selfheal_tui.present.glyphs import TONE_OF_SEVERITY, Glyphs
from selfheal_tui.present.spans import Span, Tone
from selfheal_tui.present.tables import Sort, TableSpec

EMPTY = "No Helm releases here: revisions appear once an application of this scope is installed with Helm."

NAMESPACE = Column("namespace", "NAMESPACE", 12, cut="middle")
COLUMNS = (
    Column("app", "APP", 10, stretch=True, cut="middle"),
    Column("release", "RELEASE", 10, gives_way=4, cut="middle"),
    Column("revision", "REV", 4, align="right"),
    Column("status", "STATUS", 16),
    Column("age", "AGE", 4, align="right"),
    Column("good", "HEALTHY", 29, gives_way=2),
    Column("image", "IMAGE", 24, gives_way=5, cut="middle"),
)


@dataclass(frozen=True, slots=True)
class RevisionRow:
    """One revision of the release of an application.

    Attributes:
        running: Whether this revision is what the application runs now.
        target: Whether its release can be rolled back to it.
    """

    key: tuple[str, str, int]
    app: AppKey
    revision: Revision
    running: bool
    target: bool
    severity: Severity


SORTS: tuple[Sort[RevisionRow], ...] = (
    Sort("age", "newest first", lambda row: (-(row.revision.deployed_at or 0.0), row.key)),
    Sort("app", "name", lambda row: (row.app, -row.revision.number)),
)


def revision_rows(snapshot: Snapshot, only: AppKey | None) -> dict[tuple[str, str, int], RevisionRow]:
    """All revisions in the snapshot, of one application or of all."""
    rows: dict[tuple[str, str, int], RevisionRow] = {}
    for app in snapshot.applications.values():
        if only is None or app.key == only:
            targets = _targets(app, snapshot.taken_at)
            for revision in app.revisions:
                key = (revision.namespace, revision.release, revision.number)
                runs, target = _runs(app, revision), (revision.release, revision.number) in targets
                rows[key] = RevisionRow(key, app.key, revision, runs, target, _severity(revision))
    return rows


def _targets(app: Application, now: float) -> set[tuple[str, int]]:
    """Release and number of the revisions that can be gone back to."""
    found = set()
    for release in {revision.release for revision in app.revisions}:
        revisions = [revision for revision in app.revisions if revision.release == release]
        newest = max(revision.number for revision in revisions)
        found |= {(release, target.revision.number) for target in choose_target(revisions, newest, now)}
    return found


def _runs(app: Application, revision: Revision) -> bool:
    return any(track.release == revision.release and track.revision == revision.number for track in app.tracks)


def _severity(revision: Revision) -> Severity:
    if revision.status == "failed":
        return "bad"
    if revision.status.startswith(("pending", "uninstalling")):
        return "warn"
    if revision.known_good:
        return "ok"
    return "unknown" if revision.known_good is None else "warn"


def history_table(glyphs: Glyphs, *, all_namespaces: bool) -> TableSpec[RevisionRow]:
    """The table of revisions.

    Args:
        glyphs: Signs to draw with.
        all_namespaces: Show which namespace a release is in.
    """
    return TableSpec(
        columns=(NAMESPACE, *COLUMNS) if all_namespaces else COLUMNS,
        cells=partial(_cells, glyphs, all_namespaces),
        sorts=SORTS,
        longest=_longest,
        empty=EMPTY,
    )


def _cells(glyphs: Glyphs, all_namespaces: bool, row: RevisionRow, now: float) -> tuple[Span, ...]:
    revision = row.revision
    tone = TONE_OF_SEVERITY[row.severity]
    cells = (
        Span(printable(row.app.name)),
        Span(printable(revision.release), "dim"),
        Span(str(revision.number), "title" if row.running else "plain"),
        Span(f"{printable(revision.status)}{', runs' if row.running else ''}", _status_tone(row)),
        Span(words.age(revision.deployed_at, now)),
        Span(f"{glyphs.of(row.severity)} {words.known_good(revision)}", tone),
        Span(printable(revision.image), "dim"),
    )
    return (Span(printable(revision.namespace), "dim"), *cells) if all_namespaces else cells


def _status_tone(row: RevisionRow) -> Tone:
    if row.severity in ("bad", "warn") and row.revision.status != "deployed":
        return TONE_OF_SEVERITY[row.severity]
    return "plain" if row.running else "dim"


def _longest(rows: Iterable[RevisionRow]) -> Mapping[str, int]:
    return {"app": max((len(row.app.name) for row in rows), default=0)}
