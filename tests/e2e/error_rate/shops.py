"""Applications on a cluster that serve requests, and a real Prometheus that scrapes their pods.

In the sandbox Prometheus is the sandbox's own. In the lab it is a pod, with the machine's program and the service's
image for its libraries. Debian builds it without discovery of Kubernetes, so it is given the pods as a file.
"""

import json
import subprocess
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from selfheal_sandbox.monitoring.configuration import (
    CONFIGURATION_FILE,
    PORT,
    TARGETS_FILE,
    arguments,
    configuration,
    target_groups,
)
from tests.e2e.sandbox.manifests import SERVICE_IMAGE, deployment, pod, practice_service
from tests.e2e.sandbox_process import COMMAND_SECONDS, Outcome, SandboxProcess, start_sandbox
from tests.polling import until

if TYPE_CHECKING:
    from tests.lab.state import Lab

SPEED = 10
"""Prometheus scrapes once a second at this speed."""
SERVICE_PORT = 8080
READY_SECONDS = 30
LAB_IMAGE = f"registry.lab/{SERVICE_IMAGE}"


@dataclass(frozen=True, slots=True)
class Shop:
    """A cluster with applications in a namespace.

    Attributes:
        namespace: Of the applications.
        kubeconfig: For our own client.
        environment: As that wants it.
        kubectl: Runs kubectl there.
        url_of: Where an application is reached from here.
        prometheus: As the setting ``prometheus`` names it where the API server reaches it.
        prometheus_url: The same Prometheus, reached without the API server.
        sandbox: Of whose Prometheus it is; None elsewhere.
    """

    namespace: str
    kubeconfig: Path
    environment: Mapping[str, str]
    kubectl: Callable[..., Outcome]
    url_of: Callable[[str], str]
    prometheus: str
    prometheus_url: str
    sandbox: SandboxProcess | None = None

    def pods(self, app: str = "") -> list[dict[str, Any]]:
        """The pods of an application, or all."""
        selector = ("-l", f"app={app}") if app else ()
        listed = json.loads(self.kubectl("get", "pods", "-n", self.namespace, *selector, "-o", "json").out)
        found: list[dict[str, Any]] = listed["items"]
        return found

    def scraped(self) -> int:
        """How many targets Prometheus has read in the last seconds; after a restart it still knows older samples."""
        query = quote("up == 1 and time() - timestamp(up) < 5")
        namespace, _, service = self.prometheus.partition("/")
        path = f"/api/v1/namespaces/{namespace}/services/{service}/proxy/api/v1/query?query={query}"
        answer = self.kubectl("get", "--raw", path, check=False)
        return len(json.loads(answer.out)["data"]["result"]) if answer.code == 0 else 0


def manifests(apps: Iterable[str], image: str) -> Iterator[dict[str, Any]]:
    """A Deployment of one pod and a Service for each application."""
    for app in apps:
        ports = [{"name": "http", "containerPort": SERVICE_PORT}]
        yield deployment(app, 1, practice_service(image=image, ports=ports))
        yield service(app, {"selector": {"app": app}, "ports": [{"name": "http", "port": SERVICE_PORT}]})


def service(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """A Service."""
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def open_shop(kubectl: Callable[..., Outcome], namespace: str, apps: Iterable[str], image: str) -> None:
    """Install the applications and wait until they are ready."""
    kubectl("create", "namespace", namespace)
    apply(kubectl, namespace, manifests(apps, image))
    for app in apps:
        kubectl("rollout", "status", f"deployment/{app}", "-n", namespace, f"--timeout={READY_SECONDS}s")


def apply(kubectl: Callable[..., Outcome], namespace: str, objects: Iterable[dict[str, Any]]) -> None:
    """Apply objects."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text)


@contextmanager
def on_sandbox(home: Path, tools: Mapping[str, Path], program: Path, apps: list[str]) -> Iterator[Shop]:
    """A sandbox with the applications and a Prometheus."""
    with start_sandbox(home, tools, name="rates", speed=SPEED, options=(f"--prometheus={program}",)) as sandbox:

        def url(service: str, namespace: str = "shop") -> str:
            return sandbox.command("url", f"svc/{service}", "-n", namespace).out.strip()

        open_shop(sandbox.kubectl, "shop", apps, SERVICE_IMAGE)
        until(lambda: sandbox.kubectl("get", "service", "prometheus", "-n", "monitoring", check=False).code == 0, 30)
        place, address = "monitoring/prometheus:9090", url("prometheus", "monitoring")
        yield Shop("shop", sandbox.kubeconfig, sandbox.environment, sandbox.kubectl, url, place, address, sandbox)


@contextmanager
def on_lab(lab: "Lab", program: Path, apps: list[str]) -> Iterator[Shop]:
    """The lab with the applications from our image, and a Prometheus in a pod."""
    from tests.lab.images import build_images  # of no use to the other clusters

    for archive in build_images(print, keys=("service",)).values():
        lab.load_image(archive)
    namespace, kubectl = f"shop-{uuid.uuid4().hex[:6]}", kubectl_of(lab)

    def url(app: str) -> str:
        where = "jsonpath={.spec.clusterIP}:{.spec.ports[0].port}"
        return f"http://{kubectl('get', 'service', app, '-n', namespace, '-o', where).out}"

    try:
        open_shop(kubectl, namespace, apps, LAB_IMAGE)
        pods = json.loads(kubectl("get", "pods", "-n", namespace, "-o", "json").out)["items"]
        apply(kubectl, namespace, prometheus(program, target_groups(pods)))
        kubectl("wait", "pod/prometheus", "-n", namespace, "--for=condition=Ready", f"--timeout={READY_SECONDS}s")
        place = f"{namespace}/prometheus:{PORT}"
        yield Shop(namespace, lab.kubeconfig, lab.environment(), kubectl, url, place, url("prometheus"))
    finally:
        kubectl("delete", "namespace", namespace, "--wait=false", check=False)


def kubectl_of(lab: "Lab") -> Callable[..., Outcome]:
    """The lab's kubectl, with its administrator's rights."""

    def kubectl(*arguments: str, stdin: str = "", check: bool = True) -> Outcome:
        argv = [str(lab.programs["kubectl"]), *arguments]
        done = subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            env=lab.environment(),
            check=False,
        )
        assert not check or done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return Outcome(done.returncode, done.stdout, done.stderr)

    return kubectl


def prometheus(program: Path, targets: list[Any]) -> Iterator[dict[str, Any]]:
    """A pod with a program of the machine that scrapes targets once a second, what it reads, and its Service."""
    folder = Path("/prometheus")
    files = {CONFIGURATION_FILE: configuration(SPEED), TARGETS_FILE: json.dumps(targets)}
    yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "prometheus"}, "data": files}
    container = {
        "name": "main",
        "image": LAB_IMAGE,
        "command": arguments(folder / "program", folder, ""),
        "ports": [{"name": "web", "containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/-/ready", "port": PORT}, "periodSeconds": 1},
        "volumeMounts": [
            {"name": "folder", "mountPath": str(folder)},
            {"name": "program", "mountPath": str(folder / "program"), "readOnly": True},
            *({"name": "files", "mountPath": str(folder / name), "subPath": name} for name in files),
        ],
    }
    volumes = [
        {"name": "folder", "emptyDir": {}},
        {"name": "program", "hostPath": {"path": str(program.resolve()), "type": "File"}},
        {"name": "files", "configMap": {"name": "prometheus"}},
    ]
    yield pod("prometheus", container, volumes=volumes)
    yield service("prometheus", {"selector": {"app": "prometheus"}, "ports": [{"name": "web", "port": PORT}]})
