"""Ends by signal: a closed terminal or a stop by the system ends everything in order, and within a bounded time."""

import asyncio
import signal
import threading
from collections.abc import Callable

from selfheal_cli.ending import Watchdog

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
    ignore_hangups()
    raise SystemExit(SIGNAL_BASE + number)


def ignore_hangups() -> None:
    """From here on nothing is cut short by a closed terminal, neither here nor in programs that are started.

    It is told of more than once: by the kernel, by the shell, and by the kernel again when the shell ends.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


class Hangup:
    """Hears the signals that end the console.

    Args:
        leave: Called in the loop with the exit code that says which signal it was.
    """

    def __init__(self, leave: Callable[[int], None]) -> None:
        self._leave = leave
        self._watchdog = Watchdog()

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hear them from here on. Only a main thread can; elsewhere nothing is done."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                loop.add_signal_handler(number, self._heard, number)

    def stand_down(self) -> None:
        """Everything ended in order; no force is needed."""
        self._watchdog.stand_down()

    def _heard(self, number: int) -> None:
        # A loop that closes gives a signal it hears the default back, which would cut short what follows.
        asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        ignore_hangups()
        exit_code = SIGNAL_BASE + number
        self._watchdog.begin(LIMIT_SECONDS, exit_code)
        self._leave(exit_code)
