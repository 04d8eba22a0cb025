"""How many replicas a resource metric asks for.

The arithmetic is that of the HorizontalPodAutoscaler of Kubernetes (``pkg/controller/podautoscaler``,
``replica_calculator.go``): samples of pods that start are not trusted, missing samples count against the change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

TOLERANCE = 0.1
"""Relative distance from the target within which nothing changes (``--horizontal-pod-autoscaler-tolerance``)."""


class MetricError(Exception):
    """A metric cannot be used now; ``reason`` goes into the ScalingActive condition."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Relative distance from the target that is accepted upwards and downwards."""

    up: float = TOLERANCE
    down: float = TOLERANCE

    def accepts(self, ratio: float) -> bool:
        """Return whether a ratio of usage to target needs no change."""
        return 1.0 - self.down <= ratio <= 1.0 + self.up


@dataclass(frozen=True, slots=True)
class PodSamples:
    """Usage of the pods of one target, sorted by how far it can be trusted; pods being deleted are in none.

    Attributes:
        used: usage by pod name, of pods that count.
        unready: names of pods that are starting; what they use says nothing yet.
        missing: names of pods that count but have no sample.
    """

    used: Mapping[str, int]
    unready: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()

    @property
    def counting(self) -> int:
        """How many pods are up, with a sample or without."""
        return len(self.used) + len(self.missing)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one metric proposes.

    Attributes:
        utilization: percentage of the request in use, None for a target in absolute units.
        average: average usage of a pod, in the metric's base unit.
    """

    replicas: int
    utilization: int | None
    average: int


def by_utilization(
    current: int, samples: PodSamples, requests: Mapping[str, int], target_percent: int, tolerance: Tolerance
) -> Proposal:
    """Return what a target in percent of the request proposes.

    Args:
        current: replicas now.
        samples: usage of the pods.
        requests: request of every pod by name, in the unit of the usage.
        target_percent: ``averageUtilization``.
        tolerance: what counts as on target.

    Raises:
        MetricError: there are no samples or no requests.
    """
    _require_samples(samples)

    def ratio_of(used: Mapping[str, int]) -> tuple[float, int]:
        requested = sum(requests[name] for name in used)
        if not requested:
            raise MetricError("FailedGetResourceMetric", "no metrics returned matched known pods")
        percent = sum(used.values()) * 100 // requested
        return percent / target_percent, percent

    ratio, percent = ratio_of(samples.used)
    fallback = max(100, target_percent)
    guesses = {name: requests[name] * fallback // 100 for name in samples.missing}
    filled = _filled(samples, ratio, guesses)
    new_ratio = ratio_of(filled)[0] if filled is not None else ratio
    replicas = _replicas(current, samples, ratio, new_ratio, filled, tolerance)
    return Proposal(replicas, percent, _average(samples.used))


def by_average_value(current: int, samples: PodSamples, target: int, tolerance: Tolerance) -> Proposal:
    """Return what a target in absolute units for each pod proposes.

    Raises:
        MetricError: there are no samples.
    """
    _require_samples(samples)
    ratio = sum(samples.used.values()) / (len(samples.used) * target)
    filled = _filled(samples, ratio, dict.fromkeys(samples.missing, target))
    new_ratio = sum(filled.values()) / (len(filled) * target) if filled is not None else ratio
    return Proposal(_replicas(current, samples, ratio, new_ratio, filled, tolerance), None, _average(samples.used))


def _require_samples(samples: PodSamples) -> None:
    if not samples.used:
        text = "did not receive metrics for targeted pods (pods might be unready)"
        raise MetricError("FailedGetResourceMetric", text)


def _filled(samples: PodSamples, ratio: float, guesses: Mapping[str, int]) -> dict[str, int] | None:
    """Return the usage with cautious guesses for pods without a sample; None when there is nothing to guess.

    A missing sample counts as full use when the metric asks for fewer replicas, as none when it asks for more; a pod
    that starts counts as using nothing when the metric asks for more.
    """
    starting = samples.unready if ratio > 1.0 else frozenset()
    if not starting and not samples.missing:
        return None
    filled = dict(samples.used)
    if ratio < 1.0:
        filled.update(guesses)
    elif ratio > 1.0:
        filled.update(dict.fromkeys(samples.missing, 0))
    filled.update(dict.fromkeys(starting, 0))
    return filled


def _replicas(
    current: int,
    samples: PodSamples,
    ratio: float,
    new_ratio: float,
    filled: Mapping[str, int] | None,
    tolerance: Tolerance,
) -> int:
    if filled is None:
        return current if tolerance.accepts(ratio) else ceil(_exactly(ratio * samples.counting))
    turned = (ratio < 1.0 < new_ratio) or (ratio > 1.0 > new_ratio)
    if tolerance.accepts(new_ratio) or turned:
        return current
    replicas = ceil(_exactly(new_ratio * len(filled)))
    wrong_way = (new_ratio < 1.0 and replicas > current) or (new_ratio > 1.0 and replicas < current)
    return current if wrong_way else replicas


def _exactly(value: float) -> float:
    """Drop the noise of binary fractions, which would round 1.1 * 10 up to 12."""
    return round(value, 9)


def _average(used: Mapping[str, int]) -> int:
    return sum(used.values()) // len(used)


def combine(proposals: Sequence[int], failures: int, current: int) -> int | None:
    """Return the largest proposal; None when metrics failed and the rest cannot be trusted.

    With some metrics unknown, more replicas are fine, fewer are not.
    """
    if not proposals:
        return None
    largest = max(proposals)
    return None if failures and largest < current else largest
