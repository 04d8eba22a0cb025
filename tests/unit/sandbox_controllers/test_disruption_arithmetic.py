"""How many pods may be evicted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from selfheal_sandbox.controllers.disruption_budget import (
    Expectation,
    budget,
    expectation,
    needs_scale,
    still_disrupted,
)
from selfheal_sandbox.store.objects import now_rfc3339

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def pod(name: str, *, ready: bool = True, leaving: bool = False) -> dict[str, Any]:
    metadata = {"name": name, **({"deletionTimestamp": now_rfc3339(NOW)} if leaving else {})}
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {"metadata": metadata, "status": {"conditions": conditions}}


@pytest.mark.parametrize(
    ("spec", "scale", "healthy"),
    [
        ({"minAvailable": 2}, 3, 2),
        ({"minAvailable": "50%"}, 3, 2),
        ({"maxUnavailable": 1}, 3, 2),
        ({"maxUnavailable": "50%"}, 3, 1),
        ({"maxUnavailable": "100%"}, 3, 0),
        ({"maxUnavailable": 9}, 3, 0),
        ({"maxUnavailable": 0}, 3, 3),
    ],
)
def test_percentages_round_up(spec: dict[str, Any], scale: int, healthy: int) -> None:
    assert expectation(spec, scale) == Expectation(scale, healthy)


@pytest.mark.parametrize(
    ("spec", "needed"), [({"minAvailable": 1}, False), ({"minAvailable": "50%"}, True), ({"maxUnavailable": 1}, True)]
)
def test_only_relative_budgets_need_the_controllers_scale(spec: dict[str, Any], needed: bool) -> None:
    assert needs_scale(spec) is needed


def test_unready_leaving_and_just_evicted_pods_are_not_healthy() -> None:
    pods = [pod("a"), pod("b", ready=False), pod("c", leaving=True), pod("d")]
    found = budget(Expectation(4, 1), pods, {"d": now_rfc3339(NOW)})
    assert (found.current_healthy, found.allowed) == (1, 0)
    assert found.verdict().reason == "InsufficientPods"


def test_spare_pods_may_go() -> None:
    found = budget(Expectation(3, 1), [pod("a"), pod("b"), pod("c")], {})
    assert found.allowed == 2
    assert found.verdict().status == "True"


def test_nothing_is_allowed_when_nothing_is_expected() -> None:
    assert budget(Expectation(0, 0), [pod("a")], {}).allowed == 0


def test_eviction_counts_until_it_shows_or_two_minutes_are_over() -> None:
    marks = {
        "waits": now_rfc3339(NOW - timedelta(seconds=30)),
        "late": now_rfc3339(NOW - timedelta(seconds=121)),
        "leaves": now_rfc3339(NOW),
        "gone": now_rfc3339(NOW),
    }
    found = still_disrupted(marks, [pod("waits"), pod("late"), pod("leaves", leaving=True)], NOW)
    assert list(found.pending) == ["waits"]
    assert found.overdue == ["late"]
    assert found.next_check_seconds == 90
