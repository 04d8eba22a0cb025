"""Pods as rows."""

from collections.abc import Iterable, Mapping
from functools import partial

from selfheal_cli import words
from selfheal_core.domain.escape import printable
from selfheal_core.domain.snapshot import PodRow
from selfheal_tui.present.columns import Column
from selfheal_tui.present.glyphs import TONE_OF_SEVERITY, Glyphs, plain
from selfheal_tui.present.spans import Span, Tone
from selfheal_tui.present.tables import WORST_FIRST, Sort, TableSpec

EMPTY = "No pods here: they appear as soon as something runs in this scope (0 shows all namespaces)."

NAMESPACE = Column("namespace", "NAMESPACE", 12, stretch=True, cut="middle")
NARROW = (
    Column("pod", "POD", 16, stretch=True, cut="middle"),
    Column("track", "TRACK", 6, gives_way=5),
    Column("ready", "READY", 5),
    Column("state", "STATE", 17),
    Column("restarts", "RESTARTS", 8),
    Column("exit", "LAST EXIT", 10, gives_way=4, stretch=True),
    Column("age", "AGE", 4, align="right"),
    Column("cpu", "CPU", 6, align="right", gives_way=6),
    Column("memory", "MEM", 7, align="right", gives_way=7),
    Column("node", "NODE", 12, gives_way=8, stretch=True, cut="middle"),
    Column("ip", "IP", 15, gives_way=9),
)
# Wide shows where a pod runs and what it uses before how it is called in full and how it last ended.
_WIDE_GIVES_WAY = {"exit": 9, "track": 8, "ip": 7, "memory": 6, "cpu": 5, "node": 4}
WIDE = tuple(Column(c.id, c.title, c.width, c.align, _WIDE_GIVES_WAY.get(c.id, 0), c.stretch, c.cut) for c in NARROW)

SORTS: tuple[Sort[PodRow], ...] = (
    Sort("state", "worst state first", lambda pod: (WORST_FIRST[pod.severity], pod.namespace, pod.name)),
    Sort("pod", "name", lambda pod: (pod.namespace, pod.name)),
    Sort("restarts", "most restarts first", lambda pod: (-pod.restarts, pod.namespace, pod.name)),
    Sort("age", "youngest first", lambda pod: (-(pod.created_at or 0.0), pod.namespace, pod.name)),
    Sort("cpu", "most CPU first", lambda pod: (-(pod.cpu_millicores or 0), pod.namespace, pod.name)),
)


def pods_table(glyphs: Glyphs, *, all_namespaces: bool, wide: bool) -> TableSpec[PodRow]:
    """The table of pods.

    Args:
        glyphs: Signs to draw with.
        all_namespaces: Show which namespace a pod is in.
        wide: Prefer node, address and use over track and last exit where the screen is narrow.
    """
    columns = WIDE if wide else NARROW
    return TableSpec(
        columns=(NAMESPACE, *columns) if all_namespaces else columns,
        cells=partial(_cells, glyphs, all_namespaces),
        sorts=SORTS,
        longest=_longest,
        empty=EMPTY,
    )


def _cells(glyphs: Glyphs, all_namespaces: bool, pod: PodRow, now: float) -> tuple[Span, ...]:
    tone = TONE_OF_SEVERITY[pod.severity]
    quiet: Tone = "plain" if pod.severity != "ok" else "dim"
    cells = (
        Span(printable(pod.name), "plain" if tone == "ok" else tone),
        Span(printable(pod.track), "dim" if pod.track == "stable" else "info"),
        Span(words.ready(pod.ready_containers, pod.containers), _ready_tone(pod)),
        Span(f"{glyphs.of(pod.severity)} {words.pod_state(pod, now)}", tone),
        Span(plain(words.restarts(pod.restarts, pod.last_restart_at, now), glyphs), _restart_tone(pod, now)),
        Span(printable(pod.last_exit), quiet),
        Span(words.age(pod.created_at, now), "plain"),
        Span(words.cpu(pod.cpu_millicores)),
        Span(words.memory(pod.memory_bytes)),
        Span(printable(pod.node), "dim"),
        Span(printable(pod.pod_ip), "dim"),
    )
    return (Span(printable(pod.namespace), "dim"), *cells) if all_namespaces else cells


def _ready_tone(pod: PodRow) -> Tone:
    return "plain" if pod.ready_containers >= pod.containers else "warn"


RECENT_SECONDS = 600.0
"""A restart within ten minutes deserves a colour: CrashLoopBackOff forgets a container that ran that long."""


def _restart_tone(pod: PodRow, now: float) -> Tone:
    if not pod.restarts:
        return "dim"
    recent = pod.last_restart_at is not None and now - pod.last_restart_at < RECENT_SECONDS
    return "warn" if recent else "plain"


def _longest(pods: Iterable[PodRow]) -> Mapping[str, int]:
    shown = list(pods)
    return {
        "namespace": max((len(pod.namespace) for pod in shown), default=0),
        "pod": max((len(pod.name) for pod in shown), default=0),
        "exit": max((len(pod.last_exit) for pod in shown), default=0),
        "node": max((len(pod.node) for pod in shown), default=0),
    }
