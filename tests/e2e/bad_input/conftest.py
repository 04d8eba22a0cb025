"""A caller with an empty home, and one application on the sandbox that the session shares."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from selfheal_core.files import chart
from tests.e2e.bad_input.calls import Caller, Started
from tests.e2e.sandbox_process import SandboxProcess

NAMESPACE = "bad-input"


@dataclass(frozen=True, slots=True)
class SilentCalls:
    """Commands that wait for an API server which takes connections and never says a word."""

    server: str
    started: tuple[Started, ...]


@pytest.fixture(scope="session", autouse=True)
def silent_calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SilentCalls]:
    """Started before all tests of this folder and asked by one of the last: they give up after 10 to 15 seconds."""
    call = Caller(tmp_path_factory.mktemp("silent"))
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        server = f"http://127.0.0.1:{listener.getsockname()[1]}"
        place = ("--kubeconfig", str(call.kubeconfig(server)))
        commands = (("selfheal", "restart", "web", "--yes"), ("selfheal", "doctor"), ("selfheal-tui", "--once"))
        calls = SilentCalls(server, tuple(call.start(*command, *place) for command in commands))
        yield calls
        for one in calls.started:
            one.process.kill()
            one.process.communicate()


@pytest.fixture
def call(tmp_path: Path) -> Caller:
    """Calls commands from an empty home, with no cluster configured."""
    return Caller(tmp_path)


@pytest.fixture(scope="session")
def release(sandbox: SandboxProcess) -> Iterator[str]:
    """A namespace with the application ``web`` in two revisions; nothing here gets as far as changing it."""
    values = ("--set", "replicas=1,autoscaling.enabled=false")
    place = ("web", str(chart("service")), "-n", NAMESPACE)
    sandbox.helm("install", *place, "--create-namespace", *values)
    sandbox.helm("upgrade", *place, *values, "--set", "minReadySeconds=1")
    yield NAMESPACE
    sandbox.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
