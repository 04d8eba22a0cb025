"""The console's data as text: for pipes, for logs, and for people who do not see a screen.

``once`` prints a table and ends; ``plain`` prints sentences and goes on with one line per change; ``json`` prints one
document, ``json lines`` the same on one line and goes on with one line per change. No colour, no drawing characters,
one fact a line.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from selfheal_cli import words
from selfheal_cli.changes import ApplicationChanged, ApplicationGone, Change, SourceChanged, changes_between
from selfheal_cli.document import NOT_CURRENT, change_document, encode, snapshot_document
from selfheal_cli.session import Session, first_data
from selfheal_core.domain.escape import cells, printable
from selfheal_core.domain.snapshot import Application, PodRow, Snapshot, Source
from selfheal_core.observe.sources import DEPLOYMENTS, PODS, REPLICA_SETS

Form = Literal["once", "plain", "json", "json lines"]
CHANGES_SECONDS = 1.0
"""Changes are told at most once a second, so that a storm stays readable."""
GROUND = (PODS, REPLICA_SETS, DEPLOYMENTS)
"""Sources without which nothing else can be trusted."""
QUIET_SECONDS = 3_600.0
"""Longest wait for a change at a time."""
POD_LINE_LIMIT = 50
"""Pods in trouble that a report names; it says how many more there are."""


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their longest cell, two blanks apart, none at the end of a line."""
    if not rows:
        return []
    widths = [max(cells(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(map(_padded, row, widths)).rstrip() for row in rows]


def _padded(text: str, width: int) -> str:
    """The text with blanks up to so many cells of a terminal."""
    return text + " " * (width - cells(text))


def report(snapshot: Snapshot, now: float) -> list[str]:
    """Applications as a table, then the pods in trouble, then what is not known.

    Args:
        snapshot: What to report.
        now: Seconds since the epoch.
    """
    head = ("NAMESPACE", "APP", "STATE", "READY", "HPA", "CPU", "RESTARTS", "ERRORS", "P95")
    rows = [head, *(_application_cells(app, now) for app in words.in_order(snapshot.applications.values()))]
    lines = [*staleness(snapshot, now), *(table(rows) if len(rows) > 1 else ["no applications in this scope"])]
    troubled = [pod for pod in snapshot.pods.values() if pod.severity in ("bad", "warn")]
    if troubled:
        troubled.sort(key=lambda pod: (words.SEVERITY_ORDER.index(pod.severity), pod.namespace, pod.name))
        pod_head = ("NAMESPACE", "POD", "STATE", "READY", "RESTARTS", "LAST EXIT", "REASON")
        lines += ["", *table([pod_head, *(_pod_cells(pod, now) for pod in troubled[:POD_LINE_LIMIT])])]
        if len(troubled) > POD_LINE_LIMIT:
            lines.append(f"and {len(troubled) - POD_LINE_LIMIT} more pods in trouble")
    gaps = source_sentences(snapshot.sources.values(), now)
    return [*lines, "", printable(words.controller(snapshot.controller)), *gaps]


def _application_cells(app: Application, now: float) -> tuple[str, ...]:
    restarts = words.NONE if app.state == words.NO_DATA else words.restarts(app.restarts, app.last_restart_at, now)
    return (
        printable(app.key.namespace),
        printable(app.key.name),
        words.application_state(app, now),
        words.application_ready(app),
        words.autoscaler(app.autoscaler, app.desired),
        words.percent(app.cpu_percent),
        restarts.replace("·", "-"),
        words.error_ratio(app.errors),
        words.latency(app.errors.p95_seconds if app.errors else None),
    )


def _pod_cells(pod: PodRow, now: float) -> tuple[str, ...]:
    return (
        printable(pod.namespace),
        printable(pod.name),
        words.pod_state(pod, now),
        words.ready(pod.ready_containers, pod.containers),
        words.restarts(pod.restarts, pod.last_restart_at, now).replace("·", "-"),
        printable(pod.last_exit) or words.NONE,
        printable(pod.reason, limit=120) or words.NONE,
    )


def staleness(snapshot: Snapshot, now: float) -> list[str]:
    """The sentence to put before everything else where pods or workloads are not current; none where they are."""
    troubled = (snapshot.sources[name] for name in GROUND if name in snapshot.sources)
    state = next((source for source in troubled if source.condition in NOT_CURRENT), None)
    if state is None:
        return []
    return [f"NOT CURRENT: {state.name}: {printable(words.source_state(state, now))}. What follows may be wrong now."]


def source_sentences(sources: Iterable[Source], now: float) -> list[str]:
    """One sentence per stream that is not live, or does not come from where it should."""
    return [
        f"{source.name}: {printable(_condition(source, now))}"
        for source in sources
        if source.condition != "live" or source.origin_note
    ]


def _condition(source: Source, now: float) -> str:
    return words.source_origin(source, now) if source.condition == "live" else words.source_state(source, now)


def sentences(snapshot: Snapshot, now: float) -> list[str]:
    """One sentence per application, worst first, then what is not known."""
    apps = [application_sentence(app, now) for app in words.in_order(snapshot.applications.values())]
    rest = [f"{printable(words.controller(snapshot.controller))}.", *source_sentences(snapshot.sources.values(), now)]
    return [*staleness(snapshot, now), *(apps or ["No applications in this scope."]), *rest]


def application_sentence(app: Application, now: float) -> str:
    """``payments/app-a: crash loop for 4m12s, 1 of 2 ready, 9 restarts, errors 38%. Container app exits 1.``."""
    facts = [words.application_state(app, now)]
    if app.state != words.NO_DATA:
        ready = f"{app.ready} of {app.desired} ready" if app.desired is not None else f"{app.ready} ready"
        facts += [ready, f"{app.restarts} restarts", f"errors {words.error_ratio(app.errors)}"]
    reason = f" {printable(words.sentence(app.reason))}" if app.reason else ""
    return f"{printable(app.key.namespace)}/{printable(app.key.name)}: {', '.join(facts)}.{reason}"


def changes(before: Snapshot, after: Snapshot, now: float) -> list[str]:
    """What became different, one line each: states of applications, their readiness, streams lost and found."""
    return [f"{words.clock(now)} {change_sentence(change, now)}" for change in changes_between(before, after)]


def change_sentence(change: Change, now: float) -> str:
    """One change in words."""
    match change:
        case ApplicationChanged(app):
            return application_sentence(app, now)
        case ApplicationGone(key):
            return f"{printable(key.namespace)}/{printable(key.name)}: gone."
        case SourceChanged(source):
            return f"{source.name}: {printable(words.source_state(source, now))}"


def as_json(snapshot: Snapshot, now: float) -> str:
    """The snapshot as one JSON document; times are both RFC 3339 (``...At``) and seconds of age."""
    return encode(snapshot_document(snapshot, now), indent=True)


def json_changes(before: Snapshot, after: Snapshot, now: float) -> list[str]:
    """What became different, as one JSON document per line."""
    return [encode(change_document(change, now), indent=False) for change in changes_between(before, after)]


_FORMS: Mapping[Form, Callable[[Snapshot, float], list[str]]] = {
    "once": report,
    "plain": sentences,
    "json": lambda snapshot, now: [as_json(snapshot, now)],
    "json lines": lambda snapshot, now: [encode(snapshot_document(snapshot, now), indent=False)],
}
_CHANGES: Mapping[Form, Callable[[Snapshot, Snapshot, float], list[str]]] = {
    "plain": changes,
    "json lines": json_changes,
}
"""Forms that go on, and how they tell what changed."""


async def show(session: Session, form: Form, *, once: bool, write: Callable[[str], None]) -> None:
    """Print the data of a session in a form; ``plain`` and ``json lines`` go on until cancelled, unless ``once``.

    Args:
        session: An open connection.
        form: What to print.
        once: End after the first report.
        write: Takes one line without its line break.

    Raises:
        ClusterUnreachable: The API server can't be reached.
    """
    await first_data(session)
    snapshot = session.observer.snapshot()
    now = session.client.clock()
    for line in _FORMS[form](snapshot, now):
        write(line)
    tell = _CHANGES.get(form)
    while tell is not None and not once:
        snapshot = await _tell_changes(session, snapshot, tell, write)


async def _tell_changes(
    session: Session,
    before: Snapshot,
    tell: Callable[[Snapshot, Snapshot, float], list[str]],
    write: Callable[[str], None],
) -> Snapshot:
    """Wait for the next change, at least a second, and tell it."""
    await asyncio.sleep(CHANGES_SECONDS)
    with contextlib.suppress(TimeoutError):
        await session.observer.wait_for(lambda shot: shot.sequence != before.sequence, QUIET_SECONDS)
    after = session.observer.snapshot()
    for line in tell(before, after, session.client.clock()):
        write(line)
    return after
