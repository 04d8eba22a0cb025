"""Keeps a copy of one collection current: list, then watch, for ever.

Levels, not edges: ``store`` is the truth, changes are hints. What it promises under faults:

- A list comes as a stream, or in pages where the collection may be large or the server has no such streams. Until the
  first one is complete, what arrives is handed on at once; later lists are collected beside the store, which they
  replace as a whole only once they are complete. Then only what differs is told, by uid and resource version.
- Every silence ends: a watch that sends neither event nor bookmark for ``idle_seconds`` is given up and listed anew.
- Attempts back off with jitter, and only a stream that lived for a while resets that; ``Retry-After`` is honoured.
- A version that is gone (410), or at which several streams in a row failed, leads to a new list.
- Refused credentials (401) are looked up again every few seconds, which costs the server nothing.
- One object that can't be decoded is left out, and forgotten if it was known; the rest goes on.

There is no queue to its consumers, because there is nothing to bound: ``on_change`` is called in the event loop and
marks what is dirty, the store holds each object once, and a reader that comes late finds the newest state only. What
waits for a slow consumer is bounded by the number of objects, however many events there were. A consumer that holds up
the loop itself holds up the server's connection, not our memory: the read buffer is bounded.

A streamed list saves a request, as it goes on as the watch, and the server sends each object as an event of its own. Of
large collections that is dear: 10,000 pods of 6 KB of a kube-apiserver 1.36 over TLS took 1.5 to 2.7 s of its CPU time
and 0.78 s of ours as a stream, 0.7 s and 0.3 s in compressed pages of 500. Hence ``in_pages``.
"""

import asyncio
import contextlib
import logging
import random as random_module
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Generic, Literal, NamedTuple

from selfheal_core.cluster.kubernetes.api_errors import (
    ApiError,
    Forbidden,
    Gone,
    NotFound,
    ServerFault,
    Status,
    StreamSilent,
    TooManyRequests,
    Unauthorized,
    from_status,
)
from selfheal_core.cluster.kubernetes.backoff import Backoff, Pacing
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.line_stream import LineStream
from selfheal_core.cluster.kubernetes.source_state import SourceState
from selfheal_core.cluster.kubernetes.watch_statistics import KEPT_UP_BYTES, ListCause, Statistics
from selfheal_core.cluster.kubernetes.watch_wire import Decoder, EventKind, Page, T, WatchEvent
from selfheal_core.domain.objects import Uid
from selfheal_core.domain.snapshot import Source
from selfheal_core.waiting import set_within

LOG = logging.getLogger(__name__)
JSON = "application/json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
METADATA_ONE = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
PAGE_DEADLINE_SECONDS = 30.0
WATCH_SECONDS = (290, 580)
"""The server ends a watch after a time drawn from this range, so that many do not end together; client-go's range."""
FUTILE_STREAMS = 2
"""After so many streams that failed at one version without getting past it, the collection is listed anew; after so
many streamed lists that broke off, in pages."""
DEFAULT_PACING = Pacing()
QUIET_RETRY_SECONDS = 2.0
"""A broken stream that is reopened within this time is not worth telling anybody."""
STREAMED_LIST = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
"""Asks a watch to begin with all that there is, and to mark where that ends (Kubernetes KEP-3157)."""
STREAM_REFUSALS = frozenset({400, 405, 406, 422, 501})
"""What servers answer that do not know these parameters, or have the feature switched off (422)."""
STREAM_SILENCE_SECONDS = 5.0
"""A streamed list that says nothing for so long is not one: an older server ignores what it does not know."""
STREAMED_LIST_SECONDS = 15.0
"""Neither is one that has not come to its end after so long, however much it says; or the link is slow (50,000 pods
take 3 s on a quick one), and pages are better: API servers compress pages to a tenth, and streams not at all."""
CREDENTIALS_CHECK_SECONDS = 3.0
"""How often refused credentials are looked up anew; with ``credentials.REISSUE_SECONDS`` within the 15 s promised."""


class Change(NamedTuple, Generic[T]):
    """One object that came, changed or went.

    Attributes:
        previous: What the store held before; None for ``added``.
    """

    kind: Literal["added", "modified", "deleted"]
    object: T
    previous: T | None


