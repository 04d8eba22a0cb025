"""How facts are worded, once for the console and for the text forms.

"No data" is never 0, numbers carry units, and times are relative (``41s``) unless asked for as a clock time.
"""

from collections.abc import Iterable
from datetime import datetime

from selfheal_core.domain.snapshot import (
    Application,
    Autoscaler,
    ControllerStatus,
    ErrorRate,
    PodRow,
    Revision,
    Source,
)
from selfheal_core.domain.times import ago, duration
from selfheal_core.domain.words import ratio

NONE = "-"
NO_DATA = "no data"
SEVERITY_ORDER = ("bad", "warn", "unknown", "info", "ok")
COUNTED = ("rolling out", "degraded", "scaling", "canary")
"""States of which the next question is how far; of all others it is how long."""
FIGURE_LIMIT = 5
"""Characters of a detail that is a figure (``2/3``); longer ones are reasons and belong into sentences."""
FRESH_SECONDS = 75.0
"""Up to this age a live source counts as current; the API server sends a bookmark about once a minute."""


def sentence(text: str) -> str:
    """A reason as a sentence: capital letter, full stop; nothing stays nothing."""
    stripped = text.strip().rstrip(".")
    return f"{stripped[:1].upper()}{stripped[1:]}." if stripped else ""


def in_order(applications: Iterable[Application]) -> list[Application]:
    """Worst first, then by name."""
    return sorted(applications, key=lambda app: (SEVERITY_ORDER.index(app.severity), app.key))


def restarts(count: int, last_at: float | None, now: float) -> str:
    """``6 · 41s``: six restarts, the last one 41 s ago."""
    return str(count) if not count or last_at is None else f"{count} · {ago(now - last_at)}"


def ready(number: int, of: int | None) -> str:
    """``1/2``; with an unknown total only the number."""
    return str(number) if of is None else f"{number}/{of}"


def application_ready(application: Application) -> str:
    """``1/2``, or ``-`` where nothing is known."""
    return NONE if application.state == NO_DATA else ready(application.ready, application.desired)


def application_state(application: Application, now: float) -> str:
    """The state word with the figure that belongs to it, else its age: ``degraded 1/2``, ``crash loop 4m``."""
    word = application.state
    if application.severity == "ok":
        return word
    if word in COUNTED and application.detail and len(application.detail) <= FIGURE_LIMIT:
        return f"{word} {application.detail}"
    if application.since is None:
        return word
    return f"{word} {ago(now - application.since)}"


def autoscaler(scaler: Autoscaler | None, wanted: int | None = None) -> str:
    """``2 (2-5)``: two replicas now, between two and five allowed.

    Args:
        scaler: None if there is none.
        wanted: What the workload itself is set to, which is newer than what the autoscaler last wrote of it.
    """
    if scaler is None:
        return NONE
    return f"{scaler.current_replicas if wanted is None else wanted} ({scaler.min_replicas}-{scaler.max_replicas})"


def percent(value: int | None) -> str:
    """``31%``."""
    return NONE if value is None else f"{value}%"


def error_ratio(errors: ErrorRate | None) -> str:
    """The share of failed requests, or ``no data``."""
    return ratio(errors.ratio if errors else None)


def latency(seconds: float | None) -> str:
    """``84ms``, ``1.2s``."""
    if seconds is None:
        return NONE
    return f"{seconds * 1000:.0f}ms" if seconds < 0.9995 else f"{seconds:.1f}s"


def cpu(millicores: int | None) -> str:
    """``250m``, ``1.5`` cores from ten cores on without a decimal."""
    if millicores is None:
        return NONE
    return f"{millicores}m" if millicores < 10_000 else f"{millicores / 1000:.0f}"


def memory(size_bytes: int | None) -> str:
    """``64Mi``, ``1.5Gi``."""
    if size_bytes is None:
        return NONE
    mebibytes = size_bytes / 2**20
    return f"{mebibytes:.0f}Mi" if mebibytes < 1024 else f"{mebibytes / 1024:.1f}Gi"


def age(since: float | None, now: float) -> str:
    """``4m``, or ``-`` where it is not known."""
    return NONE if since is None else ago(now - since)


def clock(at: float) -> str:
    """A moment of today in local time, ``16:41:07``."""
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")


def moment(at: float) -> str:
    """A moment in local time with its zone, ``2026-11-26 16:41:07 CET``."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def source_state(source: Source, now: float, *, brief: bool = False) -> str:
    """``live 0.4s``, ``stale 41s``, ``lost 42s, retrying in 8s (connection refused)``.

    Args:
        source: A stream of data.
        now: Seconds since the epoch.
        brief: Tell only the last cause of the reason.
    """
    if source.condition == "live":
        return f"live {_fine(now - source.fresh_at)}" if source.fresh_at is not None else "live"
    since = source.since if source.condition == "connecting" or source.fresh_at is None else source.fresh_at
    words = (
        source.condition if source.condition in ("absent", "forbidden") else f"{source.condition} {ago(now - since)}"
    )
    if source.retry_at is not None and source.condition in ("lost", "stale", "connecting") and source.reason:
        words += f", retrying in {ago(source.retry_at - now)}"
    reason = short_reason(source.reason) if brief else source.reason
    return f"{words} ({reason})" if reason else words


def source_origin(source: Source, now: float) -> str:
    """Where its data comes from: ``Prometheus, 12s``, ``own scrape (Prometheus lost 40s)``; "" if that is plain."""
    if not source.origin:
        return ""
    if source.origin_note:
        return f"{source.origin} ({source.origin_note} {age(source.origin_since, now)})"
    return f"{source.origin}, {age(source.fresh_at, now)}"


def short_reason(reason: str) -> str:
    """The cause at the end of a reason, for where there is little room: ``connection refused``."""
    return reason.partition(";")[0].rpartition(": ")[2]


def _fine(seconds: float) -> str:
    """An age with one decimal while it is below ten seconds."""
    return f"{max(0.0, seconds):.1f}s" if seconds < 9.95 else ago(seconds)


def controller(status: ControllerStatus) -> str:
    """What is known of healerd: ``healerd 0.3.1 2/2 ready``, ``no healerd``, ``healerd 0.3.1 scaled to 0``."""
    if status.present is None:
        return "healerd unknown"
    if not status.present:
        return "no healerd"
    name = f"healerd {status.version}" if status.version else "healerd"
    return f"{name} {ready(status.ready, status.desired)} ready" if status.desired else f"{name} scaled to 0"


def known_good(revision: Revision) -> str:
    """Whether somebody watched the revision be healthy: ``known good, healthy for 3d``, ``never observed healthy``."""
    if revision.known_good:
        seen = f", healthy for {ago(revision.healthy_seconds)}" if revision.healthy_seconds else ""
        return f"known good{seen}"
    return "never observed healthy" if revision.known_good is None else "watched, was not healthy"


def pod_state(pod: PodRow, now: float) -> str:
    """The state word; how long it lasts where that is not simply the pod's age."""
    if pod.severity == "ok" or pod.since is None:
        return pod.state
    return f"{pod.state} {ago(now - pod.since)}"


def length(seconds: float) -> str:
    """A length in its two largest units: ``4m12s``."""
    return duration(seconds)
