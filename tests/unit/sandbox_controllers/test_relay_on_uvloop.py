"""The relay on the event loop that the sandbox runs on; uvloop reads from a connection although it was asked not to."""

import asyncio
import socket

import uvloop

from selfheal_sandbox.network.listener import Listener, ProxyLimits
from selfheal_sandbox.network.routing import Endpoint

HOST = "127.0.0.1"
ROUNDS = 20


async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An endpoint: answers everything it was sent, in capitals, once that ended."""
    writer.write((await reader.read()).upper())
    await writer.drain()
    writer.close()


async def ask(port: int, text: bytes) -> bytes:
    """Send a text and the end of it at once, before the other side can have been found."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(text)
    writer.write_eof()
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    return answer


async def answers_through_a_listener() -> list[bytes]:
    async with await asyncio.start_server(shout, HOST, 0) as endpoint:
        listener = Listener(ProxyLimits())
        with socket.create_server((HOST, 0)) as sock:
            port = sock.getsockname()[1]
            await listener.open(sock)
            listener.route([Endpoint(HOST, endpoint.sockets[0].getsockname()[1])])
            found = [await ask(port, b"hello %d" % number) for number in range(ROUNDS)]
        await listener.abort()
    return found


def test_nothing_that_comes_with_the_connection_is_lost() -> None:
    assert uvloop.run(answers_through_a_listener()) == [b"HELLO %d" % number for number in range(ROUNDS)]
