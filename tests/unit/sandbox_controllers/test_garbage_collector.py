"""Owner references: background, foreground and orphaning deletion."""

from typing import Any

from selfheal_sandbox.api.deletion import DeleteOptions
from selfheal_sandbox.controllers.keys import CONFIG_MAPS, DEPLOYMENTS, PODS, REPLICA_SETS
from selfheal_sandbox.store.objects import is_terminating, name_of, owners_of, uid_of, with_metadata
from tests.unit.sandbox_controllers.cluster import NAMESPACE, Cluster, start_cluster


def make_map(cluster: Cluster, name: str, *owners: dict[str, Any]) -> dict[str, Any]:
    references = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": name_of(each), "uid": uid_of(each)} for each in owners
    ]
    metadata = {"name": name, **({"ownerReferences": references} if references else {})}
    return cluster.objects.create(CONFIG_MAPS, NAMESPACE, {"metadata": metadata})


async def test_dependents_go_with_their_last_owner(cluster: Cluster) -> None:
    one, two = make_map(cluster, "one"), make_map(cluster, "two")
    make_map(cluster, "child", one, two)
    cluster.objects.delete(CONFIG_MAPS, NAMESPACE, "one")
    await cluster.eventually(lambda: len(owners_of(cluster.objects.get(CONFIG_MAPS, NAMESPACE, "child"))) == 1)
    cluster.objects.delete(CONFIG_MAPS, NAMESPACE, "two")
    await cluster.eventually(lambda: cluster.get(CONFIG_MAPS, "child") is None)


async def test_child_of_an_owner_that_never_was_goes(cluster: Cluster) -> None:
    ghost = {"metadata": {"name": "ghost", "uid": "none"}}
    make_map(cluster, "child", ghost)
    await cluster.eventually(lambda: cluster.get(CONFIG_MAPS, "child") is None)


async def test_owner_of_the_same_name_but_another_uid_does_not_count(cluster: Cluster) -> None:
    owner = make_map(cluster, "owner")
    make_map(cluster, "child", {"metadata": {**owner["metadata"], "uid": "former"}})
    await cluster.eventually(lambda: cluster.get(CONFIG_MAPS, "child") is None)


async def test_owner_of_an_unknown_kind_keeps_its_child(cluster: Cluster) -> None:
    reference = {"apiVersion": "example.org/v1", "kind": "Unknown", "name": "x", "uid": "x"}
    metadata = {"name": "child", "ownerReferences": [reference]}
    cluster.objects.create(CONFIG_MAPS, NAMESPACE, {"metadata": metadata})
    await cluster.settle()
    assert cluster.get(CONFIG_MAPS, "child") is not None


async def test_foreground_deletion_waits_for_pods_then_ends() -> None:
    cluster = start_cluster(stop_seconds=0.05)
    async with cluster.controllers:
        cluster.deploy()
        await cluster.eventually(cluster.is_complete)
        options = DeleteOptions(propagation="Foreground")
        cluster.objects.delete(DEPLOYMENTS, NAMESPACE, "web", options=options)
        await cluster.eventually(lambda: all(is_terminating(pod) for pod in cluster.pods()))
        assert is_terminating(cluster.objects.get(DEPLOYMENTS, NAMESPACE, "web"))
        assert is_terminating(cluster.replica_sets()[0])
        await cluster.eventually(lambda: cluster.get(DEPLOYMENTS, "web") is None)
        assert not cluster.replica_sets()
        assert not cluster.pods()


async def test_orphaned_pods_stay_and_are_adopted_again(cluster: Cluster) -> None:
    cluster.deploy()
    await cluster.eventually(cluster.is_complete)
    names = {name_of(pod) for pod in cluster.pods()}
    cluster.objects.delete(DEPLOYMENTS, NAMESPACE, "web", options=DeleteOptions(propagation="Orphan"))
    await cluster.settle()
    assert {name_of(pod) for pod in cluster.pods()} == names
    (replica_set,) = cluster.replica_sets()
    assert not owners_of(replica_set)
    cluster.deploy()
    await cluster.eventually(lambda: cluster.is_complete() and owners_of(cluster.replica_sets()[0]))
    assert {name_of(pod) for pod in cluster.pods()} == names


async def test_orphan_finalizer_set_by_hand_is_honoured(cluster: Cluster) -> None:
    owner = make_map(cluster, "owner")
    make_map(cluster, "child", owner)
    cluster.objects.update(CONFIG_MAPS, NAMESPACE, "owner", lambda old: with_metadata(old, finalizers=["orphan"]))
    cluster.objects.delete(CONFIG_MAPS, NAMESPACE, "owner")
    await cluster.eventually(lambda: cluster.get(CONFIG_MAPS, "owner") is None)
    assert not owners_of(cluster.objects.get(CONFIG_MAPS, NAMESPACE, "child"))


async def test_deleted_replica_set_takes_its_pods(cluster: Cluster) -> None:
    cluster.deploy()
    await cluster.eventually(cluster.is_complete)
    old = {name_of(pod) for pod in cluster.pods()}
    cluster.objects.delete(REPLICA_SETS, NAMESPACE, name_of(cluster.replica_sets()[0]))
    await cluster.eventually(lambda: len(cluster.ready()) == 3 and not old & {name_of(pod) for pod in cluster.pods()})
    assert all(cluster.objects.store.get(PODS, NAMESPACE, name) is None for name in old)
