"""A sandbox in a process of its own, as users start it, with kubectl and helm pointed at it; for tests anywhere."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.polling import until

START_SECONDS = 20.0
COMMAND_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class SandboxProcess:
    """A running sandbox.

    Attributes:
        name: what ``--name`` was.
        kubeconfig: path of its kubeconfig.
        url: where its API is.
        pid: process id of the server.
        folder: where it keeps its files.
        tools: paths of helm and kubectl by name.
        environment: for commands that are meant for this sandbox.
    """

    name: str
    kubeconfig: Path
    url: str
    pid: int
    folder: Path
    tools: Mapping[str, Path]
    environment: Mapping[str, str]

    def run(self, *argv: str, stdin: str = "", check: bool = True) -> Outcome:
        """Run a command against this sandbox; with ``check`` it must succeed."""
        environment = dict(self.environment)
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, timeout=COMMAND_SECONDS, env=environment, check=False
        )
        assert not check or done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return Outcome(done.returncode, done.stdout, done.stderr)

    def kubectl(self, *arguments: str, stdin: str = "", check: bool = True) -> Outcome:
        """Run kubectl."""
        return self.run(str(self.tools["kubectl"]), *arguments, stdin=stdin, check=check)

    def helm(self, *arguments: str, check: bool = True) -> Outcome:
        """Run helm."""
        return self.run(str(self.tools["helm"]), *arguments, check=check)

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return what ``kubectl get ... -o json`` prints."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json").out)
        return found

    def apply(self, *objects: dict[str, Any], namespace: str = "default") -> None:
        """Apply objects."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self.kubectl("apply", "-n", namespace, "-f", "-", stdin=text)

    def command(self, *arguments: str, check: bool = True) -> Outcome:
        """Run selfheal-sandbox for this sandbox."""
        return self.run(sys.executable, "-m", "selfheal_sandbox.main", *arguments, "--name", self.name, check=check)


def environment_for(state_home: Path) -> dict[str, str]:
    """Return an environment in which nothing of the user's own configuration is seen or changed."""
    kept = ("PATH", "LANG", "XDG_RUNTIME_DIR", "TMPDIR", "VIRTUAL_ENV")
    values = {key: os.environ[key] for key in kept if key in os.environ}
    return {**values, "HOME": str(state_home), "XDG_STATE_HOME": str(state_home / "state")}


@contextmanager
def start_sandbox(
    home: Path,
    tools: Mapping[str, Path],
    *,
    name: str = "default",
    speed: float = 1.0,
    options: tuple[str, ...] = (),
) -> Iterator[SandboxProcess]:
    """Run ``selfheal-sandbox up`` in the foreground, and end it with SIGTERM; it does not outlive this process either.

    Args:
        home: empty folder for everything it and its clients write.
        tools: paths of helm and kubectl.
        name: ``--name``.
        speed: ``--speed``.
        options: more arguments.
    """
    environment = environment_for(home)
    argv = [sys.executable, "-m", "selfheal_sandbox.main", "up", "--with-parent", "--name", name, "--speed", str(speed)]
    log = home / f"{name}.log"
    with log.open("wb") as output:
        server = subprocess.Popen([*argv, *options], stdout=output, stderr=output, env=environment, cwd=home)
    try:
        folder = home / "state" / "selfheal" / "sandbox" / name
        info = _wait_for_start(server, folder, log)
        clients = {**environment, "KUBECONFIG": str(folder / "kubeconfig"), "HELM_CACHE_HOME": str(home / "helm")}
        yield SandboxProcess(name, folder / "kubeconfig", info["url"], server.pid, folder, tools, clients)
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(START_SECONDS)
            raise


def _wait_for_start(server: subprocess.Popen[bytes], folder: Path, log: Path) -> dict[str, Any]:
    def info() -> dict[str, Any] | None:
        assert server.poll() is None, log.read_text()
        path = folder / "server.json"
        found: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
        return found if found and found["pid"] == server.pid else None

    started: dict[str, Any] = until(info, START_SECONDS, f"start of the sandbox; {log}")
    return started
