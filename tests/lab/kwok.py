"""Thousands of pods without containers: kwok plays the kubelet of nodes that are not there.

The nodes and their pods are ordinary objects of the lab's API server; the lab's own controllers make the pods and its
scheduler places them. kwok only says, in the place of kubelets, that nodes are Ready and pods run.
"""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.contract.api import Answer, Api
from tests.contract.cluster import cluster_of
from tests.lab.errors import LabError
from tests.lab.namespaces import ENDS_WITH_STARTER
from tests.lab.programs import GO_SECONDS, MODULES

MODULE = "sigs.k8s.io/kwok"
STAGES = ("node/fast", "node/heartbeat-with-lease", "pod/fast")
"""What becomes of nodes and pods, and when, in kwok's words; folders below ``kustomize/stage`` of its module."""
METADATA_ALONE = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
FAKE = "kwok.x-k8s.io/node"
"""Annotation, label and taint of the nodes that kwok plays; real pods do not tolerate it."""
CONFIGURATION = """\
apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokConfiguration
metadata: {name: kwok}
options:
  podPlayStageParallelism: 32
  podsOnNodeSyncParallelism: 1
  nodePlayStageParallelism: 4
  nodeLeaseParallelism: 4
"""
"""Four pods at a time, as by default, are twenty a second beside all else. The other options are what they are by
default: a configuration that has some has to have all."""
LEASE_SECONDS = 40
STOP_SECONDS = 10.0
LAST_WORDS = 500
REQUEST_SECONDS = 60.0
POLL_SECONDS = 0.5
TAKE_TURNS = 8
"""Requests at a time, when many objects are made."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """What is made.

    Attributes:
        namespace: of everything but the nodes.
        nodes: how many; each has room for `pods_per_node`.
        applications: Deployments.
        replicas: pods of each.
    """

    namespace: str = "crowd"
    nodes: int = 50
    applications: int = 100
    replicas: int = 100

    @property
    def pods(self) -> int:
        """How many pods that makes."""
        return self.applications * self.replicas

    @property
    def pods_per_node(self) -> int:
        """Room on a node: a quarter more than an even spread needs."""
        return self.pods * 5 // (self.nodes * 4) + 1


def configuration(module: Path) -> str:
    """What kwok shall do, as one file of YAML documents.

    Args:
        module: Folder of kwok's source.

    Raises:
        LabError: They are not where they were in the pinned version.
    """
    folders = [module / "kustomize" / "stage" / name for name in STAGES]
    files = [file for folder in folders for file in sorted(folder.glob("*.yaml")) if file.name != "kustomization.yaml"]
    if {file.parent for file in files} != set(folders):
        raise LabError(f"no stages in {module}/kustomize/stage; go mod verify, in {MODULES}, says whether it is whole")
    return "---\n".join([CONFIGURATION, *(file.read_text() for file in files)])


def module_folder() -> Path:
    """Where the source of kwok is, as go downloaded it.

    Raises:
        LabError: go does not have it.
    """
    command = ["go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", MODULE]
    try:
        done = subprocess.run(command, cwd=MODULES, capture_output=True, text=True, timeout=GO_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(f"go does not say where {MODULE} is: {error}; try: python -m tests.lab programs") from None
    folder = Path(done.stdout.strip())
    if done.returncode != 0 or not folder.is_absolute():
        raise LabError(f"go does not have {MODULE}: {done.stderr.strip()}; try: python -m tests.lab programs")
    return folder


def kwok_command(program: Path, kubeconfig: Path, file: Path) -> list[str]:
    """Return kwok's command line: it plays the nodes that are annotated, and no other, and ends with who starts it."""
    return [
        *ENDS_WITH_STARTER,
        str(program),
        f"--kubeconfig={kubeconfig}",
        f"--config={file}",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-annotation-selector={FAKE}=fake",
        f"--node-lease-duration-seconds={LEASE_SECONDS}",
        "--v=WARN",
    ]


@contextmanager
def running_kwok(program: Path, kubeconfig: Path, folder: Path) -> Iterator[Callable[[], None]]:
    """Kwok, for as long as the context lasts; its log and configuration are in a folder.

    Gives what raises a LabError, with kwok's last words, once it has ended by itself.
    """
    file, log = folder / "kwok.yaml", folder / "kwok.log"
    file.write_text(configuration(module_folder()))
    with log.open("wb") as output:
        process = subprocess.Popen(
            kwok_command(program, kubeconfig, file), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )

    def check() -> None:
        if process.poll() is not None:
            raise LabError(f"kwok ended with {process.returncode}: {log.read_text()[-LAST_WORDS:].strip()}")

    try:
        yield check
        check()
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


def fake_node(name: str, pods: int) -> dict[str, Any]:
    """A node that kwok plays, with room for a number of pods."""
    room = {"cpu": "64", "memory": "256Gi", "pods": str(pods)}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": {FAKE: "fake"}, "labels": {FAKE: "fake"}},
        "spec": {"taints": [{"key": FAKE, "value": "fake", "effect": "NoSchedule"}]},
        "status": {"allocatable": room, "capacity": room},
    }


