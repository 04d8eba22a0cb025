"""The scheduler at work: binding, waiting, and trying again when there is news."""

from typing import Any

from selfheal_sandbox.controllers.keys import NODES, PODS
from selfheal_sandbox.store.objects import condition, spec_of, with_spec
from tests.unit.sandbox_controllers.cluster import NAMESPACE, Cluster, template


def make_pod(cluster: Cluster, name: str = "p", cpu: str = "100m", **spec: Any) -> None:
    body = template(cpu=cpu, **spec)["spec"]
    cluster.objects.create(PODS, NAMESPACE, {"metadata": {"name": name}, "spec": body})


def scheduled(cluster: Cluster, name: str = "p") -> dict[str, Any]:
    return condition(cluster.objects.get(PODS, NAMESPACE, name), "PodScheduled") or {}


def cordon(cluster: Cluster, *names: str, cordoned: bool = True) -> None:
    for name in names:
        cluster.objects.update(NODES, "", name, lambda current: with_spec(current, unschedulable=cordoned))


async def test_pods_of_a_deployment_land_on_different_nodes(cluster: Cluster) -> None:
    cluster.deploy(replicas=3)
    await cluster.eventually(lambda: len(cluster.ready()) == 3)
    assert len({spec_of(pod)["nodeName"] for pod in cluster.pods()}) == 3
    assert len(cluster.events("Scheduled")) == 3


async def test_cordoned_nodes_get_no_pods_until_uncordoned(cluster: Cluster) -> None:
    cordon(cluster, "node-1", "node-2", "node-3")
    make_pod(cluster)
    await cluster.eventually(lambda: scheduled(cluster).get("reason") == "Unschedulable")
    assert scheduled(cluster)["message"].startswith("0/3 nodes are available: 3 node(s) were unschedulable.")
    assert cluster.events("FailedScheduling") == [scheduled(cluster)["message"]]
    cordon(cluster, "node-2", cordoned=False)
    await cluster.eventually(lambda: scheduled(cluster).get("status") == "True")
    assert spec_of(cluster.objects.get(PODS, NAMESPACE, "p"))["nodeName"] == "node-2"


async def test_waiting_pod_gets_the_room_another_one_leaves(cluster: Cluster) -> None:
    cordon(cluster, "node-2", "node-3")
    cpus = int(cluster.objects.get(NODES, "", "node-1")["status"]["allocatable"]["cpu"])
    make_pod(cluster, "big", cpu=str(cpus))
    await cluster.eventually(lambda: scheduled(cluster, "big").get("status") == "True")
    make_pod(cluster, "next", cpu="500m")
    await cluster.eventually(lambda: "1 Insufficient cpu" in scheduled(cluster, "next").get("message", ""))
    cluster.objects.delete(PODS, NAMESPACE, "big")
    await cluster.eventually(lambda: scheduled(cluster, "next").get("status") == "True")


async def test_pods_of_other_schedulers_and_gated_ones_are_left_alone(cluster: Cluster) -> None:
    make_pod(cluster, "foreign", schedulerName="nobody")
    make_pod(cluster, "gated", schedulingGates=[{"name": "wait"}])
    await cluster.eventually(lambda: scheduled(cluster, "gated").get("reason") == "SchedulingGated")
    await cluster.settle()
    for name in ("foreign", "gated"):
        assert "nodeName" not in spec_of(cluster.objects.get(PODS, NAMESPACE, name))


async def test_pods_that_cannot_be_placed_do_not_spin(cluster: Cluster) -> None:
    make_pod(cluster, cpu="9999")
    await cluster.eventually(lambda: scheduled(cluster).get("reason") == "Unschedulable")
    await cluster.settle()
    before = cluster.runs()["scheduler"]
    await cluster.settle()
    assert cluster.runs()["scheduler"] == before


async def test_the_same_reason_is_told_once_though_pods_come_and_go(cluster: Cluster) -> None:
    make_pod(cluster, "huge", cpu="9999")
    make_pod(cluster, "small")
    await cluster.eventually(lambda: scheduled(cluster, "small").get("status") == "True")
    before = cluster.runs()["scheduler"]
    cluster.objects.delete(PODS, NAMESPACE, "small")
    await cluster.eventually(lambda: cluster.get(PODS, "small") is None and cluster.runs()["scheduler"] > before)
    await cluster.settle()
    events = [each for each in cluster.objects.store.list(("", "events")) if each["reason"] == "FailedScheduling"]
    assert [each["count"] for each in events] == [1]


async def test_pod_that_wants_company_is_tried_again_when_it_comes(cluster: Cluster) -> None:
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "friend"}}}
    near = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    make_pod(cluster, "lonely", affinity=near)
    await cluster.eventually(lambda: scheduled(cluster, "lonely").get("reason") == "Unschedulable")
    friend = {"metadata": {"name": "friend", "labels": {"app": "friend"}}, "spec": template()["spec"]}
    cluster.objects.create(PODS, NAMESPACE, friend)
    await cluster.eventually(lambda: scheduled(cluster, "lonely").get("status") == "True")
    nodes = {spec_of(cluster.objects.get(PODS, NAMESPACE, name))["nodeName"] for name in ("lonely", "friend")}
    assert len(nodes) == 1
