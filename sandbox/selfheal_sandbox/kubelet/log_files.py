"""Logs of container instances on disk: bounded by rotation, followed by readers, fed from a pipe without a thread."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from selfheal_sandbox.api.ports import LogOptions
from selfheal_sandbox.kubelet.log_lines import LineSplitter, last_message, select, shown, since_of

FILE_LIMIT_BYTES = 5 * 1024 * 1024
"""A log file is put aside when it is this long; one older file is kept, so that an instance holds twice as much."""

CHUNK_BYTES = 64 * 1024
RATE_LIMIT_BYTES_PER_SECOND = 8 * 1024 * 1024
"""A program that writes faster is held up by its full pipe, so that it cannot starve the sandbox."""


class ContainerLog:
    """The log of one instance of a container."""

    def __init__(self, path: Path, clock: Callable[[], datetime], limit_bytes: int = FILE_LIMIT_BYTES) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._older = path.with_suffix(".log.1")
        self._clock = clock
        self._limit_bytes = limit_bytes
        self._splitter = LineSplitter()
        self._file: BinaryIO = self._open()
        self._size = 0
        self._rotations = 0
        self._ended = False
        self._news = asyncio.Event()

    def _open(self) -> BinaryIO:
        return open(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab", buffering=0)

    def write(self, chunk: bytes) -> None:
        """Add output of the container."""
        self._store(self._splitter.feed(chunk, self._clock()))

    def end(self) -> None:
        """Close the log: the instance ended. Followers read the rest and stop."""
        if self._ended:
            return
        self._store(self._splitter.end(self._clock()))
        self._ended = True
        self._file.close()
        self._tell()

    def _store(self, data: bytes) -> None:
        if not data or self._ended:
            return
        if self._size and self._size + len(data) > self._limit_bytes:
            self._rotate()
        self._file.write(data)
        self._size += len(data)
        self._tell()

    def _rotate(self) -> None:
        self._file.close()
        self.path.replace(self._older)
        self._file, self._size = self._open(), 0
        self._rotations += 1

    def _tell(self) -> None:
        """Wake every follower: each waits on the event that was current when it last looked."""
        self._news.set()
        self._news = asyncio.Event()

    def lines(self) -> Iterator[bytes]:
        """Yield the stored lines, oldest first."""
        for path in (self._older, self.path):
            with suppress(FileNotFoundError), path.open("rb") as stream:
                yield from stream

    def message(self) -> str:
        """Return the end of the log, as a termination message."""
        return last_message(self.lines())

    def remove(self) -> None:
        """Delete the files; a reader that has them open may finish."""
        self.end()
        self.path.unlink(missing_ok=True)
        self._older.unlink(missing_ok=True)

    async def read(self, options: LogOptions) -> AsyncIterator[bytes]:
        """Yield what the options ask for; with ``follow``, also what comes later, until the instance ends."""
        left = options.limit_bytes
        async for data in self._read(options):
            if left is None:
                yield data
                continue
            yield data[:left]
            left -= len(data)
            if left <= 0:
                return

    async def _read(self, options: LogOptions) -> AsyncIterator[bytes]:
        rotations, position = self._rotations, self._size
        batch: list[bytes] = []
        # A snapshot of open files: what is written while a slow client reads belongs to the following part.
        for line in select(self._lines_until(position), options, self._clock()):
            batch.append(line)
            if len(batch) >= 500:
                yield b"".join(batch)
                batch.clear()
        if batch:
            yield b"".join(batch)
        if options.follow:
            async for data in self._follow(rotations, position, options):
                yield data

    def _lines_until(self, position: int) -> Iterator[bytes]:
        streams: list[BinaryIO] = []
        for path in (self._older, self.path):
            with suppress(FileNotFoundError):
                streams.append(path.open("rb"))
        try:
            for stream in streams[:-1]:
                yield from stream
            while streams and streams[-1].tell() < position:
                yield streams[-1].readline()
        finally:
            for stream in streams:
                stream.close()

    async def _follow(self, rotations: int, position: int, options: LogOptions) -> AsyncIterator[bytes]:
        since = since_of(options, self._clock())
        while True:
            news, ended, unread = self._news, self._ended, self._unread(rotations, position)
            rotations, position = self._rotations, self._size
            lines = (line + b"\n" for line in unread.split(b"\n") if line)
            if text := b"".join(shown(line, since, timestamps=options.timestamps) for line in lines):
                yield text
            if ended:
                return
            await news.wait()

    def _unread(self, rotations: int, position: int) -> bytes:
        """Return what a follower that stopped at this place has not seen; what was rotated away is lost to it."""
        if rotations == self._rotations:
            return _read_file(self.path, position)
        start = position if rotations == self._rotations - 1 else 0
        return _read_file(self._older, start) + _read_file(self.path, 0)


def _read_file(path: Path, start: int) -> bytes:
    with suppress(FileNotFoundError), path.open("rb") as stream:
        stream.seek(start)
        return stream.read()
    return b""


class PipeReader:
    """Copies a program's output from a pipe into a sink, no faster than the rate limit."""

    def __init__(self, descriptor: int, sink: Callable[[bytes], None]) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._paused: asyncio.TimerHandle | None = None
        self.ended = self._loop.create_future()
        self._loop.add_reader(descriptor, self._readable)

    def _readable(self) -> None:
        data = self._read()
        if data is None:
            return
        if not data:
            self.close()
            return
        self._sink(data)
        if len(data) == CHUNK_BYTES:
            self._loop.remove_reader(self._descriptor)
            self._paused = self._loop.call_later(CHUNK_BYTES / RATE_LIMIT_BYTES_PER_SECOND, self._resume)

    def _read(self) -> bytes | None:
        try:
            return os.read(self._descriptor, CHUNK_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _resume(self) -> None:
        self._paused = None
        self._loop.add_reader(self._descriptor, self._readable)

    def drain(self) -> None:
        """Take what is in the pipe now, a bounded amount, and close it: the program ended."""
        for _ in range(16):
            if self._descriptor < 0 or not (data := self._read()):
                break
            self._sink(data)
        self.close()

    def close(self) -> None:
        """Stop reading."""
        if self._descriptor < 0:
            return
        if self._paused is not None:
            self._paused.cancel()
        else:
            self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1
        if not self.ended.done():
            self.ended.set_result(None)
