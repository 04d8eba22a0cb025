"""A cluster in process: the sandbox's own store, verbs, controllers and API server, and a kubelet that only pretends.

What a test changes goes through the same verbs as kubectl; what the observer sees comes over HTTP.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from aiohttp import web

from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import connect
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.api.ports import Identity, PodRuntime
from selfheal_sandbox.api.server import application
from selfheal_sandbox.controllers.run import start
from selfheal_sandbox.kinds.registry import Registry
from selfheal_sandbox.store.objects import Key, Object, name_of, now_rfc3339, spec_of, status_of
from selfheal_sandbox.store.store import Store
from tests.unit.sandbox_api.fakes import FakeNetwork
from tests.unit.sandbox_controllers.cluster import PretendKubelet, utc_now

NAMESPACE = "payments"
DEPLOYMENTS: Key = ("apps", "deployments")
PODS: Key = ("", "pods")
BUDGETS: Key = ("policy", "poddisruptionbudgets")
AUTOSCALERS: Key = ("autoscaling", "horizontalpodautoscalers")
SECRETS: Key = ("", "secrets")
CONFIG_MAPS: Key = ("", "configmaps")
LEASES: Key = ("coordination.k8s.io", "leases")
GOOD, BAD = "app:good", "app:bad"
TOKEN = "a-token"


class ContainerKubelet(PretendKubelet):
    """Reports containers too: they run and are ready, or crash over and over if their image is bad."""

    bad_image = BAD

    def _run(self, pod: Object) -> None:
        bad = any(container["image"] == self.bad_image for container in spec_of(pod)["containers"])
        statuses = [_status(container, bad) for container in spec_of(pod)["containers"]]
        self.report(pod, ready=not bad, ip=next(self._addresses), containerStatuses=statuses)


def _status(container: Object, bad: bool) -> Object:
    now = now_rfc3339(utc_now())
    ended = {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": now, "finishedAt": now}}
    waits = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}}
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": not bad,
        "started": not bad,
        "restartCount": 5 if bad else 0,
        "state": waits if bad else {"running": {"startedAt": now}},
        "lastState": ended if bad else {},
    }


class ApiServer:
    """Serves the objects over HTTP; it can go away and come back under the same address."""

    def __init__(self, objects: Objects, kubelet: ContainerKubelet, bookmark_seconds: float) -> None:
        self._objects = objects
        self._kubelet = kubelet
        self._bookmark_seconds = bookmark_seconds
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self) -> None:
        """Serve."""
        app = application(
            self._objects,
            cast(PodRuntime, self._kubelet),
            FakeNetwork(),
            authenticate={TOKEN: Identity("tester", ("system:masters",))}.get,
            bookmark_seconds=self._bookmark_seconds,
        )
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Go away: every connection breaks, new ones are refused."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


class LiveCluster:
    """The cluster, its verbs, and a client that talks HTTP to it."""

    def __init__(
        self, objects: Objects, kubelet: ContainerKubelet, server: ApiServer, client: KubernetesClient
    ) -> None:
        self.objects = objects
        self.kubelet = kubelet
        self.server = server
        self.client = client

    def create(self, key: Key, body: Object, namespace: str = NAMESPACE) -> Object:
        return self.objects.create(key, namespace, body)

    def deploy(
        self, name: str = "app-a", *, replicas: int = 2, image: str = GOOD, release: str = "", **spec: Any
    ) -> Object:
        """A Deployment whose pods belong to the application of the same name."""
        annotations = {"meta.helm.sh/release-name": release, "selfheal.internal/revision": "1"} if release else {}
        return self.create(DEPLOYMENTS, deployment(name, replicas, image, annotations, **spec))

    def change(self, key: Key, name: str, mutate: Callable[[Object], Object]) -> Object:
        return self.objects.update(key, NAMESPACE, name, mutate)

    def pods(self) -> list[Object]:
        return self.objects.store.list(PODS, NAMESPACE)

    def pod_names(self) -> set[str]:
        return {name_of(pod) for pod in self.pods()}

    def report(self, pod: Object, **status: Any) -> None:
        """Write a pod's status as its kubelet would."""
        current = self.objects.get(PODS, NAMESPACE, name_of(pod))
        self.objects.set_status(PODS, current, {**status_of(current), **status})


def deployment(name: str, replicas: int, image: str, annotations: dict[str, str], **spec: Any) -> Object:
    container = {
        "name": "app",
        "image": image,
        "ports": [{"name": "http", "containerPort": 8080}],
        "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}},
    }
    return {
        "metadata": {"name": name, "annotations": annotations},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
            **spec,
        },
    }


def budget(name: str = "app-a", **spec: Any) -> Object:
    body = {"selector": {"matchLabels": {"app": name}}, "maxUnavailable": 1, **spec}
    return {"metadata": {"name": name}, "spec": body}


def release_secret(release: str, number: int, status: str, data: str = "") -> Object:
    """A Secret as Helm writes one per revision."""
    labels = {"owner": "helm", "name": release, "version": str(number), "status": status, "modifiedAt": "1790000000"}
    return {
        "metadata": {"name": f"sh.helm.release.v1.{release}.v{number}", "labels": labels},
        "type": "helm.sh/release.v1",
        "data": {"release": data},
    }


@asynccontextmanager
async def live_cluster(folder: Path, *, bookmark_seconds: float = 0.5) -> AsyncIterator[LiveCluster]:
    """Run a cluster for as long as the context lasts."""
    objects = Objects(Store(), Registry(), utc_now)
    kubelet = ContainerKubelet(objects, 0.0, 0.0)
    server = ApiServer(objects, kubelet, bookmark_seconds)
    async with start(objects, cast(PodRuntime, kubelet), None, speed=20, nodes=3, root_certificate="PEM"):
        objects.create(("", "namespaces"), "", {"metadata": {"name": NAMESPACE}})
        await server.start()
        connection = await connect(kubeconfig=_kubeconfig(folder, f"http://127.0.0.1:{server.port}"), environ={})
        try:
            yield LiveCluster(objects, kubelet, server, KubernetesClient(connection, user_agent="tests/1"))
        finally:
            await connection.close()
            await server.stop()
            kubelet.unsubscribe()


def _kubeconfig(folder: Path, server: str) -> Path:
    file = folder / "kubeconfig"
    context = {"cluster": "practice", "user": "tester", "namespace": NAMESPACE}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "practice",
        "contexts": [{"name": "practice", "context": context}],
        "clusters": [{"name": "practice", "cluster": {"server": server}}],
        "users": [{"name": "tester", "user": {"token": TOKEN}}],
    }
    file.write_text(json.dumps(content))
    file.chmod(0o600)
    return file
