"""What the reflector says and asks while a server misbehaves, and that it never hammers."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selfheal_core.cluster.kubernetes.backoff import Pacing
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import connect
from selfheal_core.cluster.kubernetes.reflector import Reflector
from selfheal_core.domain.objects import ObjectMetadataOnly
from tests.faults import behaviours
from tests.faults.behaviours import event
from tests.faults.server import FaultServer, status_object
from tests.unit.faults.conftest import Start

EXPIRED = status_object(410, "Expired", "too old resource version: 1 (100)")
SLOWER = Pacing(reopen_seconds=0.03, first_seconds=0.03, ceiling_seconds=0.4, steady_seconds=5, refused_seconds=30)


def pod(name: str, version: int, **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "payments", "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": metadata, **fields}


async def test_comes_back_after_a_server_restart(server: FaultServer, reflect: Start) -> None:
    reflected = await reflect()
    await reflected.until(lambda: reflected.condition == "live" and server.watches == 1)
    await server.stop()
    await reflected.until(lambda: reflected.condition == "lost")
    assert "connection refused" in reflected.reflector.source.reason
    assert reflected.names == {"a", "b"}
    await server.put("c")
    await server.start()
    await reflected.until(lambda: reflected.names == {"a", "b", "c"} and reflected.condition == "live")
    assert reflected.reflector.source.reason == ""


async def test_does_not_hammer_a_server_that_closes_each_watch(server: FaultServer, reflect: Start) -> None:
    server.always_watch = behaviours.close_at_once()
    reflected = await reflect(pacing=SLOWER)
    await reflected.until(lambda: reflected.condition == "stale")
    await asyncio.sleep(0.5)
    # 0.03 + 0.06 + 0.12 + 0.24 ... seconds apart, a little less by jitter.
    assert 3 <= server.watches <= 9
    await server.put("c")
    await reflected.until(lambda: "c" in reflected.names)


async def test_passes_a_line_that_is_not_json(server: FaultServer, reflect: Start) -> None:
    server.always_watch = behaviours.lines(b"{nonsense}\n")
    reflected = await reflect()
    await reflected.until(lambda: server.watches >= 4)
    server.always_watch = None
    await server.put("c")
    await reflected.until(lambda: "c" in reflected.names and reflected.condition == "live")
    # Replaying the same version for ever would never get past the line.
    assert server.lists >= 2


async def test_goes_on_from_a_bookmark(server: FaultServer, reflect: Start) -> None:
    mark = {"kind": "Pod", "metadata": {"resourceVersion": "4711"}, "spec": {"containers": None}}
    server.on_watch.append(behaviours.lines(event("BOOKMARK", mark), then="reset"))
    reflected = await reflect()
    await reflected.until(lambda: server.watches == 2)
    watches = [request for request in server.requests if request.is_watch]
    assert [request.query["resourceVersion"] for request in watches] == ["102", "4711"]
    assert watches[0].query["allowWatchBookmarks"] == "true"
    assert server.lists == 1


async def test_backs_off_from_a_503_page(server: FaultServer, reflect: Start) -> None:
    server.always_watch = behaviours.html(503)
    reflected = await reflect(pacing=SLOWER)
    await reflected.until(lambda: reflected.condition == "lost")
    assert "503" in reflected.reflector.source.reason
    assert "<html>" not in reflected.reflector.source.reason
    await asyncio.sleep(0.5)
    assert 2 <= server.watches <= 9
    server.always_watch = None
    await server.put("c")
    await reflected.until(lambda: "c" in reflected.names and reflected.condition == "live")


async def test_waits_as_long_as_429_asks(server: FaultServer, reflect: Start) -> None:
    server.on_watch.append(behaviours.status(429, "TooManyRequests", "slow down", headers={"Retry-After": "1"}))
    reflected = await reflect()
    await reflected.until(lambda: reflected.condition == "lost")
    refused_at = asyncio.get_running_loop().time()
    source = reflected.reflector.source
    assert source.retry_at is not None
    assert 1.0 <= source.retry_at - source.since <= 1.2
    await reflected.until(lambda: reflected.condition == "live")
    assert asyncio.get_running_loop().time() - refused_at >= 0.9


async def test_reads_a_line_of_3_mb(server: FaultServer, reflect: Start) -> None:
    big = pod("big", 500, data="x" * 3 * 2**20)
    server.on_watch.append(behaviours.lines(event("ADDED", big), then="freeze"))
    reflected = await reflect()
    await reflected.until(lambda: "big" in reflected.names)
    assert server.watches == 1


async def test_gives_up_a_silent_stream(server: FaultServer, reflect: Start) -> None:
    server.on_watch.append(behaviours.lines(then="freeze"))
    reflected = await reflect(idle_seconds=0.3)
    await reflected.until(lambda: "stale" in reflected.conditions)
    stale = next(source for source in reflected.told if source.condition == "stale")
    assert "sent nothing for 0.3 s" in stale.reason
    await server.put("c")
    await reflected.until(lambda: "c" in reflected.names and reflected.condition == "live")
    assert server.lists >= 2


async def test_survives_lists_that_break_off(server: FaultServer, reflect: Start) -> None:
    # The HTTP client repeats a reset request by itself once.
    server.on_list.extend([behaviours.reset()] * 4)
    reflected = await reflect()
    await reflected.until(lambda: reflected.condition == "live")
    assert reflected.conditions[:1] == ["lost"]
    assert reflected.names == {"a", "b"}


async def test_takes_up_a_new_token_after_the_old_one_expired(
    server: FaultServer, tmp_path: Path, reflect: Start
) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    server.tokens = {"first"}
    connection = await connect(kubeconfig=server.kubeconfig(tmp_path, user={"tokenFile": "token"}), environ={})
    client = KubernetesClient(connection, user_agent="selfheal-tests")
    client.streams_lists = False
    reflected = await reflect(over=client)
    await reflected.until(lambda: reflected.condition == "live")
    server.tokens = {"second"}
    await server.stop()
    await server.start()
    await reflected.until(lambda: reflected.condition == "lost" and "401" in reflected.reflector.source.reason)
    token.write_text("second\n")
    await reflected.until(lambda: reflected.condition == "live")
    await connection.close()


async def test_a_replayed_event_changes_nothing(server: FaultServer, reflect: Start) -> None:
    replay = [event("ADDED", server.objects["a"]), event("MODIFIED", server.objects["b"])]
    server.on_watch.append(behaviours.lines(*replay, then="freeze"))
    reflected = await reflect()
    await reflected.until(lambda: reflected.reflector.statistics.last_event_at is not None)
    assert reflected.heard == [("added", "a"), ("added", "b")]


async def test_one_unreadable_object_does_not_stop_the_others(server: FaultServer, reflect: Start) -> None:
    odd = pod("odd", 200, spec={"containers": "many"})
    fine = pod("fine", 201)
    server.on_watch.append(behaviours.lines(event("ADDED", odd), event("ADDED", fine), then="reset"))
    await server.put("bad", spec={"nodeName": 7})
    reflected = await reflect()
    await reflected.until(lambda: "fine" in reflected.names)
    assert {"a", "b", "fine"} <= reflected.names
    assert not {"odd", "bad"} & reflected.names
    assert reflected.reflector.statistics.unreadable == 2


async def test_delivers_the_first_page_before_the_list_is_complete(server: FaultServer, reflect: Start) -> None:
    gate = asyncio.Event()

    async def second_page(exchange: Any) -> None:
        await gate.wait()
        await server.list_page(exchange)

    server.on_list.extend([server.list_page, second_page])
    reflected = await reflect(page_size=1)
    await reflected.until(lambda: reflected.names == {"a"})
    assert reflected.heard == [("added", "a")]
    assert reflected.condition == "connecting"
    assert reflected.reflector.source.fresh_at is None
    gate.set()
    await reflected.until(lambda: reflected.condition == "live")
    assert reflected.heard == [("added", "a"), ("added", "b")]


async def test_a_first_list_that_breaks_off_is_completed_by_the_next(server: FaultServer, reflect: Start) -> None:
    server.on_list.extend([server.list_page, behaviours.reset()])
    reflected = await reflect(page_size=1)
    await reflected.until(lambda: reflected.condition == "live")
    assert reflected.heard == [("added", "a"), ("added", "b")]


async def test_reads_the_list_in_one_body_when_its_pages_expire(server: FaultServer, reflect: Start) -> None:
    server.on_list.extend([server.list_page, behaviours.status(410, "Expired", "continue token expired")])
    reflected = await reflect(page_size=1)
    await reflected.until(lambda: reflected.condition == "live")
    assert reflected.names == {"a", "b"}
    assert "limit" not in [request for request in server.requests if not request.is_watch][-1].query


async def test_a_list_that_never_ends_is_not_taken_for_a_complete_one(server: FaultServer, reflect: Start) -> None:
    page = {"metadata": {"resourceVersion": "9", "continue": "same"}, "items": [pod("a", 1)]}
    server.always_list = behaviours.json_body(page)
    reflected = await reflect()
    await reflected.until(lambda: reflected.condition == "lost")
    assert "same page" in reflected.reflector.source.reason
    server.always_list = None
    await reflected.until(lambda: reflected.condition == "live")
    assert reflected.names == {"a", "b"}


async def test_tells_only_the_differences_of_a_new_list(server: FaultServer, reflect: Start) -> None:
    server.on_watch.append(behaviours.lines(event("ERROR", EXPIRED), then="close"))
    gate = asyncio.Event()

    async def gated(exchange: Any) -> None:
        await gate.wait()
        await server.list_page(exchange)

    server.on_list.extend([server.list_page, gated])
    reflected = await reflect()
    await reflected.until(lambda: server.lists == 2)
    store_then = reflected.reflector.store
    await server.put("b", status={"phase": "Running"})
    await server.put("c")
    await server.remove("a")
    gate.set()
    await reflected.until(lambda: reflected.names == {"b", "c"})
    assert reflected.heard[2:] == [("deleted", "a"), ("modified", "b"), ("added", "c")]
    assert reflected.changes[3].previous is not None
    assert reflected.changes[3].previous.status.phase == ""
    # The old view is left as it was: swapped, not edited.
    assert {item.metadata.name for item in store_then.values()} == {"a", "b"}


async def test_forbidden_says_what_is_missing_and_can_be_woken(server: FaultServer, reflect: Start) -> None:
    server.on_list.append(behaviours.status(403, "Forbidden", "pods is forbidden"))
    reflected = await reflect()
    await reflected.until(lambda: reflected.condition == "forbidden")
    source = reflected.reflector.source
    assert source.reason == "not allowed to list pods in all namespaces"
    assert source.retry_at is not None
    assert source.retry_at - source.since >= 30
    reflected.reflector.wake()
    await reflected.until(lambda: reflected.condition == "live")


async def test_an_unserved_resource_is_absent(server: FaultServer, reflect: Start) -> None:
    server.always_list = behaviours.status(404, "NotFound", "the server could not find the requested resource")
    reflected = await reflect()
    await reflected.until(lambda: reflected.condition == "absent")
    await asyncio.sleep(0.1)
    assert server.lists == 1


async def test_a_cut_that_heals_at_once_is_not_told(server: FaultServer, reflect: Start) -> None:
    reflected = await reflect()
    await reflected.until(lambda: reflected.condition == "live" and server.watches == 1)
    told = len(reflected.told)
    server.cut()
    await reflected.until(lambda: server.watches == 2)
    assert reflected.conditions[told:] == []


async def test_the_age_of_the_data_grows_between_proofs(server: FaultServer, reflect: Start) -> None:
    now = [1000.0]
    reflected = await reflect(clock=lambda: now[0])
    await reflected.until(lambda: server.watches == 1 and reflected.condition == "live")
    now[0] = 1040.0
    assert reflected.reflector.source.fresh_at == 1000.0
    await server.bookmark()
    await reflected.until(lambda: reflected.reflector.source.fresh_at == 1040.0)
    assert reflected.reflector.source.since == 1000.0


async def test_a_consumer_that_raises_does_not_stop_the_stream(server: FaultServer, reflect: Start) -> None:
    def fail(_: object) -> None:
        raise ValueError("a defect")

    reflected = await reflect(consumer=fail)
    await reflected.until(lambda: reflected.condition == "live")
    await server.put("c")
    await reflected.until(lambda: "c" in reflected.names)
    assert reflected.reflector.statistics.consumer_errors == 3


async def test_asks_for_metadata_only(server: FaultServer, reflect: Start) -> None:
    reflected = await reflect(metadata_only=True, params={"labelSelector": "owner=helm"})
    await reflected.until(lambda: server.watches == 1)
    first, second = server.requests[:2]
    assert "as=PartialObjectMetadataList" in first.headers["accept"]
    assert "as=PartialObjectMetadata;" in second.headers["accept"]
    assert {request.query["labelSelector"] for request in (first, second)} == {"owner=helm"}


async def test_stopping_closes_the_stream(server: FaultServer, client: KubernetesClient) -> None:
    reflector = Reflector(client, server.collection, ObjectMetadataOnly, name="pods", on_change=lambda _: None)
    task = asyncio.create_task(reflector.run())
    await eventually(lambda: server.watches == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(5):
        while server.connections:
            # The server notices when it next writes.
            await server.bookmark()
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(("draw", "seconds"), [(0.0, "290"), (0.999999, "579")])
async def test_asks_for_watches_of_random_length(
    server: FaultServer, reflect: Start, draw: float, seconds: str
) -> None:
    await reflect(random=lambda: draw)
    await eventually(lambda: server.watches == 1)
    assert server.requests[-1].query["timeoutSeconds"] == seconds


async def eventually(seen: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not seen():
            await asyncio.sleep(0.005)