class Reflector(Generic[T]):
    """Reflects one collection into ``store``.

    Args:
        client: Where to read.
        path: Of the collection.
        type: Struct of its objects.
        name: Name of the source, e.g. ``pods``.
        on_change: Called in the event loop for each change, after ``store`` holds it; it must not block.
        on_source: Called when the condition, its reason or the next attempt changes.
        params: ``labelSelector``, ``fieldSelector``.
        metadata_only: Ask for metadata only (``ObjectMetadataOnly``).
        in_pages: Never ask for the list as a stream; for collections that may hold thousands of objects.
        page_size: Objects per page where the list comes in pages.
        idle_seconds: Longest silence of a watch; above the server's bookmark period of about a minute.
        clock: Seconds since the epoch.
        random: Uniform in 0..1, for jitter.
        pacing: Waits between attempts.
        stream_silence_seconds: Longest silence of a streamed list before the server counts as not knowing them.
        stream_deadline_seconds: Longest that a streamed list may take.

    Attributes:
        statistics: What it has been through.
    """

    def __init__(
        self,
        client: KubernetesClient,
        path: str,
        type: type[T],  # noqa: A002
        *,
        name: str,
        on_change: Callable[[Change[T]], None],
        on_source: Callable[[Source], None] = lambda _: None,
        params: Mapping[str, str] | None = None,
        metadata_only: bool = False,
        in_pages: bool = False,
        page_size: int = 500,
        idle_seconds: float = 90.0,
        clock: Callable[[], float] = time.time,
        random: Callable[[], float] = random_module.random,
        pacing: Pacing = DEFAULT_PACING,
        stream_silence_seconds: float = STREAM_SILENCE_SECONDS,
        stream_deadline_seconds: float = STREAMED_LIST_SECONDS,
    ) -> None:
        self.statistics = Statistics()
        self._client = client
        self._path = path
        self._decoder: Decoder[T] = Decoder(type)
        self._name = name
        self._on_change = on_change
        self._params = dict(params or {})
        self._accept_list, self._accept_one = (METADATA_LIST, METADATA_ONE) if metadata_only else (JSON, JSON)
        self._in_pages = in_pages
        self._page_size = page_size
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._random = random
        self._pacing = pacing
        self._backoff = Backoff(pacing, random)
        self._stream_silence_seconds = stream_silence_seconds
        self._stream_deadline_seconds = stream_deadline_seconds
        self._state = SourceState(name, clock, on_source)
        self._woken = asyncio.Event()
        self._store: dict[Uid, T] = {}
        self._complete = False
        self._version: str | None = None
        self._list_cause: ListCause = "first"
        self._opened_at: float | None = None
        self._futile_streams = 0
        self._failed_streamed_lists = 0
        self._may_watch = True

    @property
    def store(self) -> Mapping[Uid, T]:
        """What is known now, by uid; read-only. A new list replaces it as a whole."""
        return MappingProxyType(self._store)

    @property
    def source(self) -> Source:
        """State and age of the data."""
        return self._state.source

    def wake(self) -> None:
        """Try again now instead of at ``source.retry_at``. Call it in the reflector's event loop."""
        self._woken.set()

    async def run(self) -> None:
        """Reflect until cancelled; faults of the cluster show in ``source`` and are never raised."""
        while True:
            try:
                await self._list_and_watch()
                error: ApiError = ServerFault("the server closed the watch")
            except ApiError as caught:
                self.statistics.failures += 1
                error = caught
            except Exception as caught:  # a defect in one collection must not blind the console
                LOG.exception("reading %s failed", self._name)
                self.statistics.failures += 1
                error = ServerFault(f"reading {self._name} failed: {type(caught).__name__}")
            delay = self._after(error)
            await (self._wait_for_credentials(delay) if isinstance(error, Unauthorized) else self._pause(delay))

    async def _list_and_watch(self) -> None:
        self._opened_at = None
        if self._version is None:
            self.statistics.count_list(self._list_cause)
            self._list_cause = "retry"
            streamed = await self._list_by_stream() if self._may_stream() else "refused"
            if streamed == "ended":
                return
            await self._list_by_pages()
            if streamed == "silent":
                # The server is there, and answers everything but this.
                self._client.streams_lists = False
        await self._watch()

    def _may_stream(self) -> bool:
        is_served = self._client.streams_lists and self._may_watch
        return is_served and not self._in_pages and self._failed_streamed_lists < FUTILE_STREAMS

    async def _list_by_stream(self) -> Literal["ended", "refused", "silent"]:
        """List and watch in one; ``ended`` once the server closes the watch, the others where it gives no such list."""
        self.statistics.streamed_lists += 1
        self._failed_streamed_lists += 1
        try:
            async with contextlib.AsyncExitStack() as stack:
                try:
                    async with asyncio.timeout(self._stream_silence_seconds) as silence:
                        stream = await stack.enter_async_context(self._open(STREAMED_LIST))
                        await self._collect_stream(stream, silence)
                except TimeoutError:
                    return "silent"
                await self._follow(stream)
                return "ended"
        except ApiError as error:
            if self._opened_at is not None or not (isinstance(error, Forbidden) or error.status in STREAM_REFUSALS):
                raise
            # A right to list without one to watch is about this collection; the rest is about the server.
            if isinstance(error, Forbidden):
                self._may_watch = False
            else:
                self._client.streams_lists = False
            return "refused"

    async def _collect_stream(self, stream: LineStream, silence: asyncio.Timeout) -> None:
        """Read up to the mark that ends the list; until a first is complete, what comes is stored and told at once."""
        found: dict[Uid, T] = {}
        loop = asyncio.get_running_loop()
        until = loop.time() + self._stream_deadline_seconds
        while line := await stream.readline():
            event = self._received(line)
            if event.kind == "listed":
                self._listed(found, event.version)
                self._opened_at = time.monotonic()
                return
            if event.object is not None:
                _store(found, event.kind, event.object)
                if not self._complete:
                    self._deliver(self._change(event.kind, event.object))
            elif event.kind == "unreadable":
                found.pop(event.uid, None)
                if not self._complete:
                    self._deliver(self._left_out(event.uid))
            silence.reschedule(min(loop.time() + self._stream_silence_seconds, until))
        raise ServerFault("the server ended the list before it was complete")

    async def _list_by_pages(self) -> None:
        self._listed(*await self._collect(self._page_size))

    def _listed(self, found: dict[Uid, T], version: str) -> None:
        """A list is complete: it becomes the store, and what differs is told."""
        known, self._store = self._store, found
        self._complete = True
        self._version = version
        self._futile_streams = 0
        self._failed_streamed_lists = 0
        self._deliver(differences(known, found))
        self._state.prove()

    async def _collect(self, page_size: int | None) -> tuple[dict[Uid, T], str]:
        """Read all pages; until a first list is complete, what each brings is stored and told at once."""
        found: dict[Uid, T] = {}
        token = ""
        while True:
            try:
                page = await self._page(page_size, token)
            except Gone:
                if not token:
                    raise
                # The pages' common version went away in between; one body needs none.
                return await self._collect(None)
            items = {item.metadata.uid: item for item in page.items}
            found.update(items)
            if not self._complete:
                known = {uid: self._store[uid] for uid in items if uid in self._store}
                self._store.update(items)
                self._deliver(differences(known, items))
            if not page.metadata.continue_:
                return found, page.metadata.resource_version
            if page.metadata.continue_ == token:
                raise ServerFault("the server sends the same page of the list again and again")
            token = page.metadata.continue_

    async def _page(self, page_size: int | None, token: str) -> Page[T]:
        params = dict(self._params)
        if page_size is not None:
            params["limit"] = str(page_size)
        if token:
            params["continue"] = token
        body = await self._client.get_bytes(
            self._path, params=params, accept=self._accept_list, deadline_seconds=PAGE_DEADLINE_SECONDS
        )
        page = self._decoder.page(body)
        self._count_unreadable(page.unreadable)
        return page

    async def _watch(self) -> None:
        async with self._open({"resourceVersion": self._version or ""}) as stream:
            self._opened_at = time.monotonic()
            # A server that takes a watch sends what was missed before anything else: the data counts as current again.
            # Were it to fall silent in this very moment, that would be wrong for ``idle_seconds``; waiting for a word
            # instead would hold all healing for a minute after each reconnection, as long as a bookmark takes.
            self._state.prove()
            await self._follow(stream)

    @contextlib.asynccontextmanager
    async def _open(self, start: Mapping[str, str]) -> AsyncIterator[LineStream]:
        """Open a watch from where ``start`` says."""
        self.statistics.watches += 1
        shortest, longest = WATCH_SECONDS
        seconds = int(shortest + self._random() * (longest - shortest))
        flags = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        async with self._client.open_stream(
            self._path, {**self._params, **flags, **start}, idle_seconds=self._idle_seconds, accept=self._accept_one
        ) as stream:
            yield stream

    async def _follow(self, stream: LineStream) -> None:
        """Take in what a watch says, until it ends; while it says much, a fifth of a second's worth at a time."""
        stream.coalesce_reads()
        while line := await stream.readline():
            event = self._received(line)
            self._version = event.version or self._version
            self._futile_streams = 0
            if event.object is not None:
                self._deliver(self._change(event.kind, event.object))
            elif event.kind == "unreadable":
                self._deliver(self._left_out(event.uid))
            self._state.prove()
            # What waits in the kernel costs a call to know: it is asked when all that was taken from there is read.
            unread_bytes = stream.backlog_bytes() if stream.is_drained else stream.unread_bytes
            if stream.is_drained or unread_bytes >= KEPT_UP_BYTES:
                self.statistics.keep_up(unread_bytes, self._clock)

    def _received(self, line: bytes) -> WatchEvent[T]:
        """Decode and count one line.

        Raises:
            ApiError: It is none, or says that the watch failed.
        """
        event = self._decoder.event(line)
        if event.kind == "error":
            raise _watch_error(self._path, event.status)
        if event.kind == "unreadable":
            self._count_unreadable(1)
        self.statistics.events += 1
        self.statistics.last_event_at = self._clock()
        return event

    def _change(self, kind: EventKind, item: T) -> Iterator[Change[T]]:
        """Bring one object into the store; what that changed."""
        previous = _store(self._store, kind, item)
        if kind == "deleted":
            if previous is not None:
                yield Change("deleted", item, previous)
        elif previous is None or previous.metadata.resource_version != item.metadata.resource_version:
            yield Change("added" if previous is None else "modified", item, previous)

    def _left_out(self, uid: Uid) -> Iterator[Change[T]]:
        """What is known of an object that can't be read any more is out of date: forget it, as a new list would."""
        previous = self._store.pop(uid, None)
        if previous is not None:
            yield Change("deleted", previous, previous)

    def _deliver(self, changes: Iterable[Change[T]]) -> None:
        for change in changes:
            try:
                self._on_change(change)
            except Exception:  # a consumer's defect must not stop the stream for the others
                LOG.exception("a consumer of %s failed", self._name)
                self.statistics.consumer_errors += 1

    def _count_unreadable(self, count: int) -> None:
        if count and not self.statistics.unreadable:
            LOG.warning("%s: an object can't be read and is left out; further ones are only counted", self._name)
        self.statistics.unreadable += count

    def _after(self, error: ApiError) -> float:
        """Take in how an attempt ended; gives the seconds until the next one."""
        lived_seconds = None if self._opened_at is None else time.monotonic() - self._opened_at
        broken = lived_seconds is not None
        if lived_seconds is not None and lived_seconds >= self._pacing.steady_seconds:
            self._backoff.reset()
        elif broken:
            self._futile_streams += 1
        futile = isinstance(error, StreamSilent) or self._futile_streams >= FUTILE_STREAMS
        if futile or isinstance(error, (Gone, NotFound)):
            self._forget_version(error)
        delay = self._backoff.delay(_asked_seconds(error, self._pacing))
        if futile or not broken or delay > QUIET_RETRY_SECONDS:
            self._state.fail(error, broken=broken, retry_in_seconds=delay)
        return delay

    def _forget_version(self, error: ApiError) -> None:
        """The next attempt lists anew."""
        if self._version is not None:
            self._list_cause = _list_cause(error)
        self._version = None

    async def _pause(self, seconds: float) -> None:
        self._woken.clear()
        await set_within(self._woken, seconds)

    async def _wait_for_credentials(self, seconds: float) -> None:
        """Pause, but only until there are other credentials than those that were refused."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            await self._pause(min(left, CREDENTIALS_CHECK_SECONDS))
            if self._woken.is_set() or await self._client.connection.renewed():
                return


def differences(known: Mapping[Uid, T], found: Mapping[Uid, T]) -> Iterator[Change[T]]:
    """What changed from one state to another: deletions first, then what is new or has another version. Pure."""
    for uid, item in known.items():
        if uid not in found:
            yield Change("deleted", item, item)
    for uid, item in found.items():
        previous = known.get(uid)
        if previous is None:
            yield Change("added", item, None)
        elif previous.metadata.resource_version != item.metadata.resource_version:
            yield Change("modified", item, previous)


def _store(store: dict[Uid, T], kind: EventKind, item: T) -> T | None:
    """Put an object into a store, or take a deleted one out; gives what was there before."""
    uid = item.metadata.uid
    if kind == "deleted":
        return store.pop(uid, None)
    previous = store.get(uid)
    if previous is None or previous.metadata.resource_version != item.metadata.resource_version:
        store[uid] = item
    return previous


def _list_cause(error: ApiError) -> ListCause:
    if isinstance(error, Gone):
        return "gone"
    if isinstance(error, NotFound):
        return "absent"
    return "idle" if isinstance(error, StreamSilent) else "futile"


def _asked_seconds(error: ApiError, pacing: Pacing) -> float:
    if isinstance(error, (Forbidden, NotFound)):
        return pacing.refused_seconds
    if isinstance(error, (TooManyRequests, ServerFault)):
        return error.retry_after_seconds or 0.0
    return 0.0


def _watch_error(path: str, status: Status) -> ApiError:
    expired = status.code == 410 or status.reason in {"Expired", "Gone"}
    return from_status("GET", path, 410 if expired else status.code or 500, status, watch=True)
