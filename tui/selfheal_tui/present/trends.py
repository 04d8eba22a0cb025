"""The last quarter of an hour of an application, as this console has seen it, and Prometheus before."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from selfheal_cli import words
from selfheal_core.domain.snapshot import AppKey, Application, Snapshot
from selfheal_tui.present.glyphs import Glyphs
from selfheal_tui.present.spans import Line, Span, line
from selfheal_tui.present.sparkline import sparkline

SAMPLE_SECONDS = 15.0
SAMPLES = 60
"""Sixty samples of 15 s are 15 minutes."""
APPLICATION_LIMIT = 2_000
"""Above this many applications the newest ones are not followed; 2,000 rings of four figures are about 4 MB."""


@dataclass(slots=True)
class Rings:
    """Bounded histories of one application; None marks a sample without data."""

    requests: deque[float | None] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    errors: deque[float | None] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    p95: deque[float | None] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    replicas: deque[float | None] = field(default_factory=lambda: deque(maxlen=SAMPLES))


class Trends:
    """Samples every application four times a minute."""

    def __init__(self) -> None:
        self._rings: dict[AppKey, Rings] = {}
        self._due_at = 0.0
        self._asked: set[AppKey] = set()
        self.began_at: float | None = None

    def record(self, snapshot: Snapshot, now: float) -> None:
        """Take a sample if one is due; applications that are gone are forgotten."""
        if now < self._due_at:
            return
        self._due_at = now + SAMPLE_SECONDS
        self.began_at = self.began_at or now
        self._rings = {key: ring for key, ring in self._rings.items() if key in snapshot.applications}
        for key, app in snapshot.applications.items():
            if key in self._rings or len(self._rings) < APPLICATION_LIMIT:
                _sample(self._rings.setdefault(key, Rings()), app)

    def wants_past(self, app: Application) -> bool:
        """Whether to ask what was before the console looked: once for each application that Prometheus tells of."""
        known = app.errors is not None and app.errors.origin == "Prometheus" and app.key in self._rings
        if not known or app.key in self._asked:
            return False
        self._asked.add(app.key)
        return True

    def put_past(self, key: AppKey, points: Sequence[tuple[float, float]]) -> None:
        """Put error ratios before those that were seen.

        Args:
            key: The application; nothing happens if it is gone.
            points: Seconds before now (negative) and ratio.
        """
        rings = self._rings.get(key)
        if rings is None:
            return
        past: list[float | None] = [None] * SAMPLES
        for before, ratio in points:
            slot = SAMPLES - 1 + round(before / SAMPLE_SECONDS)
            if 0 <= slot < SAMPLES:
                past[slot] = ratio
        seen = list(rings.errors)
        rings.errors = deque([*past[: SAMPLES - len(seen)], *seen], maxlen=SAMPLES)

    def of(self, key: AppKey) -> Rings:
        """Histories of an application; empty ones before its first sample."""
        return self._rings.get(key) or Rings()


def _sample(rings: Rings, app: Application) -> None:
    errors = app.errors
    rings.requests.append(errors.requests_per_second if errors else None)
    rings.errors.append(errors.ratio if errors else None)
    rings.p95.append(errors.p95_seconds if errors else None)
    rings.replicas.append(None if app.state == "no data" else float(app.ready))


def trend_lines(app: Application, rings: Rings, glyphs: Glyphs, width: int) -> list[Line]:
    """Four small charts side by side: a line of figures and a line of bars.

    Args:
        app: For the newest figures.
        rings: Its histories.
        glyphs: Signs to draw with.
        width: Cells for all four.
    """
    errors = app.errors
    rate = errors.requests_per_second if errors else None
    charts = (
        ("requests", words.NO_DATA if rate is None else f"{rate:.1f}/s", rings.requests, None),
        ("errors", words.error_ratio(errors), rings.errors, 0.05),
        ("p95", words.latency(errors.p95_seconds if errors else None), rings.p95, None),
        ("ready", words.application_ready(app), rings.replicas, float(app.desired or 1)),
    )
    cells = max(8, (width - 1) // len(charts) - 2)
    titles: list[Span] = [Span(" ")]
    bars: list[Span] = [Span(" ")]
    for title, figure, ring, least in charts:
        top = max(least or 0.0, max((value for value in ring if value is not None), default=0.0))
        titles += [Span(f"{title} ", "dim"), Span(figure.ljust(cells + 1 - len(title)))]
        bars.append(Span(sparkline(list(ring), min(cells, SAMPLES), glyphs, top=top).ljust(cells + 2), "info"))
    return [line(*titles), line(*bars)]
