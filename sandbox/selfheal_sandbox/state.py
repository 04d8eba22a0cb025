"""Where a sandbox keeps its files, whether it runs, and that one name runs once."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from selfheal_core.folders import state_folder

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")
POLL_SECONDS = 0.05
LOCK_ATTEMPTS = 10
"""Somebody who only looks whether a sandbox runs holds its lock for an instant; so one that starts tries again."""


class StateError(Exception):
    """The sandbox's files cannot be used; the message says why and what to type."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a running sandbox tells about itself in ``server.json``.

    Attributes:
        restored: when the snapshot was written that it started from; "" when it started with nothing.
    """

    name: str
    pid: int
    url: str
    speed: float
    nodes: int
    started: str
    restored: str = ""

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        fields = json.loads(text)
        if not isinstance(fields, dict) or set(fields) != set(cls.__slots__):
            raise ValueError("not a server.json")
        return cls(**fields)

    def to_json(self) -> str:
        """Return the content of ``server.json``."""
        return json.dumps(asdict(self), indent=2) + "\n"


def state_home(environment: dict[str, str] | None = None) -> Path:
    """Return the folder that holds a folder for each sandbox."""
    return state_folder(os.environ if environment is None else environment) / "sandbox"


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of one sandbox; whether it exists or not."""

    name: str
    path: Path

    @classmethod
    def of(cls, name: str, home: Path | None = None) -> Self:
        """Return the folder of the sandbox of this name.

        Raises:
            StateError: it is no name.
        """
        if not _NAME.fullmatch(name):
            raise StateError(f"--name {name!r}: a name has 1 to 40 of a-z, 0-9 and -, and - neither first nor last")
        return cls(name, (home or state_home()) / name)

    @property
    def kubeconfig(self) -> Path:
        """How clients reach the sandbox."""
        return self.path / "kubeconfig"

    @property
    def server_info(self) -> Path:
        """What the sandbox tells about itself."""
        return self.path / "server.json"

    @property
    def pods(self) -> Path:
        """Where the folders of pods are."""
        return self.path / "pods"

    @property
    def server_log(self) -> Path:
        """What a sandbox in the background writes."""
        return self.path / "server.log"

    @property
    def prometheus(self) -> Path:
        """What Prometheus keeps while it runs."""
        return self.path / "prometheus"

    @property
    def snapshot(self) -> Path:
        """What a sandbox that ended held, for its next start."""
        return self.path / "snapshot"

    @property
    def lock(self) -> Path:
        """Held by the sandbox as long as it runs."""
        return self.path / "lock"

    def claim(self) -> "Claim":
        """Take the folder for a sandbox that starts, and clear what a killed one left.

        Raises:
            StateError: a sandbox of this name runs, or the folder cannot be made.
        """
        try:
            for folder in (self.path.parent.parent, self.path.parent, self.path):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
            descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(
                f"cannot use {self.path}: {error.strerror}; set XDG_STATE_HOME to a folder of yours"
            ) from None
        for _ in range(LOCK_ATTEMPTS):
            if _lock(descriptor, fcntl.LOCK_EX):
                self.clear()
                return Claim(self, descriptor)
            time.sleep(POLL_SECONDS)
        os.close(descriptor)
        raise StateError(f"sandbox {self.name!r} runs already; end it with: {command('down', self.name)}")

    def is_running(self) -> bool:
        """Return whether a sandbox of this name runs or starts now."""
        try:
            descriptor = os.open(self.lock, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return not _lock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def info(self) -> ServerInfo | None:
        """Return what the running sandbox of this name tells; None when none runs, or it is not ready yet."""
        if not self.is_running():
            return None
        with contextlib.suppress(OSError, ValueError):
            return ServerInfo.from_json(self.server_info.read_text())
        return None

    def clear_if_stale(self) -> bool:
        """Remove what a killed sandbox left; return whether there was anything."""
        if not (self.server_info.exists() or self.kubeconfig.exists() or self.pods.exists()):
            return False
        try:
            self.claim().release()
        except StateError:
            return False
        return True

    def forget(self) -> None:
        """Remove the whole folder of a sandbox that has ended, its log and snapshot included."""
        if not self.is_running():
            shutil.rmtree(self.path, ignore_errors=True)

    def clear(self) -> None:
        """Remove what belongs to one run, so not the snapshot; only whoever holds the claim may do this."""
        for folder in (self.pods, self.prometheus):
            shutil.rmtree(folder, ignore_errors=True)
        for path in (self.kubeconfig, self.server_info, *self.path.glob(f".{self.snapshot.name}.*")):
            path.unlink(missing_ok=True)


class Claim:
    """Held while a sandbox of a name runs; the kernel lets go of it when the process ends, however it ends."""

    def __init__(self, folder: Folder, descriptor: int) -> None:
        self.folder = folder
        self._descriptor = descriptor

    def release(self) -> None:
        """Remove the sandbox's files and let another one start; safe to call twice."""
        if self._descriptor < 0:
            return
        self.folder.clear()
        os.close(self._descriptor)
        self._descriptor = -1


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def command(verb: str, name: str) -> str:
    """Return what to type for a sandbox of this name."""
    return f"selfheal-sandbox {verb}" + (f" --name {name}" if name != "default" else "")


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Look at a condition again and again; return whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def end(folder: Folder, info: ServerInfo, *, term_seconds: float = 20.0, kill_seconds: float = 5.0) -> bool:
    """End a running sandbox, first kindly; return whether it is gone."""
    for number, seconds in ((signal.SIGTERM, term_seconds), (signal.SIGKILL, kill_seconds)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(info.pid, number)
        if wait_until(lambda: not folder.is_running(), seconds):
            folder.clear_if_stale()
            return True
    return False
