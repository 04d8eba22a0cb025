"""A small HTTP client on asyncio streams that sees what a connection really does: kept, closed, or reset."""

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Self

DEADLINE_SECONDS = 10.0


@dataclass(frozen=True)
class Answer:
    status: int
    closes: bool
    body: bytes


class Connection:
    """One connection; errors of the socket come through as they are, an early end as `asyncio.IncompleteReadError`."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    async def get(self, path: str = "/", method: str = "GET") -> Answer:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self.send(path, method)
            return await self.receive()

    async def send(self, path: str = "/", method: str = "GET") -> None:
        self._writer.write(f"{method} {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        await self._writer.drain()

    async def receive(self) -> Answer:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await self._reader.readexactly(int(fields["content-length"]))
        return Answer(int(head.split()[1]), fields.get("connection") == "close", body)

    async def ended(self) -> bool:
        """Whether the server ends the connection, in order, within the deadline."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await self._reader.read() == b""
