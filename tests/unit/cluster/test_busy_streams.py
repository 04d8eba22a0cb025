"""A busy watch is read in gulps, a quiet one at once."""

import asyncio

import pytest

from selfheal_core.cluster.kubernetes.gulps import BUSY_LINES, GULP_SECONDS, Gulps


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


async def read(gulps: Gulps, lines: int) -> None:
    """Some lines arrive together and are read."""
    for _ in range(lines):
        gulps.count_line()
    await gulps.gather()


async def test_a_quiet_stream_is_never_left_waiting() -> None:
    transport = Pausable()
    gulps = Gulps(transport)
    for _ in range(5):
        await asyncio.sleep(GULP_SECONDS)
        await read(gulps, BUSY_LINES - 1)
    assert transport.pauses == []


async def test_a_busy_stream_is_left_alone_for_a_moment_after_each_gulp_until_it_is_quiet_again() -> None:
    transport = Pausable()
    gulps = Gulps(transport)
    await asyncio.sleep(GULP_SECONDS)
    for _ in range(3):
        await read(gulps, BUSY_LINES)
    assert len(transport.pauses) == 3
    assert all(seconds >= GULP_SECONDS * 0.9 for seconds in transport.pauses)
    await read(gulps, BUSY_LINES - 1)
    assert len(transport.pauses) == 3


async def test_a_burst_is_not_a_busy_stream_before_it_has_lasted() -> None:
    transport = Pausable()
    gulps = Gulps(transport)
    await read(gulps, 100 * BUSY_LINES)
    assert transport.pauses == []


async def test_reading_goes_on_when_the_wait_is_cancelled_and_not_on_a_closed_transport() -> None:
    transport = Pausable()
    gulps = Gulps(transport)
    await asyncio.sleep(GULP_SECONDS)
    waiting = asyncio.create_task(read(gulps, BUSY_LINES))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert len(transport.pauses) == 1

    closed = Pausable()
    closed.closing = True
    gulps = Gulps(closed)
    await asyncio.sleep(GULP_SECONDS)
    await read(gulps, BUSY_LINES)
    assert closed.pauses == []
