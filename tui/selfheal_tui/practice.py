"""``--sandbox``: an embedded cluster with the demo on it, by the commands that a person would type."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from selfheal_core.errors import SelfhealError

NOT_RUNNING = 4
"""Exit code of ``selfheal-sandbox`` for: no such sandbox runs."""
DEMO_NAMESPACE = "demo"
START_SECONDS = 90.0
INSTALL_SECONDS = 300.0
STOP_SECONDS = 60.0
FORGET = "if something that was left in the sandbox is in the way, forget it all: selfheal-sandbox down --forget"
Say = Callable[[str], None]
Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True, slots=True)
class Practice:
    """A sandbox to look at.

    Attributes:
        started: Whether this console started it, and so has to stop it.
    """

    kubeconfig: Path
    started: bool


class Programs:
    """Runs this project's other commands.

    Args:
        environ: For the commands.
        folder: Where they are looked for before PATH; by default beside this program.
    """

    def __init__(self, environ: Mapping[str, str], folder: Path = Path(sys.executable).parent) -> None:
        self._environ = environ
        self._folder = folder

    def find(self, name: str) -> str:
        """Path of a command.

        Raises:
            SelfhealError: It is not installed.
        """
        beside = self._folder / name
        if beside.is_file() and os.access(beside, os.X_OK):
            return str(beside)
        found = shutil.which(name, path=self._environ.get("PATH"))
        if found is None:
            step = "install it with: pip install 'selfheal-tui[all]'"
            raise SelfhealError(f"the command {name} is not installed", step)
        return found

    def call(self, words: list[str], deadline_seconds: float) -> Done:
        """Run a command and wait for it, whatever its exit code.

        Raises:
            SelfhealError: It is not installed, or takes too long.
        """
        try:
            return subprocess.run(
                [self.find(words[0]), *words[1:]],
                env=dict(self._environ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=deadline_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SelfhealError(f"{' '.join(words)} did not end within {deadline_seconds:.0f} s") from None

    def run(self, words: list[str], deadline_seconds: float) -> None:
        """Run a command that has to succeed.

        Raises:
            SelfhealError: It failed; its own last words are passed on.
        """
        done = self.call(words, deadline_seconds)
        if done.returncode:
            raise _failed(" ".join(words[:3]), done)


def open_practice(programs: Programs, say: Say) -> Practice:
    """Start the sandbox unless it runs, and make sure that the demo is on it.

    It starts with what it held when it last ended: somebody may have worked in it, and a fresh start would overwrite
    that. Bringing the demo to what this version ships mends what an earlier evening left broken.

    Args:
        programs: Runs the commands.
        say: Takes a line about what is going on.

    Raises:
        SelfhealError: A command failed; what was started is stopped again.
    """
    path = _kubeconfig(programs)
    started = path is None
    if path is None:
        say("Starting the sandbox (selfheal-sandbox up --detach) ...")
        programs.run(["selfheal-sandbox", "up", "--detach", "--prometheus=available"], START_SECONDS)
        path = _kubeconfig(programs)
    if path is None:
        raise SelfhealError("the sandbox did not start", "run it in another window to see why: selfheal-sandbox up")
    practice = Practice(path, started)
    with ExitStack() as undo:
        undo.callback(close_practice, practice, programs, say)
        say("Installing the demo: the charts of app-a and healerd (selfheal demo install) ...")
        install = ["selfheal", "demo", "install", "--kubeconfig", str(path), "-n", DEMO_NAMESPACE]
        try:
            programs.run(install, INSTALL_SECONDS)
        except SelfhealError as error:
            raise SelfhealError(error.what, error.next_step or FORGET) from None
        undo.pop_all()  # it worked: nothing to undo
    return practice


def close_practice(practice: Practice, programs: Programs, say: Say) -> None:
    """Stop the sandbox if this console started it; what it holds is kept for the next time.

    Raises:
        SelfhealError: It could not be stopped.
    """
    going_on = "The sandbox was running before and goes on; end it with: selfheal-sandbox down"
    stopping = "Stopping the sandbox that this console started (selfheal-sandbox down) ..."
    with suppress(OSError):  # the terminal may have been closed, which is no reason to leave the sandbox running
        say(stopping if practice.started else going_on)
    if practice.started:
        programs.run(["selfheal-sandbox", "down"], STOP_SECONDS)


def _kubeconfig(programs: Programs) -> Path | None:
    """Where the running sandbox is described; None if none runs."""
    done = programs.call(["selfheal-sandbox", "kubeconfig"], START_SECONDS)
    if done.returncode == NOT_RUNNING:
        return None
    if done.returncode:
        raise _failed("selfheal-sandbox kubeconfig", done)
    return Path(done.stdout.strip().splitlines()[-1])


def _failed(what: str, done: Done) -> SelfhealError:
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return SelfhealError(f"{what} failed: {said[-1] if said else f'exit code {done.returncode}'}")
