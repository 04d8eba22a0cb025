"""From Prometheus to our own scrape and back, with a word on where figures come from."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from selfheal_cli import words
from selfheal_core.cluster.kubernetes.api_errors import ApiError, Forbidden, Unreachable
from selfheal_core.cluster.prometheus.client import Prometheus
from selfheal_core.cluster.prometheus.errors import PrometheusError
from selfheal_core.cluster.prometheus.transport import RawAnswer
from selfheal_core.domain.objects import Uid
from selfheal_core.domain.snapshot import AppKey, ErrorRate, PodRow, Source
from selfheal_core.observe.error_rate import ScrapeTarget
from selfheal_core.observe.error_rate_ladder import ErrorRateLadder
from selfheal_core.observe.prometheus_rates import PrometheusRates
from selfheal_core.observe.sources import Standing
from tests.unit.domain.builders import APP, row

OTHER = AppKey(APP.namespace, "other")
ROWS: Mapping[Uid, PodRow] = {"a": row("a"), "b": row("b", app=OTHER)}
TARGETS = [ScrapeTarget(uid, each.namespace, each.name, each.app, 8080) for uid, each in ROWS.items()]


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class ScriptedPrometheus:
    """Answers for one application, or fails, as a test says; its clock is an hour off."""

    where = "monitoring/prometheus:9090"

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.failure = ""
        self.age_seconds = 2.0
        self.samples = 20
        self.ratio = 0.25
        self.knows = True
        self.queries: list[str] = []
        self.closed = 0
        self.warnings = ""
        self.held: asyncio.Event | None = None

    async def get(self, path: str, params: Mapping[str, str], deadline_seconds: float) -> RawAnswer:
        self.queries.append(params["query"])
        if self.held is not None:
            await self.held.wait()
        if self.failure:
            raise PrometheusError(self.failure, trouble="unreachable")
        now = self.clock() - 3_600
        series = [f'{{"metric":{{"figure":"samples"}},"value":[{now},"{self.samples}"]}}']
        if self.knows:
            series += [
                self._series("newest", now, now - self.age_seconds, ""),
                self._series("rate", now, 1 - self.ratio, ',"status":"200"'),
                self._series("rate", now, self.ratio, ',"status":"500"'),
            ]
        result = f'{{"resultType":"vector","result":[{",".join(series)}]}}'
        return RawAnswer(200, f'{{"status":"success","data":{result},"warnings":[{self.warnings}]}}'.encode())

    def _series(self, figure: str, at: float, value: float, more: str) -> str:
        labels = f'"figure":"{figure}","namespace":"{APP.namespace}","app":"{APP.name}"{more}'
        return f'{{"metric":{{{labels}}},"value":[{at},"{value}"]}}'

    async def close(self) -> None:
        self.closed += 1


class ScriptedScrape:
    """Our own scrape, without pods; remembers what it was asked to read."""

    standing = Standing("own scrape")

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.error: ApiError | None = None
        self.read: list[set[AppKey]] = []

    async def measure(self, targets: Sequence[ScrapeTarget], pods: Mapping[Uid, PodRow]) -> Mapping[AppKey, ErrorRate]:
        self.read.append({target.app for target in targets})
        if self.error is not None:
            raise self.error
        return {key: ErrorRate(0.5, 1.0, None, 15.0, self.clock(), "own scrape") for key in self.read[-1]}

    async def close(self) -> None:
        return


class Stand:
    """A ladder with everything under it scripted."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.prometheus = ScriptedPrometheus(self.clock)
        self.own = ScriptedScrape(self.clock)
        self.there = True
        self.looked = 0
        self.ladder = ErrorRateLadder(self._find, self.own, self.clock, random=lambda: 0.5)

    async def _find(self) -> PrometheusRates | None:
        self.looked += 1
        return PrometheusRates(Prometheus(self.prometheus), (), self.clock) if self.there else None

    async def round(self, after_seconds: float = 15.0) -> Mapping[AppKey, ErrorRate]:
        self.clock.now += after_seconds
        return await self.ladder.measure(TARGETS, ROWS)

    async def rounds(self, count: int) -> None:
        for _ in range(count):
            await self.round()

    def words(self) -> str:
        """What the status line says."""
        standing = self.ladder.standing
        fresh_at = standing.fresh_at or self.clock()
        source = Source("errors", "live", 0.0, fresh_at, "", None, standing.origin, standing.since, standing.note)
        return words.source_origin(source, self.clock())


@pytest.fixture
def stand() -> Stand:
    return Stand()


async def test_pods_are_read_only_for_what_prometheus_does_not_scrape(stand: Stand) -> None:
    await stand.round()
    rates = await stand.round()
    assert (rates[APP].origin, rates[APP].ratio) == ("Prometheus", 0.25)
    assert (rates[OTHER].origin, rates[OTHER].ratio) == ("own scrape", 0.5)
    assert stand.own.read[-1] == {OTHER}
    assert stand.words() == "Prometheus, 2s"


async def test_a_clock_that_is_an_hour_off_makes_nothing_old(stand: Stand) -> None:
    rates = await stand.round()
    assert rates[APP].measured_at == stand.clock() - 2.0


