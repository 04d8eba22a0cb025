"""A program on a pseudo-terminal, its screen read by a terminal emulator."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import pyte

SIP_BYTES = 512
"""Read at a time where the link is slow: 8 ms of 60 kB/s."""
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Terminal:
    """Runs a command on a terminal of its own.

    Args:
        command: Program and arguments.
        environ: Its environment.
        columns: Width.
        lines: Height.

    Attributes:
        bytes_read: What the program wrote so far.
        bytes_per_second: Read no faster than this; None reads whatever is there.
        tap: Called with everything that the program writes.
        started_at: When it was started, by ``time.monotonic``.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], columns: int, lines: int) -> None:
        self.bytes_read = 0
        self.bytes_per_second: float | None = None
        self.tap: Callable[[bytes], object] = len
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._exit_code: int | None = None
        self.started_at = time.monotonic()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], list(command), dict(environ))
        self._tell_size(columns, lines)

    def _tell_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, seconds: float) -> bool:
        """Take what the program writes, for at most a time; False if nothing came."""
        if self._fd < 0:
            time.sleep(min(seconds, 0.05))
            return False
        ready, _, _ = select.select([self._fd], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self._fd, 65_536 if self.bytes_per_second is None else SIP_BYTES)
        except OSError:  # EIO: nobody has the other end open any more
            data = b""
            time.sleep(min(seconds, 0.05))
        self.bytes_read += len(data)
        self.tap(data)
        self._stream.feed(data)
        if self.bytes_per_second is not None:
            time.sleep(len(data) / self.bytes_per_second)
        return bool(data)

    def text(self) -> str:
        """The screen as text."""
        return "\n".join(line.rstrip() for line in self.lines())

    def lines(self) -> list[str]:
        """The screen, line by line."""
        # Not pyte's own `display`, which fails on half of a wide character, as there is in the middle of a frame.
        rows = (self._screen.buffer[y] for y in range(self._screen.lines))
        return ["".join(row[x].data for x in range(self._screen.columns)) for row in rows]

    def column(self, number: int) -> list[str]:
        """The characters of one column, top to bottom; much cheaper than the whole screen."""
        return [self._screen.buffer[y][number].data for y in range(self._screen.lines)]

    def wait_for(self, seen: Callable[[str], bool], seconds: float) -> float:
        """Read until the screen satisfies a predicate.

        Returns:
            Seconds since this call.

        Raises:
            TimeoutError: It did not in time; the text is the screen.
        """
        began = time.monotonic()
        while not seen(self.text()):
            left = seconds - (time.monotonic() - began)
            if left <= 0 or self.wait(0.0) is not None:
                raise TimeoutError(f"not seen within {seconds:g} s on this screen:\n{self.text()}")
            self.read(min(left, 0.2))
        return time.monotonic() - began

    def resize(self, columns: int, lines: int) -> None:
        """Have another size; the program is told by SIGWINCH."""
        self._screen.resize(lines, columns)
        self._tell_size(columns, lines)

    def modes(self) -> list[object]:
        """The terminal's modes (``termios``), as a shell would find them."""
        return termios.tcgetattr(self._fd)

    def send(self, keys: str) -> None:
        """Type."""
        os.write(self._fd, keys.encode())

    def watch(self, seconds: float) -> None:
        """Read for a time."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.read(left)

    def cpu_seconds(self) -> float:
        """CPU time that the program has used, user and system."""
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def resident_mebibytes(self) -> float:
        """Memory that the program holds."""
        with open(f"/proc/{self.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def hang_up(self) -> None:
        """Close the terminal, as a lost connection does."""
        os.close(self._fd)
        self._fd = -1

    def close(self, seconds: float = 5.0) -> int:
        """End the program, if it has not ended: first in words, then by force.

        Returns:
            Its exit code; negative for a signal.
        """
        for number in (0, signal.SIGTERM, signal.SIGKILL):
            if self._exit_code is None and number:
                os.kill(self.pid, number)
            if self.wait(seconds if number else 0.0) is not None:
                break
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        return -signal.SIGKILL if self._exit_code is None else self._exit_code

    def wait(self, seconds: float) -> int | None:
        """Wait for the program's end, reading on; its exit code, None if it still runs."""
        until = time.monotonic() + seconds
        while self._exit_code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._exit_code = os.waitstatus_to_exitcode(status)
                has_more = True
                while has_more:  # its last words are still in the terminal
                    has_more = self.read(0.0)
            elif time.monotonic() >= until:
                break
            elif not self.read(0.05):
                time.sleep(0.01)
        return self._exit_code
