"""Run a sandbox in this process until a signal ends it, or start a process that does."""

import asyncio
import gc
import logging
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack

from selfheal_core.waiting import set_within
from selfheal_sandbox.options import Options
from selfheal_sandbox.state import Folder, ServerInfo, StateError, command, wait_until

LOG_TAIL_LINES = 10
FILES = 16384
PARENT_POLL_SECONDS = 0.5


def run(options: Options, ready: Callable[[ServerInfo], None], *, parent: int | None = None) -> None:
    """Run a sandbox until SIGINT, SIGTERM or SIGHUP.

    Args:
        options: how it is set up.
        ready: is called with what it tells once it serves.
        parent: process that started this one; end as well once it has ended, be it before this is called.

    Raises:
        StateError: it cannot start.
    """
    import structlog
    import uvloop

    from selfheal_sandbox.network.addresses import RangeError
    from selfheal_sandbox.server import Sandbox

    async def main() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with AsyncExitStack() as stack:
            if parent is not None:
                watching = asyncio.create_task(_stop_after(parent, stop))
                stack.callback(watching.cancel)
            sandbox = await stack.enter_async_context(Sandbox(options))
            gc.freeze()  # what was imported stays; the collector need not look at it again
            ready(sandbox.info())
            await stop.wait()

    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    _raise_file_limit()
    try:
        uvloop.run(main())
    except (RangeError, OSError) as error:
        raise StateError(str(error)) from None


async def _stop_after(parent: int, stop: asyncio.Event) -> None:
    """Ask to stop once our parent has ended: the kernel then gives us another one.

    Polled, as the signal that Linux offers for this is sent when the thread ends that started us, not its process.
    """
    while not await set_within(stop, PARENT_POLL_SECONDS):
        if os.getppid() != parent:
            stop.set()


def _raise_file_limit() -> None:
    """Allow as many open files as the system lets us: every pod, log, watch and connection takes some."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def start_in_background(options: Options, seconds: float) -> ServerInfo:
    """Start a process that runs a sandbox, and wait until it is ready.

    Raises:
        StateError: it did not become ready in time; the message holds the end of its log.
    """
    folder = options.folder
    if folder.is_running():
        raise StateError(f"sandbox {folder.name!r} runs already; end it with: {command('down', folder.name)}")
    process = _spawn(folder, [sys.executable, "-m", "selfheal_sandbox.main", *_arguments(options)])
    try:
        wait_until(lambda: process.poll() is not None or _is_ready(folder, process.pid), seconds)
    except KeyboardInterrupt:
        process.terminate()
        raise
    info = folder.info()
    if info is not None and info.pid == process.pid:
        return info
    process.kill()
    lines = folder.server_log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    raise StateError("\n  ".join(["the sandbox did not start; the end of its log:", *lines]))


def _arguments(options: Options) -> list[str]:
    """Return the command line that asks for these options."""
    arguments = ["up", "--name", options.folder.name, "--speed", str(options.speed), "--nodes", str(options.nodes)]
    arguments += ["--controllers" if options.run_controllers else "--no-controllers"]
    arguments += ["--fresh"] if options.fresh else []
    arguments += [f"--prometheus={options.prometheus}"] if options.prometheus else []
    return arguments + (["--request-log", str(options.request_log.absolute())] if options.request_log else [])


def _is_ready(folder: Folder, pid: int) -> bool:
    info = folder.info()
    return info is not None and info.pid == pid


def _spawn(folder: Folder, argv: list[str]) -> subprocess.Popen[bytes]:
    try:
        folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = os.open(folder.server_log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise StateError(f"cannot write {folder.server_log}: {error.strerror}") from None
    try:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/")
    finally:
        os.close(log)
