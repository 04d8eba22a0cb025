"""A scripted Kubernetes-like server: a real list and watch, and every way in which a server can misbehave.

Unscripted, it lists and watches its content as an API server does, in pages or as streams. Behaviours replace that: put
into ``on_list``, ``on_stream``, ``on_watch`` and ``answers`` by a test in the same process, or as ``faults`` by
``tests.faults.control`` from another one.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

import yaml

from tests.faults.exchange import Behaviour, Exchange, Request, read_request, status_object
from tests.faults.history import History, TooOld
from tests.faults.objects import Objects

__all__ = ["PODS", "Behaviour", "Exchange", "Fault", "FaultServer", "Request", "running", "status_object"]

PODS = "/api/v1/pods"
STREAM_CHUNK_BYTES = 2**18


class Content(Protocol):
    """What a server serves."""

    def history(self, path: str) -> History | None:
        """What to watch; None for a path that is not served."""

    def answer(self, method: str, path: str, query: Mapping[str, str]) -> bytes | None:
        """Everything but watches; None for what is not served."""

    def all(self, path: str) -> Iterator[bytes]:
        """Every object of a collection as JSON."""


@dataclass
class Fault:
    """A behaviour for the requests that match, a number of times or until it is taken back.

    Attributes:
        on: Kind of request (``Request.kind``), or ``any``.
        path: What the path ends with; "" for any.
        times: How often it still applies; None for ever.
    """

    behaviour: Behaviour
    on: str = "any"
    path: str = ""
    times: int | None = None

    def matches(self, request: Request) -> bool:
        return self.times != 0 and self.on in ("any", request.kind) and request.path.endswith(self.path)

    def use(self) -> Behaviour:
        if self.times is not None:
            self.times -= 1
        return self.behaviour


@dataclass
class FaultServer:
    """The server, on a loopback port of its own.

    Attributes:
        content: What it serves; by default a small collection of pods that ``put`` and ``remove`` change.
        on_list: Behaviours for the next lists in pages; empty means a proper answer.
        on_stream: Behaviours for the next streamed lists; the same.
        on_watch: Behaviours for the next watches; the same.
        always_list: Behaviour for every list without one of its own; so for ``always_stream`` and ``always_watch``.
        answers: Behaviours by method and path, for everything else; the last one stays.
        faults: Behaviours for whatever they match; the first that does wins.
        streams_lists: ``serve`` them, ``refuse`` them as a server with the feature off, ``ignore`` the parameter as an
            older one, or be ``mute``.
        tokens: Accepted bearer tokens; None accepts anybody.
        clock_offset_seconds: What the ``Date`` of answers is off.
        requests: All requests so far.
    """

    collection: str = PODS
    content: Content | None = None
    on_list: deque[Behaviour] = field(default_factory=deque)
    on_stream: deque[Behaviour] = field(default_factory=deque)
    on_watch: deque[Behaviour] = field(default_factory=deque)
    always_list: Behaviour | None = None
    always_stream: Behaviour | None = None
    always_watch: Behaviour | None = None
    answers: dict[tuple[str, str], deque[Behaviour]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    streams_lists: Literal["serve", "refuse", "ignore", "mute"] = "serve"
    tokens: set[str] | None = None
    clock_offset_seconds: float = 0.0
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    _listener: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._objects = Objects(self.collection)
        self._content: Content = self.content or self._objects

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
    def objects(self) -> dict[str, dict[str, Any]]:
        """What ``put`` made, by name."""
        return self._objects.by_name

    @property
    def lists(self) -> int:
        """Lists asked for: first pages, and streams."""
        return sum(1 for r in self._of_collection() if r.kind in ("list", "stream") and "continue" not in r.query)

    @property
    def watches(self) -> int:
        """Watches opened from a version."""
        return sum(1 for r in self._of_collection() if r.kind == "watch")

    @property
    def connections(self) -> int:
        """Connections open now."""
        return len(self._tasks)

    @property
    def version(self) -> str:
        return str(self._objects.events.version)

    def kubeconfig(self, folder: Path, *, user: Mapping[str, Any] | None = None, namespace: str = "payments") -> Path:
        """Write a kubeconfig that leads here."""
        return write_kubeconfig(folder / "kubeconfig", self.url, user=user, namespace=namespace)

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
        return await self._objects.put(name, **fields)

    async def remove(self, name: str) -> None:
        """Delete an object; watchers hear of it."""
        await self._objects.remove(name)

    async def bookmark(self) -> None:
        """Send every watcher a bookmark."""
        await self._objects.bookmark()

    def forget_history(self) -> None:
        """Compact: watches from before are answered with 410."""
        self._objects.events.forget()

    def script(self, method: str, path: str, *behaviours: Behaviour) -> None:
        """Script the answers of a path; the last one stays."""
        self.answers[method, path] = deque(behaviours)

    async def list_page(self, exchange: Exchange) -> None:
        """Answer as an API server does: a list in pages, or one of the other things that are served."""
        request = exchange.request
        body = self._content.answer(request.method, request.path, request.query)
        await (_not_found(exchange) if body is None else exchange.answer(200, body))

    async def watch(self, exchange: Exchange) -> None:
        """Answer a watch as an API server does, until the connection ends."""
        version = int(exchange.request.query.get("resourceVersion") or 0)
        history = self._content.history(exchange.request.path)
        assert history is not None
        if version < history.oldest:
            await exchange.answer_json(410, EXPIRED)
            return
        await exchange.open()
        await _tell(exchange, history, version)

    async def stream(self, exchange: Exchange) -> None:
        """Answer a streamed list as an API server does, then the watch that it is the beginning of."""
        history = self._content.history(exchange.request.path)
        assert history is not None
        version = history.version
        await self.initial_events(exchange)
        await _tell(exchange, history, version)

    async def replay(self, exchange: Exchange) -> None:
        """Answer a watch with what it has already seen, each thing twice, and go on from there."""
        for _ in range(2):
            await self.initial_events(exchange, mark=False)
        await self.watch(exchange)

    async def initial_events(self, exchange: Exchange, *, mark: bool = True) -> None:
        """Send everything that there is, and the mark that ends it."""
        history = self._content.history(exchange.request.path)
        assert history is not None
        version, chunk = history.version, bytearray()
        await exchange.open()
        for item in self._content.all(exchange.request.path):
            chunk += b'{"type":"ADDED","object":%b}\n' % item
            if len(chunk) >= STREAM_CHUNK_BYTES:
                await exchange.send(bytes(chunk))
                chunk.clear()
        if mark:
            chunk += b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"%d",' % version
            chunk += b'"annotations":{"k8s.io/initial-events-end":"true"}}}}\n'
        if chunk:
            await exchange.send(bytes(chunk))

    async def _streamed_list(self, exchange: Exchange) -> None:
        match self.streams_lists:
            case "serve":
                await self.stream(exchange)
            case "refuse":
                text = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
                await exchange.answer_json(422, status_object(422, "Invalid", text))
            case "ignore":
                # Without a version, an older server sends what there is, and does not say where that ends.
                await self.initial_events(exchange, mark=False)
                await exchange.freeze()
            case "mute":
                await exchange.open()
                await exchange.freeze()

    def _of_collection(self) -> list[Request]:
        return [r for r in self.requests if r.path == self.collection and r.method == "GET"]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (request := await read_request(reader)) is not None:
                exchange = Exchange(request, writer, self._clock)
                await (_while_connected(reader, self._answer(exchange)) if request.is_watch else self._answer(exchange))
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

    def _clock(self) -> float:
        return time.time() + self.clock_offset_seconds

    async def _answer(self, exchange: Exchange) -> None:
        self.requests.append(exchange.request)
        await self._behaviour(exchange.request)(exchange)

    def _behaviour(self, request: Request) -> Behaviour:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.tokens is not None and token not in self.tokens:
            return _unauthorized
        fault = next((fault for fault in self.faults if fault.matches(request)), None)
        return fault.use() if fault is not None else self._own_behaviour(request)

    async def proper(self, exchange: Exchange) -> None:
        """Answer as if there were no faults."""
        await self._own_behaviour(exchange.request)(exchange)

    def _own_behaviour(self, request: Request) -> Behaviour:
        scripted = self.answers.get((request.method, request.path))
        if scripted:
            return scripted[0] if len(scripted) == 1 else scripted.popleft()
        if request.is_watch and self._content.history(request.path) is None:
            return _not_found
        if request.kind == "stream":
            return self.on_stream.popleft() if self.on_stream else self.always_stream or self._streamed_list
        if request.kind == "watch":
            return self.on_watch.popleft() if self.on_watch else self.always_watch or self.watch
        if request.method != "GET" or request.path != self.collection:
            return self.list_page
        return self.on_list.popleft() if self.on_list else self.always_list or self.list_page


EXPIRED = status_object(410, "Expired", "too old resource version: 1 (100)")


def write_kubeconfig(
    file: Path, url: str, *, user: Mapping[str, Any] | None = None, namespace: str = "payments"
) -> Path:
    """Write a kubeconfig that leads to a server."""
    context = {"cluster": "faults", "user": "tester", "namespace": namespace}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "faults",
        "contexts": [{"name": "faults", "context": context}],
        "clusters": [{"name": "faults", "cluster": {"server": url}}],
        "users": [{"name": "tester", "user": dict(user or {"token": "t0"})}],
    }
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(document))
    return file


@contextlib.asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[FaultServer]:
    """A server for the length of a block."""
    async with FaultServer(**settings) as server:
        yield server


async def _while_connected(reader: asyncio.StreamReader, answering: Coroutine[Any, Any, None]) -> None:
    """Answer until that is done, or until the client has left, which shows in nothing that is written."""
    answer, farewell = asyncio.create_task(answering), asyncio.create_task(reader.read(1))
    try:
        await asyncio.wait({answer, farewell}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            answer.result()
        else:
            raise ConnectionResetError
    finally:
        for task in (answer, farewell):
            task.cancel()
        await asyncio.gather(answer, farewell, return_exceptions=True)


async def _tell(exchange: Exchange, history: History, version: int) -> None:
    """Send what happens after a version, until the connection ends."""
    try:
        async for lines in history.since(version):
            await exchange.send(b"".join(lines))
    except TooOld:
        await exchange.line({"type": "ERROR", "object": EXPIRED})
        await exchange.close()


async def _unauthorized(exchange: Exchange) -> None:
    await exchange.answer_json(401, status_object(401, "Unauthorized", "Unauthorized"))


async def _not_found(exchange: Exchange) -> None:
    message = "the server could not find the requested resource"
    await exchange.answer_json(404, status_object(404, "NotFound", message))
