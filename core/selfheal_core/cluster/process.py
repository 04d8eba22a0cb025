"""Runs a program to its end: no shell, a process group of its own, a deadline, nothing left behind."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from selfheal_core.errors import SelfhealError
from selfheal_core.waiting import set_within

OUTPUT_LIMIT_BYTES = 32 * 2**20
"""Kept of each stream; what comes after is read and dropped."""
GRACE_SECONDS = 10.0
"""Between SIGTERM and SIGKILL; helm uses it to mark the release as failed."""
DRAIN_SECONDS = 1.0
"""How long output may follow the program's end, where a grandchild still holds the pipe."""
CHUNK_BYTES = 64 * 2**10

OnLine = Callable[[str], None]


class ProgramMissing(SelfhealError):  # noqa: N818 - the words people read are the names
    """The program can't be started."""


class ProgramTimeout(SelfhealError):  # noqa: N818
    """The program did not end in time; it and everything it started was stopped."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended.

    Attributes:
        exit_code: Negative for a signal, as in ``subprocess``.
        truncated: Whether output beyond the limit was dropped.
    """

    exit_code: int
    stdout: bytes
    stderr: bytes
    truncated: bool


class _Sink:
    """Collects one stream up to a limit, and hands out its lines."""

    def __init__(self, limit_bytes: int, on_line: OnLine | None) -> None:
        self.truncated = False
        self._kept = bytearray()
        self._limit_bytes = limit_bytes
        self._on_line = on_line
        self._partial = b""

    def feed(self, chunk: bytes) -> None:
        room = self._limit_bytes - len(self._kept)
        self._kept += chunk[:room]
        self.truncated = self.truncated or len(chunk) > room
        if self._on_line is not None:
            *lines, partial = (self._partial + chunk).split(b"\n")
            self._partial = partial[-CHUNK_BYTES:]
            for line in lines:
                self._on_line(line.decode(errors="replace"))

    def end(self) -> bytes:
        if self._on_line is not None and self._partial:
            self._on_line(self._partial.decode(errors="replace"))
        return bytes(self._kept)


async def run_program(
    argv: Sequence[str],
    *,
    environ: Mapping[str, str],
    deadline_seconds: float,
    stdin: bytes = b"",
    on_error_line: OnLine | None = None,
    output_limit_bytes: int = OUTPUT_LIMIT_BYTES,
    grace_seconds: float = GRACE_SECONDS,
) -> Finished:
    """Run a program and wait for its end.

    Cancelled or late, its whole process group gets SIGTERM, then SIGKILL; only then does this return. It never reads
    the terminal: standard input is what is given here.

    Args:
        argv: Program and arguments; no shell reads them.
        environ: Its whole environment.
        deadline_seconds: For everything.
        stdin: What it reads.
        on_error_line: Called with each line of its error output as it comes.
        output_limit_bytes: Kept of each output.
        grace_seconds: Between SIGTERM and SIGKILL.

    Raises:
        ProgramMissing: It is not there, or may not be run.
        ProgramTimeout: It took longer than the deadline.
    """
    watch = _Watch(_Sink(output_limit_bytes, None), _Sink(output_limit_bytes, on_error_line))
    try:
        async with asyncio.timeout(deadline_seconds), _started(argv, environ, watch, grace_seconds) as transport:
            _feed(transport, stdin)
            await watch.exited.wait()
            await set_within(watch.silent, DRAIN_SECONDS)
    except TimeoutError as error:
        raise ProgramTimeout(f"{os.path.basename(argv[0])} did not end within {deadline_seconds:g} s") from error
    exit_code = transport.get_returncode()
    assert exit_code is not None
    out, err = watch.outputs
    return Finished(exit_code, out.end(), err.end(), out.truncated or err.truncated)


class _Watch(asyncio.SubprocessProtocol):
    """Hears of a program's output and end.

    asyncio's own ``Process.wait`` waits for the pipes as well, which a grandchild can hold open for ever.

    Attributes:
        exited: The program has ended.
        silent: Both of its outputs are closed.
        lost: Everything about it is closed.
    """

    def __init__(self, out: _Sink, err: _Sink) -> None:
        self.outputs = (out, err)
        self.exited = asyncio.Event()
        self.silent = asyncio.Event()
        self.lost = asyncio.Event()
        self._open = {1, 2}

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        assert isinstance(data, bytes)
        self.outputs[fd - 1].feed(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        self._open.discard(fd)
        if not self._open:
            self.silent.set()

    def process_exited(self) -> None:
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        self.lost.set()


@contextlib.asynccontextmanager
async def _started(
    argv: Sequence[str], environ: Mapping[str, str], watch: _Watch, grace_seconds: float
) -> AsyncIterator[asyncio.SubprocessTransport]:
    # Cancelled in the middle of a start, asyncio would kill the program at once and leave its children running.
    starting = asyncio.ensure_future(_start(argv, environ, watch))
    try:
        await _finish(starting)
        yield starting.result()
    finally:
        if not starting.cancelled() and starting.exception() is None:
            await _finish(asyncio.ensure_future(_stop_group(starting.result(), watch, grace_seconds)))


async def _start(argv: Sequence[str], environ: Mapping[str, str], watch: _Watch) -> asyncio.SubprocessTransport:
    try:
        transport, _ = await asyncio.get_running_loop().subprocess_exec(
            lambda: watch, *argv, env=dict(environ), start_new_session=True
        )
    except OSError as error:
        raise ProgramMissing(f"can't run {argv[0]}: {error.strerror or error}") from error
    return transport


def _feed(transport: asyncio.SubprocessTransport, stdin: bytes) -> None:
    pipe = transport.get_pipe_transport(0)
    assert isinstance(pipe, asyncio.WriteTransport)
    pipe.write(stdin)
    pipe.close()


async def _stop_group(transport: asyncio.SubprocessTransport, watch: _Watch, grace_seconds: float) -> None:
    """Stop whatever still runs in the program's process group, the program itself included."""
    if not watch.exited.is_set():
        _signal_group(transport.get_pid(), signal.SIGTERM)
        await set_within(watch.exited, grace_seconds)
    _signal_group(transport.get_pid(), signal.SIGKILL)
    await watch.exited.wait()
    transport.close()
    await watch.lost.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


async def _finish(task: "asyncio.Future[Any]") -> None:
    """Wait for a task to end even while being cancelled, however often; then let the cancellation through."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    task.result()
