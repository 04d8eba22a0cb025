"""What reaches beyond the store: logs, exec, proxies, metrics."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from selfheal_sandbox.api.errors import bad_request
from selfheal_sandbox.api.ports import ContainerUsage, LogOptions, NodeUsage
from selfheal_sandbox.store.objects import Object
from tests.contract.api import leave
from tests.unit.sandbox_api.bodies import PODS, SERVICES, pod, service
from tests.unit.sandbox_api.conftest import DEADLINE_SECONDS, Server

NS = "default"
CORE = "/api/v1/namespaces/default"
TWO = [{"name": "main", "image": "busybox:1"}, {"name": "side", "image": "busybox:1"}]


async def test_logs_are_streamed_as_text(server: Server) -> None:
    server.objects.create(PODS, NS, pod("p"))
    server.runtime.logs = [b"one\n", b"two\n"]
    answer = await server.get(f"{CORE}/pods/p/log", accept="*/*")

    assert (answer.code, answer.headers["Content-Type"], answer.body) == (200, "text/plain", b"one\ntwo\n")
    assert server.runtime.asked == [("main", LogOptions())]


async def test_log_options_reach_the_kubelet(server: Server) -> None:
    server.objects.create(PODS, NS, pod("p", containers=TWO))
    query = {
        "container": "side",
        "previous": "true",
        "follow": "1",
        "tailLines": "5",
        "sinceTime": "2026-03-01T10:00:00+01:00",
        "timestamps": "true",
        "limitBytes": "99",
    }
    await server.get(f"{CORE}/pods/p/log", **query)

    since = datetime(2026, 3, 1, 9, tzinfo=UTC)
    options = LogOptions(True, True, 5, None, since, timestamps=True, limit_bytes=99)
    assert server.runtime.asked == [("side", options)]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, 400),
        ({"container": "none"}, 400),
        ({"container": "main", "tailLines": "-1"}, 422),
        ({"container": "main", "tailLines": "x"}, 400),
        ({"container": "main", "limitBytes": "0"}, 422),
        ({"container": "main", "sinceSeconds": "0"}, 422),
        ({"container": "main", "sinceTime": "yesterday"}, 400),
        ({"container": "main", "sinceTime": "2026-03-01T10:00:00Z", "sinceSeconds": "5"}, 422),
    ],
)
async def test_malformed_log_requests_are_refused(server: Server, query: dict[str, str], code: int) -> None:
    server.objects.create(PODS, NS, pod("p", containers=TWO))

    assert (await server.ask("GET", f"{CORE}/pods/p/log", None, **query)).code == code  # type: ignore[arg-type]


@pytest.mark.parametrize("logs", [[b"one\n"], []])
async def test_a_followed_log_goes_on_until_the_client_leaves(server: Server, logs: list[bytes]) -> None:
    server.objects.create(PODS, NS, pod("p"))
    server.runtime.logs, server.runtime.keeps_following = logs, True
    url = f"{server.url}{CORE}/pods/p/log"
    async with server.session.get(url, params={"follow": "true"}) as response:
        assert response.status == 200
        if logs:
            assert await response.content.readline() == logs[0]
        leave(response)

    async with asyncio.timeout(DEADLINE_SECONDS):
        while not server.runtime.left:
            await asyncio.sleep(0.01)


async def test_what_the_kubelet_says_against_a_log_is_a_status(server: Server) -> None:
    server.objects.create(PODS, NS, pod("p"))
    server.runtime.error = bad_request('container "main" in pod "p" is waiting to start: ContainerCreating')
    answer = await server.get(f"{CORE}/pods/p/log")

    assert (answer.code, "ContainerCreating" in answer.json["message"]) == (400, True)


class Execution:
    """The messages of one exec, by channel."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.output: dict[int, bytes] = {}
        self.status: Object = {}

    async def finish(self) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            async for message in self._socket:
                assert message.type == WSMsgType.BINARY
                channel, data = message.data[0], message.data[1:]
                if channel == 3:
                    self.status = json.loads(data)
                else:
                    self.output[channel] = self.output.get(channel, b"") + data


def exec_url(server: Server, *command: str, **flags: str) -> str:
    query = "&".join([*(f"command={part}" for part in command), *(f"{name}={value}" for name, value in flags.items())])
    return f"{server.url}{CORE}/pods/p/exec?{query}"


async def test_exec_relays_output_and_success(server: Server) -> None:
    server.objects.create(PODS, NS, pod("p"))
    url = exec_url(server, "echo", "hi", stdout="1", stderr="1")
    async with server.session.ws_connect(url, protocols=["v5.channel.k8s.io"]) as socket:
        execution = Execution(socket)
        await execution.finish()

    assert socket.protocol == "v5.channel.k8s.io"
    assert execution.output == {1: b"echo hi", 2: b"a warning"}
    assert execution.status == {"metadata": {}, "status": "Success"}


