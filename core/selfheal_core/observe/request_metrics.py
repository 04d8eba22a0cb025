"""Reads request counters from a Prometheus text page, and turns two readings into an error rate. Pure.

Families: ``http_requests_total{status=...}`` (or ``code``) and ``http_request_duration_seconds_bucket{le=...}``, as the
Prometheus text format 0.0.4 writes them.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from selfheal_core.domain.queries import BUCKETS, PROBE_ROUTES, QUANTILE, REQUESTS, ROUTE_LABELS
from selfheal_core.domain.snapshot import ErrorRate

_LINE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)\{(?P<labels>.*)\}\s+(?P<value>\S+)(?:\s+-?\d+)?")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters of one process at one moment, users' requests only.

    Attributes:
        buckets: Cumulative count of requests by upper bound in seconds (``math.inf`` for the last).
    """

    requests: float = 0.0
    errors: float = 0.0
    buckets: Mapping[float, float] = field(default_factory=dict)


def parse_reading(text: str) -> Reading | None:
    """Read one page.

    Returns:
        None if it holds none of the families: the pod then has nothing to say about requests.
    """
    requests = errors = 0.0
    buckets: dict[float, float] = {}
    found = False
    for line in text.splitlines():
        if not line.startswith((REQUESTS, BUCKETS)):
            found = found or line.startswith(f"# TYPE {REQUESTS.removesuffix('_total')}")
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            continue
        found = True
        labels = dict(_LABEL.findall(match["labels"]))
        value = _number(match["value"])
        if value is None or _route(labels) in PROBE_ROUTES:
            continue
        if match["name"] == REQUESTS:
            status = _status(labels)
            # A series that tells no status can't tell failures either.
            requests += value if status else 0.0
            errors += value if status.startswith("5") else 0.0
        elif match["name"] == BUCKETS:
            bound = _number(labels.get("le", ""))
            if bound is not None:
                buckets[bound] = buckets.get(bound, 0.0) + value
    return Reading(requests, errors, buckets) if found else None


def increase(before: Reading, after: Reading) -> Reading:
    """What was added between two readings of one process; a counter that fell was reset, and counts from zero."""
    if after.requests < before.requests or after.errors < before.errors:
        return after
    return Reading(
        after.requests - before.requests,
        after.errors - before.errors,
        {bound: max(0.0, count - before.buckets.get(bound, 0.0)) for bound, count in after.buckets.items()},
    )


def total(readings: Iterable[Reading]) -> Reading:
    """Sum over processes."""
    requests = errors = 0.0
    buckets: dict[float, float] = {}
    for reading in readings:
        requests += reading.requests
        errors += reading.errors
        for bound, count in reading.buckets.items():
            buckets[bound] = buckets.get(bound, 0.0) + count
    return Reading(requests, errors, buckets)


def quantile(buckets: Mapping[float, float], share: float) -> float | None:
    """Estimate a quantile as Prometheus' ``histogram_quantile`` does: linear within the bucket that holds it.

    Args:
        buckets: Cumulative counts by upper bound.
        share: 0..1.

    Returns:
        Seconds; the highest finite bound where the quantile lies beyond it; None without any request.
    """
    ordered = sorted(buckets.items())
    if not ordered or not math.isinf(ordered[-1][0]) or ordered[-1][1] <= 0:
        return None
    rank = share * ordered[-1][1]
    lower_bound = lower_count = 0.0
    for bound, count in ordered:
        if count >= rank:
            if math.isinf(bound):
                return lower_bound if len(ordered) > 1 else None
            inside = count - lower_count
            return bound if inside <= 0 else lower_bound + (bound - lower_bound) * (rank - lower_count) / inside
        lower_bound, lower_count = bound, count
    return None


def error_rate(added: Reading, window_seconds: float, measured_at: float, origin: str) -> ErrorRate:
    """Express an increase over a window.

    Args:
        added: From ``increase``, summed over the application's pods.
        window_seconds: Over which it was added.
        measured_at: Time of the newest reading.
        origin: Where the readings come from.
    """
    return ErrorRate(
        ratio=added.errors / added.requests if added.requests > 0 else None,
        requests_per_second=added.requests / window_seconds if window_seconds > 0 else None,
        p95_seconds=quantile(added.buckets, QUANTILE),
        window_seconds=window_seconds,
        measured_at=measured_at,
        origin=origin,
    )


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return None if math.isnan(value) else value


def _route(labels: Mapping[str, str]) -> str:
    return next((labels[name] for name in ROUTE_LABELS if labels.get(name)), "")


def _status(labels: Mapping[str, str]) -> str:
    return labels.get("status") or labels.get("code") or ""
