"""Helm's verbs with the real chart of the service, as a pipeline uses them; with Helm 3 and Helm 4."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.sandbox_process import SandboxProcess
from tests.pinned_tools import HELM_VERSIONS, program, version
from tests.polling import until

CHARTS = Path(__file__).parents[3] / "chart"
CHART, HEALERD = str(CHARTS / "service"), str(CHARTS / "healerd")
# Short, so that an upgrade takes seconds: what is tested is Helm and the sandbox.
VALUES = "minReadySeconds=0,shutdown.preStopSleepSeconds=0,shutdown.drainSeconds=0,probes.readiness.periodSeconds=1"
WAIT = ("--wait", "--timeout", "30s", "--set", f"{VALUES},autoscaling.enabled=false")

pytestmark = pytest.mark.slow


@pytest.fixture(params=HELM_VERSIONS, ids=version)
def helm_user(request: pytest.FixtureRequest, sandbox: SandboxProcess) -> SandboxProcess:
    """The shared sandbox, with one of the versions of Helm."""
    return replace(sandbox, tools={**sandbox.tools, "helm": program(request.param)})


def revisions(sandbox: SandboxProcess, namespace: str) -> list[tuple[int, str]]:
    history = json.loads(sandbox.helm("history", "web", "-n", namespace, "-o", "json").out)
    return [(entry["revision"], entry["status"]) for entry in history]


def images(sandbox: SandboxProcess, namespace: str) -> list[str]:
    """Images of the pods that are Ready and stay."""
    pods = sandbox.get("pods", "-n", namespace, "-l", "app=web")["items"]
    ready = [pod for pod in pods if any(s.get("ready") for s in pod["status"].get("containerStatuses", []))]
    return [pod["spec"]["containers"][0]["image"] for pod in ready if "deletionTimestamp" not in pod["metadata"]]


def test_a_release_lives_through_install_upgrade_failure_rollback_test_and_uninstall(
    helm_user: SandboxProcess, namespace: str
) -> None:
    helm_user.helm("install", "web", CHART, "-n", namespace, *WAIT)
    assert images(helm_user, namespace) == ["selfheal-service:1.0"] * 2

    tested = helm_user.helm("test", "web", "-n", namespace, "--timeout", "30s")
    assert "Phase:          Succeeded" in tested.out

    helm_user.helm("upgrade", "web", CHART, "-n", namespace, *WAIT, "--set", "image.tag=1.1")
    assert images(helm_user, namespace) == ["selfheal-service:1.1"] * 2

    failed = helm_user.helm(
        "upgrade", "web", CHART, "-n", namespace, *WAIT, "--set", "image.tag=9.9", "--timeout", "3s", check=False
    )
    assert failed.code == 1
    assert "not ready" in failed.err or "deadline exceeded" in failed.err
    assert images(helm_user, namespace) == ["selfheal-service:1.1"] * 2  # the old pods serve on
    assert revisions(helm_user, namespace) == [(1, "superseded"), (2, "deployed"), (3, "failed")]

    helm_user.helm("rollback", "web", "2", "-n", namespace, "--wait", "--timeout", "30s")
    assert revisions(helm_user, namespace) == [(1, "superseded"), (2, "superseded"), (3, "failed"), (4, "deployed")]
    assert images(helm_user, namespace) == ["selfheal-service:1.1"] * 2

    url = helm_user.command("url", "svc/web", "-n", namespace).out.strip()
    answers = {helm_user.run("curl", "-sf", "-m", "5", "--noproxy", "*", f"{url}/").out.strip() for _ in range(10)}
    assert answers == {'{"service":"web","status":"ok"}'}

    listed = json.loads(helm_user.helm("list", "-n", namespace, "-o", "json").out)
    assert [(one["name"], one["revision"], one["status"]) for one in listed] == [("web", "4", "deployed")]

    helm_user.helm("uninstall", "web", "-n", namespace, "--wait", "--timeout", "30s")
    until(lambda: helm_user.get("deployments,services,pods", "-n", namespace)["items"] == [])


def test_scaling_by_hand_conflicts_with_an_upgrade_as_on_a_cluster(helm_user: SandboxProcess, namespace: str) -> None:
    helm_user.helm("install", "web", CHART, "-n", namespace, *WAIT, "--set", "replicas=1")
    helm_user.kubectl("scale", "-n", namespace, "deployment/web", "--replicas=2")

    refused = helm_user.helm("upgrade", "web", CHART, "-n", namespace, *WAIT, "--set", "replicas=1", check=False)

    if helm_user.helm("version", "--short").out.startswith("v3"):
        assert refused.code == 0  # Helm 3 patches on the client and sees no conflict
    else:
        assert refused.code == 1
        assert ".spec.replicas" in refused.err


def test_healerds_chart_tests_itself(helm_user: SandboxProcess, namespace: str) -> None:
    helm_user.helm("install", "healerd", HEALERD, "-n", namespace, "--wait", "--timeout", "40s")

    tested = helm_user.helm("test", "healerd", "-n", namespace, "--timeout", "30s")
    assert "Phase:          Succeeded" in tested.out

    helm_user.kubectl("scale", "-n", namespace, "deployment/healerd", "--replicas=0")
    failed = helm_user.helm("test", "healerd", "-n", namespace, "--timeout", "3s", check=False)
    assert failed.code == 1
    helm_user.helm("uninstall", "healerd", "-n", namespace)
