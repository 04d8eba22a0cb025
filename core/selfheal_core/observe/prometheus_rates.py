"""Error rates from Prometheus: one question for all applications, and what its answer means."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from selfheal_core.cluster.prometheus.answers import Answer, Sample
from selfheal_core.cluster.prometheus.client import Prometheus
from selfheal_core.domain import queries
from selfheal_core.domain.objects import Uid
from selfheal_core.domain.snapshot import AppKey, ErrorRate, PodRow

ORIGIN = "Prometheus"
WINDOW_SECONDS = 60.0
"""The same as that of our own scrape."""
LONGEST_WINDOW_SECONDS = 300.0
SCRAPES_PER_WINDOW = 4
"""A rate needs two samples; with four it survives a lost one."""
ASKED_EVERY_SECONDS = 15.0
TREND_SECONDS = 900.0
TREND_STEP_SECONDS = 15.0
NO_REQUESTS = -1.0
"""Fills the steps of a history in which there were no requests, so that its newest step can be told."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one answer of Prometheus says.

    Attributes:
        rates: By application; those of which it has no live series are left out.
        fresh_at: Time of the newest sample on our clock; None without any.
        interval_seconds: How often it seems to scrape; None if it can't be told.
        warnings: What it said about the answer itself.
    """

    rates: Mapping[AppKey, ErrorRate] = field(default_factory=dict)
    fresh_at: float | None = None
    interval_seconds: float | None = None
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _Figures:
    """Figures of one application while an answer is read."""

    requests: float | None = None
    errors: float = 0.0
    p95_seconds: float | None = None
    age_seconds: float | None = None

    def add_rate(self, per_second: float, status: str) -> None:
        self.requests = (self.requests or 0.0) + per_second
        self.errors += per_second if status.startswith("5") else 0.0

    def add_age(self, seconds: float) -> None:
        self.age_seconds = seconds if self.age_seconds is None else min(seconds, self.age_seconds)

    def rate(self, window_seconds: float, now: float) -> ErrorRate | None:
        """None where no process of the application is scraped now."""
        if self.age_seconds is None:
            return None
        return ErrorRate(
            ratio=self.errors / self.requests if self.requests else None,
            requests_per_second=self.requests,
            p95_seconds=self.p95_seconds,
            window_seconds=window_seconds,
            measured_at=now - self.age_seconds,
            origin=ORIGIN,
        )


class PrometheusRates:
    """Asks one Prometheus for every application at once.

    Args:
        prometheus: Whom to ask.
        namespaces: Scope; empty means all.
        clock: Seconds since the epoch.
    """

    def __init__(self, prometheus: Prometheus, namespaces: Sequence[str], clock: Callable[[], float]) -> None:
        self.where = prometheus.where
        self.window_seconds = WINDOW_SECONDS
        self.interval_seconds = ASKED_EVERY_SECONDS
        self._prometheus = prometheus
        self._namespaces = tuple(namespaces)
        self._clock = clock

    async def measure(self, pods: Mapping[Uid, PodRow]) -> Round:
        """Ask once; a second time where it turns out to scrape too seldom for the window.

        Args:
            pods: For targets that carry no name of an application, and to leave out what is not there.

        Raises:
            PrometheusError: There is no usable answer.
        """
        found = await self._ask(pods)
        window = self.window_seconds
        self._learn(found.interval_seconds)
        return await self._ask(pods) if self.window_seconds > window else found

    async def trend(self, key: AppKey) -> tuple[tuple[float, float], ...]:
        """The error ratio of one application over the last quarter of an hour.

        Returns:
            Pairs of seconds before now (negative, oldest first) and ratio; moments without requests are left out. Now
            is Prometheus' newest step, which is up to ``TREND_STEP_SECONDS`` old.

        Raises:
            PrometheusError: There is no usable answer.
        """
        ratio = queries.error_ratio(key.namespace, key.name, self.window_seconds)
        every_step = f"{ratio} or vector({NO_REQUESTS:g})"
        answer = await self._prometheus.query(queries.history(every_step, TREND_SECONDS, TREND_STEP_SECONDS))
        points = sorted((sample.at, sample.value) for sample in answer.samples if sample.is_number)
        return tuple((at - points[-1][0], value) for at, value in points if value != NO_REQUESTS)

    async def close(self) -> None:
        """Close the way to it."""
        await self._prometheus.close()

    async def _ask(self, pods: Mapping[Uid, PodRow]) -> Round:
        window = self.window_seconds
        answer = await self._prometheus.query(queries.application_figures(self._namespaces, window))
        return read_round(answer, pods, window_seconds=window, now=self._clock())

    def _learn(self, interval_seconds: float | None) -> None:
        if interval_seconds is None:
            return
        self.interval_seconds = max(ASKED_EVERY_SECONDS, interval_seconds)
        wanted = SCRAPES_PER_WINDOW * interval_seconds
        self.window_seconds = min(LONGEST_WINDOW_SECONDS, max(WINDOW_SECONDS, wanted))


def read_round(answer: Answer, pods: Mapping[Uid, PodRow], *, window_seconds: float, now: float) -> Round:
    """Map an answer to ``queries.application_figures`` back to applications. Pure.

    Ages are taken from Prometheus' own clock alone: when it evaluated, less when it scraped. So a clock that is wrong,
    there or here, makes nothing look fresh or old.

    Args:
        answer: What came back; labels in it are whatever somebody's process exports.
        pods: Every pod that is known.
        window_seconds: The window that was asked for.
        now: Our time of the answer, in seconds since the epoch.
    """
    figures: dict[AppKey, _Figures] = {}
    applications = _Applications(pods)
    interval: float | None = None
    for sample in answer.samples:
        if not sample.is_number:
            continue
        if sample.labels.get(queries.FIGURE) == queries.SAMPLES:
            interval = queries.SAMPLES_SECONDS / max(1.0, sample.value)
            continue
        key = applications.of(sample.labels)
        if key is not None:
            _put(figures.setdefault(key, _Figures()), sample)
    found = {key: each.rate(window_seconds, now) for key, each in figures.items()}
    rates = {key: rate for key, rate in found.items() if rate is not None}
    newest = max((rate.measured_at for rate in rates.values()), default=None)
    return Round(rates, newest, interval, answer.warnings)


def _put(figures: _Figures, sample: Sample) -> None:
    match sample.labels.get(queries.FIGURE):
        case queries.RATE:
            status = sample.labels.get("status") or sample.labels.get("code") or ""
            # A series that tells no status can't tell failures either.
            if status:
                figures.add_rate(sample.value, status)
        case queries.P95:
            figures.p95_seconds = sample.value
        case queries.NEWEST:
            figures.add_age(max(0.0, sample.at - sample.value))


class _Applications:
    """Finds the application of a series; the table of pods is only made where a series needs it."""

    def __init__(self, pods: Mapping[Uid, PodRow]) -> None:
        self._rows: Iterable[PodRow] = pods.values()
        self._known = {row.app for row in self._rows}
        self._by_pod: dict[tuple[str, str], AppKey] | None = None

    def of(self, labels: Mapping[str, str]) -> AppKey | None:
        """None for what is no application that we know."""
        namespace = labels.get("namespace", "")
        if labels.get("app"):
            key = AppKey(namespace, labels["app"])
            return key if key in self._known else None
        if self._by_pod is None:
            self._by_pod = {(row.namespace, row.name): row.app for row in self._rows}
        return self._by_pod.get((namespace, labels.get("pod", "")))
