"""What Prometheus answers, in all its forms."""

import math

import pytest

from selfheal_core.cluster.prometheus.answers import Sample, read_answer, read_error
from selfheal_core.cluster.prometheus.errors import PrometheusError

WHERE = "monitoring/prometheus:9090"


def success(result_type: str, result: str, more: str = "") -> bytes:
    return f'{{"status":"success","data":{{"resultType":"{result_type}","result":{result}}}{more}}}'.encode()


def test_an_instant_vector() -> None:
    answer = read_answer(success("vector", '[{"metric":{"app":"a"},"value":[1700000000.5,"0.25"]}]'), WHERE)
    assert answer.samples == (Sample({"app": "a"}, 1700000000.5, 0.25),)
    assert answer.samples[0].is_number


def test_a_range_vector_gives_every_sample() -> None:
    answer = read_answer(success("matrix", '[{"metric":{},"values":[[1,"1"],[2,"2"]]}]'), WHERE)
    assert [(sample.at, sample.value) for sample in answer.samples] == [(1.0, 1.0), (2.0, 2.0)]


def test_a_scalar() -> None:
    assert read_answer(success("scalar", '[3,"4"]'), WHERE).samples == (Sample({}, 3.0, 4.0),)


def test_no_series_is_an_answer_without_samples() -> None:
    assert read_answer(success("vector", "[]"), WHERE).samples == ()


@pytest.mark.parametrize("text", ["NaN", "+Inf", "-Inf"])
def test_values_that_are_no_numbers_are_told_as_such(text: str) -> None:
    (sample,) = read_answer(success("vector", f'[{{"metric":{{}},"value":[1,"{text}"]}}]'), WHERE).samples
    assert not sample.is_number
    assert math.isnan(sample.value) or math.isinf(sample.value)


def test_warnings_and_remarks_are_kept_on_one_line_each() -> None:
    more = ',"warnings":["a store\\nis away"],"infos":["counter without _total"]'
    answer = read_answer(success("vector", "[]", more), WHERE)
    assert (answer.warnings, answer.infos) == (("a store is away",), ("counter without _total",))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b"\xff\xfe",
        success("vector", '[{"metric":{},"value":[1,"many"]}]'),
        success("vector", '[{"metric":{},"value":[1]}]'),
        success("vector", '[{"metric":{"a":1},"value":[1,"1"]}]'),
        success("string", '[1,"x"]'),
        success("vector", "7"),
    ],
)
def test_what_is_not_prometheus_format_is_unreadable(body: bytes) -> None:
    with pytest.raises(PrometheusError, match="is not Prometheus' format") as raised:
        read_answer(body, WHERE)
    assert raised.value.trouble == "unreadable"


@pytest.mark.parametrize("kind", ["bad_data", "timeout", "execution", "unavailable"])
def test_prometheus_own_errors_keep_their_type(kind: str) -> None:
    error = read_error(422, f'{{"status":"error","errorType":"{kind}","error":"no\\nway"}}'.encode(), WHERE)
    assert (error.trouble, error.error_type) == ("rejected", kind)
    assert str(error) == f"Prometheus at {WHERE} answers {kind}: no way"


def test_an_error_that_comes_as_a_success_is_one() -> None:
    with pytest.raises(PrometheusError, match="answers internal: boom"):
        read_answer(b'{"status":"error","errorType":"internal","error":"boom"}', WHERE)


@pytest.mark.parametrize(
    ("status", "trouble"), [(401, "refused"), (403, "refused"), (404, "absent"), (502, "unreadable")]
)
def test_what_somebody_on_the_way_answers(status: int, trouble: str) -> None:
    assert read_error(status, b"<html>", WHERE).trouble == trouble


def test_credentials_that_are_asked_for_have_a_next_step() -> None:
    assert "NAMESPACE/SERVICE:PORT" in read_error(401, b"", WHERE).next_step
