"""How often a server is asked: when everything fails, when it names a time, when nobody reads fast enough."""

import asyncio
import json
import time

import pytest

from selfheal_core.cluster.kubernetes.backoff import Pacing
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.reflector import Change
from selfheal_core.domain.objects import Pod
from tests.faults import behaviours
from tests.faults.behaviours import event
from tests.faults.server import Behaviour, FaultServer
from tests.unit.faults.conftest import Start

OBSERVED_SECONDS = 4.5
RAGES = {
    "refuses": behaviours.status(500, "InternalError", "no"),
    "resets": behaviours.reset(),
    "forgets": behaviours.status(410, "Expired", "too old"),
    "rejects": behaviours.status(400, "BadRequest", "no"),
}


@pytest.mark.slow
@pytest.mark.parametrize("rage", RAGES)
async def test_a_server_that_fails_everything_gets_one_request_a_second_at_most(
    server: FaultServer, client: KubernetesClient, reflect: Start, rage: str
) -> None:
    behaviour: Behaviour = RAGES[rage]
    client.streams_lists = True
    reflected = await reflect(pacing=Pacing(), random=lambda: 0.0)
    await reflected.until(lambda: reflected.condition == "live")
    server.always_list = server.always_watch = server.always_stream = behaviour
    began, before = time.monotonic(), len(server.requests)
    server.cut()
    await asyncio.sleep(OBSERVED_SECONDS)
    asked = [request.at - began for request in server.requests[before:]]
    # At 0.2 or 1 s, then 1, 2, 4, ... s later; 400 is also what a server answers that knows no streamed lists.
    assert 2 <= len(asked) <= OBSERVED_SECONDS
    assert reflected.condition in ("lost", "stale")


@pytest.mark.parametrize("clock_offset_seconds", [0.0, 3600.0, -3600.0])
async def test_a_date_in_retry_after_counts_from_the_server_s_own_clock(
    server: FaultServer, reflect: Start, clock_offset_seconds: float
) -> None:
    server.on_list.append(behaviours.busy_until(40, clock_offset_seconds=clock_offset_seconds))
    reflected = await reflect(random=lambda: 0.0)
    await reflected.until(lambda: reflected.condition == "lost")
    source = reflected.reflector.source
    assert source.retry_at is not None
    assert 39 <= source.retry_at - source.since <= 41


async def test_a_server_that_asks_for_a_day_is_asked_again_after_five_minutes(
    server: FaultServer, reflect: Start
) -> None:
    server.on_list.append(behaviours.status(503, "Unavailable", "tomorrow", retry_after=86_400))
    reflected = await reflect(random=lambda: 0.0)
    await reflected.until(lambda: reflected.condition == "lost")
    source = reflected.reflector.source
    assert source.retry_at is not None
    assert source.retry_at - source.since == pytest.approx(300, abs=1)


async def test_what_waits_for_a_slow_reader_is_bounded_by_the_objects_not_by_the_events(
    server: FaultServer, reflect: Start
) -> None:
    """The consumer that the observer is: it marks what is dirty, and reads the store when it gets to it."""
    dirty: set[str] = set()

    def note(change: Change[Pod]) -> None:
        dirty.add(change.object.metadata.uid)

    reflected = await reflect(consumer=note)
    await reflected.until(lambda: reflected.condition == "live" and server.watches == 1)
    for number in range(500):
        await server.put("a", status={"phase": f"Phase{number}"})
    await reflected.until(lambda: reflected.reflector.statistics.events >= 500)
    assert dirty == {"uid-a", "uid-b"}
    assert reflected.reflector.store["uid-a"].status.phase == "Phase499", "late readers find the newest state"


async def test_lag_is_told_while_there_is_more_to_read_than_was_read(server: FaultServer, reflect: Start) -> None:
    lags: list[float] = []
    now = [1000.0]

    def slow(change: Change[Pod]) -> None:
        now[0] += 1.0
        lags.append(reflected.reflector.statistics.lag_seconds)

    reflected = await reflect(consumer=slow, clock=lambda: now[0])
    await reflected.until(lambda: reflected.condition == "live" and server.watches == 1)
    fat = [json.dumps(event("ADDED", pod(number))).encode() + b"\n" for number in range(8)]
    server.on_watch.append(behaviours.lines(b"".join(fat), then="freeze"))
    server.cut()
    await reflected.until(lambda: "p7" in reflected.names)
    assert max(lags) > 0
    assert reflected.reflector.statistics.lag_seconds == 0, "all of it was read"


def pod(number: int) -> dict[str, object]:
    name = f"p{number}"
    metadata = {"name": name, "namespace": "payments", "uid": f"uid-{name}", "resourceVersion": str(500 + number)}
    return {"metadata": metadata, "data": "x" * 2**19}
