"""How the contract tests reach a cluster, and a sandbox of their own for them."""

import base64
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

START_SECONDS = 20.0
STOP_SECONDS = 15.0


@dataclass(frozen=True)
class Cluster:
    """How to reach a cluster, and how long it takes over some things.

    Attributes:
        kubeconfig: for kubectl and the Python client.
        url: of the API server.
        headers: that authenticate, when a token does.
        tls: trusts the cluster, and carries the client certificate when one authenticates.
        forgets: whether revision 1 is certainly forgotten; a young cluster may hold its whole history.
    """

    kubeconfig: Path
    url: str
    headers: dict[str, str]
    tls: ssl.SSLContext
    forgets: bool


def cluster_of(kubeconfig: Path, *, is_sandbox: bool) -> Cluster:
    """Return the cluster of a kubeconfig's current context."""
    config = yaml.safe_load(kubeconfig.read_text())
    context = _named(config["contexts"], config["current-context"])["context"]
    cluster = _named(config["clusters"], context["cluster"])["cluster"]
    user = _named(config["users"], context["user"])["user"]
    return Cluster(
        kubeconfig,
        cluster["server"].rstrip("/"),
        {"Authorization": f"Bearer {user['token']}"} if "token" in user else {},
        _tls(cluster, user),
        forgets=is_sandbox,
    )


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def _tls(cluster: dict[str, Any], user: dict[str, Any]) -> ssl.SSLContext:
    authority = _content(cluster, "certificate-authority")
    context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    certificate, key = _content(user, "client-certificate"), _content(user, "client-key")
    if certificate and key:
        with tempfile.NamedTemporaryFile() as file:
            file.write(certificate + b"\n" + key)
            file.flush()
            context.load_cert_chain(file.name)
    return context


def _content(entry: dict[str, Any], name: str) -> bytes | None:
    """Return what a kubeconfig holds itself, or the file it names."""
    if f"{name}-data" in entry:
        return base64.b64decode(entry[f"{name}-data"])
    return Path(entry[name]).read_bytes() if name in entry else None


@contextmanager
def running_sandbox(folder: Path) -> Iterator[Cluster]:
    """A sandbox for as long as the context lasts, with its files in a folder."""
    environment = {**os.environ, "XDG_STATE_HOME": str(folder)}
    name = f"contract-{os.getpid()}"
    command = [sys.executable, "-m", "selfheal_sandbox.main", "up", "--with-parent", "--name", name]
    with (folder / "sandbox.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield cluster_of(_wait_until_ready(process, folder, name), is_sandbox=True)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)
            raise


def _wait_until_ready(process: "subprocess.Popen[bytes]", folder: Path, name: str) -> Path:
    """Return the kubeconfig once the sandbox says, with its last file, that it is ready."""
    place = folder / "selfheal" / "sandbox" / name
    deadline = time.monotonic() + START_SECONDS
    while not (place / "server.json").exists():
        assert process.poll() is None, (folder / "sandbox.log").read_text()
        assert time.monotonic() < deadline, f"no sandbox after {START_SECONDS:.0f} s"
        time.sleep(0.05)
    return place / "kubeconfig"
