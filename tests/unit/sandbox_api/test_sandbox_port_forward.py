"""Port-forward against the server: connections into a pod, each with its own streams, and how they end."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest

from selfheal_sandbox.api.port_forward import PROTOCOL
from selfheal_sandbox.store.objects import with_status
from tests.unit.sandbox_api.bodies import PODS, pod
from tests.unit.sandbox_api.conftest import Server
from tests.unit.sandbox_api.spdy_client import ClientWriter

SECONDS = 5.0
NS = "default"
PATH = f"/api/v1/namespaces/{NS}/pods/p/portforward"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Client:
    """kubectl's side: opens pairs of streams, and collects what comes on each."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.writer = ClientWriter()
        self.replies: list[tuple[int, int]] = []
        self.content: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self._next = 1

    async def open(self, port: str, request_id: str = "0") -> tuple[int, int]:
        """Open an error and a data stream and return their numbers."""
        error, data = self._next, self._next + 2
        self._next += 4
        for stream, kind in ((error, "error"), (data, "data")):
            await self.open_one(stream, kind, port, request_id)
        await self.socket.send_bytes(self.writer.data(error, b"", fin=True))
        return error, data

    async def open_one(self, stream: int, kind: str, port: str, request_id: str = "0") -> None:
        """Open one stream of a pair, and wait until it is taken."""
        headers = {"streamtype": kind, "port": port, "requestid": request_id}
        await self.socket.send_bytes(self.writer.syn_stream(stream, headers))
        await self.until(lambda: any(number == stream for _, number in self.replies))

    async def send(self, stream: int, content: bytes, *, fin: bool = False) -> None:
        await self.socket.send_bytes(self.writer.data(stream, content, fin=fin))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Read until a condition holds."""
        async with asyncio.timeout(SECONDS):
            while not condition():
                self._take(await self.socket.receive_bytes())

    def _take(self, message: bytes) -> None:
        while message:
            first, second, rest = struct.unpack_from(">HHI", message)
            body, message = message[8 : 8 + (rest & 0xFFFFFF)], message[8 + (rest & 0xFFFFFF) :]
            if first & 0x8000:
                self.replies.append((second, struct.unpack_from(">I", body)[0]))
                continue
            self.content[second] = self.content.get(second, b"") + body
            if rest >> 24:
                self.ended.add(second)


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[str]:
    """Run a program that listens, as a pod would; yields its port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield str(server.sockets[0].getsockname()[1])


@asynccontextmanager
async def forwarding(server: Server) -> AsyncIterator[Client]:
    """Open a session to a pod that runs."""
    created = server.objects.create(PODS, NS, pod("p"))
    server.objects.set_status(PODS, created, with_status(created, phase="Running", podIP="127.0.0.1")["status"])
    async with server.session.ws_connect(server.url + PATH, protocols=(PROTOCOL,)) as socket:
        assert socket.protocol == PROTOCOL
        yield Client(socket)


