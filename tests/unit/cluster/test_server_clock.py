"""Whose clock decisions go by that look at the cluster's timestamps."""

import time

import pytest

from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.server_clock import ServerClock
from selfheal_core.domain.snapshot import Snapshot, Source
from tests.faults import behaviours
from tests.faults.server import FaultServer

NOW = 1_795_737_600.0
"""2026-11-27 00:00:00 UTC."""
SAME = "Fri, 27 Nov 2026 00:00:01 GMT"
HOUR_AHEAD = "Fri, 27 Nov 2026 01:00:00 GMT"
HOUR_BEHIND = "Thu, 26 Nov 2026 23:00:00 GMT"


@pytest.mark.parametrize(("date", "offset_seconds"), [(HOUR_AHEAD, 3600.5), (HOUR_BEHIND, -3599.5)])
def test_goes_by_the_server_where_our_clock_is_off(date: str, offset_seconds: float) -> None:
    clock = ServerClock(lambda: NOW)
    clock.note(date)
    assert clock() == NOW + offset_seconds


@pytest.mark.parametrize("date", [SAME, "", "yesterday"])
def test_goes_by_our_own_clock_where_there_is_no_difference(date: str) -> None:
    clock = ServerClock(lambda: NOW)
    clock.note(date)
    assert clock() == NOW


def test_a_correction_is_not_made_anew_for_each_second_of_rounding() -> None:
    now = [NOW]
    clock = ServerClock(lambda: now[0])
    clock.note(HOUR_AHEAD)
    first = clock.offset_seconds
    now[0] += 0.9
    clock.note(HOUR_AHEAD)
    assert clock.offset_seconds == first


def test_goes_back_to_our_own_once_the_clocks_agree() -> None:
    clock = ServerClock(lambda: NOW)
    clock.note(HOUR_AHEAD)
    clock.note(SAME)
    assert clock() == NOW


@pytest.mark.parametrize("date", [HOUR_AHEAD, HOUR_BEHIND])
def test_what_was_heard_before_a_correction_does_not_count_as_fresh(date: str) -> None:
    clock = ServerClock(lambda: NOW)
    snapshot = Snapshot(1, NOW, sources={"pods": Source("pods", "live", clock(), clock())})
    assert snapshot.fresh("pods", clock(), 60)
    clock.note(date)
    assert not snapshot.fresh("pods", clock(), 60)


async def test_every_answer_tells_the_time(server: FaultServer, client: KubernetesClient) -> None:
    server.clock_offset_seconds = 3600
    server.script("GET", "/version", behaviours.json_body({"gitVersion": "v1.32.3"}))
    await client.server_version()
    assert client.clock() == pytest.approx(time.time() + 3600, abs=3)
