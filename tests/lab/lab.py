"""Bring a lab up, take it down, say how it is: what the command line, the make targets and the tests do.

A lab is run by a process of its own in the background (`tests.lab.runner`), so it outlives who brought it up.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.lab import addons, health, leftovers, users
from tests.lab.errors import LabError
from tests.lab.namespaces import run
from tests.lab.network import NODES, in_the_way
from tests.lab.packages import install_missing, require_machine
from tests.lab.programs import PACKAGES, lab_cache, programs
from tests.lab.runner import Runner
from tests.lab.state import DEFAULT_NAME, Lab, LabFolder, State, command, require_visible

ROOT = Path(__file__).parents[2]
FREE_BYTES = 2 * 1024**3
"""Images unpacked on two nodes, etcd, and logs; ten thousand pods are 160 MB in etcd."""

POLL_SECONDS = 0.05
UP_SECONDS = 420.0
MEND_SECONDS = 90.0
DOWN_SECONDS = 30.0
KILL_SECONDS = 5.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a lab is brought up from: programs, and the images of some, by the program's name."""

    programs: dict[str, Path]
    archives: dict[str, Path]


def prepare(say: Say) -> Inputs:
    """Get everything that a lab is brought up from; at once, if it is all there.

    Raises:
        LabError: something cannot be had.
    """
    require_machine()
    require_visible(lab_cache(), "XDG_CACHE_HOME")
    install_missing(say)
    built = programs(PACKAGES, say)
    return Inputs(built, addons.archives(built))


def run_in_foreground(folder: LabFolder, say: Say) -> None:
    """Be the process that runs a lab.

    Raises:
        LabError: it runs already, or did not come up.
    """
    inputs = prepare(say)
    folder.make()
    with folder.claim():
        _make_room(folder)
        Runner(folder, inputs.programs, inputs.archives, say).run()


def up(folder: LabFolder, say: Say) -> Lab:
    """Bring a lab up, or mend one that is up; it stays up until somebody takes it down.

    Raises:
        LabError: it cannot be; nothing but its logs is left.
    """
    with _used(folder, say) as lab:
        users.keep(folder)
        return lab


def _used(folder: LabFolder, say: Say) -> AbstractContextManager[Lab]:
    """Use a lab together with whoever else does."""
    require_machine()
    if folder.runner() is None:
        prepare(say)  # it takes many minutes the first time, longer than others wait for a lab
    return users.shared(folder, partial(_up, folder, say), partial(down, folder, say), say)


