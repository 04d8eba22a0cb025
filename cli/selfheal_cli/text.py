"""The console's data as text: for pipes, for logs, and for people who do not see a screen.

``once`` prints a table and ends; ``plain`` prints sentences and goes on with one line per change; ``json`` prints one
document. No colour, no drawing characters, one fact a line.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Literal

import msgspec

from selfheal_cli import words
from selfheal_cli.session import Session, first_data
from selfheal_core.domain.escape import printable
from selfheal_core.domain.snapshot import Application, PodRow, Snapshot, Source
from selfheal_core.domain.times import rfc3339

Form = Literal["once", "plain", "json"]
SEVERITY_ORDER = ("bad", "warn", "unknown", "info", "ok")
CHANGES_SECONDS = 1.0
"""Changes are told at most once a second, so that a storm stays readable."""
QUIET_SECONDS = 3_600.0
"""Longest wait for a change at a time."""
POD_LINE_LIMIT = 50
"""Pods in trouble that a report names; it says how many more there are."""


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their longest cell, two blanks apart, none at the end of a line."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def report(snapshot: Snapshot, now: float) -> list[str]:
    """Applications as a table, then the pods in trouble, then what is not known.

    Args:
        snapshot: What to report.
        now: Seconds since the epoch.
    """
    head = ("NAMESPACE", "APP", "STATE", "READY", "HPA", "CPU", "RESTARTS", "ERRORS", "P95")
    rows = [head, *(_application_cells(app, now) for app in in_order(snapshot.applications.values()))]
    lines = table(rows) if len(rows) > 1 else ["no applications in this scope"]
    troubled = [pod for pod in snapshot.pods.values() if pod.severity in ("bad", "warn")]
    if troubled:
        troubled.sort(key=lambda pod: (SEVERITY_ORDER.index(pod.severity), pod.namespace, pod.name))
        pod_head = ("NAMESPACE", "POD", "STATE", "READY", "RESTARTS", "LAST EXIT", "REASON")
        lines += ["", *table([pod_head, *(_pod_cells(pod, now) for pod in troubled[:POD_LINE_LIMIT])])]
        if len(troubled) > POD_LINE_LIMIT:
            lines.append(f"and {len(troubled) - POD_LINE_LIMIT} more pods in trouble")
    gaps = source_sentences(snapshot.sources.values(), now)
    return [*lines, "", words.controller(snapshot.controller), *gaps]


def in_order(applications: Iterable[Application]) -> list[Application]:
    """Worst first, then by name."""
    return sorted(applications, key=lambda app: (SEVERITY_ORDER.index(app.severity), app.key))


def _application_cells(app: Application, now: float) -> tuple[str, ...]:
    restarts = words.NONE if app.state == words.NO_DATA else words.restarts(app.restarts, app.last_restart_at, now)
    return (
        printable(app.key.namespace),
        printable(app.key.name),
        words.application_state(app, now),
        words.application_ready(app),
        words.autoscaler(app.autoscaler),
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


def source_sentences(sources: Iterable[Source], now: float) -> list[str]:
    """One sentence per stream that is not live."""
    troubled = [source for source in sources if source.condition != "live"]
    return [f"{source.name}: {printable(words.source_state(source, now))}" for source in troubled]


def sentences(snapshot: Snapshot, now: float) -> list[str]:
    """One sentence per application, worst first, then what is not known."""
    lines = [application_sentence(app, now) for app in in_order(snapshot.applications.values())]
    gaps = source_sentences(snapshot.sources.values(), now)
    return [*(lines or ["No applications in this scope."]), f"{words.controller(snapshot.controller)}.", *gaps]


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
    lines = []
    for key, app in after.applications.items():
        old = before.applications.get(key)
        if old is None or _figures(old) != _figures(app):
            lines.append(application_sentence(app, now))
    lines += [
        f"{printable(key.namespace)}/{printable(key.name)}: gone."
        for key in before.applications
        if key not in after.applications
    ]
    for name, source in after.sources.items():
        known = before.sources.get(name)
        if known is not None and known.condition != source.condition:
            lines.append(f"{name}: {printable(words.source_state(source, now))}")
    return [f"{words.clock(now)} {text}" for text in lines]


def _figures(app: Application) -> tuple[object, ...]:
    return app.state, app.detail, app.ready, app.desired


def as_json(snapshot: Snapshot, now: float) -> str:
    """The snapshot as one JSON document; times are both RFC 3339 (``...At``) and seconds of age."""
    document = {
        "takenAt": rfc3339(snapshot.taken_at),
        "namespaces": list(snapshot.namespaces),
        "serverVersion": snapshot.server_version,
        "healerd": _plain(snapshot.controller),
        "sources": {name: _plain(source) for name, source in snapshot.sources.items()},
        "applications": [_application_json(app, now) for app in in_order(snapshot.applications.values())],
        "pods": [{**_plain(pod), "ageSeconds": _age(pod.created_at, now)} for pod in snapshot.pods.values()],
    }
    return msgspec.json.format(msgspec.json.encode(document)).decode()


def _application_json(app: Application, now: float) -> dict[str, Any]:
    plain: dict[str, Any] = _plain(app)
    plain["name"], plain["namespace"] = app.key.name, app.key.namespace
    del plain["key"]
    plain["sinceSeconds"] = _age(app.since, now)
    return plain


def _age(at: float | None, now: float) -> float | None:
    return None if at is None else round(now - at, 1)


def _plain(value: Any) -> Any:
    """A value as JSON can hold it: fields in camelCase, moments (``..._at``, ``since``) as RFC 3339."""
    record = _fields(value)
    if record is not None:
        return {_camel(name): _moment_or_plain(name, item) for name, item in record.items()}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _fields(value: Any) -> dict[str, Any] | None:
    """Fields of a record by name; None for anything else."""
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return value._asdict() if isinstance(value, tuple) and hasattr(value, "_asdict") else None


def _moment_or_plain(name: str, value: Any) -> Any:
    is_moment = isinstance(value, float) and (name.endswith("_at") or name == "since")
    return rfc3339(value) if is_moment else _plain(value)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


_FORMS: Mapping[Form, Callable[[Snapshot, float], list[str]]] = {
    "once": report,
    "plain": sentences,
    "json": lambda snapshot, now: [as_json(snapshot, now)],
}


async def show(session: Session, form: Form, *, once: bool, write: Callable[[str], None]) -> None:
    """Print the data of a session in a form; ``plain`` goes on until it is cancelled, unless ``once``.

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
    now = time.time()
    for line in _FORMS[form](snapshot, now):
        write(line)
    while form == "plain" and not once:
        snapshot = await _tell_changes(session, snapshot, write)


async def _tell_changes(session: Session, before: Snapshot, write: Callable[[str], None]) -> Snapshot:
    """Wait for the next change, at least a second, and tell it."""
    await asyncio.sleep(CHANGES_SECONDS)
    with contextlib.suppress(TimeoutError):
        await session.observer.wait_for(lambda shot: shot.sequence != before.sequence, QUIET_SECONDS)
    after = session.observer.snapshot()
    for line in changes(before, after, time.time()):
        write(line)
    return after
