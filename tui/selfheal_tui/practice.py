"""``--sandbox``: an embedded cluster with the demo on it, by the commands that a person would type."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from selfheal_core.errors import SelfhealError

NOT_RUNNING = 4
"""Exit code of ``selfheal-sandbox`` for: no such sandbox runs."""
DEMO_NAMESPACE = "demo"
START_SECONDS = 90.0
INSTALL_SECONDS = 300.0
STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Practice:
    """A sandbox to look at.

    Attributes:
        started: Whether this console started it, and so has to stop it.
    """

    kubeconfig: Path
    started: bool


Say = Callable[[str], None]


def open_practice(environ: Mapping[str, str], say: Say) -> Practice:
    """Start the sandbox unless it runs, and make sure that the demo is on it.

    Args:
        environ: For the commands.
        say: Takes a line about what is going on.

    Raises:
        SelfhealError: A command failed; its own words are passed on.
    """
    path = _kubeconfig(environ)
    started = path is None
    if path is None:
        say("Starting the sandbox (selfheal-sandbox up --detach) ...")
        _run(["selfheal-sandbox", "up", "--detach"], environ, START_SECONDS)
        path = _kubeconfig(environ)
    if path is None:
        raise SelfhealError("the sandbox did not start", "run it in another window to see why: selfheal-sandbox up")
    try:
        say("Installing the demo: the charts of app-a and healerd (selfheal demo install) ...")
        install = ["selfheal", "demo", "install", "--kubeconfig", str(path), "-n", DEMO_NAMESPACE]
        _run(install, environ, INSTALL_SECONDS)
    except BaseException:
        close_practice(Practice(path, started), environ, say)
        raise
    return Practice(path, started)


def close_practice(practice: Practice, environ: Mapping[str, str], say: Say) -> None:
    """Stop the sandbox if this console started it."""
    if not practice.started:
        say("The sandbox was running before and goes on; end it with: selfheal-sandbox down")
        return
    say("Stopping the sandbox that this console started (selfheal-sandbox down) ...")
    _run(["selfheal-sandbox", "down"], environ, STOP_SECONDS)


def _kubeconfig(environ: Mapping[str, str]) -> Path | None:
    """Where the running sandbox is described; None if none runs."""
    done = _call(["selfheal-sandbox", "kubeconfig"], environ, START_SECONDS)
    if done.returncode == NOT_RUNNING:
        return None
    if done.returncode:
        raise _failed("selfheal-sandbox kubeconfig", done)
    return Path(done.stdout.strip().splitlines()[-1])


def _run(words: list[str], environ: Mapping[str, str], deadline_seconds: float) -> None:
    done = _call(words, environ, deadline_seconds)
    if done.returncode:
        raise _failed(" ".join(words[:3]), done)


def _call(words: list[str], environ: Mapping[str, str], deadline_seconds: float) -> subprocess.CompletedProcess[str]:
    """Run one of our commands and wait for it.

    Raises:
        SelfhealError: It is not installed, or takes too long.
    """
    program = find_program(words[0], environ)
    try:
        return subprocess.run(
            [program, *words[1:]],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=deadline_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SelfhealError(f"{' '.join(words)} did not end within {deadline_seconds:.0f} s") from None


def find_program(name: str, environ: Mapping[str, str]) -> str:
    """A command of this project: the one installed beside this program, else the one on PATH.

    Raises:
        SelfhealError: There is none.
    """
    beside = Path(sys.executable).with_name(name)
    if beside.is_file() and os.access(beside, os.X_OK):
        return str(beside)
    found = shutil.which(name, path=environ.get("PATH"))
    if found is None:
        raise SelfhealError(f"the command {name} is not installed", "install it with: pip install 'selfheal-tui[all]'")
    return found


def _failed(what: str, done: subprocess.CompletedProcess[str]) -> SelfhealError:
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return SelfhealError(f"{what} failed: {said[-1] if said else f'exit code {done.returncode}'}")
