"""Textual's terminal driver with a writer that never blocks, and with ctrl+z on every screen."""

import os
import signal
from typing import TYPE_CHECKING, Any

from textual import events
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from selfheal_tui.terminal.ascii_only import to_ascii
from selfheal_tui.terminal.writer import TerminalWriter

if TYPE_CHECKING:
    from selfheal_tui.terminal.paced import PacedApp

SUSPEND_KEY = "ctrl+z"
SILENT_TERMS = frozenset({"linux", "vt100", "vt102", "vt220", "ansi"})
"""Terminals that never answer a question, and of which older ones print a part of it."""


class Relieved(Message):
    """The terminal has taken everything that waited, or came back into our hands: paint what is owed.

    Args:
        wholly: Whether nothing that was painted before is still there.
    """

    def __init__(self, *, wholly: bool = False) -> None:
        super().__init__()
        self.wholly = wholly


class ConsoleDriver(LinuxDriver):
    """Driver of the console; reports on its link to the terminal."""

    _app: "PacedApp"

    def __init__(self, app: "PacedApp", **options: Any) -> None:
        super().__init__(app, **options)
        self._writer: TerminalWriter | None = None
        self._started = False

    def start_application_mode(self) -> None:
        """Take the terminal; after a suspension everything is painted anew."""
        assert self._file is not None
        self._writer = TerminalWriter(self._file.fileno(), self._app.link, self._drained, _hang_up)
        self._writer.start()
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual left this one without types
        if self._started:
            self.send_message(Relieved(wholly=True))
        self._started = True

    def _request_terminal_sync_mode_support(self) -> None:
        if os.environ.get("TERM") not in SILENT_TERMS:
            super()._request_terminal_sync_mode_support()

    def _query_in_band_window_resize(self) -> None:
        if os.environ.get("TERM") not in SILENT_TERMS:
            super()._query_in_band_window_resize()

    def write(self, data: str) -> None:
        """Hand data over to the writer; returns at once."""
        if self._writer is not None:
            self._writer.write(to_ascii(data) if self._app.ascii_only else data)

    def close(self) -> None:
        """End the writer; waits a moment for what is still to be written."""
        super().close()
        if self._writer is not None:
            self._writer.stop()

    def process_message(self, message: Message) -> None:
        """Suspend the process at ctrl+z, whatever the screen does with keys; called in the input's thread."""
        if isinstance(message, events.Key) and message.key == SUSPEND_KEY:
            os.kill(os.getpid(), signal.SIGTSTP)
        else:
            super().process_message(message)

    def _drained(self) -> None:
        if self._app.owes:
            self.send_message(Relieved())


def _hang_up() -> None:
    """The kernel tells of a closed terminal only whoever leads its session, who may live on: `make` waits for us."""
    os.kill(os.getpid(), signal.SIGHUP)
