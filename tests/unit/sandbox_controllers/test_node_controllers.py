"""Nodes: registration, heartbeats, taints and what they do to pods."""

from datetime import UTC, datetime
from typing import Any

from selfheal_sandbox.controllers.keys import LEASES, NODES, PODS
from selfheal_sandbox.controllers.nodes import with_cordon_taint
from selfheal_sandbox.store.objects import is_ready, is_terminating, name_of, spec_of, status_of, with_spec
from tests.unit.sandbox_controllers.cluster import NAMESPACE, Cluster, start_cluster, template

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def on(cluster: Cluster, node: str) -> dict[str, Any]:
    """Make a pod that stays on one node, and wait for it."""
    spec = template(nodeName=node)["spec"]
    cluster.objects.create(PODS, NAMESPACE, {"metadata": {"name": "p"}, "spec": spec})
    await cluster.eventually(cluster.ready)
    return cluster.objects.get(PODS, NAMESPACE, "p")


async def test_nodes_are_ready_at_once(cluster: Cluster) -> None:
    nodes = cluster.objects.store.list(NODES)
    assert [name_of(node) for node in nodes] == ["node-1", "node-2", "node-3"]
    assert all(is_ready(node) for node in nodes)
    assert len({node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in nodes}) == 3


async def test_each_node_has_a_lease(cluster: Cluster) -> None:
    await cluster.eventually(lambda: len(cluster.objects.store.list(LEASES, "kube-node-lease")) == 3)
    lease = cluster.objects.get(LEASES, "kube-node-lease", "node-1")
    assert spec_of(lease)["holderIdentity"] == "node-1"
    assert spec_of(lease)["leaseDurationSeconds"] == 40


async def test_node_that_somebody_calls_unready_speaks_for_itself(cluster: Cluster) -> None:
    node = cluster.objects.get(NODES, "", "node-1")
    conditions = [{"type": "Ready", "status": "False", "reason": "Prank", "message": ""}]
    cluster.objects.set_status(NODES, node, {**status_of(node), "conditions": conditions})
    await cluster.eventually(lambda: is_ready(cluster.objects.get(NODES, "", "node-1")))


async def test_cordon_shows_as_a_taint_and_an_event(cluster: Cluster) -> None:
    cluster.objects.update(NODES, "", "node-1", lambda old: with_spec(old, unschedulable=True))
    await cluster.eventually(lambda: spec_of(cluster.objects.get(NODES, "", "node-1")).get("taints"))
    (taint,) = spec_of(cluster.objects.get(NODES, "", "node-1"))["taints"]
    assert (taint["key"], taint["effect"]) == ("node.kubernetes.io/unschedulable", "NoSchedule")
    assert cluster.events("NodeNotSchedulable") == ["Node node-1 status is now: NodeNotSchedulable"]
    cluster.objects.update(NODES, "", "node-1", lambda old: with_spec(old, unschedulable=False))
    await cluster.eventually(lambda: "taints" not in spec_of(cluster.objects.get(NODES, "", "node-1")))


async def test_no_execute_taint_evicts_what_does_not_tolerate_it(cluster: Cluster) -> None:
    await on(cluster, "node-1")
    taint = {"key": "fire", "effect": "NoExecute"}
    cluster.objects.update(NODES, "", "node-1", lambda old: with_spec(old, taints=[taint]))
    await cluster.eventually(lambda: cluster.get(PODS, "p") is None)
    assert cluster.events("TaintManagerEviction") == ["Marking for deletion Pod default/p"]


async def test_tolerated_no_execute_taint_lets_the_pod_stay(cluster: Cluster) -> None:
    spec = template(nodeName="node-1", tolerations=[{"operator": "Exists"}])["spec"]
    cluster.objects.create(PODS, NAMESPACE, {"metadata": {"name": "p"}, "spec": spec})
    await cluster.eventually(cluster.ready)
    taint = {"key": "fire", "effect": "NoExecute"}
    cluster.objects.update(NODES, "", "node-1", lambda old: with_spec(old, taints=[taint]))
    await cluster.settle()
    assert not is_terminating(cluster.objects.get(PODS, NAMESPACE, "p"))


async def test_pods_of_a_deleted_node_go_after_the_quarantine() -> None:
    cluster = start_cluster(speed=100)
    async with cluster.controllers:
        await on(cluster, "node-1")
        cluster.objects.delete(NODES, "", "node-1")
        await cluster.settle()
        assert cluster.get(PODS, "p") is not None
        await cluster.eventually(lambda: cluster.get(PODS, "p") is None)
        assert cluster.events("DeletingOrphanedPod") == ["PodGC: node node-1 is gone"]


async def test_a_pod_that_names_a_gone_node_later_has_a_quarantine_of_its_own() -> None:
    cluster = start_cluster(speed=100)
    async with cluster.controllers:
        await on(cluster, "node-1")
        cluster.objects.delete(NODES, "", "node-1")
        await cluster.eventually(lambda: cluster.get(PODS, "p") is None)

        spec = template(nodeName="node-1")["spec"]
        cluster.objects.create(PODS, NAMESPACE, {"metadata": {"name": "q"}, "spec": spec})
        await cluster.settle()

        assert cluster.get(PODS, "q") is not None


def test_taint_of_a_cordon_is_added_once_and_taken_away() -> None:
    node = {"metadata": {"name": "n"}, "spec": {"unschedulable": True}}
    tainted = with_cordon_taint(node, NOW)
    assert len(tainted["spec"]["taints"]) == 1
    assert with_cordon_taint(tainted, NOW) is tainted
    assert with_cordon_taint({**tainted, "spec": {**tainted["spec"], "unschedulable": False}}, NOW)["spec"] == {
        "unschedulable": False
    }


def test_no_execute_taints_are_dated() -> None:
    node = {"metadata": {"name": "n"}, "spec": {"taints": [{"key": "a", "effect": "NoExecute"}]}}
    assert with_cordon_taint(node, NOW)["spec"]["taints"][0]["timeAdded"] == "2026-01-01T00:00:00Z"
