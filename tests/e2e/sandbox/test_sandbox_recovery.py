"""The layers of recovery that belong to the cluster: probes, replacement, disruption budgets, the autoscaler."""

import json
from typing import Any

import pytest

from tests.e2e.sandbox.manifests import autoscaler, budget, deployment, http_get, pod, practice_service, shell
from tests.e2e.sandbox_process import SandboxProcess
from tests.polling import until

pytestmark = pytest.mark.slow


def pods_of(sandbox: SandboxProcess, namespace: str, app: str) -> list[dict[str, Any]]:
    """The pods of an application that are not being deleted."""
    pods: list[dict[str, Any]] = sandbox.get("pods", "-n", namespace, "-l", f"app={app}")["items"]
    return [one for one in pods if "deletionTimestamp" not in one["metadata"]]


def ready(one: dict[str, Any]) -> bool:
    conditions = one["status"].get("conditions") or []
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def post(sandbox: SandboxProcess, namespace: str, name: str, path: str, body: dict[str, Any]) -> None:
    """Throw a practice switch of a pod."""
    address = sandbox.get("pod", name, "-n", namespace)["status"]["podIP"]
    url = f"http://{address}:8080/practice/{path}"
    header = "Content-Type: application/json"
    argv = ("curl", "-sf", "-m", "5", "--noproxy", "*", "-X", "POST", "-H", header, "-d", json.dumps(body), url)
    done = sandbox.run(*argv, check=False)
    assert done.code == 0, (done, sandbox.kubectl("describe", "pod", name, "-n", namespace).out)


def endpoints(sandbox: SandboxProcess, namespace: str, name: str) -> set[str]:
    subsets = sandbox.get("endpoints", name, "-n", namespace).get("subsets") or []
    return {address["ip"] for subset in subsets for address in subset.get("addresses") or []}


def test_a_failed_liveness_probe_restarts_the_container(sandbox: SandboxProcess, namespace: str) -> None:
    probe = http_get("/health", failureThreshold=2, initialDelaySeconds=3)
    sandbox.apply(pod("web", practice_service(livenessProbe=probe)), namespace=namespace)
    sandbox.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/web", "--timeout=20s")

    post(sandbox, namespace, "web", "health", {"healthy": False})

    until(lambda: sandbox.get("pod", "web", "-n", namespace)["status"]["containerStatuses"][0]["restartCount"] == 1)
    sandbox.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/web", "--timeout=20s")
    events = sandbox.kubectl("get", "events", "-n", namespace, "--field-selector", "reason=Killing").out
    assert "Container main failed liveness probe, will be restarted" in events


def test_an_unready_pod_leaves_its_service_and_comes_back(sandbox: SandboxProcess, namespace: str) -> None:
    sandbox.apply(deployment("web", 2, practice_service()), namespace=namespace)
    sandbox.kubectl("expose", "-n", namespace, "deployment/web", "--port=8080")
    until(lambda: len(endpoints(sandbox, namespace, "web")) == 2)
    first = pods_of(sandbox, namespace, "web")[0]
    name, address = first["metadata"]["name"], first["status"]["podIP"]

    post(sandbox, namespace, name, "ready", {"ready": False})
    until(lambda: endpoints(sandbox, namespace, "web") and address not in endpoints(sandbox, namespace, "web"))
    post(sandbox, namespace, name, "ready", {"ready": True})

    until(lambda: address in endpoints(sandbox, namespace, "web"))
    assert first["status"]["containerStatuses"][0]["restartCount"] == 0


def test_a_deleted_pod_is_replaced(sandbox: SandboxProcess, namespace: str) -> None:
    sandbox.apply(deployment("web", 2, shell("sleep 600")), namespace=namespace)
    sandbox.kubectl("rollout", "status", "-n", namespace, "deployment/web", "--timeout=20s")
    before = {one["metadata"]["name"] for one in pods_of(sandbox, namespace, "web")}
    victim = sorted(before)[0]

    sandbox.kubectl("delete", "pod", victim, "-n", namespace)

    until(lambda: sum(ready(one) for one in pods_of(sandbox, namespace, "web")) == 2)
    after = {one["metadata"]["name"] for one in pods_of(sandbox, namespace, "web")}
    assert victim not in after
    assert len(before & after) == 1


def test_drain_waits_for_the_disruption_budget(sandbox: SandboxProcess, namespace: str) -> None:
    # A drain sees all namespaces: pods of the tests before, which are on their way out, must not hold it up.
    app = f"drained-{namespace}"
    sandbox.apply(deployment(app, 2, shell("sleep 600")), budget(app, minAvailable=2), namespace=namespace)
    sandbox.kubectl("rollout", "status", "-n", namespace, f"deployment/{app}", "--timeout=20s")
    node = pods_of(sandbox, namespace, app)[0]["spec"]["nodeName"]
    drain = ("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", f"--pod-selector=app={app}")
    try:
        blocked = sandbox.kubectl(*drain, "--timeout=2s", check=False)
        assert blocked.code == 1
        assert "Cannot evict pod as it would violate the pod's disruption budget" in blocked.err

        sandbox.kubectl("scale", "-n", namespace, f"deployment/{app}", "--replicas=3")
        sandbox.kubectl("rollout", "status", "-n", namespace, f"deployment/{app}", "--timeout=20s")
        done = sandbox.kubectl(*drain, "--timeout=30s")
        assert f"node/{node} drained" in done.out
        assert node not in {one["spec"]["nodeName"] for one in pods_of(sandbox, namespace, app)}
    finally:
        sandbox.kubectl("uncordon", node)


def test_the_autoscaler_follows_real_cpu_up_and_down(sandbox: SandboxProcess, namespace: str) -> None:
    resources = {"requests": {"cpu": "100m"}}
    sandbox.apply(deployment("web", 1, practice_service(resources=resources)), namespace=namespace)
    sandbox.kubectl("rollout", "status", "-n", namespace, "deployment/web", "--timeout=20s")
    sandbox.apply(autoscaler("web", 3), namespace=namespace)
    name = pods_of(sandbox, namespace, "web")[0]["metadata"]["name"]

    post(sandbox, namespace, name, "burn", {"millicores": 400, "seconds": 6})

    until(lambda: len(pods_of(sandbox, namespace, "web")) > 1, 30, "scaled up")
    until(lambda: len(pods_of(sandbox, namespace, "web")) == 1, 40, "scaled down after the load ended")
    reasons = sandbox.kubectl("get", "events", "-n", namespace, "--field-selector", "reason=SuccessfulRescale").out
    assert "cpu resource utilization (percentage of request) above target" in reasons
    assert "All metrics below target" in reasons
