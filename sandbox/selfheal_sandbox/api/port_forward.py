"""The ``portforward`` subresource: SPDY/3.1 inside a WebSocket, as ``kubectl port-forward`` 1.31 and newer speaks it.

For each connection that it accepts, kubectl opens two streams with the same ``requestID``: ``error``, on which the
server says what went wrong, and ``data``. Every message of the WebSocket is a piece of the SPDY connection.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from selfheal_sandbox.api import errors
from selfheal_sandbox.api.request import Request
from selfheal_sandbox.api.server_context import ServerContext
from selfheal_sandbox.api.target import Target
from selfheal_sandbox.network.spdy import (
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    Data,
    Frame,
    FrameReader,
    FrameWriter,
    GoAway,
    Ping,
    Reset,
    SpdyError,
    SynStream,
)
from selfheal_sandbox.store.objects import Object, name_of, status_of

PROTOCOL = "SPDY/3.1+portforward.k8s.io"
CONNECT_SECONDS = 10.0
HEARTBEAT_SECONDS = 30.0
CLOSE_SECONDS = 5.0
CHUNK_BYTES = 32 * 1024
STREAMS_LIMIT = 512
"""Streams that one client may have open."""
QUEUE_CHUNKS = 16
"""What may wait for one slow connection; then the whole session waits for it, as SPDY does without flow control."""


async def forward_ports(context: ServerContext, request: Request, target: Target) -> web.StreamResponse:
    """Relay connections into a pod until the client leaves.

    Raises:
        ApiError: 400, the pod does not run, or no WebSocket of the protocol that we speak; 404, no such pod.
    """
    pod = context.objects.get(target.resource.key, target.place, target.name)
    address = str(status_of(pod).get("podIP") or "")
    if status_of(pod).get("phase") != "Running" or not address:
        phase = status_of(pod).get("phase") or "Pending"
        raise errors.bad_request(f"unable to forward port because pod is not running. Current status={phase}")
    offered = [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    if request.headers.get("Upgrade", "").lower() != "websocket" or PROTOCOL not in offered:
        raise errors.bad_request(f"the sandbox forwards ports over WebSocket ({PROTOCOL}): use kubectl 1.31 or newer")
    socket = web.WebSocketResponse(
        protocols=(PROTOCOL,), heartbeat=HEARTBEAT_SECONDS, timeout=CLOSE_SECONDS, compress=False
    )
    await socket.prepare(request.http)
    session = _Session(socket, pod, address)
    try:
        await session.run()
    finally:
        await session.close()
    return socket


@dataclass(slots=True)
class _Connection:
    """One forwarded connection: its two streams, what waits to go to the pod, and the task that relays it."""

    port: str
    data: int = 0
    error: int = 0
    waiting: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(QUEUE_CHUNKS))
    task: asyncio.Task[None] | None = None
    is_over: bool = False


class _Session:
    """Everything that one client forwards."""

    def __init__(self, socket: web.WebSocketResponse, pod: Object, address: str) -> None:
        self._socket = socket
        self._pod = pod
        self._address = address
        self._reader = FrameReader()
        self._writer = FrameWriter()
        self._requests: dict[str, _Connection] = {}
        self._streams: dict[int, _Connection] = {}

    async def run(self) -> None:
        """Read frames until the client leaves, or sends what cannot be read."""
        with suppress(SpdyError, ConnectionError):
            async for message in self._socket:
                if message.type is not WSMsgType.BINARY:
                    continue
                for frame in self._reader.feed(message.data):
                    if isinstance(frame, GoAway):
                        return
                    await self._take(frame)

    async def close(self) -> None:
        """End every connection, and the session."""
        tasks = [connection.task for connection in self._streams.values() if connection.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(ConnectionError):
            await self._socket.close()

    async def _take(self, frame: Frame) -> None:
        match frame:
            case SynStream():
                await self._open(frame)
            case Data(stream, content, fin):
                await self._pass_on(stream, content, fin=fin)
            case Reset(stream):
                await self._break_off(stream)
            case Ping(number):
                await self._socket.send_bytes(self._writer.ping(number))

    async def _open(self, frame: SynStream) -> None:
        kind, request_id = frame.headers.get("streamtype", ""), frame.headers.get("requestid", "")
        if kind not in ("data", "error") or frame.stream in self._streams:
            await self._socket.send_bytes(self._writer.reset(frame.stream, PROTOCOL_ERROR))
            return
        if len(self._streams) >= STREAMS_LIMIT:
            await self._socket.send_bytes(self._writer.reset(frame.stream, REFUSED_STREAM))
            return
        connection = self._requests.setdefault(request_id, _Connection(frame.headers.get("port", "")))
        self._streams[frame.stream] = connection
        if kind == "data":
            connection.data = frame.stream
        else:
            connection.error = frame.stream
        await self._socket.send_bytes(self._writer.syn_reply(frame.stream))
        if connection.data and connection.error:
            del self._requests[request_id]
            connection.task = asyncio.create_task(self._forward(connection))

    async def _pass_on(self, stream: int, content: bytes, *, fin: bool) -> None:
        connection = self._streams.get(stream)
        if connection is None or connection.is_over or stream != connection.data:
            return
        if content:
            await connection.waiting.put(content)
        if fin:
            await connection.waiting.put(None)

    async def _break_off(self, stream: int) -> None:
        """The client wants no more of it, and waits for the end of the other stream."""
        connection = self._streams.pop(stream, None)
        if connection is None:
            return
        self._requests = {request: other for request, other in self._requests.items() if other is not connection}
        if connection.task is not None:
            connection.task.cancel()
            await asyncio.gather(connection.task, return_exceptions=True)
        await self._finish(connection)

    async def _forward(self, connection: _Connection) -> None:
        """Relay one connection until the pod ends it."""
        problem = ""
        try:
            await self._relay(connection)
        except ConnectionResetError:
            pass  # either side broke off; the end of the streams says so
        except (OSError, ValueError, TimeoutError) as error:
            problem = f"error forwarding port {connection.port} to pod {name_of(self._pod)}: {_why(error)}"
        finally:
            connection.is_over = True
            while not connection.waiting.empty():  # lets go of the session, should it wait for room
                connection.waiting.get_nowait()
        with suppress(ConnectionError):
            if problem:
                await self._socket.send_bytes(self._writer.data(connection.error, problem.encode()))
            await self._finish(connection)

    async def _relay(self, connection: _Connection) -> None:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(self._address, _port_number(connection.port))
        sending = asyncio.create_task(_send_all(connection.waiting, writer))
        try:
            while data := await reader.read(CHUNK_BYTES):
                await self._socket.send_bytes(self._writer.data(connection.data, data))
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.close()

    async def _finish(self, connection: _Connection) -> None:
        """End our direction of both streams, each once."""
        for stream in (connection.data, connection.error):
            if self._streams.pop(stream, None) is not None:
                await self._socket.send_bytes(self._writer.data(stream, b"", fin=True))


def _port_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536):
        raise ValueError(f"{text!r} is no port")
    return int(text)


def _why(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_SECONDS:.0f} s"
    return str(error)


async def _send_all(waiting: asyncio.Queue[bytes | None], writer: asyncio.StreamWriter) -> None:
    """Send what the client sends, and its end; what a broken connection does not take is dropped."""
    is_broken = False
    while (data := await waiting.get()) is not None:
        if is_broken:
            continue
        try:
            writer.write(data)
            await writer.drain()
        except ConnectionError:
            is_broken = True
    if not is_broken and writer.can_write_eof():
        with suppress(OSError):
            writer.write_eof()
