"""Writes to the terminal from a thread of its own, so that a terminal that does not read never holds up the console."""

import os
import select
import threading
from collections import deque
from collections.abc import Callable

from selfheal_tui.terminal.link import Link

CHUNK_BYTES = 4 * 2**10
"""Written at a time: about what a pseudo-terminal's buffer holds."""
LIMIT_BYTES = 2**20
"""Nothing is kept beyond this. Frames stop long before; it bounds what else is written (texts for the clipboard)."""
POLL_SECONDS = 0.25
STOP_SECONDS = 1.0
"""At the end a terminal that does not read is waited for no longer than this."""


class TerminalWriter:
    """A queue that never blocks, emptied by a thread. Textual's own holds 30 writes and blocks the caller beyond.

    Args:
        fileno: The terminal.
        link: Told what waits and what was taken.
        on_drained: Called in the thread whenever everything that waited has been taken.
        on_gone: Called in the thread when the terminal is found to have hung up.
    """

    def __init__(
        self, fileno: int, link: Link, on_drained: Callable[[], None], on_gone: Callable[[], None] = lambda: None
    ) -> None:
        self._terminal = fileno
        self._link = link
        self._on_drained = on_drained
        self._on_gone = on_gone
        self._waiting: deque[bytes] = deque()
        self._stirred = threading.Condition()
        self._stopping = False
        self._given_up = False
        self._thread = threading.Thread(target=self._run, name="terminal-writer", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def write(self, text: str) -> None:
        """Hand text over; never waits. Text beyond the bound is dropped."""
        data = text.encode("utf-8", "replace")
        with self._stirred:
            if not data or self._given_up or self._link.waiting_bytes + len(data) > LIMIT_BYTES:
                return
            self._link.hand_over(len(data))
            self._waiting.append(data)
            self._stirred.notify()

    def stop(self) -> None:
        """End the thread once everything is written, or after a second of a terminal that takes nothing."""
        with self._stirred:
            self._stopping = True
            self._stirred.notify()
        self._thread.join(STOP_SECONDS)
        self._give_up()

    def _run(self) -> None:
        own = _reopened(self._terminal)
        try:
            while (data := self._next()) is not None:
                self._write(self._terminal if own is None else own, data)
                if not self._link.waiting_bytes:
                    self._on_drained()
        except OSError:  # the terminal hung up
            self._give_up()
            if not self._stopping:
                self._on_gone()
        finally:
            if own is not None:
                os.close(own)

    def _next(self) -> bytes | None:
        with self._stirred:
            while not self._waiting:
                if self._stopping:
                    return None
                self._stirred.wait()
            return self._waiting.popleft()

    def _write(self, fileno: int, data: bytes) -> None:
        at = 0
        while at < len(data) and not self._given_up:
            if not select.select((), (fileno,), (), POLL_SECONDS)[1]:
                continue
            try:
                count = os.write(fileno, data[at : at + CHUNK_BYTES])
            except BlockingIOError:
                continue
            self._link.taken(count)
            at += count

    def _give_up(self) -> None:
        with self._stirred:
            self._given_up = True
            self._waiting.clear()
            self._link.taken(self._link.waiting_bytes)


def _reopened(fileno: int) -> int | None:
    """The same terminal, opened once more for writes that never wait; None where that is not possible.

    The descriptor that we were given is shared with the shell, which must not find it in another mode.
    """
    try:
        return os.open(os.ttyname(fileno), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return None
