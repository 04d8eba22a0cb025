"""What an answer of Prometheus means for applications. Labels in it are whatever somebody's process exports."""

import math
from collections.abc import Iterator, Mapping

import pytest

from selfheal_core.cluster.prometheus.answers import Answer, Sample
from selfheal_core.cluster.prometheus.client import Prometheus
from selfheal_core.cluster.prometheus.transport import RawAnswer
from selfheal_core.domain.escape import printable
from selfheal_core.domain.snapshot import AppKey, PodRow
from selfheal_core.observe.prometheus_rates import NO_REQUESTS, PrometheusRates, Round, read_round
from tests.unit.domain.builders import row

NOW = 2_000_000.0
THEIRS = 1_000_000.0
"""Prometheus' clock, far off ours."""
NAMESPACE = row("x").namespace
APP = AppKey(NAMESPACE, row("x").app.name)


def sample(figure: str, value: float, **labels: str) -> Sample:
    return Sample({"figure": figure, "namespace": NAMESPACE, **labels}, THEIRS, value)


def scraped(age: float = 2.0, app: str = APP.name) -> Sample:
    return sample("newest", THEIRS - age, app=app)


def pods(*names: str) -> dict[str, PodRow]:
    return {name: row(name) for name in names or ("pod-1",)}


def read(*samples: Sample, rows: dict[str, PodRow] | None = None) -> Round:
    return read_round(Answer(samples), rows or pods(), window_seconds=60.0, now=NOW)


def test_failures_over_all_requests() -> None:
    (rate,) = read(
        scraped(),
        sample("rate", 6.0, app=APP.name, status="200"),
        sample("rate", 3.0, app=APP.name, code="404"),
        sample("rate", 0.5, app=APP.name, status="503"),
        sample("rate", 0.5, app=APP.name, code="5xx"),
        sample("p95", 0.25, app=APP.name),
    ).rates.values()
    assert (rate.ratio, rate.requests_per_second, rate.p95_seconds) == (0.1, 10.0, 0.25)
    assert (rate.window_seconds, rate.measured_at, rate.origin) == (60.0, NOW - 2.0, "Prometheus")


def test_requests_without_failures_are_zero() -> None:
    assert read(scraped(), sample("rate", 6.0, app=APP.name, status="200")).rates[APP].ratio == 0.0


@pytest.mark.parametrize("rates", [(), (sample("rate", 0.0, app=APP.name, status="200"),)])
def test_no_requests_are_no_data_never_zero(rates: tuple[Sample, ...]) -> None:
    assert read(scraped(), *rates).rates[APP].ratio is None


def test_an_absent_series_is_no_data() -> None:
    assert read().rates == {}
    assert read(sample("rate", 6.0, app=APP.name, status="200")).rates == {}, "nothing is scraped any more"


def test_a_series_that_tells_no_status_says_nothing_of_failures() -> None:
    assert read(scraped(), sample("rate", 6.0, app=APP.name)).rates[APP].ratio is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_no_numbers_are_left_out(value: float) -> None:
    rate = read(
        scraped(),
        sample("rate", 1.0, app=APP.name, status="200"),
        sample("rate", value, app=APP.name, status="500"),
        sample("p95", value, app=APP.name),
    ).rates[APP]
    assert (rate.ratio, rate.p95_seconds) == (0.0, None)


def test_ages_are_taken_from_prometheus_clock_and_shown_on_ours() -> None:
    answer = read(scraped(40.0), scraped(7.0))
    assert answer.rates[APP].measured_at == NOW - 7.0
    assert answer.fresh_at == NOW - 7.0
    assert read(scraped(-5.0)).rates[APP].measured_at == NOW, "nothing is from the future"


def test_targets_without_an_application_are_known_by_their_pod() -> None:
    answer = read(
        sample("newest", THEIRS - 3, pod="pod-1"),
        sample("rate", 3.0, pod="pod-1", status="200"),
        sample("rate", 1.0, pod="pod-2", status="500"),
        sample("rate", 9.0, pod="stranger", status="500"),
        rows=pods("pod-1", "pod-2"),
    )
    assert answer.rates[APP].ratio == 0.25


def test_applications_that_are_not_there_are_left_out() -> None:
    assert read(scraped(app="somebody-elses"), scraped()).rates.keys() == {APP}


def hostile() -> Iterator[str]:
    yield from ("\x1b]52;c;aGk=\x07", "\u202eevil", "[bold]x[/]", "a" * 100_000, "\x00", "\ud800")


@pytest.mark.parametrize("text", hostile(), ids=["osc 52", "bidi", "markup", "long", "nul", "surrogate"])
def test_hostile_labels_change_nothing_and_reach_no_screen(text: str) -> None:
    honest = read(scraped(), sample("rate", 1.0, app=APP.name, status="200"))
    attacked = read(
        scraped(),
        sample("rate", 1.0, app=APP.name, status="200"),
        sample("rate", 1.0, app=text, status="500"),
        Sample({"figure": text, "namespace": text, "pod": text, "status": text}, THEIRS, 1.0),
        scraped(app=text),
    )
    assert attacked == honest
    named = read(scraped(app=text), rows={"p": row("p", app=AppKey(NAMESPACE, text))})
    for key in named.rates:
        assert printable(key.name, limit=200).isprintable()


def test_how_often_it_scrapes_is_learnt_from_the_number_of_samples() -> None:
    assert read(sample("samples", 20.0)).interval_seconds == 15.0
    assert read().interval_seconds is None


def test_what_prometheus_says_about_a_partial_answer_is_kept() -> None:
    assert read_round(Answer((), ("a store is away",)), {}, window_seconds=60, now=NOW).warnings == ("a store is away",)


class OldTraffic:
    """A Prometheus whose application had requests until half a minute ago."""

    where = "http://prometheus"

    async def get(self, path: str, params: Mapping[str, str], deadline_seconds: float) -> RawAnswer:
        values = f'[100,"0.5"],[115,"0.25"],[130,"{NO_REQUESTS}"],[145,"{NO_REQUESTS}"]'
        result = f'{{"resultType":"matrix","result":[{{"metric":{{}},"values":[{values}]}}]}}'
        return RawAnswer(200, f'{{"status":"success","data":{result}}}'.encode())

    async def close(self) -> None:
        return


async def test_a_trend_that_ended_is_not_told_as_one_up_to_now() -> None:
    rates = PrometheusRates(Prometheus(OldTraffic()), (), lambda: NOW)
    assert await rates.trend(APP) == ((-45.0, 0.5), (-30.0, 0.25))
