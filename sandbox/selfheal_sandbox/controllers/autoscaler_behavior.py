"""How fast an autoscaler may move: stabilisation windows and scaling policies.

The arithmetic is that of ``pkg/controller/podautoscaler/horizontal.go``.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, floor

from selfheal_sandbox.controllers.autoscaler_metrics import TOLERANCE, Tolerance
from selfheal_sandbox.kinds.quantity import parse_quantity
from selfheal_sandbox.store.objects import Object

DOWN_WINDOW_SECONDS = 300
"""Stabilisation of scaling down when none is set (``--horizontal-pod-autoscaler-downscale-stabilization``)."""
_DEFAULT_UP: Object = {
    "policies": [
        {"type": "Percent", "value": 100, "periodSeconds": 15},
        {"type": "Pods", "value": 4, "periodSeconds": 15},
    ]
}
_DEFAULT_DOWN: Object = {"policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}


@dataclass(frozen=True, slots=True)
class Policy:
    """At most ``value`` pods (or percent) in ``period``."""

    is_percent: bool
    value: int
    period: timedelta


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules for one direction; ``select`` is Max, Min or Disabled."""

    window: timedelta
    select: str
    policies: tuple[Policy, ...]


@dataclass(frozen=True, slots=True)
class Behavior:
    """The rules for both directions, and the tolerance."""

    up: Rules
    down: Rules
    tolerance: Tolerance

    @property
    def memory(self) -> timedelta:
        """How far back recommendations and scalings matter."""
        periods = [policy.period for rules in (self.up, self.down) for policy in rules.policies]
        return max([self.up.window, self.down.window, *periods])


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The number of replicas the metrics asked for at some time."""

    time: datetime
    replicas: int


@dataclass(frozen=True, slots=True)
class Scaling:
    """A change of the number of replicas; positive when pods were added."""

    time: datetime
    change: int


@dataclass(frozen=True, slots=True)
class Bounded:
    """A number of replicas, and the rule that set it."""

    replicas: int
    reason: str
    message: str


def behavior_of(spec: Object, speed: float) -> Behavior:
    """Return the behavior of an autoscaler's spec with defaults filled in and every time divided by ``speed``."""
    given = spec.get("behavior") or {}
    up, down = given.get("scaleUp") or {}, given.get("scaleDown") or {}
    return Behavior(
        _rules(up, _DEFAULT_UP, 0, speed),
        _rules(down, _DEFAULT_DOWN, DOWN_WINDOW_SECONDS, speed),
        Tolerance(
            float(parse_quantity(up.get("tolerance", TOLERANCE))),
            float(parse_quantity(down.get("tolerance", TOLERANCE))),
        ),
    )


def _rules(given: Object, defaults: Object, window_seconds: int, speed: float) -> Rules:
    window = given.get("stabilizationWindowSeconds")
    policies = given.get("policies") or defaults["policies"]
    return Rules(
        timedelta(seconds=(window_seconds if window is None else window) / speed),
        given.get("selectPolicy") or "Max",
        tuple(
            Policy(each["type"] == "Percent", int(each["value"]), timedelta(seconds=each["periodSeconds"] / speed))
            for each in policies
        ),
    )


def stabilise(
    current: int, desired: int, history: Iterable[Recommendation], behavior: Behavior, now: datetime
) -> Bounded:
    """Hold back from what the metrics ask for now by what they asked for lately.

    Up goes only as far as the lowest recommendation in the window for scaling up, down only as far as the highest in
    the window for scaling down.
    """
    recent = list(history)
    lowest = min([desired, *_since(recent, now - behavior.up.window)])
    highest = max([desired, *_since(recent, now - behavior.down.window)])
    replicas = min(max(current, lowest), highest)
    if replicas == desired:
        return Bounded(replicas, "ReadyForNewScale", "recommended size matches current size")
    if desired > current:
        text = "recent recommendations were lower than current one, applying the lowest recent recommendation"
        return Bounded(replicas, "ScaleUpStabilized", text)
    text = "recent recommendations were higher than current one, applying the highest recent recommendation"
    return Bounded(replicas, "ScaleDownStabilized", text)


def _since(history: Sequence[Recommendation], cutoff: datetime) -> list[int]:
    return [each.replicas for each in history if each.time > cutoff]


def limit(
    current: int,
    desired: int,
    least: int,
    most: int,
    scalings: Sequence[Scaling],
    behavior: Behavior,
    now: datetime,
) -> Bounded:
    """Keep a number of replicas within minReplicas and maxReplicas and within what the policies allow now."""
    if desired > current:
        allowed = max(_fastest_up(current, scalings, behavior.up, now), current)
        if desired > min(most, allowed):
            return _too_many(most) if most <= allowed else _too_fast(allowed, "increasing", "ScaleUpLimit")
    elif desired < current:
        allowed = min(_fastest_down(current, scalings, behavior.down, now), current)
        if desired < max(least, allowed):
            return _too_few(least) if least >= allowed else _too_fast(allowed, "decreasing", "ScaleDownLimit")
    elif desired > most:
        return _too_many(most)
    elif desired < least:
        return _too_few(least)
    return Bounded(desired, "DesiredWithinRange", "the desired count is within the acceptable range")


def _too_many(most: int) -> Bounded:
    return Bounded(most, "TooManyReplicas", "the desired replica count is more than the maximum replica count")


def _too_few(least: int) -> Bounded:
    return Bounded(least, "TooFewReplicas", "the desired replica count is less than the minimum replica count")


def _too_fast(allowed: int, verb: str, reason: str) -> Bounded:
    return Bounded(allowed, reason, f"the desired replica count is {verb} faster than the maximum scale rate")


def _fastest_up(current: int, scalings: Sequence[Scaling], rules: Rules, now: datetime) -> int:
    if rules.select == "Disabled":
        return current
    choice: Callable[[Iterable[int]], int] = min if rules.select == "Min" else max
    return choice(_up(_at_start(current, scalings, policy, now), policy) for policy in rules.policies)


def _fastest_down(current: int, scalings: Sequence[Scaling], rules: Rules, now: datetime) -> int:
    if rules.select == "Disabled":
        return current
    choice: Callable[[Iterable[int]], int] = max if rules.select == "Min" else min
    return choice(_down(_at_start(current, scalings, policy, now), policy) for policy in rules.policies)


def _up(start: int, policy: Policy) -> int:
    return ceil(round(start * (1 + policy.value / 100), 9)) if policy.is_percent else start + policy.value


def _down(start: int, policy: Policy) -> int:
    return floor(round(start * (1 - policy.value / 100), 9)) if policy.is_percent else start - policy.value


def _at_start(current: int, scalings: Sequence[Scaling], policy: Policy, now: datetime) -> int:
    """Return how many replicas there were when the policy's period began."""
    return current - sum(each.change for each in scalings if each.time > now - policy.period)
