"""Keeps a copy of one collection current: list, then watch, for ever.

Levels, not edges: ``store`` is the truth, changes are hints. What it promises under faults:

- A list comes in pages. Until the first one is complete, each page is handed on as it arrives; later lists replace the
  store as a whole and then tell only what differs, by uid and resource version.
- Every silence ends: a watch that sends neither event nor bookmark for ``idle_seconds`` is given up and listed anew.
- Attempts back off with jitter, and only a stream that lived for a while resets that; ``Retry-After`` is honoured.
- A version that is gone (410), or at which three streams in a row failed, leads to a new list.
- One object that can't be decoded is skipped; the rest goes on.
"""

import asyncio
import contextlib
import logging
import random as random_module
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
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
    from_status,
)
from selfheal_core.cluster.kubernetes.backoff import Backoff, Pacing
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.watch_wire import Decoder, EventKind, Page, T, WatchEvent
from selfheal_core.domain.objects import Uid
from selfheal_core.domain.snapshot import Source, SourceCondition

LOG = logging.getLogger(__name__)
JSON = "application/json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
METADATA_ONE = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
PAGE_DEADLINE_SECONDS = 30.0
WATCH_SECONDS = (290, 580)
"""The server ends a watch after a time drawn from this range, so that many do not end together; client-go's range."""
FUTILE_STREAMS = 2
"""After so many streams that failed at one version without getting past it, the collection is listed anew."""
DEFAULT_PACING = Pacing()
QUIET_RETRY_SECONDS = 2.0
"""A broken stream that is reopened within this time is not worth telling anybody."""


class Change(NamedTuple, Generic[T]):
    """One object that came, changed or went.

    Attributes:
        previous: What the store held before; None for ``added``.
    """

    kind: Literal["added", "modified", "deleted"]
    object: T
    previous: T | None


