"""One cluster for all contract tests, a namespace for each module, and clients of them."""

import asyncio
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest

from tests.contract.api import Api, eventually
from tests.contract.cluster import Cluster, running_cluster
from tests.pinned_tools import KUBECTL_VERSIONS, program, version

REQUEST_SECONDS = 100.0
KUBECTL_SECONDS = 30.0


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("contract")) as running:
        yield running


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
