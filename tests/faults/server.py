"""A scripted Kubernetes-like server: a small real list/watch, and every way in which a server can misbehave.

Unscripted, it lists and watches one collection as an API server does. Behaviours put into ``on_list``, ``on_watch``
and ``answers`` replace that, one request each.
"""

import asyncio
import contextlib
import json
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml

PODS = "/api/v1/pods"
JSON = "application/json"


@dataclass(frozen=True)
class Request:
    """One request as it came in."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def is_watch(self) -> bool:
        return self.query.get("watch") == "true"


@dataclass
class Exchange:
    """A request, and the means to answer it in pieces."""

    server: "FaultServer"
    request: Request
    writer: asyncio.StreamWriter
    keep_alive: bool = True
    chunked: bool = False
    _head_sent: bool = False

    async def answer(
        self, status: int, body: bytes = b"", *, content_type: str = JSON, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a whole answer."""
        lines = {"Content-Type": content_type, "Content-Length": str(len(body)), **(headers or {})}
        self.writer.write(_head(status, lines) + body)
        await self.writer.drain()

    async def answer_json(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        await self.answer(status, json.dumps(value).encode(), headers=headers)

    async def open(self, content_type: str = JSON) -> None:
        """Send the head of a stream."""
        self.chunked, self._head_sent = True, True
        self.writer.write(_head(200, {"Content-Type": content_type, "Transfer-Encoding": "chunked"}))
        await self.writer.drain()

    async def send(self, data: bytes) -> None:
        """Send one chunk of a stream, opening it first if need be."""
        if not self._head_sent:
            await self.open()
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self.writer.drain()

    async def line(self, value: Any) -> None:
        """Send one JSON line."""
        await self.send(json.dumps(value).encode() + b"\n")

    async def close(self) -> None:
        """End the stream properly."""
        if not self._head_sent:
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


Behaviour = Callable[[Exchange], Awaitable[None]]


@dataclass
class FaultServer:
    """The server, on a loopback port of its own.

    Attributes:
        on_list: Behaviours for the next lists; empty means a proper answer.
        on_watch: Behaviours for the next watches; the same.
        always_watch: Behaviour for every watch without one of its own.
        answers: Behaviours by method and path, for everything else; the last one stays.
        tokens: Accepted bearer tokens; None accepts anybody.
        requests: All requests so far.
    """

    collection: str = PODS
    on_list: deque[Behaviour] = field(default_factory=deque)
    on_watch: deque[Behaviour] = field(default_factory=deque)
    always_list: Behaviour | None = None
    always_watch: Behaviour | None = None
    answers: dict[tuple[str, str], deque[Behaviour]] = field(default_factory=dict)
    tokens: set[str] | None = None
    requests: list[Request] = field(default_factory=list)
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    port: int = 0
    _version: int = 100
    _oldest: int = 0
    _history: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)
    _moved: asyncio.Condition = field(default_factory=asyncio.Condition)
    _listener: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def lists(self) -> int:
        """First pages asked for."""
        return sum(1 for r in self._of_collection() if not r.is_watch and "continue" not in r.query)

    @property
    def watches(self) -> int:
        return sum(1 for r in self._of_collection() if r.is_watch)

    @property
    def connections(self) -> int:
        """Connections open now."""
        return len(self._tasks)

    @property
    def version(self) -> str:
        return str(self._version)

    def kubeconfig(self, folder: Path, *, user: Mapping[str, Any] | None = None) -> Path:
        """Write a kubeconfig that leads here."""
        file = folder / "kubeconfig"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "faults",
            "contexts": [
                {"name": "faults", "context": {"cluster": "faults", "user": "tester", "namespace": "payments"}}
            ],
            "clusters": [{"name": "faults", "cluster": {"server": self.url}}],
            "users": [{"name": "tester", "user": dict(user or {"token": "t0"})}],
        }
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump(document))
        return file

    async def start(self) -> None:
        """Listen; on the same port as before after a stop."""
        self._listener = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, reuse_address=True, limit=2**20
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and cut every connection."""
        assert self._listener is not None
        self._listener.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Cut every connection, and go on listening."""
        for task in self._tasks:
            task.cancel()

    async def put(self, name: str, **fields: Any) -> dict[str, Any]:
        """Create or change an object; watchers hear of it."""
        known = self.objects.get(name)
        self._version += 1
        metadata = {"name": name, "namespace": "payments", "uid": f"uid-{name}", "resourceVersion": self.version}
        self.objects[name] = made = {"metadata": metadata, **fields}
        await self._tell("MODIFIED" if known else "ADDED", made)
        return made

    async def remove(self, name: str) -> None:
        """Delete an object; watchers hear of it."""
        self._version += 1
        gone = self.objects.pop(name)
        last = {**gone, "metadata": {**gone["metadata"], "resourceVersion": self.version}}
        await self._tell("DELETED", last)

    async def bookmark(self) -> None:
        """Send every watcher a bookmark."""
        await self._tell("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": self.version}})

    def forget_history(self) -> None:
        """Compact: watches and continue tokens from before are answered with 410."""
        self._history.clear()
        self._oldest = self._version

    def script(self, method: str, path: str, *behaviours: Behaviour) -> None:
        """Script the answers of a path; the last one stays."""
        self.answers[method, path] = deque(behaviours)

    async def list_page(self, exchange: Exchange) -> None:
        """Answer a list as an API server does, in pages."""
        query = exchange.request.query
        names = sorted(self.objects)
        start = int(query.get("continue", "0"))
        stop = start + int(query["limit"]) if "limit" in query else len(names)
        metadata = {"resourceVersion": self.version, **({"continue": str(stop)} if stop < len(names) else {})}
        items = [self.objects[name] for name in names[start:stop]]
        await exchange.answer_json(200, {"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": items})

    async def watch(self, exchange: Exchange) -> None:
        """Answer a watch as an API server does, until the connection ends."""
        since = int(exchange.request.query.get("resourceVersion") or 0)
        if since < self._oldest:
            await exchange.answer_json(410, status_object(410, "Expired", "too old resource version"))
            return
        await exchange.open()
        sent = 0
        while True:
            for version, kind, item in self._history[sent:]:
                if version > since or (kind == "BOOKMARK" and version >= since):
                    await exchange.line({"type": kind, "object": item})
            sent = len(self._history)
            async with self._moved:
                await self._moved.wait_for(lambda: len(self._history) != sent)  # noqa: B023 - waited for right here

    async def _tell(self, kind: str, item: dict[str, Any]) -> None:
        self._history.append((self._version, kind, item))
        async with self._moved:
            self._moved.notify_all()

    def _of_collection(self) -> list[Request]:
        return [r for r in self.requests if r.path == self.collection and r.method == "GET"]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (request := await _read_request(reader)) is not None:
                exchange = Exchange(self, request, writer)
                await self._answer(exchange)
                if not exchange.keep_alive:
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, exchange: Exchange) -> None:
        self.requests.append(exchange.request)
        await self._behaviour(exchange.request)(exchange)

    def _behaviour(self, request: Request) -> Behaviour:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.tokens is not None and token not in self.tokens:
            return _unauthorized
        scripted = self.answers.get((request.method, request.path))
        if scripted:
            return scripted[0] if len(scripted) == 1 else scripted.popleft()
        if request.path != self.collection or request.method != "GET":
            return _not_found
        if request.is_watch:
            return self.on_watch.popleft() if self.on_watch else self.always_watch or self.watch
        return self.on_list.popleft() if self.on_list else self.always_list or self.list_page


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


@contextlib.asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[FaultServer]:
    """A server for the length of a block."""
    async with FaultServer(**settings) as server:
        yield server


async def _unauthorized(exchange: Exchange) -> None:
    await exchange.answer_json(401, status_object(401, "Unauthorized", "Unauthorized"))


async def _not_found(exchange: Exchange) -> None:
    message = "the server could not find the requested resource"
    await exchange.answer_json(404, status_object(404, "NotFound", message))


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
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
    return Request(method, unquote(parts.path), query, headers, body)
