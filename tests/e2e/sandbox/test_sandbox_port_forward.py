"""``kubectl port-forward`` to a pod, a Deployment and a Service, with each kubectl version."""

import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.sandbox.manifests import SERVICE_IMAGE, deployment
from tests.e2e.sandbox_process import SandboxProcess
from tests.pinned_tools import KUBECTL_VERSIONS, program, version
from tests.polling import until

pytestmark = pytest.mark.slow

SECONDS = 10.0


@pytest.fixture(scope="module")
def namespace(sandbox: SandboxProcess) -> Iterator[str]:
    """A namespace with a Deployment of two pods, and a Service whose port has another number than theirs."""
    name = "forwarding"
    sandbox.kubectl("create", "namespace", name)
    container = {
        "name": "app",
        "image": SERVICE_IMAGE,
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1},
        "env": [
            {"name": "SELFHEAL_SERVICE_HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        ],
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"name": "public", "port": 18080, "targetPort": "http"}]},
    }
    sandbox.apply(deployment("web", 2, container), service, namespace=name)
    sandbox.kubectl("rollout", "status", "deployment/web", "-n", name, "--timeout=30s")
    yield name
    sandbox.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module", params=KUBECTL_VERSIONS, ids=version)
def kubectl(request: pytest.FixtureRequest) -> Path:
    return program(request.param)


@contextmanager
def forwarding(sandbox: SandboxProcess, kubectl: Path, log: Path, *arguments: str) -> Iterator[str]:
    """Run ``kubectl port-forward`` on a free port and yield its URL."""
    environment = dict(sandbox.environment)
    with log.open("wb") as output:
        running = subprocess.Popen(
            [str(kubectl), "port-forward", *arguments], stdout=output, stderr=output, env=environment
        )
    try:

        def url() -> str:
            assert running.poll() is None, log.read_text()
            found = re.search(r"Forwarding from 127\.0\.0\.1:(\d+) ->", log.read_text())
            return f"http://127.0.0.1:{found[1]}" if found else ""

        yield until(url, SECONDS, "kubectl forwards")
    finally:
        running.terminate()
        running.wait(SECONDS)


def get(url: str, body: bytes | None = None) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, body, timeout=SECONDS) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.mark.parametrize(
    ("target", "port"), [("pod", "8080"), ("deployment/web", "http"), ("svc/web", "18080"), ("svc/web", "public")]
)
def test_requests_reach_a_pod(
    sandbox: SandboxProcess, kubectl: Path, namespace: str, tmp_path: Path, target: str, port: str
) -> None:
    if target == "pod":
        target = sandbox.kubectl("get", "pods", "-n", namespace, "-o", "name").out.split()[0]

    with forwarding(sandbox, kubectl, tmp_path / "log", "-n", namespace, target, f":{port}") as url:
        assert get(f"{url}/health") == (200, b'{"status":"healthy"}\n')
        assert get(f"{url}/none")[0] == 404
        with ThreadPoolExecutor(8) as pool:
            assert [code for code, _ in pool.map(get, [f"{url}/metrics"] * 40)] == [200] * 40


def test_a_port_that_nobody_listens_on_is_told(
    sandbox: SandboxProcess, kubectl: Path, namespace: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with forwarding(sandbox, kubectl, log, "-n", namespace, "deployment/web", ":9") as url:
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            get(url)
        until(lambda: "error forwarding port 9 to pod" in log.read_text(), SECONDS, "the reason")

    assert "connection refused" in log.read_text()


def test_a_viewer_may_not_forward(sandbox: SandboxProcess, kubectl: Path, namespace: str) -> None:
    path = sandbox.command("kubeconfig", "--as", "forwarder", "--role", "view").out.strip()
    arguments = ("port-forward", "-n", namespace, "deployment/web", ":8080", "--kubeconfig", path)
    refused = sandbox.run(str(kubectl), *arguments, check=False)

    assert refused.code == 1
    assert 'User "forwarder" cannot' in refused.err
    assert 'resource "pods/portforward"' in refused.err
