"""HTTP in pieces: a request as it came in, and the means to answer it badly."""

import asyncio
import json
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

JSON = "application/json"
Clock = Callable[[], float]


@dataclass(frozen=True)
class Request:
    """One request as it came in; ``at`` by the monotonic clock."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    at: float = 0.0

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def is_watch(self) -> bool:
        return self.query.get("watch") in ("true", "1")

    @property
    def is_streamed_list(self) -> bool:
        return self.is_watch and self.query.get("sendInitialEvents") == "true"

    @property
    def is_review(self) -> bool:
        return self.method == "POST" and "accessreviews" in self.path

    @property
    def kind(self) -> str:
        """What it is for: ``list``, ``stream`` (a streamed list), ``watch``, ``review``, ``dry-run`` or ``write``."""
        if self.method != "GET":
            dry = "dryRun" in self.query or b'"dryRun"' in self.body
            return "review" if self.is_review else "dry-run" if dry else "write"
        if self.is_watch:
            return "stream" if self.is_streamed_list else "watch"
        return "list"


@dataclass
class Exchange:
    """A request, and the means to answer it in pieces."""

    request: Request
    writer: asyncio.StreamWriter
    clock: Clock = time.time
    keep_alive: bool = True
    head_sent: bool = False

    async def answer(
        self, status: int, body: bytes = b"", *, content_type: str = JSON, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a whole answer."""
        lines = {"Content-Type": content_type, "Content-Length": str(len(body)), **(headers or {})}
        self.writer.write(self._head(status, lines) + body)
        await self.writer.drain()

    async def answer_json(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        await self.answer(status, json.dumps(value).encode(), headers=headers)

    async def open(self, content_type: str = JSON) -> None:
        """Send the head of a stream, unless it is sent."""
        if not self.head_sent:
            self.head_sent = True
            self.writer.write(self._head(200, {"Content-Type": content_type, "Transfer-Encoding": "chunked"}))
            await self.writer.drain()

    async def send(self, data: bytes) -> None:
        """Send one chunk of a stream, opening it first if need be."""
        await self.open()
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self.writer.drain()

    async def line(self, value: Any) -> None:
        """Send one JSON line."""
        await self.send(json.dumps(value).encode() + b"\n")

    async def close(self) -> None:
        """End the stream properly."""
        await self.open()
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    def reset(self) -> None:
        """Cut the connection with a TCP reset."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        self.keep_alive = False

    async def freeze(self) -> None:
        """Say nothing more until the server stops."""
        await asyncio.Event().wait()

    def _head(self, status: int, headers: Mapping[str, str]) -> bytes:
        first = [f"HTTP/1.1 {status} Scripted", f"Date: {formatdate(self.clock(), usegmt=True)}"]
        lines = [*first, *(f"{name}: {value}" for name, value in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


Behaviour = Callable[[Exchange], Awaitable[None]]


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request of a connection; None at its end."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Request(method, unquote(parts.path), query, headers, body, time.monotonic())


def status_object(code: int, reason: str, message: str, **more: Any) -> dict[str, Any]:
    """A Kubernetes ``Status``."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
        **more,
    }
