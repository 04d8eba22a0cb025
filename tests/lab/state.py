"""What is known of a lab: its folder, what the process that runs it tells in there, and the lab as its users see it."""

import fcntl
import hashlib
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from selfheal_core.folders import state_folder
from tests.lab.errors import LabError
from tests.lab.namespaces import Namespaces
from tests.lab.network import API_ADDRESS, LAB_NETWORKS, POD_NETWORK, SERVICE_NETWORK
from tests.lab.node import HIDDEN
from tests.lab.node_images import import_if_new

DEFAULT_NAME = "lab"
URL = f"https://{API_ADDRESS}:6443"
RUN_SECONDS = 60.0
CLAIM_SECONDS = 0.2
"""Who looks whether a lab runs has its lock meanwhile, for some microseconds; who runs it has it much longer."""
CLAIM_POLL_SECONDS = 0.01
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class State:
    """What the process that runs a lab tells about it in ``state.json``.

    Attributes:
        name: of the lab.
        ready: whether it was brought up completely.
        nodes: first process of each node.
        programs: path of each program.
        ended: how each component ended that does not run any more.
    """

    name: str
    ready: bool = False
    nodes: Mapping[str, int] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)
    ended: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabFolder:
    """The folder of a lab, whether there is one or not."""

    name: str
    path: Path

    @classmethod
    def of(cls, name: str = DEFAULT_NAME) -> Self:
        """Return the folder of the lab of this name.

        Raises:
            LabError: it is no name, or the folder is where the lab's nodes cannot see it.
        """
        if not _NAME.fullmatch(name):
            raise LabError(f"--name {name!r}: a name has 1 to 40 of a-z, 0-9 and -, and - neither first nor last")
        path = state_folder(os.environ).resolve() / "lab" / name
        require_visible(path, "XDG_STATE_HOME")
        return cls(name, path)

    @property
    def mark(self) -> str:
        """What is written on things outside of the folder; a lab of this name in another folder has another one."""
        return f"{self.name}-{hashlib.sha256(str(self.path).encode()).hexdigest()[:8]}"

    @property
    def state_file(self) -> Path:
        """What the runner tells."""
        return self.path / "state.json"

    @property
    def lock(self) -> Path:
        """Held by the runner, whose number is in it."""
        return self.path / "lock"

    @property
    def users(self) -> Path:
        """Locked by each who uses the lab. It is beside the folder, since it outlives that: who waits has it open."""
        return self.path.with_name(f"{self.name}.users")

    @property
    def turn(self) -> Path:
        """Locked by the one who brings the lab up, or joins."""
        return self.path.with_name(f"{self.name}.turn")

    @property
    def logs(self) -> Path:
        """Folder of the components' logs."""
        return self.path / "logs"

    @property
    def runner_log(self) -> Path:
        """What the runner says."""
        return self.logs / "runner.log"

    @property
    def pki(self) -> Path:
        """Folder of certificates and kubeconfigs."""
        return self.path / "pki"

    @property
    def kubeconfig(self) -> Path:
        """How the administrator reaches the API."""
        return self.pki / "admin.kubeconfig"

    @property
    def audit_log(self) -> Path:
        """Where the API server writes who asked for what."""
        return self.path / "audit" / "audit.log"

    @property
    def programs(self) -> Path:
        """Folder with kubectl and helm, for PATH."""
        return self.path / "bin"

    def make(self) -> None:
        """Make the folder, private to its owner.

        Raises:
            LabError: it cannot be made.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
            self.logs.mkdir(exist_ok=True)
        except OSError as error:
            raise LabError(f"cannot use {self.path}: {error.strerror}; set XDG_STATE_HOME to another folder") from None

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Hold the lab for this process; the kernel lets go of it when the process ends, however it ends.

        Raises:
            LabError: it is held already.
        """
        descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + CLAIM_SECONDS
            while not _try_lock(descriptor, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise LabError(f"lab {self.name!r} runs already; end it with: {command('down', self.name)}")
                time.sleep(CLAIM_POLL_SECONDS)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
            yield
        finally:
            os.close(descriptor)

    def runner(self) -> int | None:
        """Return the process that runs the lab; None if none does."""
        try:
            descriptor = os.open(self.lock, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            if _try_lock(descriptor, fcntl.LOCK_SH):
                return None
            number = os.read(descriptor, 32)
            return int(number) if number.isdigit() else None
        finally:
            os.close(descriptor)

    def write_state(self, state: State) -> None:
        """Write what the runner tells, in one step."""
        beside = self.state_file.with_suffix(".new")
        beside.write_text(json.dumps(asdict(state), indent=2) + "\n")
        beside.replace(self.state_file)

    def state(self) -> State | None:
        """Return what the runner tells; None if no lab of this name runs, or it has not said anything yet."""
        if self.runner() is None:
            return None
        with suppress(OSError, ValueError, TypeError):
            return State(**json.loads(self.state_file.read_text()))
        return None


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab that is up.

    Attributes:
        folder: everything it wrote.
        name: its name.
        kubeconfig: of the administrator.
        url: of the API server.
        nodes: names of its nodes.
        audit_log: JSON lines, one for each answered request.
        programs: paths by name.
        inits: first process of each node, by the node's name.
    """

    folder: Path
    name: str
    kubeconfig: Path
    url: str
    nodes: tuple[str, ...]
    audit_log: Path
    programs: Mapping[str, Path]
    inits: Mapping[str, int]

    @classmethod
    def of(cls, folder: LabFolder, state: State) -> Self:
        """Return the lab that a runner tells about."""
        programs = {name: Path(path) for name, path in state.programs.items()}
        place = folder.path, folder.name, folder.kubeconfig, URL
        return cls(*place, tuple(state.nodes), folder.audit_log, programs, dict(state.nodes))

    def run_on(
        self, node: str, *argv: str, timeout_seconds: float = RUN_SECONDS, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command inside a node's namespaces and return what it said.

        Raises:
            subprocess.CalledProcessError: it failed, and ``check`` is on.
            subprocess.TimeoutExpired: it took too long.
        """
        inside = Namespaces(self.inits[node]).inside(argv)
        return subprocess.run(inside, capture_output=True, text=True, timeout=timeout_seconds, check=check)

    def load_image(self, archive: Path) -> tuple[str, ...]:
        """Load a docker archive into the containerd of every node that does not have it, and return those.

        Raises:
            LabError: a node refused it.
        """
        with ThreadPoolExecutor(len(self.inits)) as pool:
            loaded = list(pool.map(lambda init: import_if_new(Namespaces(init), archive), self.inits.values()))
        return tuple(node for node, is_new in zip(self.inits, loaded, strict=True) if is_new)

    def environment(self) -> dict[str, str]:
        """Return the environment in which kubectl and helm speak to the lab as its administrator."""
        own = {name: self.folder / "home" / name.lower() for name in HOMES}
        return {
            **{name: value for name, value in os.environ.items() if name.upper() not in PROXIES},
            **{name: str(path) for name, path in own.items()},
            "KUBECONFIG": str(self.kubeconfig),
            "PATH": f"{self.folder / 'bin'}:{os.environ.get('PATH', os.defpath)}",
            "NO_PROXY": ",".join((LAB_NETWORKS, SERVICE_NETWORK, POD_NETWORK, "127.0.0.1", "localhost")),
        }


HOMES = ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "KUBECACHEDIR")
PROXIES = ("NO_PROXY",)


def require_visible(path: Path, variable: str) -> None:
    """Check that the lab's nodes can see a folder.

    Raises:
        LabError: they have their own folder there.
    """
    for hidden in HIDDEN:
        if path.is_relative_to(hidden):
            raise LabError(f"{path}: the lab's nodes have their own {hidden}; set {variable} to a folder elsewhere")


def command(verb: str, name: str) -> str:
    """Return what to type for a lab of this name."""
    return f"python -m tests.lab {verb}" + (f" --name {name}" if name != DEFAULT_NAME else "")


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