def _up(folder: LabFolder, say: Say) -> Lab:
    if folder.runner() is not None:
        return mend(folder, say)
    folder.make()
    with folder.claim():
        _make_room(folder)
    folder.runner_log.write_bytes(b"")
    with folder.runner_log.open("ab") as log:
        runner = subprocess.Popen(
            [sys.executable, "-m", "tests.lab", "run", "--name", folder.name],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        lab = _follow(folder, runner, say)
    except BaseException:
        _end(runner.pid, lambda: runner.poll() is not None)
        raise
    # It outlives this process, or ends before it and has to be waited for.
    threading.Thread(target=runner.wait, name=f"lab-{folder.name}", daemon=True).start()
    return lab


def require_space(path: Path, free_bytes: int) -> None:
    """Check that a folder's disk has room for a lab.

    Raises:
        LabError: it has not.
    """
    if free_bytes < FREE_BYTES:
        raise LabError(
            f"the lab needs {FREE_BYTES >> 20} MB in {path}, and {free_bytes >> 20} MB are free;"
            " make room, or set XDG_STATE_HOME to a folder elsewhere"
        )


def _make_room(folder: LabFolder) -> None:
    """Remove what a killed lab of this name left, and check that disk and addresses are free on this machine."""
    leftovers.remove(folder)
    require_space(folder.path, shutil.disk_usage(folder.path).free)
    links, routes = (json.loads(run(["ip", "-json", what]) or "[]") for what in ("link", "route"))
    reason = in_the_way(links, routes)
    if reason:
        raise LabError(reason)


def _follow(folder: LabFolder, runner: "subprocess.Popen[bytes]", say: Say) -> Lab:
    """Pass on what the runner says until the lab is up."""
    deadline = time.monotonic() + UP_SECONDS
    with folder.runner_log.open() as log:
        while True:
            ended = runner.poll() is not None
            for line in log:
                say(line.rstrip("\n"))
            state = folder.state()
            if state is not None and state.ready:
                return Lab.of(folder, state)
            if ended:
                raise LabError(f"the lab did not come up; nothing is left of it but its logs in {folder.logs}")
            if time.monotonic() > deadline:
                raise LabError(f"the lab did not come up within {UP_SECONDS:.0f} s; its logs are in {folder.logs}")
            time.sleep(POLL_SECONDS)


def mend(folder: LabFolder, say: Say) -> Lab:
    """Start the components of a lab again that have ended, and wait until all is well.

    Raises:
        LabError: it does not get well; the message says what to type.
    """
    deadline = time.monotonic() + MEND_SECONDS
    asked = False
    while True:
        state = folder.state()
        found = ["it is still starting"] if state is None or not state.ready else problems(folder, state)
        if state is not None and not found:
            say(f"lab {folder.name!r} is up; export KUBECONFIG={folder.kubeconfig}")
            return Lab.of(folder, state)
        pid = folder.runner()
        if pid is None:
            raise LabError(f"lab {folder.name!r} has ended; start it anew: {command('up', folder.name)}")
        if state is not None and state.ended and not asked:
            say(f"lab {folder.name!r} is up but {found[0]}; starting again what has ended")
            os.kill(pid, signal.SIGHUP)
            asked = True
        if time.monotonic() > deadline:
            again = f"{command('down', folder.name)} && {command('up', folder.name)}"
            raise LabError(f"lab {folder.name!r} does not get well, {found[0]}; start it anew: {again}")
        time.sleep(POLL_SECONDS * 5)


def problems(folder: LabFolder, state: State) -> list[str]:
    """Return what is wrong with a lab that was brought up, in words."""
    ended = [f"{name} {how}" for name, how in state.ended.items()]
    kubectl = Path(state.programs["kubectl"])
    if health.read(kubectl, folder.kubeconfig, "/readyz") != "ok":
        return [*ended, "the API server does not answer"]
    nodes = health.read_object(kubectl, folder.kubeconfig, health.NODES)
    deployments = health.read_object(kubectl, folder.kubeconfig, health.ADDONS)
    names = [image.program for image in addons.ADDONS]
    return [
        *ended,
        *(f"node {name} is not Ready" for name in health.not_ready(nodes, state.nodes)),
        *(f"{name} is not available" for name in health.unavailable(deployments, names)),
    ]


def down(folder: LabFolder, say: Say) -> None:
    """Take a lab down, and remove what one left that was killed; its folder too.

    Raises:
        LabError: something cannot be removed.
    """
    require_machine()
    pid = folder.runner()
    if pid is not None and not _end(pid, lambda: folder.runner() is None):
        raise LabError(f"process {pid}, which runs lab {folder.name!r}, cannot be ended")
    left = leftovers.found(folder)
    if pid is None and not left and not folder.path.exists():
        say(f"no lab {folder.name!r} is up, and nothing is left of one")
        return
    folder.make()
    with folder.claim():
        leftovers.remove(folder)
    leftovers.remove_path(folder.path)
    users.keep(folder)  # what was noted of this lab says nothing about the next one
    say(f"lab {folder.name!r} is down" if pid is not None else f"removed what lab {folder.name!r} had left")


def _end(pid: int, is_over: Callable[[], bool]) -> bool:
    """End a runner, first kindly; return whether it is gone."""
    for number, seconds in ((signal.SIGTERM, DOWN_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while not is_over():
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
        else:
            return True
    return False


def status(folder: LabFolder) -> tuple[bool, str]:
    """Return whether a lab is up and well, and how it is, in words."""
    state = folder.state()
    if state is None:
        left = leftovers.found(folder) if folder.runner() is None else []
        hint = f"; one left {', '.join(left)}; remove it: {command('down', folder.name)}" if left else ""
        return False, f"lab {folder.name!r} is not up{hint}"
    if not state.ready:
        return False, f"lab {folder.name!r} is starting; see {folder.runner_log}"
    found = problems(folder, state)
    if found:
        lines = "".join(f"\n  {problem}" for problem in found)
        return False, f"lab {folder.name!r} is up, but not well; mend it: {command('up', folder.name)}{lines}"
    return True, f"lab {folder.name!r} is up, {len(NODES)} nodes are Ready; export KUBECONFIG={folder.kubeconfig}"


@contextmanager
def running_lab(say: Say, name: str = DEFAULT_NAME) -> Iterator[Lab]:
    """Use a lab: one that is up, or a new one, which its last user takes down, unless somebody asked for it by `up`.

    Args:
        say: told of each step.
        name: of the lab.

    Raises:
        LabError: it does not come up.
    """
    with _used(LabFolder.of(name), say) as lab:
        yield lab