async def test_one_failure_keeps_the_last_figures_with_their_age_and_warms_the_scrape_up(stand: Stand) -> None:
    await stand.round()
    stand.prometheus.failure = "connection refused"
    rates = await stand.round()
    assert rates[APP].measured_at == stand.clock() - 17.0
    assert stand.words() == "Prometheus, 17s"
    assert stand.own.read[-1] == {APP, OTHER}


async def test_falls_back_at_the_second_failure_and_says_so(stand: Stand) -> None:
    await stand.round()
    stand.prometheus.failure = "connection refused"
    await stand.rounds(2)
    rates = await stand.round(40.0)
    assert rates[APP].origin == "own scrape"
    assert stand.words() == "own scrape (Prometheus lost 40s)"
    assert stand.ladder.standing.reason == "connection refused"


async def test_comes_back_after_two_answers(stand: Stand) -> None:
    await stand.round()
    stand.prometheus.failure = "connection refused"
    await stand.rounds(2)
    stand.prometheus.failure = ""
    await stand.round(60)
    assert stand.words().startswith("own scrape (Prometheus lost")
    rates = await stand.round()
    assert rates[APP].origin == "Prometheus"
    assert stand.words() == "Prometheus, 2s"


async def test_old_samples_are_as_good_as_none(stand: Stand) -> None:
    await stand.round()
    stand.prometheus.age_seconds = 45.0
    await stand.round()
    rates = await stand.round()
    assert rates[APP].origin == "own scrape"
    assert "its newest sample is 45s old" in stand.ladder.standing.reason


async def test_a_prometheus_that_scrapes_seldom_is_asked_over_a_longer_window_and_trusted_longer(stand: Stand) -> None:
    stand.prometheus.samples, stand.prometheus.age_seconds = 5, 55.0
    rates = await stand.round()
    assert (rates[APP].origin, rates[APP].window_seconds) == ("Prometheus", 240.0)
    assert "[60s]" in stand.prometheus.queries[0]
    assert "[240s]" in stand.prometheus.queries[1]


async def test_a_prometheus_that_never_answered_is_not_called_lost(stand: Stand) -> None:
    stand.prometheus.failure = "connection refused"
    assert (await stand.round())[APP].origin == "own scrape"
    assert stand.words() == "own scrape (no answer from Prometheus 0s)"


async def test_a_lost_prometheus_is_asked_less_and_less_often_and_looked_for_anew(stand: Stand) -> None:
    stand.prometheus.failure = "connection refused"
    await stand.rounds(40)
    assert 5 <= len(stand.prometheus.queries) <= 10
    assert stand.looked == len(stand.prometheus.queries)
    assert stand.prometheus.closed == stand.looked


async def test_nobody_waits_for_a_prometheus_that_may_not_answer(stand: Stand) -> None:
    await stand.round()
    stand.prometheus.failure = "late"
    await stand.rounds(2)
    stand.prometheus.held = asyncio.Event()
    stand.clock.now += 60
    round_under_way = asyncio.create_task(stand.ladder.measure(TARGETS, ROWS))
    async with asyncio.timeout(5):
        while len(stand.own.read) < 4:
            await asyncio.sleep(0.001)
    assert not round_under_way.done()
    stand.prometheus.held.set()
    assert (await round_under_way)[APP].origin == "own scrape"


async def test_without_a_prometheus_it_is_looked_for_seldom(stand: Stand) -> None:
    stand.there = False
    await stand.rounds(40)
    assert stand.looked == 2
    assert stand.words() == "own scrape, 0s"
    stand.there = True
    await stand.rounds(20)
    assert stand.words() == "Prometheus, 2s"


async def test_a_prometheus_that_scrapes_none_of_ours_leaves_all_to_our_own_scrape(stand: Stand) -> None:
    stand.prometheus.knows = False
    assert {rate.origin for rate in (await stand.round()).values()} == {"own scrape"}
    assert stand.words() == "own scrape (none of them in Prometheus 0s)"


async def test_pods_that_can_not_be_read_do_no_harm_while_prometheus_answers(stand: Stand) -> None:
    stand.own.error = Forbidden("not allowed", verb="get", resource="pods/proxy", namespace="")
    assert (await stand.round()).keys() == {APP}


async def test_when_neither_can_be_read_the_source_is_in_trouble(stand: Stand) -> None:
    stand.prometheus.failure = "connection refused"
    stand.own.error = Unreachable("no answer")
    with pytest.raises(Unreachable):
        await stand.round()


async def test_history_goes_on_across_a_change_of_source_and_is_bounded(stand: Stand) -> None:
    await stand.rounds(2)
    stand.prometheus.failure = "connection refused"
    rates = await stand.round()
    rates = await stand.round()
    assert rates[APP].history == (0.25, 0.25, 0.25, 0.5)
    await stand.rounds(100)
    assert len((await stand.round())[APP].history) == 60


async def test_warnings_of_prometheus_are_told(stand: Stand) -> None:
    stand.prometheus.warnings = '"a store is away"'
    await stand.round()
    assert stand.ladder.standing.reason == "a store is away"


async def test_closing_closes_the_way_to_prometheus(stand: Stand) -> None:
    await stand.round()
    await stand.ladder.close()
    assert stand.prometheus.closed == 1