@dataclass(slots=True)
class Statistics:
    """What a reflector has been through.

    Attributes:
        lists: Lists begun.
        watches: Watches opened.
        failures: Attempts that ended in an error.
        unreadable: Objects left out because they did not fit.
        consumer_errors: Changes whose consumer raised.
        last_event_at: Newest event or bookmark; None before the first.
    """

    lists: int = 0
    watches: int = 0
    failures: int = 0
    unreadable: int = 0
    consumer_errors: int = 0
    last_event_at: float | None = None


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
        page_size: Objects per page of the list.
        idle_seconds: Longest silence of a watch; above the server's bookmark period of about a minute.
        clock: Seconds since the epoch.
        random: Uniform in 0..1, for jitter.
        pacing: Waits between attempts.

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
        page_size: int = 500,
        idle_seconds: float = 90.0,
        clock: Callable[[], float] = time.time,
        random: Callable[[], float] = random_module.random,
        pacing: Pacing = DEFAULT_PACING,
    ) -> None:
        self.statistics = Statistics()
        self._client = client
        self._path = path
        self._decoder: Decoder[T] = Decoder(type)
        self._name = name
        self._on_change = on_change
        self._params = dict(params or {})
        self._accept_list, self._accept_one = (METADATA_LIST, METADATA_ONE) if metadata_only else (JSON, JSON)
        self._page_size = page_size
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._random = random
        self._pacing = pacing
        self._backoff = Backoff(pacing, random)
        self._state = _SourceState(name, clock, on_source)
        self._woken = asyncio.Event()
        self._store: dict[Uid, T] = {}
        self._complete = False
        self._version: str | None = None
        self._opened_at: float | None = None
        self._futile_streams = 0

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
            await self._pause(self._after(error))

    async def _list_and_watch(self) -> None:
        self._opened_at = None
        if self._version is None:
            await self._list()
        await self._watch()

    async def _list(self) -> None:
        self.statistics.lists += 1
        try:
            found, version = await self._collect(self._page_size)
        except Gone:
            # The pages' common version went away in between; one body needs none.
            found, version = await self._collect(None)
        known, self._store = self._store, found
        self._complete = True
        self._version = version
        self._futile_streams = 0
        self._deliver(differences(known, found))
        self._state.prove()

    async def _collect(self, page_size: int | None) -> tuple[dict[Uid, T], str]:
        """Read all pages; until a first list is complete, what each brings is stored and told at once."""
        found: dict[Uid, T] = {}
        token = ""
        while True:
            page = await self._page(page_size, token)
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
        self.statistics.watches += 1
        shortest, longest = WATCH_SECONDS
        params = {
            **self._params,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version or "",
            "timeoutSeconds": str(int(shortest + self._random() * (longest - shortest))),
        }
        async with self._client.open_stream(
            self._path, params, idle_seconds=self._idle_seconds, accept=self._accept_one
        ) as stream:
            self._opened_at = time.monotonic()
            # A server that takes a watch sends what was missed before anything else: the data counts as current again.
            self._state.prove()
            while line := await stream.readline():
                self._apply(self._decoder.event(line))

    def _apply(self, event: WatchEvent[T]) -> None:
        """Take in one line of the watch."""
        if event.kind == "error":
            raise _watch_error(self._path, event.status)
        if event.kind == "unreadable":
            self._count_unreadable(1)
        self._version = event.version or self._version
        self._futile_streams = 0
        self.statistics.last_event_at = self._clock()
        if event.object is not None:
            self._deliver(self._change(event.kind, event.object))
        self._state.prove()

    def _change(self, kind: EventKind, item: T) -> Iterator[Change[T]]:
        uid = item.metadata.uid
        previous = self._store.get(uid)
        if kind == "deleted":
            self._store.pop(uid, None)
            if previous is not None:
                yield Change("deleted", item, previous)
        elif previous is None or previous.metadata.resource_version != item.metadata.resource_version:
            self._store[uid] = item
            yield Change("added" if previous is None else "modified", item, previous)

    def _deliver(self, changes: Iterable[Change[T]]) -> None:
        for change in changes:
            try:
                self._on_change(change)
            except Exception:  # a consumer's defect must not stop the stream for the others
                LOG.exception("a consumer of %s failed", self._name)
                self.statistics.consumer_errors += 1

    def _count_unreadable(self, count: int) -> None:
        if count:
            LOG.warning("%d objects of %s do not fit and are left out", count, self._name)
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
            self._version = None
        delay = self._backoff.delay(_asked_seconds(error, self._pacing))
        if futile or not broken or delay > QUIET_RETRY_SECONDS:
            self._state.tell(condition_after(error, broken=broken), error.what, self._clock() + delay)
        return delay

    async def _pause(self, seconds: float) -> None:
        self._woken.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()


class _SourceState:
    """State and age of a source; tells when it changes in more than its age."""

    def __init__(self, name: str, clock: Callable[[], float], on_source: Callable[[Source], None]) -> None:
        self._clock = clock
        self._on_source = on_source
        self._told = Source(name, "connecting", clock())
        self._fresh_at: float | None = None

    @property
    def source(self) -> Source:
        return replace(self._told, fresh_at=self._fresh_at)

    def prove(self) -> None:
        """The data is current as of now."""
        self._fresh_at = self._clock()
        if self._told.condition != "live":
            self.tell("live")

    def tell(self, condition: SourceCondition, reason: str = "", retry_at: float | None = None) -> None:
        since = self._told.since if self._told.condition == condition else self._clock()
        self._told = Source(self._told.name, condition, since, self._fresh_at, reason, retry_at)
        self._on_source(self._told)


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


def condition_after(error: ApiError, *, broken: bool) -> SourceCondition:
    """The condition of a source whose last attempt ended like this. Pure.

    Args:
        error: How it ended.
        broken: Whether the server had taken the watch before.
    """
    if isinstance(error, Forbidden):
        return "forbidden"
    if isinstance(error, NotFound):
        return "absent"
    return "stale" if broken or isinstance(error, Gone) else "lost"


def _asked_seconds(error: ApiError, pacing: Pacing) -> float:
    if isinstance(error, (Forbidden, NotFound)):
        return pacing.refused_seconds
    if isinstance(error, (TooManyRequests, ServerFault)):
        return error.retry_after_seconds or 0.0
    return 0.0


def _watch_error(path: str, status: Status) -> ApiError:
    expired = status.code == 410 or status.reason in {"Expired", "Gone"}
    return from_status("GET", path, 410 if expired else status.code or 500, status, watch=True)
