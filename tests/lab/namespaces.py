"""Namespaces of Linux, each held by a process that does nothing but reap: its end is the end of all that is inside."""

import os
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfheal_core.child_processes import children
from tests.lab.errors import LabError

KINDS = ("--mount", "--net", "--pid", "--uts", "--ipc")
ENDS_WITH_STARTER = ("setpriv", "--pdeathsig=KILL")
"""Before a command line: Linux kills the process once the thread that started it has ended, however it ended."""
SETUP_SECONDS = 20.0
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Namespaces, named by the process that holds them; its number is that of the host's namespace."""

    init: int

    def inside(self, argv: Iterable[str], kinds: Sequence[str] = KINDS) -> list[str]:
        """Return the command line that runs a command in here."""
        return ["nsenter", f"--target={self.init}", *kinds, "--", *argv]

    def run(self, argv: Iterable[str], *, lines: Iterable[str] = (), kinds: Sequence[str] = KINDS) -> None:
        """Run a short command in here.

        Args:
            argv: the command.
            lines: for its standard input.
            kinds: the namespaces to enter.

        Raises:
            LabError: it failed.
        """
        run(self.inside(argv, kinds), lines)

    def configure_network(self, lines: Iterable[str]) -> None:
        """Run lines of ``ip -batch`` in the network namespace; processes in them are numbered as on the host.

        Raises:
            LabError: one failed.
        """
        self.run(["ip", "-batch", "-"], lines=lines, kinds=("--net",))


def run(argv: Sequence[str], lines: Iterable[str] = (), environment: Mapping[str, str] | None = None) -> str:
    """Run a short command and return its output.

    Args:
        argv: the command.
        lines: for its standard input.
        environment: instead of this process's.

    Raises:
        LabError: it failed or took too long.
    """
    text = "".join(f"{line}\n" for line in lines)
    try:
        done = subprocess.run(
            argv, input=text, capture_output=True, text=True, timeout=SETUP_SECONDS, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(f"{argv[0]} failed: {error}") from None
    if done.returncode != 0:
        complaint = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[0]
        raise LabError(f"{' '.join(argv)} failed: {complaint}")
    return done.stdout


def new_command(pause: Path) -> list[str]:
    """Return the command line of new namespaces.

    They end with the process that starts them, however that ends: the kernel then kills ``unshare``, which had it kill
    the first process inside. Mounts inside are not seen outside.
    """
    return [*ENDS_WITH_STARTER, *_unshare(pause)]


def nested_command(outer: Namespaces, pause: Path) -> list[str]:
    """Return the command line of namespaces within others; they end with those."""
    return outer.inside(_unshare(pause))


def _unshare(pause: Path) -> list[str]:
    return ["unshare", *KINDS, "--fork", "--kill-child=KILL", "--mount-proc", "--propagation=private", str(pause)]


def await_init(starter: "subprocess.Popen[bytes]", pause: Path) -> Namespaces:
    """Wait until the first process of new namespaces runs.

    Args:
        starter: runs a command line of this module.
        pause: the program that is waited for.

    Raises:
        LabError: the starter ended, or it takes too long.
    """
    deadline = time.monotonic() + SETUP_SECONDS
    while time.monotonic() < deadline:
        for pid in descendants(starter.pid):
            if program_of(pid) == pause:
                return Namespaces(pid)
        if starter.poll() is not None:
            raise LabError(f"no namespaces: unshare ended with exit code {starter.returncode}")
        time.sleep(POLL_SECONDS)
    raise LabError(f"no namespaces within {SETUP_SECONDS:.0f} s")


def program_of(pid: int) -> Path | None:
    """Return the program that a process runs; None if it is gone, or not ours to see."""
    try:
        return Path(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return None


def descendants(pid: int) -> list[int]:
    """Return the processes that descend from a process, nearest first."""
    found = [pid]
    for one in found:
        found.extend(children(one))
    return found[1:]
