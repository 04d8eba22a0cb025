"""The clusters that each contract test runs on, a namespace for each module, clients of them, and the report.

Where nothing is said they run on a sandbox. ``--cluster lab`` and ``--cluster kubeconfig`` take another cluster in its
place; ``--lab`` takes the sandbox and the lab, one after the other, and the report tells both. In a cluster of yours
they make namespaces of their own and a CustomResourceDefinition in a group of its own, and remove them.
"""

import asyncio
import os
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.contract.api import Api, eventually
from tests.contract.cluster import Cluster, cluster_of, running_sandbox
from tests.contract.probes import Tally
from tests.pinned_tools import KUBECTL_VERSIONS, program, version

REQUEST_SECONDS = 100.0
KUBECTL_SECONDS = 30.0


class ProbeReport:
    """Adds up what became of the probes, and tells it at the end of the run."""

    def __init__(self) -> None:
        self.tally = Tally()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        about = dict(report.user_properties)
        if "probe" in about and (report.when == "call" or not report.passed):
            self.tally.add(str(about["cluster"]), str(about["probe"]), report.outcome)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for line in self.tally.lines():
            terminalreporter.write_line(line)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(ProbeReport())


def clusters_of(config: pytest.Config) -> tuple[str, ...]:
    """The clusters that this run is about, in the order of the report."""
    return ("sandbox", "lab") if config.getoption("--lab") else (config.getoption("--cluster"),)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cluster" in metafunc.fixturenames:
        metafunc.parametrize("cluster", clusters_of(metafunc.config), indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each report the names of what it is about."""
    for item in items:
        if isinstance(item, pytest.Function) and (mark := item.get_closest_marker("probe")):
            item.user_properties += [("probe", mark.args[0]), ("cluster", item.callspec.params["cluster"])]


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster of this round: its name is the parameter."""
    if request.param == "sandbox":
        with running_sandbox(tmp_path_factory.mktemp("contract")) as running:
            yield running
    elif request.param == "lab":
        yield cluster_of(request.getfixturevalue("lab").kubeconfig, is_sandbox=False)
    else:
        yield cluster_of(given_kubeconfig(), is_sandbox=False)


def given_kubeconfig() -> Path:
    """The file that KUBECONFIG names."""
    path = os.environ.get("KUBECONFIG", "")
    if not Path(path).is_file():
        pytest.fail(f"--cluster kubeconfig: KUBECONFIG is {path!r}, which is no file; name the file of your cluster")
    return Path(path)


@asynccontextmanager
async def connected(cluster: Cluster) -> AsyncIterator[Api]:
    connector = aiohttp.TCPConnector(ssl=cluster.tls)
    timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
    async with aiohttp.ClientSession(connector=connector, headers=cluster.headers, timeout=timeout) as session:
        yield Api(cluster.url, session)


@pytest.fixture
async def api(cluster: Cluster) -> AsyncIterator[Api]:
    async with connected(cluster) as client:
        yield client


async def make_namespace(cluster: Cluster, name: str) -> None:
    """Create a namespace, ready for pods: a cluster wants its service account first."""
    async with connected(cluster) as client:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        (await client.post("/api/v1/namespaces", body)).expect(201)

        async def has_account() -> bool:
            return (await client.get(f"/api/v1/namespaces/{name}/serviceaccounts/default")).code == 200

        await eventually(has_account)


async def delete_namespace(cluster: Cluster, name: str) -> None:
    async with connected(cluster) as client:
        await client.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    name = f"contract-{uuid.uuid4().hex[:8]}"
    asyncio.run(make_namespace(cluster, name))
    yield name
    asyncio.run(delete_namespace(cluster, name))


@pytest.fixture
def core(namespace: str) -> str:
    """Path of the core resources in the module's namespace."""
    return f"/api/v1/namespaces/{namespace}"


@pytest.fixture
def deployments(namespace: str) -> str:
    """Path of the deployments in the module's namespace."""
    return f"/apis/apps/v1/namespaces/{namespace}/deployments"


@pytest.fixture(scope="module")
def absent_node() -> str:
    """A node that never was; a cluster deletes the pods of such a node after a while, so each module has its own."""
    return f"absent-{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True)
class Kubectl:
    """Runs kubectl in the module's namespace, with a discovery cache of its own."""

    program: str
    arguments: tuple[str, ...]

    def __call__(self, *arguments: str, given: str | None = None, code: int = 0) -> str:
        """Run it and return what it printed; its exit code must be the expected one."""
        command = [self.program, *self.arguments, *arguments]
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=KUBECTL_SECONDS, check=False
        )
        assert done.returncode == code, f"exit code {done.returncode}: {done.stderr or done.stdout}"
        return done.stdout


@pytest.fixture(scope="module", params=KUBECTL_VERSIONS, ids=version)
def kubectl(
    request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kubectl]:
    """The oldest and the newest kubectl that the sandbox answers to, each in a namespace of its own."""
    path = program(request.param)
    namespace = f"contract-{uuid.uuid4().hex[:8]}"
    asyncio.run(make_namespace(cluster, namespace))
    cache = tmp_path_factory.mktemp("kubectl")
    options = ("--kubeconfig", str(cluster.kubeconfig), "--cache-dir", str(cache), "--namespace", namespace)
    yield Kubectl(str(path), options)
    asyncio.run(delete_namespace(cluster, namespace))
