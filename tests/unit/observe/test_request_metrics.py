"""Request counters read from text, and what two readings say."""

import math

import pytest

from selfheal_core.observe.request_metrics import (
    Reading,
    error_rate,
    increase,
    parse_reading,
    quantile,
    total,
)

PAGE = """\
# HELP http_requests_total Requests
# TYPE http_requests_total counter
http_requests_total{method="GET",route="/",status="200"} 90.0
http_requests_total{method="GET",route="/",status="500"} 8.0
http_requests_total{method="GET",route="/a \\"b\\" {c}",status="503"} 2.0 1700000000
http_requests_total{method="GET",route="/health",status="200"} 1000.0
http_requests_total{method="GET",route="/ready",status="503"} 1000.0
http_requests_created{method="GET",route="/",status="200"} 1.7e9
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.1",method="GET",route="/"} 50.0
http_request_duration_seconds_bucket{le="0.5",method="GET",route="/"} 90.0
http_request_duration_seconds_bucket{le="+Inf",method="GET",route="/"} 100.0
http_request_duration_seconds_bucket{le="+Inf",method="GET",route="/metrics"} 5000.0
http_request_duration_seconds_sum{method="GET",route="/"} 12.0
process_cpu_seconds_total 3.0
"""


def test_counts_users_requests_and_leaves_probes_out() -> None:
    reading = parse_reading(PAGE)
    assert reading == Reading(100.0, 10.0, {0.1: 50.0, 0.5: 90.0, math.inf: 100.0})


def test_a_page_without_the_families_says_nothing() -> None:
    assert parse_reading("process_cpu_seconds_total 3.0\n") is None
    assert parse_reading("<html>not found</html>") is None
    assert parse_reading("") is None


def test_a_service_without_requests_yet_has_a_page_that_says_zero() -> None:
    assert parse_reading("# TYPE http_requests_total counter\n") == Reading()
    assert parse_reading("# TYPE http_requests counter\n") == Reading()


def test_lines_that_can_not_be_read_are_left_out() -> None:
    page = 'http_requests_total{status="200"} many\nhttp_requests_total{status="500"} 3\nhttp_requests_total{ NaN\n'
    assert parse_reading(page + 'http_requests_total{code="200"} NaN\n') == Reading(3.0, 3.0)


def test_other_names_of_the_labels_are_read_too() -> None:
    assert parse_reading('http_requests_total{code="502",path="/"} 4\n') == Reading(4.0, 4.0)


def test_the_increase_between_two_readings() -> None:
    before, after = Reading(100, 10, {0.5: 90, math.inf: 100}), Reading(150, 30, {0.5: 120, math.inf: 150})
    assert increase(before, after) == Reading(50, 20, {0.5: 30, math.inf: 50})


def test_a_counter_that_fell_was_reset_and_counts_from_zero() -> None:
    assert increase(Reading(100, 10), Reading(7, 1)) == Reading(7, 1)


def test_sums_over_processes() -> None:
    assert total([Reading(1, 0, {math.inf: 1}), Reading(2, 2, {math.inf: 2})]) == Reading(3, 2, {math.inf: 3})


@pytest.mark.parametrize(
    ("share", "seconds"),
    [(0.5, 0.1), (0.25, 0.05), (0.7, 0.3), (0.9, 0.5), (0.95, 0.5), (0.0, 0.0)],
)
def test_a_quantile_is_linear_within_its_bucket(share: float, seconds: float) -> None:
    assert quantile({0.1: 50, 0.5: 90, math.inf: 100}, share) == pytest.approx(seconds)


@pytest.mark.parametrize("buckets", [{}, {0.1: 5.0}, {0.1: 0.0, math.inf: 0.0}, {math.inf: 5.0}])
def test_no_quantile_without_requests_or_bounds(buckets: dict[float, float]) -> None:
    assert quantile(buckets, 0.95) is None


def test_a_rate_over_a_window() -> None:
    rate = error_rate(Reading(30, 3, {0.5: 30, math.inf: 30}), 15.0, 1_000.0, "own scrape")
    assert (rate.ratio, rate.requests_per_second, rate.window_seconds, rate.measured_at) == (0.1, 2.0, 15.0, 1_000.0)
    assert rate.p95_seconds == pytest.approx(0.475)


def test_no_requests_is_no_data_never_zero() -> None:
    rate = error_rate(Reading(), 15.0, 1_000.0, "own scrape")
    assert (rate.ratio, rate.requests_per_second, rate.p95_seconds) == (None, 0.0, None)


def test_a_series_without_a_status_can_not_tell_failures_and_is_left_out() -> None:
    assert parse_reading('http_requests_total{route="/"} 9\nhttp_requests_total{status="500"} 1\n') == Reading(1.0, 1.0)
