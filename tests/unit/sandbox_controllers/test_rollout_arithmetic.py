"""How many replicas each ReplicaSet may have during a rolling update."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from selfheal_sandbox.controllers.rollout import (
    Limits,
    ReplicaCounts,
    limits_of,
    new_replicas,
    old_replicas,
    resize,
)


def counts(name: str, wanted: int, available: int | None = None, **more: Any) -> ReplicaCounts:
    return ReplicaCounts(name, wanted, wanted if available is None else available, **more)


def rolling(wanted: int, surge: int | str, unavailable: int | str) -> Limits:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    return limits_of({"replicas": wanted, "strategy": strategy})


@pytest.mark.parametrize(
    ("wanted", "surge", "unavailable", "expected"),
    [
        (10, "25%", "25%", Limits(10, 3, 2)),
        (4, 1, 0, Limits(4, 1, 0)),
        (3, 0, 0, Limits(3, 0, 1)),
        (1, "25%", "25%", Limits(1, 1, 0)),
        (2, 1, 5, Limits(2, 1, 2)),
        (0, "25%", "25%", Limits(0, 0, 0)),
    ],
)
def test_percentages_round_up_for_surge_and_down_for_unavailability(
    wanted: int, surge: int | str, unavailable: int | str, expected: Limits
) -> None:
    assert rolling(wanted, surge, unavailable) == expected


def test_new_replica_set_grows_by_the_surge() -> None:
    assert new_replicas(Limits(10, 3, 2), counts("new", 0), [counts("old", 10)]) == 3


def test_new_replica_set_shrinks_to_what_is_wanted() -> None:
    assert new_replicas(Limits(2, 1, 0), counts("new", 5), []) == 2


def test_new_replica_set_never_shrinks_for_lack_of_room() -> None:
    assert new_replicas(Limits(4, 1, 0), counts("new", 2), [counts("old", 9)]) == 2


def test_old_replicas_go_one_for_one_with_available_new_ones() -> None:
    assert old_replicas(Limits(4, 1, 0), counts("new", 1), [counts("old", 4)]) == {"old": 3}


def test_old_replicas_stay_while_new_ones_are_not_available() -> None:
    assert old_replicas(Limits(4, 1, 0), counts("new", 1, 0), [counts("old", 4)]) == {}


def test_broken_old_replicas_go_first_even_from_a_younger_replica_set() -> None:
    old = [counts("a", 2, created="2026-01-01T00:00:00Z"), counts("b", 2, 0, created="2026-01-02T00:00:00Z")]
    assert old_replicas(Limits(4, 2, 0), counts("new", 2), old) == {"b": 0}


def test_scaling_with_one_replica_set_sets_its_size() -> None:
    assert resize(Limits(7, 1, 0), counts("new", 3), [counts("old", 0)], rolling=True) == {"new": 7}


def test_scaling_a_deployment_without_pods_scales_the_new_replica_set() -> None:
    assert resize(Limits(2, 1, 0), counts("new", 0), [counts("old", 0)], rolling=True) == {"new": 2}


def test_scaling_a_finished_rollout_drops_leftovers() -> None:
    assert resize(Limits(4, 1, 0), counts("new", 4), [counts("old", 2)], rolling=True) == {"old": 0}


def test_scaling_in_a_rollout_shares_in_proportion() -> None:
    old, new = counts("old", 8, max_replicas=13), counts("new", 5, 1, max_replicas=13)
    sizes = resize(Limits(20, 3, 2), new, [old], rolling=True)
    assert sum(sizes.values()) == 23
    assert sizes == {"old": 14, "new": 9}


def test_scaling_down_in_a_rollout_shares_in_proportion() -> None:
    old, new = counts("old", 14, max_replicas=23), counts("new", 9, 1, max_replicas=23)
    assert resize(Limits(10, 3, 2), new, [old], rolling=True) == {"old": 8, "new": 5}


def test_scaling_to_zero_in_a_rollout_empties_everything() -> None:
    sizes = resize(Limits(0, 1, 0), counts("new", 1, 0), [counts("old", 3)], rolling=True)
    assert sizes == {"old": 0, "new": 0}


@settings(deadline=None)  # the machine may be busy
@given(
    wanted=st.integers(1, 12),
    surge=st.integers(0, 6),
    unavailable=st.integers(0, 6),
    healthy=st.lists(st.booleans(), min_size=1, max_size=60),
)
def test_rolling_update_keeps_its_promises_at_every_step(
    wanted: int, surge: int, unavailable: int, healthy: list[bool]
) -> None:
    """Pods become available in any rhythm; limits hold after every step, and with healthy pods the update ends."""
    limits = rolling(wanted, surge, unavailable)
    new, old = counts("new", 0, 0), counts("old", wanted)
    for becomes_available in [*healthy, *[True] * 60]:
        size = new_replicas(limits, new, [old])
        if size != new.wanted:
            new = replace(new, wanted=size)
        elif "old" in (sizes := old_replicas(limits, new, [old])):
            old = replace(old, wanted=sizes["old"], available=min(old.available, sizes["old"]))
        if becomes_available:
            new = replace(new, available=min(new.available + 1, new.wanted))
        assert new.wanted + old.wanted <= wanted + limits.max_surge
        assert new.available + old.available >= wanted - limits.max_unavailable
    assert (new.wanted, new.available, old.wanted) == (wanted, wanted, 0)


@example(sizes=[1, 1, 1, 1], wanted=1, surge=1)
@settings(deadline=None)  # the machine may be busy
@given(
    sizes=st.lists(st.integers(1, 20), min_size=2, max_size=5),
    wanted=st.integers(0, 60),
    surge=st.integers(0, 10),
)
def test_shared_resize_hits_the_total_exactly(sizes: list[int], wanted: int, surge: int) -> None:
    everyone = [counts(f"rs-{index}", size, 0, max_replicas=sum(sizes)) for index, size in enumerate(sizes)]
    limits = Limits(wanted, surge, 0)
    changed = resize(limits, everyone[-1], everyone[:-1], rolling=True)
    after = [changed.get(each.name, each.wanted) for each in everyone]
    assert all(size >= 0 for size in after)
    assert sum(after) == limits.most
