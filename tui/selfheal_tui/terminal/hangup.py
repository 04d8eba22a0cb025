"""Ends by signal: a closed terminal or a stop by the system ends everything in order, and within a bounded time."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

SIGNALS = (signal.SIGHUP, signal.SIGTERM)
LIMIT_SECONDS = 4.0
"""What has not ended by then is ended: nobody looks any more, and sshd or systemd would do the same less gently."""
SIGNAL_BASE = 128
"""A shell reports a program that a signal ended by this plus the signal's number."""


def end_on_signals() -> None:
    """Until a screen is open: end by unwinding, so that what was started is stopped.

    Raises:
        SystemExit: In the main thread, when one of the signals arrives.
    """
    for number in SIGNALS:
        signal.signal(number, _unwind)


def _unwind(number: int, _frame: object) -> None:
    raise SystemExit(SIGNAL_BASE + number)


class Hangup:
    """Hears the signals that end the console.

    Args:
        leave: Called in the loop with the exit code that says which signal it was.
    """

    def __init__(self, leave: Callable[[int], None]) -> None:
        self._leave = leave
        self._watchdog: threading.Timer | None = None

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hear them from here on. Only a main thread can; elsewhere nothing is done."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                loop.add_signal_handler(number, self._heard, number)

    def stand_down(self) -> None:
        """Everything ended in order; no force is needed."""
        if self._watchdog is not None:
            self._watchdog.cancel()

    def _heard(self, number: int) -> None:
        exit_code = SIGNAL_BASE + number
        if self._watchdog is None:
            self._watchdog = threading.Timer(LIMIT_SECONDS, _end_now, (exit_code,))
            self._watchdog.daemon = True
            self._watchdog.start()
        self._leave(exit_code)


def _end_now(exit_code: int) -> None:
    """End without any more ado, children first: those that lead a process group with all of it."""
    for child in _children():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            (os.killpg if os.getpgid(child) == child else os.kill)(child, signal.SIGKILL)
    os._exit(exit_code)


def _children() -> list[int]:
    """Process ids of our children, as the kernel lists them by thread."""
    found: list[int] = []
    for listing in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, listing.read_text().split())
    return found
