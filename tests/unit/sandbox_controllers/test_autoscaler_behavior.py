"""How fast an autoscaler may move."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal_sandbox.controllers.autoscaler_behavior import (
    Recommendation,
    Scaling,
    behavior_of,
    limit,
    stabilise,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def with_behavior(**behavior: Any) -> dict[str, Any]:
    return {"behavior": behavior}


def test_scaling_down_waits_five_minutes_by_default() -> None:
    behavior = behavior_of({}, speed=1)
    held = stabilise(5, 2, [Recommendation(ago(299), 5)], behavior, NOW)
    assert (held.replicas, held.reason) == (5, "ScaleDownStabilized")
    assert stabilise(5, 2, [Recommendation(ago(301), 5)], behavior, NOW).replicas == 2


def test_scaling_up_does_not_wait_by_default() -> None:
    held = stabilise(2, 5, [Recommendation(ago(1), 2)], behavior_of({}, speed=1), NOW)
    assert (held.replicas, held.reason) == (5, "ReadyForNewScale")


def test_scaling_up_goes_no_further_than_the_lowest_in_its_window() -> None:
    behavior = behavior_of(with_behavior(scaleUp={"stabilizationWindowSeconds": 60}), speed=1)
    held = stabilise(2, 8, [Recommendation(ago(30), 4), Recommendation(ago(90), 2)], behavior, NOW)
    assert (held.replicas, held.reason) == (4, "ScaleUpStabilized")


def test_speed_divides_windows() -> None:
    behavior = behavior_of({}, speed=10)
    assert stabilise(5, 2, [Recommendation(ago(31), 5)], behavior, NOW).replicas == 2
    assert stabilise(5, 2, [Recommendation(ago(29), 5)], behavior, NOW).replicas == 5


def test_scaling_up_at_most_doubles_or_adds_four() -> None:
    behavior = behavior_of({}, speed=1)
    assert limit(1, 100, 1, 100, [], behavior, NOW).replicas == 5
    bounded = limit(10, 100, 1, 100, [], behavior, NOW)
    assert (bounded.replicas, bounded.reason) == (20, "ScaleUpLimit")


def test_what_was_added_in_the_period_counts() -> None:
    behavior = behavior_of({}, speed=1)
    assert limit(20, 100, 1, 100, [Scaling(ago(10), 10)], behavior, NOW).replicas == 20
    assert limit(20, 100, 1, 100, [Scaling(ago(16), 10)], behavior, NOW).replicas == 40


def test_min_policy_takes_the_slower_one() -> None:
    policies = [
        {"type": "Pods", "value": 1, "periodSeconds": 60},
        {"type": "Percent", "value": 50, "periodSeconds": 60},
    ]
    for select, expected in (("Min", 9), ("Max", 5)):
        behavior = behavior_of(with_behavior(scaleDown={"selectPolicy": select, "policies": policies}), speed=1)
        bounded = limit(10, 1, 1, 20, [], behavior, NOW)
        assert (bounded.replicas, bounded.reason) == (expected, "ScaleDownLimit")


@pytest.mark.parametrize(("direction", "desired"), [("scaleUp", 9), ("scaleDown", 1)])
def test_disabled_direction_does_not_move(direction: str, desired: int) -> None:
    behavior = behavior_of(with_behavior(**{direction: {"selectPolicy": "Disabled"}}), speed=1)
    assert limit(4, desired, 1, 10, [], behavior, NOW).replicas == 4


def test_bounds_of_the_spec_win() -> None:
    behavior = behavior_of({}, speed=1)
    assert limit(2, 9, 2, 5, [], behavior, NOW).reason == "TooManyReplicas"
    assert limit(3, 1, 2, 5, [], behavior, NOW).replicas == 2
    assert limit(3, 1, 2, 5, [], behavior, NOW).reason == "TooFewReplicas"
    assert limit(3, 4, 2, 5, [], behavior, NOW).reason == "DesiredWithinRange"


def test_tolerance_of_each_direction_is_read() -> None:
    behavior = behavior_of(with_behavior(scaleUp={"tolerance": "0.5"}, scaleDown={"tolerance": 0}), speed=1)
    assert behavior.tolerance.accepts(1.5)
    assert not behavior.tolerance.accepts(1.51)
    assert not behavior.tolerance.accepts(0.99)


@settings(deadline=None)  # the machine may be busy
@given(
    current=st.integers(1, 50),
    desired=st.integers(0, 100),
    history=st.lists(st.tuples(st.floats(0, 400), st.integers(1, 50)), max_size=10),
)
def test_result_lies_between_now_and_wanted_and_within_the_bounds(
    current: int, desired: int, history: list[tuple[float, int]]
) -> None:
    behavior = behavior_of({}, speed=1)
    recommendations = [Recommendation(ago(seconds), replicas) for seconds, replicas in history]
    held = stabilise(current, desired, recommendations, behavior, NOW)
    bounded = limit(current, held.replicas, 1, 50, [], behavior, NOW)
    assert min(current, max(desired, 1)) <= bounded.replicas <= max(current, min(desired, 50))