def application(name: str, replicas: int) -> dict[str, Any]:
    """A Deployment as people write them, whose pods only go to nodes that kwok plays."""
    probe = {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 5}
    container = {
        "name": "main",
        "image": "registry.lab/crowd:1",
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": f"SETTING_{number}", "value": f"value-{number}"} for number in range(8)],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "readinessProbe": probe,
        "livenessProbe": probe,
        "startupProbe": probe,
    }
    spec = {
        "nodeSelector": {FAKE: "fake"},
        "tolerations": [{"key": FAKE, "operator": "Exists", "effect": "NoSchedule"}],
        "containers": [container],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name, "tier": "crowd"}}, "spec": spec},
        },
    }


@asynccontextmanager
async def administrator(kubeconfig: Path) -> AsyncIterator[Api]:
    """A client with the rights of a kubeconfig; kept connections, as many as there are turns."""
    cluster = cluster_of(kubeconfig, is_sandbox=False)
    connector = aiohttp.TCPConnector(ssl=cluster.tls, limit=TAKE_TURNS)
    timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
    async with aiohttp.ClientSession(connector=connector, headers=cluster.headers, timeout=timeout) as session:
        yield Api(cluster.url, session)


async def take_turns(calls: list[Callable[[], Awaitable[Answer]]], *codes: int) -> None:
    """Send requests, some at a time; each has to be answered with one of the codes."""
    left = iter(calls)

    async def work() -> None:
        for call in left:
            (await call()).expect(*codes)

    async with asyncio.TaskGroup() as group:
        for _ in range(TAKE_TURNS):
            group.create_task(work())


async def gather_crowd(api: Api, crowd: Crowd) -> None:
    """Make the nodes and the Deployments of a crowd."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": crowd.namespace}}
    (await api.post("/api/v1/namespaces", namespace)).expect(201, 409)
    nodes = [fake_node(f"crowd-node-{number}", crowd.pods_per_node) for number in range(crowd.nodes)]
    await take_turns([lambda body=node: api.post("/api/v1/nodes", body) for node in nodes], 201, 409)  # type: ignore[misc]
    path = f"/apis/apps/v1/namespaces/{crowd.namespace}/deployments"
    bodies = [application(f"app-{number:02}", crowd.replicas) for number in range(crowd.applications)]
    await take_turns([lambda body=body: api.post(path, body) for body in bodies], 201, 409)  # type: ignore[misc]


async def count_ready(api: Api, crowd: Crowd) -> int:
    """How many pods the crowd's Deployments call ready."""
    listed = (await api.get(f"/apis/apps/v1/namespaces/{crowd.namespace}/deployments")).expect(200)
    return sum(item.get("status", {}).get("readyReplicas", 0) for item in listed["items"])


async def wait_for_crowd(
    api: Api, crowd: Crowd, say: Callable[[str], None], check: Callable[[], None], seconds: float
) -> float:
    """Wait until every pod is ready; gives the seconds that took.

    Raises:
        LabError: They were not in time, or ``check`` says why they will never be.
    """
    began = told = time.monotonic()
    while (ready := await count_ready(api, crowd)) < crowd.pods:
        check()
        now = time.monotonic()
        if now - began > seconds:
            raise LabError(f"only {ready:,} of {crowd.pods:,} pods were ready after {seconds:.0f} s")
        if now - told > 10:
            say(f"{ready:,} of {crowd.pods:,} pods ready after {now - began:.0f} s")
            told = now
        await asyncio.sleep(POLL_SECONDS)
    return time.monotonic() - began


async def pod_paths(api: Api, namespace: str) -> list[str]:
    """The path of every pod of a namespace."""
    listed = (await api.get(f"/api/v1/namespaces/{namespace}/pods", accept=METADATA_ALONE)).expect(200)
    return [f"/api/v1/namespaces/{namespace}/pods/{item['metadata']['name']}" for item in listed["items"]]


async def disperse_crowd(api: Api, crowd: Crowd) -> None:
    """Delete everything of the crowd; each pod at once, as no kubelet ends anything of it.

    One by one: of a collection of ten thousand the API server does not get rid within the minute that a request has.
    """
    applications = f"/apis/apps/v1/namespaces/{crowd.namespace}"
    for kind in ("deployments", "replicasets"):
        await api.delete(f"{applications}/{kind}", propagationPolicy="Background")
    pods = await pod_paths(api, crowd.namespace)
    await take_turns([lambda path=path: api.delete(path, gracePeriodSeconds="0") for path in pods], 200, 404)  # type: ignore[misc]
    await api.delete(f"/api/v1/namespaces/{crowd.namespace}")
    await api.delete("/api/v1/nodes", labelSelector=f"{FAKE}=fake")
