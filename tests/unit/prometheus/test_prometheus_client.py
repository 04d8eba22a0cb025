"""Questions through the library and our own transports: deadlines, bounds, cancellation, errors."""

import asyncio
import sys
import time
import traceback
from collections.abc import Mapping

import pytest

from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.prometheus.address import ServiceAddress, UrlAddress
from selfheal_core.cluster.prometheus.client import Prometheus
from selfheal_core.cluster.prometheus.errors import PrometheusError
from selfheal_core.cluster.prometheus.transport import (
    BODY_LIMIT_BYTES,
    RawAnswer,
    ServiceTransport,
    Transport,
    UrlTransport,
    transport_to,
)
from tests.faults import behaviours
from tests.faults.server import FaultServer

QUERY = 'sum(rate(x{a="b&c=%41 +"}[1m]))'
ONE = b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]},"warnings":["w"]}'
PROXY = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query"
SERVICE = ServiceAddress("monitoring", "prometheus", "9090")


async def test_asks_a_url_with_the_query_as_it_is(server: FaultServer) -> None:
    server.script("GET", "/base/api/v1/query", behaviours.body(ONE))
    prometheus = Prometheus(UrlTransport(UrlAddress(f"{server.url}/base")))
    answer = await prometheus.query(QUERY)
    await prometheus.close()
    assert [sample.value for sample in answer.samples] == [1.0]
    assert answer.warnings == ("w",)
    assert server.requests[0].query == {"query": QUERY, "timeout": "5s"}


async def test_asks_through_the_api_server_with_our_own_credentials_and_writes_nothing(
    server: FaultServer, client: KubernetesClient
) -> None:
    server.script("GET", PROXY, behaviours.body(ONE))
    answer = await Prometheus(transport_to(SERVICE, client)).query(QUERY)
    assert [sample.value for sample in answer.samples] == [1.0]
    assert [request.method for request in server.requests] == ["GET"]
    assert client.writes == 0
    assert server.requests[0].query["query"] == QUERY


@pytest.mark.parametrize("way", ["url", "api server"])
async def test_errors_keep_their_type_whichever_way_they_come(
    server: FaultServer, client: KubernetesClient, way: str
) -> None:
    error = b'{"status":"error","errorType":"bad_data","error":"parse error"}'
    server.script("GET", "/api/v1/query", behaviours.body(error, code=400))
    server.script("GET", PROXY, behaviours.body(error, code=400))
    transport: Transport = UrlTransport(UrlAddress(server.url)) if way == "url" else ServiceTransport(client, SERVICE)
    with pytest.raises(PrometheusError, match="answers bad_data: parse error") as raised:
        await Prometheus(transport).query("sum(")
    await transport.close()
    assert (raised.value.trouble, raised.value.error_type) == ("rejected", "bad_data")


@pytest.mark.parametrize(
    ("code", "reason", "trouble"),
    [(403, "Forbidden", "refused"), (404, "NotFound", "absent"), (503, "ServiceUnavailable", "unreachable")],
)
async def test_what_the_api_server_refuses_is_worded(
    server: FaultServer, client: KubernetesClient, code: int, reason: str, trouble: str
) -> None:
    server.script("GET", PROXY, behaviours.status(code, reason, "no endpoints available"))
    with pytest.raises(PrometheusError) as raised:
        await Prometheus(ServiceTransport(client, SERVICE)).query("up")
    assert raised.value.trouble == trouble


async def test_a_server_error_is_not_asked_again_in_secret(server: FaultServer) -> None:
    server.script("GET", "/api/v1/query", behaviours.html(503))
    prometheus = Prometheus(UrlTransport(UrlAddress(server.url)))
    with pytest.raises(PrometheusError):
        await prometheus.query("up")
    await prometheus.close()
    assert len(server.requests) == 1


async def test_a_late_answer_is_none_and_says_so_without_the_query(server: FaultServer) -> None:
    server.script("GET", "/api/v1/query", behaviours.freeze())
    prometheus = Prometheus(UrlTransport(UrlAddress(server.url)), deadline_seconds=0.2)
    with pytest.raises(PrometheusError, match=r"^no answer from http://127\S+/api/v1/query within 0\.2 s$") as raised:
        await prometheus.query(QUERY)
    await prometheus.close()
    assert raised.value.trouble == "unreachable"


async def test_a_late_answer_through_the_api_server_names_the_prometheus(
    server: FaultServer, client: KubernetesClient
) -> None:
    server.script("GET", PROXY, behaviours.freeze())
    prometheus = Prometheus(ServiceTransport(client, SERVICE), deadline_seconds=0.2)
    with pytest.raises(PrometheusError, match=r"^no answer from monitoring/prometheus:9090 through the API server: "):
        await prometheus.query(QUERY)


async def test_an_answer_that_is_too_long_is_refused(server: FaultServer) -> None:
    server.script("GET", "/api/v1/query", behaviours.body(b" " * (BODY_LIMIT_BYTES + 1)))
    prometheus = Prometheus(UrlTransport(UrlAddress(server.url)))
    with pytest.raises(PrometheusError, match="is longer than"):
        await prometheus.query("up")
    await prometheus.close()


class Held:
    """A transport that holds requests until a test lets them go."""

    where = "held"

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.let_go = asyncio.Event()
        self.under_way = 0
        self.most = 0

    async def get(self, path: str, params: Mapping[str, str], deadline_seconds: float) -> RawAnswer:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        self.asked.set()
        try:
            await self.let_go.wait()
        finally:
            self.under_way -= 1
        return RawAnswer(200, ONE)

    async def close(self) -> None:
        return


def threads_at_work() -> int:
    """Threads that are in the middle of a question; an idle worker of the executor is in none."""
    stacks = [traceback.extract_stack(frame) for frame in sys._current_frames().values()]
    return sum(any(call.name == "_ask" for call in stack) for stack in stacks)


async def test_a_cancelled_question_leaves_no_thread_at_work() -> None:
    held = Held()
    question = asyncio.create_task(Prometheus(held, deadline_seconds=30).query("up"))
    await held.asked.wait()
    assert threads_at_work() == 1
    began = time.monotonic()
    question.cancel()
    with pytest.raises(asyncio.CancelledError):
        await question
    assert threads_at_work() == 0
    assert held.under_way == 0
    assert time.monotonic() - began < 5


async def test_the_loop_goes_on_while_a_thread_waits_and_one_question_is_asked_at_a_time() -> None:
    held = Held()
    prometheus = Prometheus(held, deadline_seconds=30)
    questions = [asyncio.create_task(prometheus.query("up")) for _ in range(5)]
    await held.asked.wait()
    await asyncio.sleep(0)
    held.let_go.set()
    await asyncio.gather(*questions)
    assert held.most == 1


async def test_waiting_for_the_question_before_counts_towards_the_deadline() -> None:
    held = Held()
    prometheus = Prometheus(held, deadline_seconds=0.1)
    first = asyncio.create_task(prometheus.query("up"))
    await held.asked.wait()
    with pytest.raises(PrometheusError, match=r"no answer from held within 0\.1 s"):
        await prometheus.query("up")
    with pytest.raises(PrometheusError):
        await first
