"""The ``log`` subresource of pods."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from aiohttp import web

from selfheal_sandbox.api import errors
from selfheal_sandbox.api.containers import container_named
from selfheal_sandbox.api.ports import LogOptions
from selfheal_sandbox.api.request import Query, Request
from selfheal_sandbox.api.server_context import ServerContext
from selfheal_sandbox.api.target import Target
from selfheal_sandbox.api.watching import PRESENCE_CHECK_SECONDS, is_connected, write_or_cut
from selfheal_sandbox.kinds import cause

FIRST_LINE_SECONDS = 0.25
"""How long a followed log may stay silent before its headers are sent without a first line."""


def log_options(query: Query) -> LogOptions:
    """Read the query of a log request.

    Raises:
        ApiError: 400, a value is malformed; 422, a value is out of range or two contradict each other.
    """
    options = LogOptions(
        previous=query.flag("previous"),
        follow=query.flag("follow"),
        tail_lines=query.number("tailLines"),
        since_seconds=query.number("sinceSeconds"),
        since_time=query.time("sinceTime"),
        timestamps=query.flag("timestamps"),
        limit_bytes=query.number("limitBytes"),
    )
    problems = []
    if options.tail_lines is not None and options.tail_lines < 0:
        problems.append(cause.invalid("tailLines", options.tail_lines, "must be greater than or equal to 0"))
    if options.limit_bytes is not None and options.limit_bytes < 1:
        problems.append(cause.invalid("limitBytes", options.limit_bytes, "must be greater than 0"))
    if options.since_seconds is not None and options.since_time is not None:
        problems.append(cause.forbidden("sinceTime", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    elif options.since_seconds is not None and options.since_seconds < 1:
        problems.append(cause.invalid("sinceSeconds", options.since_seconds, "must be greater than 0"))
    if problems:
        raise errors.invalid_kind("PodLogOptions", "", "", problems)
    return options


async def read_log(context: ServerContext, request: Request, target: Target) -> web.StreamResponse:
    """GET of a log: text, streamed.

    Raises:
        ApiError: 400, there is no such log; 404, no such pod.
    """
    if request.method != "GET":
        raise errors.method_not_allowed()
    pod = context.objects.get(target.resource.key, target.place, target.name)
    options = log_options(request.query)
    container = container_named(pod, request.query.text("container"))
    lines = context.runtime.read_logs(pod, container, options)
    stream = _LogStream(lines)
    try:
        first = await stream.next(FIRST_LINE_SECONDS if options.follow else None)
        response = web.StreamResponse(headers={"Content-Type": "text/plain", "Cache-Control": "no-cache, private"})
        await response.prepare(request.http)
        if first and not await write_or_cut(request.http, response, first):
            return response
        while not stream.ended and is_connected(request.http):
            chunk = await stream.next(PRESENCE_CHECK_SECONDS)
            if chunk and not await write_or_cut(request.http, response, chunk):
                break
        return response
    finally:
        await stream.close()


class _LogStream:
    """Reads an iterator with a time limit that does not disturb it: a late chunk is returned by a later call."""

    def __init__(self, lines: AsyncIterator[bytes]) -> None:
        self._lines = lines
        self._next: asyncio.Task[bytes | None] | None = None
        self.ended = False

    async def next(self, timeout_seconds: float | None) -> bytes:
        """Return the next chunk, or b"" when none came in time or the log ended."""
        if self._next is None:
            self._next = asyncio.create_task(self._advance())
        done, _ = await asyncio.wait({self._next}, timeout=timeout_seconds)
        if not done:
            return b""
        task, self._next = self._next, None
        chunk = task.result()
        self.ended = chunk is None
        return chunk or b""

    async def _advance(self) -> bytes | None:
        return await anext(self._lines, None)

    async def close(self) -> None:
        """Stop reading and let the iterator clean up."""
        if self._next is not None:
            self._next.cancel()
            with suppress(asyncio.CancelledError):
                await self._next
        closing = getattr(self._lines, "aclose", None)
        if closing is not None:
            await closing()
