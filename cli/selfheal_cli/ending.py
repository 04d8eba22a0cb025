"""A program that was told to end does, whatever on its way out does not: bounded from outside, by a thread."""

import contextlib
import logging
import os
import signal
import threading

from selfheal_core.child_processes import children

log = logging.getLogger(__name__)
GAVE_UP = 1
"""Exit code where an end that was asked for politely had to be forced."""
STUCK = "this program did not end in order within %g s, so it was ended by force"
TELL_SECONDS = 0.5


class Watchdog:
    """Ends this process by force if its end takes too long."""

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None

    def begin(self, seconds: float, exit_code: int) -> None:
        """The end begins now; only the first call counts.

        Args:
            seconds: How long everything may take from here on.
            exit_code: Of the process, if it is ended by force.
        """
        if self._timer is None:
            self._timer = threading.Timer(seconds, _end_now, (seconds, exit_code))
            self._timer.daemon = True
            self._timer.start()

    def stand_down(self) -> None:
        """Everything ended in order; no force is needed."""
        if self._timer is not None:
            self._timer.cancel()


def _end_now(seconds: float, exit_code: int) -> None:
    """End without any more ado, children first: those that lead a process group with all of it."""
    # Whatever is stuck may hold the log's lock.
    telling = threading.Thread(target=log.error, args=(STUCK, seconds), daemon=True)
    telling.start()
    telling.join(TELL_SECONDS)
    for child in children(os.getpid()):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            (os.killpg if os.getpgid(child) == child else os.kill)(child, signal.SIGKILL)
    os._exit(exit_code)
