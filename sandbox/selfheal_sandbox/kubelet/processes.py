"""Make the processes of containers and end them, with everything that they started."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from selfheal_sandbox.kubelet.states import KILLED_BY_SIGNAL
from selfheal_sandbox.kubelet.watchdog import (
    CONTAINER_VARIABLE,
    Watchdog,
    kill_group,
    kill_processes,
    marked_processes,
)


@dataclass(frozen=True, slots=True)
class ProgramSpec:
    """What to run.

    Attributes:
        container_id: mark of the container instance; its processes are found by it.
        translate: puts paths and names of this machine into the arguments of further programs in the container.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    container_id: str
    translate: Callable[[str], str] = str


class Program:
    """A running process that leads a session of its own."""

    def __init__(self, process: asyncio.subprocess.Process, watchdog: Watchdog) -> None:
        self._process = process
        self._watchdog = watchdog
        watchdog.add(process.pid)

    @property
    def pid(self) -> int:
        """Process id, which is also the number of its group and session."""
        return self._process.pid

    @property
    def stdin(self) -> asyncio.StreamWriter | None:
        """Writer of its standard input, if it was made with one."""
        return self._process.stdin

    @property
    def is_running(self) -> bool:
        """Whether the first process still runs."""
        return self._process.returncode is None

    async def wait(self) -> int:
        """Return the exit code of the first process, 128 + signal number if a signal ended it."""
        code = await self._process.wait()
        return KILLED_BY_SIGNAL - code if code < 0 else code

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the first process, as a container runtime does; SIGKILL goes to the whole group."""
        if not self.is_running:
            return
        if number is signal.SIGKILL:
            kill_group(self.pid)
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def forget(self) -> None:
        """Kill what is left of the group and tell the watchdog that the number is free. Call once it was waited for."""
        kill_group(self.pid)
        self._watchdog.remove(self.pid)


async def start(spec: ProgramSpec, watchdog: Watchdog, *, stdin: int | None, stdout: int, stderr: int) -> Program:
    """Start a program in a session of its own.

    Args:
        spec: what to run.
        watchdog: is told of the process.
        stdin: ``asyncio.subprocess.PIPE``, or None for an empty input.
        stdout: file descriptor.
        stderr: file descriptor.

    Raises:
        OSError: there is no such program, or it cannot be run.
    """
    argv = list(spec.argv)
    if not argv:
        raise FileNotFoundError("no command specified")
    argv[0] = _resolve(argv[0], spec)
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL if stdin is None else stdin,
        stdout=stdout,
        stderr=stderr,
        env={**spec.environment, CONTAINER_VARIABLE: spec.container_id},
        cwd=spec.directory,
        start_new_session=True,
    )
    return Program(process, watchdog)


def _resolve(program: str, spec: ProgramSpec) -> str:
    """Find a program on the container's own PATH, and tell a missing program from a missing folder.

    Raises:
        FileNotFoundError: worded as a container runtime words it.
    """
    if "/" in program:
        path = program if os.path.isabs(program) else str(spec.directory / program)
        if not os.path.exists(path):
            raise FileNotFoundError(f'exec: "{program}": stat {program}: no such file or directory')
        if not os.access(path, os.X_OK) or os.path.isdir(path):
            raise PermissionError(f'exec: "{program}": permission denied')
        return path
    for folder in spec.environment.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, program)
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    raise FileNotFoundError(f'exec: "{program}": executable file not found in $PATH')


def kill_container(container_id: str) -> None:
    """Kill every process of a container instance, also those in sessions of their own."""
    for _ in range(5):
        left = marked_processes(CONTAINER_VARIABLE, container_id)
        if not left:
            return
        kill_processes(left)
