"""An unmodified kubectl, in the oldest and the newest version."""

import json
import subprocess
import threading

import pytest

from tests.contract.bodies import config_map, deployment, pod
from tests.contract.conftest import Kubectl

DEADLINE_SECONDS = 15.0


@pytest.fixture
def applied(kubectl: Kubectl) -> str:
    """A Deployment that kubectl applied."""
    kubectl("apply", "-f", "-", given=json.dumps(deployment("applied")))
    return "deployment/applied"


@pytest.fixture
def subject(kubectl: Kubectl) -> str:
    """A pod that nothing schedules, with an event about it."""
    kubectl("apply", "-f", "-", given=json.dumps(pod("subject", {"app": "subject"}, schedulerName="nobody")))
    uid = kubectl("get", "pod", "subject", "-o", "jsonpath={.metadata.uid}")
    namespace = kubectl("get", "pod", "subject", "-o", "jsonpath={.metadata.namespace}")
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "about-subject"},
        "involvedObject": {"kind": "Pod", "name": "subject", "namespace": namespace, "uid": uid},
        "reason": "Test",
        "message": "hello from the test",
        "type": "Warning",
        "source": {"component": "test"},
        "count": 1,
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
    kubectl("apply", "-f", "-", given=json.dumps(event))
    return "subject"


@pytest.mark.probe("kubectl.version")
def test_version(kubectl: Kubectl) -> None:
    assert "Server Version: v1." in kubectl("version")


@pytest.mark.probe("kubectl.api-resources")
def test_api_resources(kubectl: Kubectl) -> None:
    listed = kubectl("api-resources", "-o", "name").split()

    assert {"pods", "deployments.apps", "horizontalpodautoscalers.autoscaling", "leases.coordination.k8s.io"} <= set(
        listed
    )


@pytest.mark.probe("kubectl.explain")
def test_explain(kubectl: Kubectl) -> None:
    assert "rollingUpdate" in kubectl("explain", "deployment.spec.strategy")


@pytest.mark.probe("kubectl.apply_csa")
def test_apply_on_the_client_side(kubectl: Kubectl) -> None:
    body = json.dumps(deployment("client-side"))

    assert "created" in kubectl("apply", "-f", "-", given=body)
    assert "unchanged" in kubectl("apply", "-f", "-", given=body)
    assert "configured" in kubectl("apply", "-f", "-", given=body.replace("busybox", "busybox:9"))


@pytest.mark.probe("kubectl.apply_ssa")
def test_apply_on_the_server_side(kubectl: Kubectl) -> None:
    body = json.dumps(deployment("server-side"))

    assert "serverside-applied" in kubectl("apply", "--server-side", "-f", "-", given=body)


@pytest.mark.probe("kubectl.diff")
def test_diff(kubectl: Kubectl, applied: str) -> None:
    changed = json.dumps(deployment("applied")).replace("busybox", "busybox:9")

    assert "busybox:9" in kubectl("diff", "-f", "-", given=changed, code=1)


@pytest.mark.probe("kubectl.get")
def test_get(kubectl: Kubectl, subject: str) -> None:
    header, row = kubectl("get", "pods", "-l", "app=subject").splitlines()

    assert header.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert row.split()[:3] == ["subject", "0/1", "Pending"]


@pytest.mark.probe("kubectl.get_wide_yaml")
def test_get_in_other_forms(kubectl: Kubectl, subject: str, applied: str) -> None:
    assert "schedulerName: nobody" in kubectl("get", "pod", subject, "-o", "yaml")
    assert "NOMINATED NODE" in kubectl("get", "pods,deploy,cm", "-o", "wide")


@pytest.mark.probe("kubectl.get_w")
def test_get_and_watch(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", given=json.dumps(config_map("watched")))
    command = [kubectl.program, *kubectl.arguments, "get", "configmaps", "--watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        end = threading.Timer(DEADLINE_SECONDS, process.kill)
        end.start()
        seen = []
        assert process.stdout is not None
        for line in process.stdout:
            seen.append(line.split()[0])
            if seen[-1] == "watched":
                kubectl("apply", "-f", "-", given=json.dumps(config_map("watched-later")))
            if seen[-1] == "watched-later":
                break
        process.kill()
        end.cancel()

    assert seen[0] == "NAME"
    assert seen[-1] == "watched-later"


@pytest.mark.probe("kubectl.describe_pod")
def test_describe_a_pod(kubectl: Kubectl, subject: str) -> None:
    told = kubectl("describe", "pod", subject)

    assert "Events:" in told
    assert "hello from the test" in told


@pytest.mark.probe("kubectl.describe_deploy")
def test_describe_a_deployment(kubectl: Kubectl, applied: str) -> None:
    assert "StrategyType" in kubectl("describe", applied)


@pytest.mark.probe("kubectl.scale")
def test_scale(kubectl: Kubectl, applied: str) -> None:
    kubectl("scale", applied, "--replicas=1")
    assert kubectl("get", applied, "-o", "jsonpath={.spec.replicas}") == "1"
    kubectl("scale", applied, "--replicas=0")


@pytest.mark.probe("kubectl.set_image_label_annotate")
def test_set_label_and_annotate(kubectl: Kubectl, applied: str) -> None:
    kubectl("set", "image", applied, "c=busybox:10")
    kubectl("label", applied, "z=1")
    kubectl("annotate", applied, "q=1")
    path = "jsonpath={.spec.template.spec.containers[0].image} {.metadata.labels.z} {.metadata.annotations.q}"

    assert kubectl("get", applied, "-o", path) == "busybox:10 1 1"


@pytest.mark.probe("kubectl.create_delete")
def test_create_and_delete(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "created", "--from-literal=a=b")
    assert kubectl("get", "configmap", "created", "-o", "jsonpath={.data.a}") == "b"
    assert 'configmap "created" deleted' in kubectl("delete", "configmap", "created")


@pytest.mark.probe("kubectl.wait")
def test_wait_for_what_is_gone(kubectl: Kubectl) -> None:
    kubectl("wait", "--for=delete", "configmap/none-such", "--timeout=3s")


@pytest.mark.probe("kubectl.auth_can_i")
def test_ask_what_is_allowed(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "get", "pods").strip() == "yes"


@pytest.mark.probe("kubectl.cluster-info")
def test_cluster_info(kubectl: Kubectl) -> None:
    assert "is running at" in kubectl("cluster-info")
