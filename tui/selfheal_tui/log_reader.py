"""Reads logs of many containers at once and merges them by time."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import cast

from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.errors import SelfhealError
from selfheal_tui.feed import LogBatch
from selfheal_tui.present.logs import LogLine, LogRequest, read_line

BATCH_SECONDS = 0.1
"""Lines are handed over together this often; within a batch they are in order of time."""
FIRST_BATCH_SECONDS = 0.4
"""The first batch waits this long for all streams, so that what is there already comes merged."""
WAITING_LIMIT = 5_000
"""Lines that wait to be drawn; beyond it the oldest are dropped and counted."""


@dataclass(slots=True)
class _Inbox:
    """Lines that arrived and were not handed over yet.

    Attributes:
        open: Streams that have not ended.
        notes: Why streams ended, where it was not their end.
    """

    lines: deque[LogLine] = field(default_factory=deque)
    dropped: int = 0
    open: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, line: LogLine) -> None:
        """Keep a line; drop the oldest beyond the limit."""
        self.lines.append(line)
        if len(self.lines) > WAITING_LIMIT:
            self.lines.popleft()
            self.dropped += 1

    def batch(self) -> LogBatch:
        """Everything that waits, oldest first; lines without a time stay where they came."""
        lines = sorted(self.lines, key=lambda line: line.at or 0.0)
        batch = LogBatch(tuple(lines), self.dropped, "; ".join(self.notes[-1:]))
        self.lines.clear()
        self.dropped = 0
        return batch


async def read_logs(
    client: KubernetesClient, request: LogRequest, container_of: Callable[[str], str]
) -> AsyncGenerator[LogBatch, None]:
    """Read the logs asked for until every stream has ended.

    Args:
        client: The cluster.
        request: Which logs.
        container_of: Name of the container to read of a pod.

    Raises:
        SelfhealError: There is one pod, and its log can't be read.
    """
    inbox = _Inbox(open=len(request.pods))
    readers = [asyncio.create_task(_read(client, request, pod, container_of(pod), inbox)) for pod in request.pods]
    try:
        await asyncio.wait(readers, timeout=FIRST_BATCH_SECONDS)
        while True:
            batch = inbox.batch()
            if batch.lines or batch.note or not inbox.open:
                yield batch
            if not inbox.open:
                break
            await asyncio.sleep(BATCH_SECONDS)
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
    if len(readers) == 1:
        readers[0].result()


async def _read(client: KubernetesClient, request: LogRequest, pod: str, container: str, inbox: _Inbox) -> None:
    try:
        async with aclosing(cast("AsyncGenerator[bytes, None]", _lines(client, request, pod, container))) as lines:
            async for raw in lines:
                inbox.add(read_line(pod, raw.decode(errors="replace")))
        if not request.previous:
            inbox.notes.append(f"the log of {pod} ended")
    except SelfhealError as error:
        inbox.notes.append(f"{pod}: {error.what}")
        raise
    finally:
        inbox.open -= 1


async def _lines(client: KubernetesClient, request: LogRequest, pod: str, container: str) -> AsyncIterator[bytes]:
    if not request.previous:
        stream = client.follow_logs(
            request.namespace,
            pod,
            container,
            tail_lines=None if request.since_seconds else request.tail_lines,
            since_seconds=request.since_seconds,
            timestamps=True,
        )
        async for line in stream:
            yield line
        return
    text = await client.logs(
        request.namespace, pod, container, previous=True, tail_lines=request.tail_lines, timestamps=True
    )
    for row in text.splitlines():
        yield row.encode()