async def test_exec_tells_the_exit_code(server: Server) -> None:
    server.objects.create(PODS, NS, pod("p"))
    server.runtime.exit_code = 3
    async with server.session.ws_connect(exec_url(server, "false"), protocols=["v4.channel.k8s.io"]) as socket:
        execution = Execution(socket)
        await execution.finish()

    assert execution.output == {}
    assert execution.status["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]


async def test_exec_passes_input_until_it_is_closed(server: Server) -> None:
    server.objects.create(PODS, NS, pod("p"))
    url = exec_url(server, "cat", stdin="true", stdout="true")
    async with server.session.ws_connect(url, protocols=["v5.channel.k8s.io"]) as socket:
        await socket.send_bytes(b"\x00one")
        await socket.send_bytes(b"\x00two")
        await socket.send_bytes(b"\xff\x00")
        execution = Execution(socket)
        await execution.finish()

    assert execution.output[1] == b"catecho oneecho two"
    assert execution.status["status"] == "Success"


async def test_exec_ends_the_program_when_the_client_leaves(server: Server) -> None:
    server.objects.create(PODS, NS, pod("p"))
    url = exec_url(server, "cat", stdin="true", stdout="true")
    async with server.session.ws_connect(url, protocols=["v5.channel.k8s.io"]) as socket:
        await socket.receive()

    async with asyncio.timeout(DEADLINE_SECONDS):
        while not server.runtime.programs[0].closed:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("command", "flags", "words"),
    [
        (["sh"], {"tty": "true"}, "without -t"),
        (["sh"], {"container": "none"}, "container none is not valid"),
        ([], {}, "at least 1 command"),
    ],
)
async def test_what_exec_cannot_do_is_told_inside_the_socket(
    server: Server, command: list[str], flags: dict[str, str], words: str
) -> None:
    server.objects.create(PODS, NS, pod("p"))
    url = exec_url(server, *command, **flags)
    async with server.session.ws_connect(url, protocols=["v5.channel.k8s.io"]) as socket:
        execution = Execution(socket)
        await execution.finish()

    assert words in execution.status["message"]
    assert server.runtime.programs == []


async def test_exec_without_a_socket_we_speak_is_refused(server: Server) -> None:
    server.objects.create(PODS, NS, pod("p"))
    spdy = await server.post(f"{CORE}/pods/p/exec", {}, headers={"Upgrade": "SPDY/3.1", "Connection": "Upgrade"})
    assert (spdy.code, "WebSocket only" in spdy.json["message"]) == (400, True)

    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await server.session.ws_connect(exec_url(server, "sh"), protocols=["base64.channel.k8s.io"])
    assert caught.value.status == 400


class Backend:
    """A plain HTTP server that says what it was asked."""

    def __init__(self, port: int) -> None:
        self.port = port


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/redirect":
            raise web.HTTPFound("http://elsewhere.invalid/")
        body = await request.text()
        secret = request.headers.get("Authorization", "none")
        text = f"{request.method} {request.raw_path} body={body} authorization={secret}"
        encodings = request.headers.get("Accept-Encoding", "none")
        return web.Response(text=text, status=203, headers={"X-Backend": "yes", "X-Accepts": encodings})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield Backend(runner.addresses[0][1])
    await runner.cleanup()


def pod_with_address(server: Server, name: str, port: int) -> None:
    ports = [{"name": "web", "containerPort": port}]
    created = server.objects.create(PODS, NS, pod(name, containers=[{"name": "main", "image": "i:1", "ports": ports}]))
    server.objects.set_status(PODS, created, {"phase": "Running", "podIP": "127.0.0.1"})


@pytest.mark.parametrize("reference", ["p", "p:{port}", "p:web", "http:p:web"])
async def test_requests_are_forwarded_to_a_pod(server: Server, backend: Backend, reference: str) -> None:
    pod_with_address(server, "p", backend.port)
    path = f"{CORE}/pods/{reference.format(port=backend.port)}/proxy/a/b%20c/"
    answer = await server.session.post(server.url + path + "?x=1%262", data=b"hello")

    assert (answer.status, answer.headers["X-Backend"]) == (203, "yes")
    assert await answer.text() == "POST /a/b%20c/?x=1%262 body=hello authorization=none"


@pytest.mark.parametrize("encoding", ["identity", "br"])
async def test_whether_an_answer_is_compressed_is_up_to_the_client(
    server: Server, backend: Backend, encoding: str
) -> None:
    pod_with_address(server, "p", backend.port)
    asked = {"Accept-Encoding": encoding}
    async with server.session.get(f"{server.url}{CORE}/pods/p/proxy/x", headers=asked) as answer:
        assert answer.headers["X-Accepts"] == encoding


