"""The ``exec`` subresource: a program in a container over a WebSocket.

Protocols ``v5.channel.k8s.io`` and ``v4.channel.k8s.io``: each binary message begins with the number of its channel
(0 standard input, 1 standard output, 2 standard error, 3 the final Status). In v5 a message of channel 255 closes the
channel it names. Terminals and the older SPDY transport are refused with a Status.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from aiohttp import WSMsgType, web

from selfheal_sandbox.api import errors
from selfheal_sandbox.api.containers import container_named
from selfheal_sandbox.api.ports import ERROR, STDIN, STDOUT, ExecStream
from selfheal_sandbox.api.request import Query, Request
from selfheal_sandbox.api.responses import encode
from selfheal_sandbox.api.server_context import ServerContext
from selfheal_sandbox.api.target import Target
from selfheal_sandbox.store.objects import Object

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
CLOSE_CHANNEL = 255
INPUT_QUEUE_MESSAGES = 64
HEARTBEAT_SECONDS = 30.0
CLOSE_SECONDS = 5.0


async def execute(context: ServerContext, request: Request, target: Target) -> web.StreamResponse:
    """Run a program and relay its streams until it ends or the client leaves.

    What keeps the program from starting is told inside the WebSocket: after a refused handshake, kubectl would try SPDY
    and show that error instead.

    Raises:
        ApiError: 400, no WebSocket of a protocol we speak; 404, no such pod.
    """
    pod = context.objects.get(target.resource.key, target.place, target.name)
    _check_transport(request)
    socket = web.WebSocketResponse(protocols=PROTOCOLS, heartbeat=HEARTBEAT_SECONDS, timeout=CLOSE_SECONDS)
    await socket.prepare(request.http)
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(INPUT_QUEUE_MESSAGES)
    try:
        program = await _start(context, pod, request.query, queue)
    except errors.ApiError as error:
        await socket.send_bytes(bytes([ERROR]) + encode(error.status()))
        await socket.close()
        return socket
    try:
        await _relay(socket, program, queue, request)
    finally:
        await program.close()
    return socket


async def _start(context: ServerContext, pod: Object, query: Query, queue: asyncio.Queue[bytes | None]) -> ExecStream:
    if query.flag("tty"):
        raise errors.bad_request("the sandbox gives no terminal: run kubectl exec without -t (--tty)")
    argv = query.all("command")
    if not argv:
        raise errors.bad_request("you must specify at least 1 command for the container")
    container = container_named(pod, query.text("container"))
    return await context.runtime.execute(pod, container, argv, _input(queue) if query.flag("stdin") else None)


def _check_transport(request: Request) -> None:
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise errors.bad_request("the sandbox serves exec over WebSocket only: use kubectl 1.30 or newer")
    offered = [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    if not any(name in PROTOCOLS for name in offered):
        raise errors.bad_request(f"the sandbox speaks {' and '.join(PROTOCOLS)}, not {', '.join(offered)}")


async def _input(queue: asyncio.Queue[bytes | None]) -> AsyncIterator[bytes]:
    while (data := await queue.get()) is not None:
        yield data


async def _relay(
    socket: web.WebSocketResponse, program: ExecStream, queue: asyncio.Queue[bytes | None], request: Request
) -> None:
    """Relay both ways; the end of the program ends it, and so does the client's leaving."""
    reading = asyncio.create_task(_read_input(socket, queue if request.query.flag("stdin") else None))
    writing = asyncio.create_task(_write_output(socket, program, request))
    try:
        await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
        if not writing.done() and not socket.closed:
            await writing
        if writing.done():
            writing.result()
    finally:
        for task in (reading, writing):
            task.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)
        with suppress(ConnectionError):
            await socket.close()


async def _read_input(socket: web.WebSocketResponse, queue: asyncio.Queue[bytes | None] | None) -> None:
    """Hand what the client types to the program; ends when the client closes its input or leaves."""
    async for message in socket:
        if queue is None or message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
            continue
        data = message.data if isinstance(message.data, bytes) else message.data.encode()
        if data[:1] == bytes([STDIN]) and len(data) > 1:
            await queue.put(data[1:])
        elif data[:2] == bytes([CLOSE_CHANNEL, STDIN]):
            await queue.put(None)


async def _write_output(socket: web.WebSocketResponse, program: ExecStream, request: Request) -> None:
    wanted = {STDOUT: request.query.flag("stdout"), STDOUT + 1: request.query.flag("stderr")}
    async for channel, data in program:
        if wanted.get(channel):
            await socket.send_bytes(bytes([channel]) + data)
    code = await program.wait()
    await socket.send_bytes(bytes([ERROR]) + encode(exit_status(code)))


def exit_status(code: int) -> Object:
    """Return the Status that ends an exec, as a kubelet words it."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }
