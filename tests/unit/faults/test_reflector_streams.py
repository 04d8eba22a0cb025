"""Lists as streams: first rows at once, the old store until the end, and a way back for servers without them."""

import asyncio

import pytest

from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.watch_wire import Decoder
from selfheal_core.domain.objects import Pod
from tests.faults import behaviours
from tests.faults.behaviours import event
from tests.faults.server import Behaviour, Exchange, FaultServer
from tests.unit.faults.conftest import Start

SILENCE_SECONDS = 0.3


@pytest.fixture(autouse=True)
def streams(client: KubernetesClient) -> None:
    client.streams_lists = True


def first_only(server: FaultServer, then: str) -> Behaviour:
    """The beginning of a streamed list, cut off."""

    async def answer(exchange: Exchange) -> None:
        await behaviours.lines(event("ADDED", server.objects["a"]), then=then)(exchange)

    return answer


def gated(server: FaultServer, gate: asyncio.Event) -> Behaviour:
    """A streamed list whose second half comes when the gate opens."""

    async def answer(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.line(event("ADDED", server.objects["a"]))
        await gate.wait()
        await server.stream(exchange)

    return answer


def kinds(server: FaultServer) -> list[str]:
    return [request.kind for request in server.requests]


async def test_one_request_lists_and_watches(server: FaultServer, reflect: Start) -> None:
    reflected = await reflect()
    await reflected.until(lambda: reflected.condition == "live")
    await server.put("c")
    await reflected.until(lambda: reflected.names == {"a", "b", "c"})
    assert kinds(server) == ["stream"]
    query = server.requests[0].query
    assert query["resourceVersionMatch"] == "NotOlderThan"
    assert query["allowWatchBookmarks"] == "true"
    assert "resourceVersion" not in query
    assert reflected.reflector.statistics.streamed_lists == 1


async def test_a_collection_that_may_be_large_comes_in_pages(
    server: FaultServer, client: KubernetesClient, reflect: Start
) -> None:
    reflected = await reflect(in_pages=True)
    await reflected.until(lambda: reflected.condition == "live" and server.watches == 1)
    assert reflected.names == {"a", "b"}
    assert kinds(server) == ["list", "watch"]
    assert client.streams_lists, "that says nothing about the other collections"


async def test_an_empty_collection_is_live_at_once(server: FaultServer, reflect: Start) -> None:
    await server.remove("a")
    await server.remove("b")
    reflected = await reflect()
    await reflected.until(lambda: reflected.condition == "live")
    assert reflected.names == set()


async def test_first_rows_are_handed_on_before_the_list_is_complete(server: FaultServer, reflect: Start) -> None:
    gate = asyncio.Event()
    server.on_stream.append(gated(server, gate))
    reflected = await reflect()
    await reflected.until(lambda: reflected.names == {"a"})
    assert reflected.condition == "connecting"
    assert reflected.reflector.source.fresh_at is None
    gate.set()
    await reflected.until(lambda: reflected.condition == "live")
    assert reflected.heard == [("added", "a"), ("added", "b")]


async def test_a_later_list_leaves_the_store_alone_until_it_is_complete(server: FaultServer, reflect: Start) -> None:
    gate = asyncio.Event()
    reflected = await reflect()
    await reflected.until(lambda: reflected.condition == "live")
    server.on_stream.extend([first_only(server, "reset"), gated(server, gate)])
    server.forget_history()
    server.on_watch.append(behaviours.gone())
    server.cut()
    await reflected.until(lambda: kinds(server).count("stream") == 3)
    assert reflected.names == {"a", "b"}, "a list that broke off, and one that is not complete, changed nothing"
    assert reflected.condition != "live"
    await server.put("a", status={"phase": "Running"})
    await server.put("c")
    await server.remove("b")
    assert len(reflected.heard) == 2
    gate.set()
    await reflected.until(lambda: reflected.names == {"a", "c"})
    assert reflected.heard[2:] == [("deleted", "b"), ("modified", "a"), ("added", "c")]


async def test_a_first_list_that_breaks_off_is_completed_by_the_next(server: FaultServer, reflect: Start) -> None:
    server.on_stream.append(first_only(server, "close"))
    reflected = await reflect()
    await reflected.until(lambda: reflected.names == {"a"})
    assert reflected.condition != "live"
    await server.remove("a")
    await reflected.until(lambda: reflected.condition == "live")
    assert reflected.names == {"b"}
    assert reflected.heard == [("added", "a"), ("added", "b"), ("deleted", "a")]


async def test_streams_that_break_off_again_and_again_give_way_to_pages(server: FaultServer, reflect: Start) -> None:
    server.always_stream = first_only(server, "reset")
    reflected = await reflect()
    await reflected.until(lambda: reflected.condition == "live" and server.watches == 1)
    assert reflected.names == {"a", "b"}
    assert kinds(server)[-2:] == ["list", "watch"]
    assert kinds(server).count("stream") <= 3


@pytest.mark.parametrize("code", [400, 405, 406, 422, 501])
async def test_a_server_that_refuses_is_asked_for_pages_from_then_on(
    server: FaultServer, client: KubernetesClient, reflect: Start, code: int
) -> None:
    server.always_stream = behaviours.status(code, "Invalid", "sendInitialEvents is forbidden")
    reflected = await reflect()
    await reflected.until(lambda: reflected.condition == "live" and server.watches == 1)
    assert "lost" not in reflected.conditions
    assert kinds(server) == ["stream", "list", "watch"]
    assert not client.streams_lists
    second = await reflect()
    await second.until(lambda: second.condition == "live" and server.watches == 2)
    assert kinds(server).count("stream") == 1


async def test_who_may_list_but_not_watch_still_sees_the_list(
    server: FaultServer, client: KubernetesClient, reflect: Start
) -> None:
    server.always_stream = server.always_watch = behaviours.status(403, "Forbidden", "no watch")
    reflected = await reflect()
    await reflected.until(lambda: reflected.condition == "forbidden")
    assert reflected.names == {"a", "b"}
    assert reflected.reflector.source.reason == "not allowed to watch pods in all namespaces"
    assert client.streams_lists, "a right that is missing for one collection says nothing about the server"


@pytest.mark.parametrize("how", ["ignore", "mute"])
async def test_a_server_that_does_not_know_the_parameter_is_found_out(
    server: FaultServer, client: KubernetesClient, reflect: Start, how: str
) -> None:
    server.streams_lists = how  # type: ignore[assignment]  # parametrised
    reflected = await reflect(stream_silence_seconds=SILENCE_SECONDS)
    await reflected.until(lambda: reflected.condition == "live" and server.watches == 1)
    assert reflected.names == {"a", "b"}
    assert sorted(reflected.heard) == [("added", "a"), ("added", "b")]
    assert kinds(server) == ["stream", "list", "watch"]
    assert not client.streams_lists


async def test_a_stream_that_comes_to_no_end_gives_way_to_pages(
    server: FaultServer, client: KubernetesClient, reflect: Start
) -> None:
    async def trickle(exchange: Exchange) -> None:
        await exchange.open()
        while True:
            await exchange.line(event("ADDED", server.objects["a"]))
            await asyncio.sleep(0.02)

    server.always_stream = trickle
    reflected = await reflect(stream_deadline_seconds=SILENCE_SECONDS)
    await reflected.until(lambda: reflected.names == {"a"})
    await reflected.until(lambda: reflected.condition == "live")
    assert reflected.heard == [("added", "a"), ("added", "b")]
    assert not client.streams_lists


async def test_a_server_that_answers_nothing_is_not_taken_for_an_older_one(
    server: FaultServer, client: KubernetesClient, reflect: Start
) -> None:
    server.always_stream = server.always_list = behaviours.reset()
    server.on_stream.append(behaviours.freeze())
    reflected = await reflect(stream_silence_seconds=SILENCE_SECONDS)
    await reflected.until(lambda: reflected.condition == "lost")
    assert client.streams_lists
    server.always_stream = server.always_list = None
    await reflected.until(lambda: reflected.condition == "live")


async def test_an_object_that_does_not_fit_is_left_out_of_a_streamed_list(server: FaultServer, reflect: Start) -> None:
    await server.put("bad", spec={"nodeName": 7})
    reflected = await reflect()
    await reflected.until(lambda: reflected.condition == "live")
    assert reflected.names == {"a", "b"}
    assert reflected.reflector.statistics.unreadable == 1


def test_the_mark_is_read_as_an_api_server_words_it() -> None:
    line = (
        b'{"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"12746",'
        b'"annotations":{"k8s.io/initial-events-end":"true"}},"spec":{"containers":null},"status":{}}}\n'
    )
    assert Decoder(Pod).event(line)[:2] == ("listed", "12746")
    plain = line.replace(b'"annotations":{"k8s.io/initial-events-end":"true"}', b'"annotations":null')
    assert Decoder(Pod).event(plain)[:2] == ("bookmark", "12746")
