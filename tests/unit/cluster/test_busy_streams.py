"""Reads of a busy watch are coalesced, those of a quiet one are not."""

import asyncio

import pytest

from selfheal_core.cluster.kubernetes.coalesced_reads import BUSY_LINES, GATHER_SECONDS, ReadCoalescer


class Pausable(asyncio.ReadTransport):
    """Remembers for how long it was paused, and how often."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self.closing = False
        self._paused_at = 0.0

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self._paused_at = asyncio.get_running_loop().time()

    def resume_reading(self) -> None:
        self.pauses.append(asyncio.get_running_loop().time() - self._paused_at)


async def read(coalescer: ReadCoalescer, lines: int) -> None:
    """Some lines arrive together and are read."""
    for _ in range(lines):
        coalescer.count_line()
    await coalescer.gather()


async def test_a_quiet_stream_is_never_left_waiting() -> None:
    transport = Pausable()
    coalescer = ReadCoalescer(transport)
    for _ in range(5):
        await asyncio.sleep(GATHER_SECONDS)
        await read(coalescer, BUSY_LINES - 1)
    assert transport.pauses == []


async def test_a_busy_stream_is_left_alone_for_a_moment_after_each_read_until_it_is_quiet_again() -> None:
    transport = Pausable()
    coalescer = ReadCoalescer(transport)
    await asyncio.sleep(GATHER_SECONDS)
    for _ in range(3):
        await read(coalescer, BUSY_LINES)
    assert len(transport.pauses) == 3
    assert all(seconds >= GATHER_SECONDS * 0.9 for seconds in transport.pauses)
    await read(coalescer, BUSY_LINES - 1)
    assert len(transport.pauses) == 3


async def test_a_burst_is_not_a_busy_stream_before_it_has_lasted() -> None:
    transport = Pausable()
    coalescer = ReadCoalescer(transport)
    await read(coalescer, 100 * BUSY_LINES)
    assert transport.pauses == []


async def test_reading_goes_on_when_the_wait_is_cancelled_and_not_on_a_closed_transport() -> None:
    transport = Pausable()
    coalescer = ReadCoalescer(transport)
    await asyncio.sleep(GATHER_SECONDS)
    waiting = asyncio.create_task(read(coalescer, BUSY_LINES))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert len(transport.pauses) == 1

    closed = Pausable()
    closed.closing = True
    coalescer = ReadCoalescer(closed)
    await asyncio.sleep(GATHER_SECONDS)
    await read(coalescer, BUSY_LINES)
    assert closed.pauses == []
