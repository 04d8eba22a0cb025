"""The programs of a running lab: started inside their namespaces, watched, their logs kept small."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab.errors import LabError
from tests.lab.namespaces import Namespaces

LOG_BYTES = 20 * 1024**2
LOG_TAIL_LINES = 8
LINE_CHARACTERS = 400
NOT_INHERITED = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "KUBECONFIG")


@dataclass(frozen=True, slots=True)
class Component:
    """A program of the lab.

    Attributes:
        name: unique in the lab; its log is called so.
        where: the namespaces it runs in; None is the host.
        argv: its command line.
    """

    name: str
    where: Namespaces | None
    argv: Sequence[str]


class Components:
    """Starts components and knows which have ended.

    Everything is started by the main thread: the first namespaces end with the thread that started them.

    Args:
        logs: folder of their logs.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._known: dict[str, Component] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, component: Component) -> "subprocess.Popen[bytes]":
        """Start a component, or one that has ended again."""
        argv = list(component.argv) if component.where is None else component.where.inside(component.argv)
        with self.log(component.name).open("ab") as log:
            started = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(os.environ),
                start_new_session=True,
            )
        self._known[component.name] = component
        self._running[component.name] = started
        return started

    def ended(self) -> dict[str, str]:
        """Return how each component ended that does not run, by name."""
        codes = {name: process.poll() for name, process in self._running.items()}
        return {name: describe(code) for name, code in codes.items() if code is not None}

    def restart_ended(self) -> list[str]:
        """Start those again that have ended; return their names."""
        names = list(self.ended())
        for name in names:
            self.start(self._known[name])
        return names

    def require_all(self) -> None:
        """Check that every component still runs.

        Raises:
            LabError: one has ended; the message has the end of its log. Of several it is the first that was started, as
                the others need it.
        """
        for name, how in self.ended().items():
            raise LabError(f"{name} {how}; the end of its log:\n{self.tail(name)}")

    def log(self, name: str) -> Path:
        """Return the log of a component."""
        return self._logs / f"{name}.log"

    def tail(self, name: str) -> str:
        """Return the last lines of a component's log, indented."""
        return tail(self.log(name))

    def bound_logs(self) -> None:
        """Cut logs that have grown too large; their writers append, so they go on at the new end."""
        for name in self._known:
            cut(self.log(name), LOG_BYTES)

    def kill(self) -> None:
        """Kill those that still run; one that nsenter started ends only with its namespaces."""
        for process in self._running.values():
            if process.poll() is None:
                process.kill()

    def wait(self, seconds: float) -> None:
        """Wait until all have ended, as they do when their namespaces are gone.

        Raises:
            subprocess.TimeoutExpired: one has not.
        """
        for process in self._running.values():
            process.wait(seconds)


def environment(outside: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of components: proxies of the host are none of theirs, and system programs are on PATH."""
    kept = {name: value for name, value in outside.items() if name.upper() not in NOT_INHERITED}
    return {**kept, "PATH": f"{outside.get('PATH', os.defpath)}:/usr/sbin:/sbin"}


def describe(code: int) -> str:
    """Return how a process ended, by the exit code that nsenter passes on."""
    number = -code if code < 0 else code - 128
    return f"was ended by signal {number}" if 0 < number < 65 else f"ended with exit code {code}"


def tail(log: Path, lines: int = LOG_TAIL_LINES) -> str:
    """Return the last lines of a log, indented; very long ones are cut."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        text = ""
    return "\n".join(f"  {line[:LINE_CHARACTERS]}" for line in text.splitlines()[-lines:]) or "  (nothing)"


def cut(log: Path, limit_bytes: int) -> None:
    """Keep the last quarter of a log that is larger than the limit, in a second file, and empty it."""
    if not log.exists() or log.stat().st_size <= limit_bytes:
        return
    with log.open("rb+") as file:
        file.seek(-limit_bytes // 4, os.SEEK_END)
        log.with_suffix(".old.log").write_bytes(file.read())
        file.truncate(0)
