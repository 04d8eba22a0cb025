"""One sandbox for all end-to-end tests, and the tools to drive it."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from selfheal_sandbox.tools.fetch import FetchError
from selfheal_sandbox.tools.resolve import resolve
from tests.e2e.sandbox_process import SandboxProcess, start_sandbox

SPEED = 20
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def tools() -> Mapping[str, Path]:
    """Paths of helm and kubectl by name."""
    try:
        return resolve()
    except FetchError as error:
        pytest.fail(str(error))


@pytest.fixture(scope="session")
def request_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the shared sandbox writes each request that it answered."""
    return tmp_path_factory.mktemp("log") / "requests.jsonl"


@pytest.fixture(scope="session")
def sandbox(
    tmp_path_factory: pytest.TempPathFactory, tools: Mapping[str, Path], request_log: Path
) -> Iterator[SandboxProcess]:
    """A sandbox that the whole session shares; give each test a namespace of its own."""
    home = tmp_path_factory.mktemp("sandbox")
    log = ("--request-log", str(request_log))
    with start_sandbox(home, tools, name="e2e", speed=SPEED, options=log) as running:
        yield running


@pytest.fixture
def namespace(sandbox: SandboxProcess) -> Iterator[str]:
    """A namespace for one test; it is deleted afterwards, without waiting."""
    name = f"test-{next(_numbers)}"
    sandbox.kubectl("create", "namespace", name)
    yield name
    sandbox.kubectl("delete", "namespace", name, "--wait=false")
