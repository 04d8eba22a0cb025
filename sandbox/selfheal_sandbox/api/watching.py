"""Watches: an endless response with one line for each change, until its time is over or the client is gone.

As on a cluster, a resource version that is too old is told inside the stream, as an ERROR event with code 410; one that
lies in the future is answered with 504, and one that is no number with 400.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from selfheal_sandbox.api import errors
from selfheal_sandbox.api.listing import parse_revision
from selfheal_sandbox.api.rendering import Form
from selfheal_sandbox.api.request import Query, Request, option_error
from selfheal_sandbox.api.selection import Selection
from selfheal_sandbox.api.watch_frames import Frames, error_line
from selfheal_sandbox.kinds import cause
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.store.objects import Key
from selfheal_sandbox.store.store import Change, ExpiredError, Store, WatchQueue

BOOKMARK_SECONDS = 10.0
"""Between two bookmarks; a cluster sends one about every minute."""
LAST_BOOKMARK_SECONDS = 2.0
"""How long before its end a watch gets its last bookmark, as on a cluster."""
DEFAULT_TIMEOUT_SECONDS = 1800
"""A watch that names no timeout ends after this, plus up to as much again (``--min-request-timeout``)."""
EVENTS: Key = ("", "events")
_UNCACHED_EXPIRED = "The resourceVersion for the provided watch is too old."
"""How the API server words it for Events, which it holds in no watch cache."""
WRITE_DEADLINE_SECONDS = 30.0
"""A client that takes nothing for this long is cut."""
PRESENCE_CHECK_SECONDS = 5.0
"""How often an idle watch looks whether its client is still there."""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """The query of a watch."""

    revision: int | None
    initial: bool
    bookmarks: bool
    ends_initial: bool
    timeout_seconds: float

    @staticmethod
    def parse(query: Query) -> "WatchOptions":
        """Read the options.

        Raises:
            ApiError: 400, a value is malformed; 422, values that do not go together.
        """
        send_initial = query.flag("sendInitialEvents")
        match = query.text("resourceVersionMatch")
        if query.has("sendInitialEvents") and match != "NotOlderThan":
            text = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            raise option_error(cause.forbidden("resourceVersionMatch", text), "ListOptions")
        if match and not query.has("sendInitialEvents"):
            text = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            raise option_error(cause.forbidden("resourceVersionMatch", text), "ListOptions")
        revision = _revision(query.text("resourceVersion"))
        bookmarks = query.flag("allowWatchBookmarks")
        from_now_on = query.has("sendInitialEvents") and not send_initial
        return WatchOptions(
            revision=revision or None,
            initial=send_initial or (revision == 0 and not from_now_on),
            bookmarks=bookmarks,
            ends_initial=send_initial and bookmarks,
            timeout_seconds=_timeout(query),
        )


def _revision(text: str) -> int:
    """Return the version to start from.

    Raises:
        ApiError: 500 without a reason, as the API server has it, when it is no number.
    """
    try:
        return parse_revision(text)
    except errors.ApiError:
        problem = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise errors.ApiError(500, "", problem) from None


def _timeout(query: Query) -> float:
    asked = query.number("timeoutSeconds") or 0
    if asked > 0:
        return float(asked)
    return DEFAULT_TIMEOUT_SECONDS * (1 + random.random())  # noqa: S311 (spreads reconnects, guards nothing)


def next_bookmark(now: float, end: float, interval_seconds: float) -> float:
    """Return when the next bookmark is due: after the interval, or a little before the end if that comes first."""
    last = end - LAST_BOOKMARK_SECONDS
    regular = now + interval_seconds
    return last if now < last < regular else regular


class WatchStream:
    """One watch of one client."""

    def __init__(
        self,
        store: Store,
        resource: Resource,
        chosen: Selection,
        options: WatchOptions,
        form: Form,
        clock: Callable[[], datetime],
        bookmark_seconds: float = BOOKMARK_SECONDS,
    ) -> None:
        self._store = store
        self._key = resource.storage_key
        self._chosen = chosen
        self._options = options
        self._frames = Frames(resource, chosen, form)
        self._clock = clock
        self._bookmark_seconds = bookmark_seconds

    def check(self) -> None:
        """Refuse what is answered with a status instead of a stream.

        Raises:
            ApiError: 504, the resource version lies in the future.
        """
        asked = self._options.revision or 0
        if asked > self._store.revision:
            raise errors.version_too_large(asked, self._store.revision)

    async def serve(self, request: Request) -> web.StreamResponse:
        """Write the stream until it ends."""
        self.check()
        queue = self._store.open_watch(self._key)
        try:
            first, goes_on = self._first_lines()
            response = web.StreamResponse(
                headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
            )
            await response.prepare(request.http)
            if await write_or_cut(request.http, response, first) and goes_on:
                await self._follow(request.http, response, queue)
        finally:
            self._store.close_watch(self._key, queue)
        return response

    def _first_lines(self) -> tuple[bytes, bool]:
        """Return what the client missed (or all there is), and whether the watch goes on after it."""
        now = self._clock()
        if self._options.initial:
            lines = self._frames.initial(self._store.entries(self._key, self._chosen.namespace), now)
            end = self._frames.bookmark(self._store.revision, ends_initial=True) if self._options.ends_initial else b""
            return lines + end, True
        if self._options.revision is None:
            return b"", True
        try:
            missed = self._store.changes_since(self._key, self._options.revision)
        except ExpiredError as error:
            text = _UNCACHED_EXPIRED if self._key == EVENTS else str(error)
            return error_line(errors.expired(text)), False
        return self._lines(missed, now), True

    def _lines(self, changes: Iterable[Change], now: datetime) -> bytes:
        return b"".join(self._frames.change(change, now) for change in changes)

    async def _follow(self, http: web.Request, response: web.StreamResponse, queue: WatchQueue) -> None:
        end = time.monotonic() + self._options.timeout_seconds
        bookmark_due = next_bookmark(time.monotonic(), end, self._bookmark_seconds)
        while (now := time.monotonic()) < end and not queue.overflowed and is_connected(http):
            due = min(end, bookmark_due) if self._options.bookmarks else end
            await queue.wait(min(due - now, PRESENCE_CHECK_SECONDS))
            lines = self._lines(queue.drain(), self._clock())
            now = time.monotonic()
            if self._options.bookmarks and now >= bookmark_due:
                lines += self._frames.bookmark(self._store.revision)
                bookmark_due = next_bookmark(now, end, self._bookmark_seconds)
            if not await write_or_cut(http, response, lines):
                return
        if queue.overflowed:
            cut(http)


def is_connected(http: web.Request) -> bool:
    """Return whether the client of a request is still there."""
    return http.transport is not None and not http.transport.is_closing()


async def write_or_cut(http: web.Request, response: web.StreamResponse, data: bytes) -> bool:
    """Write to a client; return False, with the connection cut, when it is gone or takes nothing for too long."""
    if not data:
        return True
    try:
        async with asyncio.timeout(WRITE_DEADLINE_SECONDS):
            await response.write(data)
    except (TimeoutError, ConnectionError):
        cut(http)
        return False
    return True


def cut(http: web.Request) -> None:
    """Drop a client's connection at once, without waiting until it takes what is buffered for it."""
    if http.transport is not None:
        http.transport.abort()
