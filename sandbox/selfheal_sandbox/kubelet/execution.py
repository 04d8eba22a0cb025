"""Programs run inside a container besides its own: ``kubectl exec``, exec probes and exec hooks."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress

from selfheal_sandbox.api.ports import STDERR, STDOUT
from selfheal_sandbox.kubelet.processes import Program, ProgramSpec, start
from selfheal_sandbox.kubelet.watchdog import Watchdog

CHUNK_BYTES = 32 * 1024
OUTPUT_LIMIT_BYTES = 10 * 1024
"""How much output of a probe or hook is kept (a kubelet's limit)."""

DRAIN_SECONDS = 0.5
"""How long more output is awaited after the program's end, should a program it left behind hold it open."""

CANNOT_RUN, NOT_FOUND = 126, 127
"""Exit codes that a shell gives for a program that cannot be run, and for one that does not exist."""


class Execution:
    """A program running in a container; it ends with `close`, and with its container."""

    def __init__(
        self, program: Program, output: dict[int, asyncio.StreamReader], stdin: AsyncIterator[bytes] | None
    ) -> None:
        self.program = program
        self._chunks: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue(maxsize=8)
        self._taken = 0
        self._readers = [asyncio.create_task(self._read(channel, stream)) for channel, stream in output.items()]
        self._feeder = asyncio.create_task(self._feed(stdin)) if stdin is not None else None
        self._exit = asyncio.create_task(program.wait())

    async def _read(self, channel: int, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(CHUNK_BYTES):
            await self._chunks.put((channel, data))

    async def _feed(self, stdin: AsyncIterator[bytes]) -> None:
        writer = self.program.stdin
        assert writer is not None
        with suppress(ConnectionError):  # the program may close its input, or end, before it is given all
            async for data in stdin:
                writer.write(data)
                await writer.drain()
        writer.close()

    async def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        """Yield (channel, data) until the program ended and its output with it."""
        done = asyncio.create_task(self._finished())
        try:
            while not (done.done() and self._chunks.empty()):
                next_chunk = asyncio.create_task(self._chunks.get())
                await asyncio.wait({next_chunk, done}, return_when=asyncio.FIRST_COMPLETED)
                if next_chunk.done():
                    self._taken += 1
                    yield next_chunk.result()
                else:
                    next_chunk.cancel()
        finally:
            done.cancel()

    async def _finished(self) -> None:
        """Return when the program ended and its output was read, or when nothing of that came for a moment."""
        await asyncio.wait({self._exit})
        while reading := [reader for reader in self._readers if not reader.done()]:
            before = self._taken
            await asyncio.wait(reading, timeout=DRAIN_SECONDS)
            if self._taken == before and self._chunks.empty():
                return

    async def wait(self) -> int:
        """Return the exit code."""
        return await asyncio.shield(self._exit)

    async def close(self) -> None:
        """Kill the program if it still runs, and everything in its session."""
        tasks = [*self._readers, *([self._feeder] if self._feeder else [])]
        for task in tasks:
            task.cancel()
        self.program.forget()
        await asyncio.gather(*tasks, self._exit, return_exceptions=True)


class FailedExecution:
    """Stands for a program that could not be started: says so on standard error and ends with a shell's exit code."""

    def __init__(self, error: OSError) -> None:
        self._message = f"{error.strerror or error}\n".encode()
        self._exit_code = CANNOT_RUN if isinstance(error, PermissionError) else NOT_FOUND

    async def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        """Yield the message."""
        yield STDERR, self._message

    async def wait(self) -> int:
        """Return the exit code."""
        return self._exit_code

    async def close(self) -> None:
        """Do nothing: there is no process."""


async def execute(spec: ProgramSpec, watchdog: Watchdog, stdin: AsyncIterator[bytes] | None) -> Execution:
    """Start a program.

    Raises:
        OSError: it cannot be started.
    """
    pipes = {STDOUT: os.pipe(), STDERR: os.pipe()}
    try:
        program = await start(
            spec,
            watchdog,
            stdin=None if stdin is None else asyncio.subprocess.PIPE,
            stdout=pipes[STDOUT][1],
            stderr=pipes[STDERR][1],
        )
    except OSError:
        for reading, _ in pipes.values():
            os.close(reading)
        raise
    finally:
        for _, writing in pipes.values():
            os.close(writing)
    return Execution(program, {channel: await _reader(pipe[0]) for channel, pipe in pipes.items()}, stdin)


async def _reader(descriptor: int) -> asyncio.StreamReader:
    stream = asyncio.StreamReader(limit=CHUNK_BYTES)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(descriptor, "rb"))
    return stream


async def run(spec: ProgramSpec, watchdog: Watchdog) -> tuple[int, bytes]:
    """Run a program to its end and return its exit code and the start of its output; killed when cancelled.

    Raises:
        OSError: it cannot be started.
    """
    execution = await execute(spec, watchdog, None)
    output = b""
    try:
        async for _, data in execution:
            output = (output + data)[:OUTPUT_LIMIT_BYTES]
        return await execution.wait(), output
    finally:
        await execution.close()
