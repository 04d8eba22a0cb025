"""The autoscaler at work on pods whose usage the test chooses."""

from typing import Any

from selfheal_sandbox.controllers.keys import DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS
from selfheal_sandbox.store.objects import name_of, spec_of, status_of
from tests.unit.sandbox_controllers.cluster import NAMESPACE, Cluster

FAST = {"scaleUp": {"stabilizationWindowSeconds": 0}, "scaleDown": {"stabilizationWindowSeconds": 0}}


def autoscale(cluster: Cluster, **spec: Any) -> None:
    target = {"type": "Utilization", "averageUtilization": 70}
    body = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 2,
        "maxReplicas": 5,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        **spec,
    }
    cluster.objects.create(HORIZONTAL_POD_AUTOSCALERS, NAMESPACE, {"metadata": {"name": "web"}, "spec": body})


def burn(cluster: Cluster, millicores: int) -> None:
    """Let every pod use this much; they count as started long ago."""
    for pod in cluster.pods():
        cluster.kubelet.cpu_millicores[name_of(pod)] = millicores
        cluster.kubelet.report(pod, ready=True, startTime="2026-01-01T00:00:00Z")


def wanted(cluster: Cluster) -> int:
    return int(spec_of(cluster.objects.get(DEPLOYMENTS, NAMESPACE, "web"))["replicas"])


def status(cluster: Cluster) -> dict[str, Any]:
    return status_of(cluster.objects.get(HORIZONTAL_POD_AUTOSCALERS, NAMESPACE, "web"))


def say(cluster: Cluster, condition_type: str) -> dict[str, Any]:
    return cluster.condition(HORIZONTAL_POD_AUTOSCALERS, "web", condition_type)


async def start(cluster: Cluster, replicas: int = 2, millicores: int | None = None, **spec: Any) -> None:
    cluster.deploy(replicas=replicas)
    await cluster.eventually(cluster.is_complete)
    if millicores is not None:
        burn(cluster, millicores)
    autoscale(cluster, **spec)
    await cluster.eventually(lambda: status(cluster).get("conditions"))


async def test_load_scales_up_to_the_maximum(cluster: Cluster) -> None:
    await start(cluster, millicores=400)
    await cluster.eventually(lambda: wanted(cluster) == 5)
    assert cluster.events("SuccessfulRescale") == [
        "New size: 5; reason: cpu resource utilization (percentage of request) above target"
    ]
    assert say(cluster, "ScalingLimited")["reason"] == "TooManyReplicas"
    assert status(cluster)["currentMetrics"][0]["resource"]["current"] == {
        "averageUtilization": 400,
        "averageValue": "400m",
    }
    assert status(cluster)["lastScaleTime"]
    entries = cluster.objects.get(DEPLOYMENTS, NAMESPACE, "web")["metadata"]["managedFields"]
    assert [entry["manager"] for entry in entries if entry.get("subresource") == "scale"] == ["kube-controller-manager"]


async def test_idle_pods_scale_down_to_the_minimum(cluster: Cluster) -> None:
    await start(cluster, replicas=4, millicores=1, behavior=FAST)
    await cluster.eventually(lambda: wanted(cluster) == 2)
    assert "New size: 2; reason: All metrics below target" in cluster.events("SuccessfulRescale")


async def test_first_look_never_scales_down_at_once(cluster: Cluster) -> None:
    await start(cluster, replicas=4, millicores=1)
    assert say(cluster, "AbleToScale")["reason"] == "ScaleDownStabilized"
    assert wanted(cluster) == 4


async def test_unknown_usage_changes_nothing(cluster: Cluster) -> None:
    await start(cluster, replicas=3, behavior=FAST)
    await cluster.eventually(lambda: say(cluster, "ScalingActive").get("status") == "False")
    assert say(cluster, "ScalingActive")["reason"] == "FailedGetResourceMetric"
    assert cluster.events("FailedComputeMetricsReplicas")
    assert wanted(cluster) == 3


async def test_size_outside_the_bounds_is_put_right_without_metrics(cluster: Cluster) -> None:
    await start(cluster, replicas=1)
    await cluster.eventually(lambda: wanted(cluster) == 2)
    assert cluster.events("SuccessfulRescale") == [
        "New size: 2; reason: Current number of replicas below Spec.MinReplicas"
    ]


async def test_target_scaled_to_zero_switches_scaling_off(cluster: Cluster) -> None:
    await start(cluster, replicas=0)
    await cluster.eventually(lambda: say(cluster, "ScalingActive").get("reason") == "ScalingDisabled")
    assert wanted(cluster) == 0


async def test_missing_target_is_named(cluster: Cluster) -> None:
    autoscale(cluster)
    await cluster.eventually(lambda: say(cluster, "AbleToScale").get("reason") == "FailedGetScale")
    assert cluster.events("FailedGetScale") == ['deployments.apps "web" not found']


async def test_kind_without_scale_is_named(cluster: Cluster) -> None:
    autoscale(cluster, scaleTargetRef={"apiVersion": "example.org/v1", "kind": "ConfigMap", "name": "web"})
    await cluster.eventually(lambda: cluster.events("FailedGetScale"))
    assert cluster.events("FailedGetScale") == ['no matches for kind "ConfigMap" in group "example.org"']


async def test_on_target_load_says_ready_and_stays(cluster: Cluster) -> None:
    await start(cluster, replicas=3, millicores=70)
    await cluster.eventually(lambda: say(cluster, "ScalingActive").get("reason") == "ValidMetricFound")
    assert say(cluster, "AbleToScale")["reason"] == "ReadyForNewScale"
    assert say(cluster, "ScalingLimited")["reason"] == "DesiredWithinRange"
    assert wanted(cluster) == 3
