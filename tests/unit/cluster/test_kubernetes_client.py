"""Calls to the API: what is sent, what comes back, and how each failure reads."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from selfheal_core.cluster.kubernetes.api_errors import (
    BudgetRefusal,
    Conflict,
    NotFound,
    ServerFault,
    StreamSilent,
    Unauthorized,
    Unreachable,
)
from selfheal_core.cluster.kubernetes.client import KubernetesClient, PatchType
from selfheal_core.cluster.kubernetes.configuration import connect
from selfheal_core.cluster.kubernetes.paths import path
from selfheal_core.domain.objects import Pod
from tests.faults import behaviours
from tests.faults.server import Exchange, FaultServer

POD = path("v1", "pods", namespace="payments", name="web-1")


class EvictPods:
    verb, group, resource, subresource = "create", "", "pods", "eviction"


async def test_reads_an_object(server: FaultServer, client: KubernetesClient) -> None:
    server.script("GET", POD, behaviours.json_body({"metadata": {"name": "web-1", "uid": "u"}, "extra": 1}))
    pod = await client.get(POD, Pod, params={"a": "b c"})
    assert pod.metadata.name == "web-1"
    [request] = server.requests
    assert request.query == {"a": "b c"}
    assert request.headers["authorization"] == "Bearer t0"
    assert request.headers["user-agent"] == "selfheal-tests/1"
    assert request.headers["accept"] == "application/json"
    assert client.writes == 0


async def test_reads_plain_json_and_text(server: FaultServer, client: KubernetesClient) -> None:
    server.script("GET", "/x", behaviours.json_body({"a": [1]}))
    server.script("GET", "/y", behaviours.body(b"caf\xc3\xa9 \xff", content_type="text/plain"))
    assert await client.get_json("/x") == {"a": [1]}
    assert await client.get_text("/y") == "café �"


async def test_an_answer_without_sense_is_the_server_s_fault(server: FaultServer, client: KubernetesClient) -> None:
    server.script("GET", POD, behaviours.body(b"<html>hello</html>", content_type="text/html"))
    with pytest.raises(ServerFault, match="makes no sense"):
        await client.get(POD, Pod)


async def test_a_late_answer_is_worded_with_its_deadline(server: FaultServer, client: KubernetesClient) -> None:
    server.script("GET", POD, behaviours.freeze())
    with pytest.raises(Unreachable, match=r"no answer from http://127.0.0.1:\d+: timed out after 0.05 s"):
        await client.get(POD, Pod, deadline_seconds=0.05)


async def test_a_body_that_stops_half_way_is_late_too(server: FaultServer, client: KubernetesClient) -> None:
    server.script("GET", POD, behaviours.lines(b'{"meta', then="freeze"))
    with pytest.raises(Unreachable, match="timed out"):
        await client.get(POD, Pod, deadline_seconds=0.1)


async def test_a_body_that_is_cut_is_worded(server: FaultServer, client: KubernetesClient) -> None:
    server.script("GET", POD, behaviours.lines(b'{"meta', then="reset"))
    with pytest.raises(Unreachable, match="no answer from"):
        await client.get(POD, Pod)


async def test_nobody_listening_is_worded(server: FaultServer, client: KubernetesClient) -> None:
    await server.stop()
    with pytest.raises(Unreachable, match="connection refused"):
        await client.get(POD, Pod)
    await server.start()


async def test_a_redirect_is_not_followed(server: FaultServer, client: KubernetesClient) -> None:
    async def elsewhere(exchange: Exchange) -> None:
        await exchange.answer(302, headers={"Location": f"{server.url}/other"})

    server.script("GET", POD, elsewhere)
    with pytest.raises(Exception, match="302"):
        await client.get(POD, Pod)
    assert [request.path for request in server.requests] == [POD]


async def test_writes_send_their_bodies_and_are_counted(server: FaultServer, client: KubernetesClient) -> None:
    collection = path("v1", "pods", namespace="payments")
    for method, where in (("POST", collection), ("PUT", POD), ("PATCH", POD), ("DELETE", POD)):
        server.script(method, where, behaviours.json_body({"ok": method}))
    assert await client.create(collection, {"a": 1}) == {"ok": "POST"}
    assert await client.replace(POD, {"b": 2}) == {"ok": "PUT"}
    assert await client.patch(POD, {"c": 3}, PatchType.STRATEGIC) == {"ok": "PATCH"}
    assert await client.delete(POD, uid="u1", resource_version="9", grace_seconds=0) == {"ok": "DELETE"}
    assert client.writes == 4
    created, replaced, patched, deleted = server.requests
    assert (created.json, replaced.json, patched.json) == ({"a": 1}, {"b": 2}, {"c": 3})
    assert patched.headers["content-type"] == "application/strategic-merge-patch+json"
    assert deleted.json["preconditions"] == {"uid": "u1", "resourceVersion": "9"}
    assert deleted.json["gracePeriodSeconds"] == 0


async def test_a_dry_run_says_so_and_is_no_write(server: FaultServer, client: KubernetesClient) -> None:
    server.script("PATCH", POD, behaviours.json_body({}))
    await client.patch(POD, {}, dry_run=True)
    assert server.requests[0].query == {"dryRun": "All"}
    assert client.writes == 0


async def test_evicts_exactly_one_pod(server: FaultServer, client: KubernetesClient) -> None:
    server.script("POST", f"{POD}/eviction", behaviours.json_body({}, code=201))
    await client.evict("payments", "web-1", uid="u1")
    assert server.requests[0].json["deleteOptions"]["preconditions"] == {"uid": "u1"}
    assert client.writes == 1


async def test_an_eviction_says_why_it_may_not(server: FaultServer, client: KubernetesClient) -> None:
    budget = {"causes": [{"reason": "DisruptionBudget", "message": "The disruption budget web needs 2 healthy pods"}]}
    refusal = behaviours.status(
        429, "TooManyRequests", "Cannot evict pod", headers={"Retry-After": "10"}, details=budget
    )
    moved = behaviours.status(409, "Conflict", "the UID in the precondition does not match")
    server.script("POST", f"{POD}/eviction", refusal, moved, behaviours.status(404, "NotFound", "not found"))
    with pytest.raises(BudgetRefusal, match="needs 2 healthy pods") as caught:
        await client.evict("payments", "web-1", uid="u1")
    assert caught.value.retry_after_seconds == 10
    with pytest.raises(Conflict):
        await client.evict("payments", "web-1", uid="u1")
    with pytest.raises(NotFound):
        await client.evict("payments", "web-1", uid="u1")


async def test_asks_for_rights_without_counting_a_write(server: FaultServer, client: KubernetesClient) -> None:
    review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    server.script(
        "POST",
        review,
        behaviours.json_body({"status": {"allowed": True}}, code=201),
        behaviours.json_body({"status": {}}),
    )
    assert await client.may(EvictPods(), "payments") is True
    assert await client.may(EvictPods(), "") is False
    assert "namespace" not in server.requests[1].json["spec"]["resourceAttributes"]
    assert client.writes == 0


async def test_reads_logs_bounded(server: FaultServer, client: KubernetesClient) -> None:
    server.script("GET", f"{POD}/log", behaviours.body(b"one\ntwo\n", content_type="text/plain"))
    text = await client.logs(
        "payments", "web-1", "app", previous=True, tail_lines=50, since_seconds=60, limit_bytes=1000, timestamps=True
    )
    assert text == "one\ntwo\n"
    assert server.requests[0].query == {
        "container": "app",
        "previous": "true",
        "tailLines": "50",
        "sinceSeconds": "60",
        "limitBytes": "1000",
        "timestamps": "true",
    }


async def test_follows_logs_line_by_line(server: FaultServer, client: KubernetesClient) -> None:
    server.script("GET", f"{POD}/log", behaviours.lines(b"one\ntw", b"o\n", b"last"))
    assert [line async for line in client.follow_logs("payments", "web-1", "app")] == [b"one", b"two", b"last"]
    assert server.requests[0].query["follow"] == "true"


async def test_reads_a_pod_s_page_through_the_server(server: FaultServer, client: KubernetesClient) -> None:
    where = "/api/v1/namespaces/payments/pods/web-1:8080/proxy/metrics"
    server.script("GET", where, behaviours.body(b"up 1\n", content_type="text/plain"))
    assert await client.proxy_pod("payments", "web-1", 8080, "/metrics", deadline_seconds=2) == b"up 1\n"


async def test_a_pod_that_answers_without_end_is_cut_off(server: FaultServer, client: KubernetesClient) -> None:
    where = "/api/v1/namespaces/payments/pods/web-1:8080/proxy/metrics"
    server.script("GET", where, behaviours.lines(*[b"x" * 2**20] * 6, then="freeze"))
    with pytest.raises(ServerFault, match="longer than"):
        await client.proxy_pod("payments", "web-1", 8080, "/metrics")


async def test_reads_the_server_s_version(server: FaultServer, client: KubernetesClient) -> None:
    server.script("GET", "/version", behaviours.json_body({"gitVersion": "v1.32.3"}))
    assert await client.server_version() == "v1.32.3"


async def test_a_silent_stream_ends_after_its_idle_time(server: FaultServer, client: KubernetesClient) -> None:
    server.script("GET", "/x", behaviours.lines(b"one\n", then="freeze"))
    lines = client.stream_lines("/x", idle_seconds=0.1)
    assert await anext(lines) == b"one"
    with pytest.raises(StreamSilent, match=r"sent nothing for 0\.1 s"):
        await anext(lines)


async def test_a_line_beyond_the_buffer_is_the_server_s_fault(server: FaultServer, client: KubernetesClient) -> None:
    server.script("GET", "/x", behaviours.lines(*[b"x" * 2**20] * 20))
    with pytest.raises(ServerFault, match="a line that is too long"):
        async for _ in client.stream_lines("/x", idle_seconds=5):
            pass


async def test_a_401_is_tried_again_with_a_newer_token(server: FaultServer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")
    server.tokens = {"new"}
    server.script("GET", POD, behaviours.json_body({}))
    connection = await connect(kubeconfig=server.kubeconfig(tmp_path, user={"tokenFile": str(token)}), environ={})

    async def rotate(exchange: Exchange) -> None:
        token.write_text("new")
        await exchange.answer_json(401, {"kind": "Status", "code": 401})

    server.tokens = None
    server.script("GET", POD, rotate, behaviours.json_body({"metadata": {"name": "web-1"}}))
    pod = await KubernetesClient(connection, user_agent="t").get(POD, Pod)
    assert pod.metadata.name == "web-1"
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer old", "Bearer new"]
    await connection.close()


async def test_a_401_with_nothing_else_to_offer_is_told_once(server: FaultServer, client: KubernetesClient) -> None:
    server.tokens = {"other"}
    with pytest.raises(Unauthorized, match="does not accept the credentials"):
        await client.get(POD, Pod)
    assert len(server.requests) == 1


async def test_a_cancelled_call_leaves_nothing_open(server: FaultServer, client: KubernetesClient) -> None:
    server.script("GET", POD, behaviours.freeze())
    task = asyncio.create_task(client.get(POD, Pod))
    async with asyncio.timeout(5):
        while not server.requests:
            await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    connector: Any = client.connection.session.connector
    assert not connector._acquired
