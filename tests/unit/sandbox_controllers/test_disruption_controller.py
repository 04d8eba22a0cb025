"""Budgets follow pods, and evictions follow budgets."""

from typing import Any

import pytest

from selfheal_sandbox.api.deletion import DeleteOptions
from selfheal_sandbox.api.errors import ApiError
from selfheal_sandbox.api.eviction import evict_pod
from selfheal_sandbox.controllers.keys import POD_DISRUPTION_BUDGETS, PODS
from selfheal_sandbox.store.objects import name_of, status_of
from tests.unit.sandbox_controllers.cluster import NAMESPACE, Cluster, template


def make_budget(cluster: Cluster, **spec: Any) -> None:
    selector = {"matchLabels": {"app": "web"}}
    body = {"metadata": {"name": "web"}, "spec": {"selector": selector, **spec}}
    cluster.objects.create(POD_DISRUPTION_BUDGETS, NAMESPACE, body)


def status(cluster: Cluster) -> dict[str, Any]:
    return status_of(cluster.objects.get(POD_DISRUPTION_BUDGETS, NAMESPACE, "web"))


async def test_budget_counts_against_the_deployments_size(cluster: Cluster) -> None:
    make_budget(cluster, maxUnavailable=1)
    cluster.deploy()
    await cluster.eventually(lambda: status(cluster).get("disruptionsAllowed") == 1)
    found = status(cluster)
    assert (found["currentHealthy"], found["desiredHealthy"], found["expectedPods"]) == (3, 2, 3)
    (condition,) = found["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "DisruptionAllowed",
        "True",
        "SufficientPods",
    )


async def test_evictions_stop_at_the_budget_until_the_replacement_is_ready(cluster: Cluster) -> None:
    make_budget(cluster, maxUnavailable=1)
    cluster.deploy()
    await cluster.eventually(lambda: status(cluster).get("disruptionsAllowed") == 1)
    cluster.kubelet.hold()
    first, second = (name_of(pod) for pod in cluster.pods()[:2])
    evict_pod(cluster.objects, PODS, NAMESPACE, first, DeleteOptions())
    with pytest.raises(ApiError) as refused:
        evict_pod(cluster.objects, PODS, NAMESPACE, second, DeleteOptions())
    assert refused.value.code == 429
    await cluster.settle()
    assert (len(cluster.pods()), len(cluster.ready())) == (3, 2)
    with pytest.raises(ApiError):
        evict_pod(cluster.objects, PODS, NAMESPACE, second, DeleteOptions())
    cluster.kubelet.release()
    await cluster.eventually(lambda: status(cluster).get("disruptionsAllowed") == 1)
    evict_pod(cluster.objects, PODS, NAMESPACE, second, DeleteOptions())


async def test_unready_pod_uses_the_budget_up(cluster: Cluster) -> None:
    make_budget(cluster, minAvailable=3)
    cluster.deploy(replicas=4)
    await cluster.eventually(lambda: status(cluster).get("disruptionsAllowed") == 1)
    cluster.kubelet.report(cluster.pods()[0], ready=False)
    await cluster.eventually(lambda: status(cluster)["disruptionsAllowed"] == 0)
    assert status(cluster)["conditions"][0]["reason"] == "InsufficientPods"


async def test_pods_without_a_controller_allow_nothing_under_a_relative_budget(cluster: Cluster) -> None:
    lonely = {"metadata": {"name": "lonely", "labels": {"app": "web"}}, "spec": template()["spec"]}
    cluster.objects.create(PODS, NAMESPACE, lonely)
    await cluster.eventually(cluster.ready)
    make_budget(cluster, maxUnavailable=1)
    await cluster.eventually(lambda: status(cluster).get("conditions"))
    found = status(cluster)
    assert found["disruptionsAllowed"] == 0
    assert found["conditions"][0]["reason"] == "SyncFailed"
    assert cluster.events("CalculateExpectedPodCountFailed")[0].endswith('found no controller ref for pod "lonely"')


async def test_budget_without_pods_says_so(cluster: Cluster) -> None:
    make_budget(cluster, minAvailable=1)
    await cluster.eventually(lambda: cluster.events("NoPods"))
    assert status(cluster)["disruptionsAllowed"] == 0


async def test_scaling_moves_a_relative_budget(cluster: Cluster) -> None:
    make_budget(cluster, minAvailable="50%")
    cluster.deploy(replicas=4)
    await cluster.eventually(lambda: status(cluster).get("disruptionsAllowed") == 2)
    cluster.change_deployment(replicas=8)
    await cluster.eventually(lambda: status(cluster).get("disruptionsAllowed") == 4)
