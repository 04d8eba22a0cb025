"""Reads what Prometheus answers. Pure.

Format: https://prometheus.io/docs/prometheus/latest/querying/api/#format-overview
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from selfheal_core.cluster.prometheus.errors import PrometheusError
from selfheal_core.domain.objects import Wire

MESSAGE_LIMIT = 256
"""Characters kept of an error or a warning."""
WARNINGS_LIMIT = 10


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one series.

    Attributes:
        at: Seconds since the epoch on Prometheus' clock: when the expression was evaluated, not when it was scraped.
        value: As it came; NaN and infinities are values of PromQL.
    """

    labels: Mapping[str, str]
    at: float
    value: float

    @property
    def is_number(self) -> bool:
        """Whether the value is a finite number."""
        return math.isfinite(self.value)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one question.

    Attributes:
        samples: One per series for an instant vector, all of all series for a range vector.
        warnings: What Prometheus adds to an answer that may be partial.
        infos: Remarks that leave the answer whole.
    """

    samples: tuple[Sample, ...]
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()


class _Series(Wire, frozen=True):
    metric: dict[str, str]
    value: tuple[float, str] | None = None
    values: tuple[tuple[float, str], ...] = ()


class _Data(Wire, frozen=True):
    result_type: str = ""
    result: msgspec.Raw = msgspec.Raw(b"null")


class _Envelope(Wire, frozen=True):
    status: str
    data: _Data | None = None
    error_type: str = ""
    error: str = ""
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()


def read_answer(body: bytes, where: str) -> Answer:
    """Read the body of a successful answer.

    Args:
        body: JSON.
        where: The Prometheus, for messages.

    Raises:
        PrometheusError: It is an error after all, or no answer of Prometheus.
    """
    try:
        envelope = msgspec.json.decode(body, type=_Envelope)
        if envelope.status != "success" or envelope.data is None:
            raise _error(envelope, where)
        samples = _samples(envelope.data)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise PrometheusError(
            f"what {where} answers is not Prometheus' format: {_line(str(error))}", trouble="unreadable"
        ) from error
    return Answer(samples, _lines(envelope.warnings), _lines(envelope.infos))


def is_prometheus_error(body: bytes) -> bool:
    """Whether a body is an error as Prometheus words one, and not that of somebody on the way."""
    try:
        envelope = msgspec.json.decode(body, type=_Envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return envelope.status == "error"


def read_error(status: int, body: bytes, where: str) -> PrometheusError:
    """Word an answer with another status than 200."""
    if status in (401, 403, 407):
        return PrometheusError(
            f"Prometheus at {where} asks for credentials ({status})",
            "reach it through the API server instead, with your own rights: NAMESPACE/SERVICE:PORT",
            trouble="refused",
        )
    if is_prometheus_error(body):
        return _error(msgspec.json.decode(body, type=_Envelope), where)
    if status == 404:
        return PrometheusError(f"{where} is no Prometheus (404)", trouble="absent")
    return PrometheusError(f"{where} answers {status}, not as Prometheus does", trouble="unreadable")


def _error(envelope: _Envelope, where: str) -> PrometheusError:
    kind, text = _line(envelope.error_type) or "error", _line(envelope.error) or "no reason given"
    return PrometheusError(f"Prometheus at {where} answers {kind}: {text}", trouble="rejected", error_type=kind)


def _samples(data: _Data) -> tuple[Sample, ...]:
    """Flatten a result of any type.

    Raises:
        ValueError: The type is unknown, or a value is no number.
    """
    if data.result_type == "scalar":
        at, value = msgspec.json.decode(data.result, type=tuple[float, str])
        return (Sample({}, at, float(value)),)
    if data.result_type not in ("vector", "matrix"):
        raise ValueError(f"result type '{data.result_type}'")
    series = msgspec.json.decode(data.result, type=list[_Series])
    return tuple(
        Sample(each.metric, at, float(value))
        for each in series
        for at, value in (each.values if each.value is None else (each.value,))
    )


def _lines(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_line(text) for text in texts[:WARNINGS_LIMIT])


def _line(text: str) -> str:
    return " ".join(text.split())[:MESSAGE_LIMIT]
