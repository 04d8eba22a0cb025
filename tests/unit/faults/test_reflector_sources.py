"""The state of a source: each transition, in whose clock ages are, and that nothing counts as live that is not."""

import pytest

from selfheal_core.cluster.kubernetes.api_errors import (
    ApiError,
    Forbidden,
    Gone,
    NotFound,
    ServerFault,
    StreamSilent,
    Unauthorized,
    Unreachable,
)
from selfheal_core.cluster.kubernetes.source_state import SourceState, condition_after, reason_of
from selfheal_core.domain.snapshot import Snapshot, Source
from tests.faults import behaviours
from tests.faults.server import FaultServer
from tests.unit.faults.conftest import Start

HOUR = 3600.0
FORBIDDEN = Forbidden("not allowed", verb="list", resource="pods", namespace="")


@pytest.mark.parametrize(
    ("error", "broken", "condition"),
    [
        (FORBIDDEN, False, "forbidden"),
        (FORBIDDEN, True, "forbidden"),
        (NotFound("no such path"), False, "absent"),
        (Gone("too old"), False, "stale"),
        (StreamSilent("sent nothing"), True, "stale"),
        (ServerFault("the server closed the watch"), True, "stale"),
        (Unreachable("connection refused"), False, "lost"),
        (Unauthorized("401"), False, "lost"),
        (ServerFault("503"), False, "lost"),
    ],
)
def test_how_an_attempt_ended_says_what_the_data_is(error: ApiError, broken: bool, condition: str) -> None:
    assert condition_after(error, broken=broken) == condition


def test_the_life_of_a_source() -> None:
    now = [100.0]
    told: list[Source] = []
    state = SourceState("pods", lambda: now[0], told.append)
    assert (state.source.condition, state.source.since, state.source.fresh_at) == ("connecting", 100.0, None)
    now[0] = 101.0
    state.prove()
    now[0] = 120.0
    state.prove()
    assert (state.source.condition, state.source.since, state.source.fresh_at) == ("live", 101.0, 120.0)
    now[0] = 130.0
    state.fail(StreamSilent("silent"), broken=True, retry_in_seconds=2)
    assert (state.source.condition, state.source.since, state.source.retry_at) == ("stale", 130.0, 132.0)
    now[0] = 133.0
    state.fail(Unreachable("refused"), broken=False, retry_in_seconds=4)
    now[0] = 140.0
    state.fail(Unreachable("refused"), broken=False, retry_in_seconds=8)
    assert (state.source.condition, state.source.since, state.source.fresh_at) == ("lost", 133.0, 120.0)
    now[0] = 150.0
    state.prove()
    assert (state.source.condition, state.source.reason, state.source.retry_at) == ("live", "", None)
    assert [source.condition for source in told] == ["live", "stale", "lost", "lost", "live"]


def test_refused_credentials_are_told_in_plain_words() -> None:
    assert reason_of(Unauthorized("x")).startswith("credentials refused (401); log in again")


@pytest.mark.parametrize("clock_offset_seconds", [HOUR, -HOUR])
async def test_a_server_whose_clock_is_an_hour_off_changes_no_age(
    server: FaultServer, reflect: Start, clock_offset_seconds: float
) -> None:
    server.clock_offset_seconds = clock_offset_seconds
    await server.put("c", status={"startTime": "2001-01-01T00:00:00Z"})
    now = [1000.0]
    reflected = await reflect(clock=lambda: now[0])
    await reflected.until(lambda: reflected.condition == "live" and server.watches == 1)
    now[0] = 1030.0
    source = reflected.reflector.source
    assert (source.since, source.fresh_at) == (1000.0, 1000.0)
    assert Snapshot(1, now[0], sources={"pods": source}).fresh("pods", now[0], 60)
    assert not Snapshot(1, now[0], sources={"pods": source}).fresh("pods", 1061.0, 60)


def test_after_our_clock_was_set_back_nothing_counts_as_fresh() -> None:
    snapshot = Snapshot(1, 0.0, sources={"pods": Source("pods", "live", 5000.0, 5000.0)})
    assert snapshot.fresh("pods", 5010.0, 60)
    assert not snapshot.fresh("pods", 5000.0 - HOUR, 60)


async def test_a_source_that_cannot_list_was_never_live(server: FaultServer, reflect: Start) -> None:
    server.on_list.extend([behaviours.status(500, "InternalError", "no")] * 3)
    reflected = await reflect()
    await reflected.until(lambda: reflected.condition == "live")
    assert reflected.conditions == ["lost", "lost", "lost", "live"]
    assert all(source.fresh_at is None for source in reflected.told[:3])


async def test_lists_are_counted_by_their_cause(server: FaultServer, reflect: Start) -> None:
    server.on_list.append(behaviours.status(500, "InternalError", "no"))
    server.on_watch.extend([behaviours.gone(), behaviours.mute()])
    reflected = await reflect(idle_seconds=0.2)
    await reflected.until(lambda: server.lists == 4)
    causes = reflected.reflector.statistics.lists_by_cause
    assert causes == {"first": 1, "retry": 1, "gone": 1, "idle": 1}
