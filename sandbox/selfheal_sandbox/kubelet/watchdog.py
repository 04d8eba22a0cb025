"""A small process that outlives the sandbox by a moment and ends every container process, whatever happened.

The sandbox holds the writing end of a pipe and tells the watchdog of each process group it makes. At the end of the
pipe (the sandbox closed it or was killed) the watchdog kills those groups, then every process that carries the
sandbox's mark in its environment, so that grandchildren in sessions of their own end too.

This file is run by its path in a bare interpreter: it imports nothing but the standard library.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

SANDBOX_VARIABLE = "SELFHEAL_SANDBOX_ID"
"""Environment variable that marks every process of a sandbox."""

CONTAINER_VARIABLE = "SELFHEAL_CONTAINER_ID"
"""Environment variable that marks every process of one container instance."""

SWEEPS = 40
SWEEP_PAUSE_SECONDS = 0.05


def marked_processes(variable: str, value: str) -> list[int]:
    """Return the processes of this user, except the caller, whose initial environment holds ``variable=value``."""
    wanted = f"{variable}={value}".encode()
    return [pid for pid in _processes() if pid != os.getpid() and wanted in _environment(pid).split(b"\0")]


def _processes() -> list[int]:
    with suppress(OSError):
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return []


def _environment(pid: int) -> bytes:
    """Return a process's initial environment; empty for one that is gone, a zombie, or another user's."""
    with suppress(OSError), open(f"/proc/{pid}/environ", "rb") as stream:
        return stream.read()
    return b""


def kill_group(group: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to a process group; nothing happens if it is gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def kill_processes(pids: Iterable[int]) -> None:
    """Kill these processes; those that are gone are skipped."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def sweep(variable: str, value: str, sweeps: int = SWEEPS) -> bool:
    """Kill marked processes until none is left, as one may fork while it is looked for; return whether none is."""
    for _ in range(sweeps):
        left = marked_processes(variable, value)
        if not left:
            return True
        kill_processes(left)
        time.sleep(SWEEP_PAUSE_SECONDS)
    return not marked_processes(variable, value)


def groups_from(descriptor: int) -> set[int]:
    """Read ``+GROUP`` and ``-GROUP`` lines until the end of the pipe; return the groups that were not taken back."""
    groups: set[int] = set()
    with open(descriptor, encoding="ascii") as lines:
        for line in lines:
            group = int(line[1:])
            groups.add(group) if line[0] == "+" else groups.discard(group)
    return groups


def main(sandbox_id: str) -> None:
    """Wait for the end of standard input, then kill what is left of the sandbox."""
    for group in groups_from(0):
        kill_group(group)
    sweep(SANDBOX_VARIABLE, sandbox_id)


class Watchdog:
    """The sandbox's side of the pipe."""

    def __init__(self, sandbox_id: str) -> None:
        reading, self._pipe = os.pipe()
        # A full pipe must not hold up the sandbox; the mark finds what the watchdog was not told of.
        os.set_blocking(self._pipe, False)
        # The watchdog inherits what is blocked here, so that nothing but the end of the pipe ends it.
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, sandbox_id],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env={},
                cwd="/",
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
            os.close(reading)

    @property
    def pid(self) -> int:
        """Process id of the watchdog."""
        return self._process.pid

    def add(self, group: int) -> None:
        """Name a process group that must not outlive the sandbox."""
        self._tell(f"+{group}\n")

    def remove(self, group: int) -> None:
        """Take a process group back: it is gone, and its number may be given to others."""
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        with suppress(OSError):
            os.write(self._pipe, line.encode("ascii"))

    def close(self, timeout_seconds: float = 5.0) -> None:
        """End everything that is left of the sandbox, then the watchdog. Blocks for as long as that takes."""
        if self._pipe < 0:
            return
        os.close(self._pipe)
        self._pipe = -1
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


if __name__ == "__main__":
    main(sys.argv[1])