async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send everything back in upper case once it has all come."""
    writer.write((await reader.read()).upper())
    await writer.drain()


async def test_a_connection_goes_both_ways_and_ends_on_both_streams(server: Server) -> None:
    async with listening(shout) as port, forwarding(server) as client:
        error, data = await client.open(port)
        await client.send(data, b"hello ")
        await client.send(data, b"pod", fin=True)
        await client.until(lambda: {error, data} <= client.ended)

    assert (client.content[data], client.content[error]) == (b"HELLO POD", b"")


async def test_connections_do_not_wait_for_each_other(server: Server) -> None:
    async with listening(shout) as port, forwarding(server) as client:
        _, slow = await client.open(port, "0")
        _, quick = await client.open(port, "1")
        await client.send(quick, b"quick", fin=True)
        await client.until(lambda: quick in client.ended)
        assert slow not in client.ended
        await client.send(slow, b"slow", fin=True)
        await client.until(lambda: slow in client.ended)

    assert (client.content[quick], client.content[slow]) == (b"QUICK", b"SLOW")


async def test_much_data_arrives_whole(server: Server) -> None:
    text = bytes(range(97, 123)) * 40_000
    async with listening(shout) as port, forwarding(server) as client:
        _, data = await client.open(port)
        for begin in range(0, len(text), 30_000):
            await client.send(data, text[begin : begin + 30_000])
        await client.send(data, b"", fin=True)
        await client.until(lambda: data in client.ended)

    assert client.content[data] == text.upper()


@pytest.mark.parametrize(("port", "reason"), [("1", "connection refused"), ("", "is no port"), ("70000", "is no port")])
async def test_a_port_that_nobody_listens_on_is_told_on_the_error_stream(
    server: Server, port: str, reason: str
) -> None:
    async with forwarding(server) as client:
        error, data = await client.open(port)
        await client.until(lambda: {error, data} <= client.ended)

    text = client.content[error].decode()
    assert text.startswith(f"error forwarding port {port} to pod p: ")
    assert text.endswith(reason)


async def test_a_client_that_breaks_off_is_waited_for_no_more(server: Server) -> None:
    gone = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        gone.set()

    async with listening(wait) as port, forwarding(server) as client:
        error, data = await client.open(port)
        await client.socket.send_bytes(client.writer.control(3, struct.pack(">II", data, 5)))
        await client.until(lambda: error in client.ended)
        async with asyncio.timeout(SECONDS):
            await gone.wait()


async def test_a_pair_that_was_broken_off_half_open_is_forgotten(server: Server) -> None:
    async with listening(shout) as port, forwarding(server) as client:
        await client.open_one(1, "error", port)
        await client.socket.send_bytes(client.writer.control(3, struct.pack(">II", 1, 5)))
        await client.open_one(3, "data", port)
        await client.open_one(5, "error", port)
        await client.send(3, b"again", fin=True)
        await client.until(lambda: {3, 5} <= client.ended)

    assert (client.content[3], client.content[5]) == (b"AGAIN", b"")


async def test_a_program_that_does_not_read_stops_nobody_from_leaving(server: Server) -> None:
    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        return

    async with listening(ignore) as port, forwarding(server) as client:
        error, data = await client.open(port)
        for _ in range(100):
            await client.send(data, b"x" * 30_000)
        await client.until(lambda: {error, data} <= client.ended)
        await client.socket.send_bytes(client.writer.control(6, struct.pack(">I", 7)))
        await client.until(lambda: (6, 7) in client.replies)


async def test_leaving_ends_what_was_forwarded(server: Server) -> None:
    gone = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        gone.set()

    async with listening(wait) as port:
        async with forwarding(server) as client:
            await client.open(port)
            await client.socket.send_bytes(client.writer.control(7, struct.pack(">II", 0, 0)))
        async with asyncio.timeout(SECONDS):
            await gone.wait()


async def test_streams_of_no_known_kind_are_reset(server: Server) -> None:
    async with forwarding(server) as client:
        await client.socket.send_bytes(client.writer.syn_stream(1, {"streamtype": "other"}))
        await client.until(lambda: bool(client.replies))

    assert client.replies == [(3, 1)]


async def test_nonsense_ends_the_session(server: Server) -> None:
    async with forwarding(server) as client:
        await client.socket.send_bytes(b"\x80\x02" + b"\0" * 20)
        message = await client.socket.receive(SECONDS)

    assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED)


async def test_a_pod_that_does_not_run_is_refused_in_words(server: Server) -> None:
    server.objects.create(PODS, NS, pod("p"))
    waiting = await server.get(PATH)

    assert (waiting.code, waiting.json["message"]) == (
        400,
        "unable to forward port because pod is not running. Current status=Pending",
    )
    assert (await server.get(PATH.replace("/p/", "/none/"))).code == 404


async def test_other_transports_are_refused_with_what_to_use(server: Server) -> None:
    async with forwarding(server):
        answer = await server.post(PATH, {}, headers={"Upgrade": "SPDY/3.1", "Connection": "Upgrade"})

    assert (answer.code, "use kubectl 1.31 or newer" in answer.json["message"]) == (400, True)