async def test_redirects_are_passed_on_and_not_followed(server: Server, backend: Backend) -> None:
    pod_with_address(server, "p", backend.port)
    async with server.session.get(f"{server.url}{CORE}/pods/p/proxy/redirect", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "http://elsewhere.invalid/")


async def test_a_namespace_called_proxy_does_not_confuse_the_path(server: Server, backend: Backend) -> None:
    server.objects.create(("", "namespaces"), "", {"metadata": {"name": "proxy"}})
    created = server.objects.create(PODS, "proxy", pod("proxy"))
    server.objects.set_status(PODS, created, {"podIP": "127.0.0.1"})
    answer = await server.get(f"/api/v1/namespaces/proxy/pods/proxy:{backend.port}/proxy/proxy/x")

    assert answer.body.startswith(b"GET /proxy/x ")


@pytest.mark.parametrize("reference", ["s", "s:web", "s:80"])
async def test_requests_are_forwarded_to_a_ready_endpoint(server: Server, backend: Backend, reference: str) -> None:
    server.objects.create(SERVICES, NS, service("s"))
    server.network.endpoints["s", "web"] = ("127.0.0.1", backend.port)
    answer = await server.get(f"{CORE}/services/{reference}/proxy/metrics")

    assert (answer.code, answer.body.split()[1]) == (203, b"/metrics")


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("services/s/proxy/", 503, 'no endpoints available for service "s"'),
        ("services/s:9/proxy/", 503, 'no service port "9" found'),
        ("services/none/proxy/", 404, "not found"),
        ("services/a:b:c:d/proxy/", 400, "invalid proxy request"),
        ("services/ftp:s:80/proxy/", 400, "invalid proxy request"),
        ("pods/new/proxy/", 400, "no IP address"),
        ("pods/p:none/proxy/", 400, 'invalid port "none"'),
        ("pods/p:99999/proxy/", 400, "invalid port"),
        ("pods/p:1/proxy/", 503, "error trying to reach service"),
    ],
)
async def test_what_cannot_be_forwarded_is_a_status(server: Server, path: str, code: int, words: str) -> None:
    server.objects.create(SERVICES, NS, service("s"))
    server.objects.create(PODS, NS, pod("new"))
    pod_with_address(server, "p", 1)
    answer = await server.get(f"{CORE}/{path}")

    assert (answer.code, answer.json["kind"]) == (code, "Status")
    assert words in answer.json["message"]


METRICS = "/apis/metrics.k8s.io/v1beta1"


async def test_metrics_of_pods_come_from_the_kubelet(server: Server) -> None:
    server.objects.create(PODS, NS, pod("busy", {"app": "web"}))
    server.objects.create(PODS, NS, pod("unknown"))
    server.objects.create(PODS, "kube-system", pod("other"))
    usage = [ContainerUsage("main", 250, 18 * 1024 * 1024)]
    server.runtime.usages = {"busy": usage, "other": usage}

    listed = (await server.get(f"{METRICS}/namespaces/default/pods")).json
    (item,) = listed["items"]
    assert (listed["kind"], item["metadata"]["name"]) == ("PodMetricsList", "busy")
    assert item["containers"] == [{"name": "main", "usage": {"cpu": "250m", "memory": "18432Ki"}}]
    assert (await server.get(f"{METRICS}/namespaces/default/pods/busy")).json["kind"] == "PodMetrics"
    assert len((await server.get(f"{METRICS}/pods")).json["items"]) == 2
    assert (await server.get(f"{METRICS}/pods", labelSelector="app=web")).json["items"] == [item]


async def test_metrics_of_nodes_come_from_the_kubelet(server: Server) -> None:
    server.objects.create(("", "nodes"), "", {"metadata": {"name": "node-1"}})
    server.runtime.node_usages = {"node-1": NodeUsage(1500, 1024)}
    node = (await server.get(f"{METRICS}/nodes/node-1")).json

    assert (node["usage"], node["window"]) == ({"cpu": "1500m", "memory": "1Ki"}, "15s")


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/namespaces/default/pods/none", 404),
        ("GET", "/things", 404),
        ("GET", "/namespaces/default/nodes", 404),
        ("GET", "/namespaces/default/pods/p/log", 404),
        ("POST", "/nodes", 405),
        ("GET", "/pods?watch=1", 405),
        ("GET", "/pods?labelSelector=a=b=c", 400),
    ],
)
async def test_metrics_that_do_not_exist(server: Server, method: str, path: str, code: int) -> None:
    assert (await server.ask(method, METRICS + path)).code == code
