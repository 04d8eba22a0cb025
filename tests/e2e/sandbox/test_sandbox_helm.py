"""Helm's verbs with the real chart of the service, as a pipeline uses them."""

import json
from pathlib import Path

import pytest

from tests.e2e.sandbox_process import SandboxProcess, until

CHART = str(Path(__file__).parents[3] / "chart" / "service")
# Short, so that an upgrade takes seconds: what is tested is Helm and the sandbox.
VALUES = "minReadySeconds=0,shutdown.preStopSleepSeconds=0,shutdown.drainSeconds=0,probes.readiness.periodSeconds=1"
WAIT = ("--wait", "--timeout", "30s", "--set", f"{VALUES},autoscaling.enabled=false")

pytestmark = pytest.mark.slow


def revisions(sandbox: SandboxProcess, namespace: str) -> list[tuple[int, str]]:
    history = json.loads(sandbox.helm("history", "web", "-n", namespace, "-o", "json").out)
    return [(entry["revision"], entry["status"]) for entry in history]


def images(sandbox: SandboxProcess, namespace: str) -> list[str]:
    """Images of the pods that are Ready and stay."""
    pods = sandbox.get("pods", "-n", namespace, "-l", "app=web")["items"]
    ready = [pod for pod in pods if any(s.get("ready") for s in pod["status"].get("containerStatuses", []))]
    return [pod["spec"]["containers"][0]["image"] for pod in ready if "deletionTimestamp" not in pod["metadata"]]


def test_a_release_lives_through_install_upgrade_failure_rollback_test_and_uninstall(
    sandbox: SandboxProcess, namespace: str
) -> None:
    sandbox.helm("install", "web", CHART, "-n", namespace, *WAIT)
    assert images(sandbox, namespace) == ["selfheal-service:1.0"] * 2

    tested = sandbox.helm("test", "web", "-n", namespace, "--timeout", "30s")
    assert "Phase:          Succeeded" in tested.out

    sandbox.helm("upgrade", "web", CHART, "-n", namespace, *WAIT, "--set", "image.tag=1.1")
    assert images(sandbox, namespace) == ["selfheal-service:1.1"] * 2

    failed = sandbox.helm(
        "upgrade", "web", CHART, "-n", namespace, *WAIT, "--set", "image.tag=9.9", "--timeout", "3s", check=False
    )
    assert failed.code == 1
    assert "not ready" in failed.err or "deadline exceeded" in failed.err
    assert images(sandbox, namespace) == ["selfheal-service:1.1"] * 2  # the old pods serve on
    assert revisions(sandbox, namespace) == [(1, "superseded"), (2, "deployed"), (3, "failed")]

    sandbox.helm("rollback", "web", "2", "-n", namespace, "--wait", "--timeout", "30s")
    assert revisions(sandbox, namespace) == [(1, "superseded"), (2, "superseded"), (3, "failed"), (4, "deployed")]
    assert images(sandbox, namespace) == ["selfheal-service:1.1"] * 2

    url = sandbox.command("url", "svc/web", "-n", namespace).out.strip()
    answers = {sandbox.run("curl", "-sf", "-m", "5", "--noproxy", "*", f"{url}/").out.strip() for _ in range(10)}
    assert answers == {'{"service":"web","status":"ok"}'}

    sandbox.helm("uninstall", "web", "-n", namespace, "--wait", "--timeout", "30s")
    until(lambda: sandbox.get("deployments,services,pods", "-n", namespace)["items"] == [])


def test_scaling_by_hand_conflicts_with_an_upgrade_as_on_a_cluster(sandbox: SandboxProcess, namespace: str) -> None:
    sandbox.helm("install", "web", CHART, "-n", namespace, *WAIT, "--set", "replicas=1")
    sandbox.kubectl("scale", "-n", namespace, "deployment/web", "--replicas=2")

    refused = sandbox.helm("upgrade", "web", CHART, "-n", namespace, *WAIT, "--set", "replicas=1", check=False)

    if sandbox.helm("version", "--short").out.startswith("v3"):
        assert refused.code == 0  # Helm 3 patches on the client and sees no conflict
    else:
        assert refused.code == 1
        assert ".spec.replicas" in refused.err
