"""Applications as rows."""

from collections.abc import Iterable, Mapping
from functools import partial

from selfheal_cli import words
from selfheal_core.domain.escape import printable
from selfheal_core.domain.snapshot import Application
from selfheal_tui.present.columns import Column
from selfheal_tui.present.glyphs import TONE_OF_SEVERITY, Glyphs, plain
from selfheal_tui.present.spans import Span, Tone
from selfheal_tui.present.sparkline import sparkline
from selfheal_tui.present.tables import WORST_FIRST, Sort, TableSpec

EMPTY = "No applications here: one appears per workload with pods in this scope (0 shows all namespaces)."
SPARK_CELLS = 5

NAMESPACE = Column("namespace", "NAMESPACE", 12, stretch=True, cut="middle")
COLUMNS = (
    Column("app", "APP", 11, stretch=True, cut="middle"),
    Column("state", "STATE", 18),
    Column("ready", "READY", 5),
    Column("hpa", "HPA", 8, gives_way=5),
    Column("cpu", "CPU", 4, align="right", gives_way=6),
    Column("restarts", "RESTARTS", 8),
    Column("errors", "ERRORS", SPARK_CELLS + 6, gives_way=2),
    Column("p95", "P95", 5, align="right", gives_way=7),
)
REVISION = Column("revision", "REVISION", 10, gives_way=8)
"""The first to give way: the detail, which stands beside the table there, tells of the revision too."""

SORTS: tuple[Sort[Application], ...] = (
    Sort("state", "worst state first", lambda app: (WORST_FIRST[app.severity], app.key)),
    Sort("app", "name", lambda app: app.key),
    Sort("restarts", "most restarts first", lambda app: (-app.restarts, app.key)),
    Sort("cpu", "most CPU first", lambda app: (-(app.cpu_percent or 0), app.key)),
    Sort("errors", "most errors first", lambda app: (-((app.errors.ratio if app.errors else None) or 0.0), app.key)),
)
BUDGET_RATIO = 0.01
"""More than one request in a hundred failing is drawn as a warning, more than one in ten as bad."""


def applications_table(glyphs: Glyphs, *, all_namespaces: bool, wide: bool = False) -> TableSpec[Application]:
    """The table of applications.

    Args:
        glyphs: Signs to draw with.
        all_namespaces: Show which namespace an application is in.
        wide: Show the revision that runs, and its age.
    """
    columns = (*COLUMNS, REVISION) if wide else COLUMNS
    return TableSpec(
        columns=(NAMESPACE, *columns) if all_namespaces else columns,
        cells=partial(_cells, glyphs, all_namespaces),
        sorts=SORTS,
        longest=_longest,
        empty=EMPTY,
    )


def _cells(glyphs: Glyphs, all_namespaces: bool, app: Application, now: float) -> tuple[Span, ...]:
    tone = TONE_OF_SEVERITY[app.severity]
    cells = (
        Span(printable(app.key.name), "plain" if tone == "ok" else tone),
        Span(f"{glyphs.of(app.severity)} {words.application_state(app, now)}", tone),
        Span(words.application_ready(app), _ready_tone(app)),
        _autoscaler(app),
        Span(words.percent(app.cpu_percent)),
        Span(plain(_restarts(app, now), glyphs), "plain" if app.restarts else "dim"),
        _errors(app, glyphs),
        Span(words.latency(app.errors.p95_seconds if app.errors else None)),
        Span(plain(revision_words(app, now), glyphs), "dim"),
    )
    return (Span(printable(app.key.namespace), "dim"), *cells) if all_namespaces else cells


def _restarts(app: Application, now: float) -> str:
    return words.NONE if app.state == words.NO_DATA else words.restarts(app.restarts, app.last_restart_at, now)


def _autoscaler(app: Application) -> Span:
    limited = app.autoscaler is not None and app.autoscaler.limited
    return Span(words.autoscaler(app.autoscaler, app.desired), "warn" if limited else "plain")


def _ready_tone(app: Application) -> Tone:
    return "plain" if app.desired is None or app.ready >= app.desired else "warn"


def _errors(app: Application, glyphs: Glyphs) -> Span:
    history = app.errors.history if app.errors else ()
    ratio = app.errors.ratio if app.errors else None
    if ratio is None:
        return Span(words.NO_DATA, error_tone(None))
    bars = sparkline(history, SPARK_CELLS, glyphs, top=max(0.05, max((v for v in history if v is not None), default=0)))
    text = f"{bars} {words.error_ratio(app.errors)}" if history else words.error_ratio(app.errors)
    return Span(text, error_tone(ratio))


def error_tone(ratio: float | None) -> Tone:
    """How alarming a share of failed requests is."""
    if ratio is None:
        return "unknown"
    if ratio <= BUDGET_RATIO:
        return "plain"
    return "bad" if ratio > 10 * BUDGET_RATIO else "warn"


def revision_words(app: Application, now: float) -> str:
    """``7 · 6m``: the revision that runs and its age; ``~7`` where it was concluded, not read."""
    track = app.track("stable") or (app.tracks[0] if app.tracks else None)
    if track is None or track.revision is None:
        return words.NONE
    deployed = next((r.deployed_at for r in app.revisions if r.number == track.revision), None)
    number = f"{'~' if track.revision_inferred else ''}{track.revision}"
    return number if deployed is None else f"{number} · {words.age(deployed, now)}"


def _longest(apps: Iterable[Application]) -> Mapping[str, int]:
    shown = list(apps)
    return {
        "namespace": max((len(app.key.namespace) for app in shown), default=0),
        "app": max((len(app.key.name) for app in shown), default=0),
    }
