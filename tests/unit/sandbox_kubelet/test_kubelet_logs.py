import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from selfheal_sandbox.api.ports import LogOptions
from selfheal_sandbox.kubelet.log_files import ContainerLog, PipeReader
from selfheal_sandbox.kubelet.log_lines import LINE_LIMIT_BYTES, LineSplitter, last_message

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[ContainerLog]:
    log = ContainerLog(tmp_path / "web" / "0.log", clock)
    yield log
    log.end()


async def read(log: ContainerLog, options: LogOptions | None = None) -> bytes:
    return b"".join([data async for data in log.read(options or LogOptions())])


async def next_of(chunks: AsyncIterator[bytes]) -> bytes:
    async with asyncio.timeout(5):
        return await anext(chunks)


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


async def test_reads_what_was_written_byte_for_byte(log: ContainerLog) -> None:
    log.write(b"one\ntwo \xff\r with return\n")
    log.write(b"thr")
    log.write(b"ee\n\n")

    assert await read(log) == b"one\ntwo \xff\r with return\nthree\n\n"


async def test_a_line_without_its_end_is_shown_once_the_container_ended(log: ContainerLog) -> None:
    log.write(b"half")
    assert await read(log) == b""

    log.end()

    assert await read(log) == b"half\n"


async def test_timestamps(log: ContainerLog, clock: Clock) -> None:
    log.write(b"a\n")
    clock.advance(1.5)
    log.write(b"b\n")

    found = await read(log, LogOptions(timestamps=True))

    assert found == b"2026-01-02T03:04:05.000000000Z a\n2026-01-02T03:04:06.500000000Z b\n"


async def test_tail_since_and_limit(log: ContainerLog, clock: Clock) -> None:
    for number in range(10):
        log.write(f"{number}\n".encode())
        clock.advance(1)

    assert await read(log, LogOptions(tail_lines=2)) == b"8\n9\n"
    assert await read(log, LogOptions(tail_lines=0)) == b""
    assert await read(log, LogOptions(since_seconds=3)) == b"7\n8\n9\n"
    assert await read(log, LogOptions(since_time=START + timedelta(seconds=8))) == b"8\n9\n"
    assert await read(log, LogOptions(limit_bytes=5)) == b"0\n1\n2"


async def test_follow_yields_what_comes_and_ends_with_the_container(log: ContainerLog) -> None:
    log.write(b"before\n")
    chunks = log.read(LogOptions(follow=True))
    assert await next_of(chunks) == b"before\n"

    log.write(b"after\n")
    assert await next_of(chunks) == b"after\n"

    log.end()
    with pytest.raises(StopAsyncIteration):
        await next_of(chunks)


async def test_follow_of_the_tail_only(log: ContainerLog) -> None:
    log.write(b"a\nb\n")
    chunks = log.read(LogOptions(follow=True, tail_lines=0))
    waiting = asyncio.create_task(next_of(chunks))
    await asyncio.sleep(0)

    log.write(b"c\n")

    assert await waiting == b"c\n"


async def test_rotation_keeps_the_newest_and_bounds_the_disk(tmp_path: Path, clock: Clock) -> None:
    log = ContainerLog(tmp_path / "0.log", clock, limit_bytes=1000)
    for number in range(200):
        log.write(f"line {number}\n".encode())

    log.end()

    lines = (await read(log)).splitlines()
    assert lines[-1] == b"line 199"
    assert lines == [f"line {number}".encode() for number in range(200 - len(lines), 200)]
    assert size_of(tmp_path) <= 2000


async def test_a_follower_crosses_a_rotation(tmp_path: Path, clock: Clock) -> None:
    log = ContainerLog(tmp_path / "0.log", clock, limit_bytes=100)
    log.write(b"first\n")
    chunks = log.read(LogOptions(follow=True))
    found = await next_of(chunks)

    log.write(b"second\n" + b"x" * 40 + b"\n")
    log.write(b"third\n")
    log.end()
    async for data in chunks:
        found += data

    assert found == b"first\nsecond\n" + b"x" * 40 + b"\nthird\n"


def test_long_lines_are_stored_in_parts_and_read_as_one() -> None:
    splitter = LineSplitter()
    stored = splitter.feed(b"x" * (LINE_LIMIT_BYTES * 2 + 10) + b"\n", START)

    assert stored.count(b" stdout P ") == 2
    assert stored.count(b" stdout F ") == 1
    assert len(last_message(stored.splitlines(keepends=True), limit_bytes=10**6)) == LINE_LIMIT_BYTES * 2 + 11


def test_a_line_that_never_ends_does_not_grow_in_memory() -> None:
    splitter = LineSplitter()

    for _ in range(100):
        splitter.feed(b"x" * 10_000, START)

    assert len(splitter.pending) < LINE_LIMIT_BYTES


def test_termination_message_is_the_end_of_the_log() -> None:
    stored = LineSplitter().feed(b"".join(f"{n}\n".encode() for n in range(1000)), START)

    message = last_message(stored.splitlines(keepends=True))

    assert message.splitlines() == [str(n) for n in range(920, 1000)]


async def test_a_pipe_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    chunks: list[bytes] = []
    pipe = PipeReader(reading, chunks.append)

    os.write(writing, b"hello")
    os.close(writing)
    async with asyncio.timeout(5):
        await pipe.ended

    assert chunks == [b"hello"]


async def test_draining_takes_what_is_there_even_if_others_hold_the_pipe() -> None:
    reading, writing = os.pipe()
    chunks: list[bytes] = []
    pipe = PipeReader(reading, chunks.append)
    os.write(writing, b"last words")

    pipe.drain()

    assert chunks == [b"last words"]
    with pytest.raises(BrokenPipeError):
        os.write(writing, b"too late")
    os.close(writing)
