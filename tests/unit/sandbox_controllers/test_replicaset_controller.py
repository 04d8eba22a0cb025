"""ReplicaSets: replacing pods, adopting and releasing them, failed creation, and crash loops that cost nothing."""

from typing import Any

from selfheal_sandbox.controllers.keys import PODS, REPLICA_SETS
from selfheal_sandbox.store.objects import (
    controller_of,
    is_terminating,
    labels_of,
    name_of,
    status_of,
    uid_of,
    with_metadata,
)
from tests.unit.sandbox_controllers.cluster import BAD, NAMESPACE, Cluster, service, start_cluster, template


def replica_set(name: str = "web", **spec: Any) -> dict[str, Any]:
    body = {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template(app=name), **spec}
    return {"metadata": {"name": name}, "spec": body}


def status(cluster: Cluster) -> dict[str, Any]:
    return status_of(cluster.objects.get(REPLICA_SETS, NAMESPACE, "web"))


async def test_deleted_pod_is_replaced_at_once() -> None:
    cluster = start_cluster(stop_seconds=0.2)
    async with cluster.controllers:
        cluster.objects.create(REPLICA_SETS, NAMESPACE, replica_set())
        await cluster.eventually(lambda: len(cluster.ready()) == 2)
        victim = cluster.pods()[0]
        cluster.objects.delete(PODS, NAMESPACE, name_of(victim))
        await cluster.eventually(lambda: len(cluster.ready()) == 2)
        assert is_terminating(cluster.objects.get(PODS, NAMESPACE, name_of(victim)))


async def test_status_counts_pods(cluster: Cluster) -> None:
    cluster.objects.create(REPLICA_SETS, NAMESPACE, replica_set())
    await cluster.eventually(lambda: status(cluster).get("readyReplicas") == 2)
    assert status(cluster) == {
        "replicas": 2,
        "fullyLabeledReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "observedGeneration": 1,
    }
    assert len(cluster.events("SuccessfulCreate")) == 2


async def test_pod_with_another_label_is_let_go_and_replaced(cluster: Cluster) -> None:
    cluster.objects.create(REPLICA_SETS, NAMESPACE, replica_set())
    await cluster.eventually(lambda: len(cluster.ready()) == 2)
    suspect = name_of(cluster.pods()[0])
    labels = {"app": "quarantine"}
    cluster.objects.update(PODS, NAMESPACE, suspect, lambda current: with_metadata(current, labels=labels))
    await cluster.eventually(lambda: len(cluster.ready(app="web")) == 2)
    assert controller_of(cluster.objects.get(PODS, NAMESPACE, suspect)) is None


async def test_orphan_with_the_right_labels_is_adopted(cluster: Cluster) -> None:
    lonely = {"metadata": {"name": "lonely", "labels": {"app": "web"}}, "spec": template()["spec"]}
    cluster.objects.create(PODS, NAMESPACE, lonely)
    cluster.objects.create(REPLICA_SETS, NAMESPACE, replica_set())
    await cluster.eventually(lambda: len(cluster.ready()) == 2)
    owner = controller_of(cluster.objects.get(PODS, NAMESPACE, "lonely"))
    assert owner is not None
    assert owner["uid"] == uid_of(cluster.objects.get(REPLICA_SETS, NAMESPACE, "web"))


async def test_many_pods_come_in_bursts_and_all_come(cluster: Cluster) -> None:
    cluster.objects.create(REPLICA_SETS, NAMESPACE, replica_set(replicas=100, template=template(cpu="10m")))
    await cluster.eventually(lambda: status(cluster).get("readyReplicas") == 100)
    assert cluster.objects.attempts == 100


async def test_refused_creation_is_met_once_for_each_back_off() -> None:
    cluster = start_cluster(speed=1)
    async with cluster.controllers:
        cluster.objects.refuses = True
        cluster.objects.create(REPLICA_SETS, NAMESPACE, replica_set(replicas=30))
        await cluster.eventually(lambda: cluster.controllers.counters["replicaset"].errors >= 3)
        assert cluster.objects.attempts == cluster.controllers.counters["replicaset"].errors
        (condition,) = status(cluster)["conditions"]
        assert (condition["type"], condition["reason"]) == ("ReplicaFailure", "FailedCreate")
        assert cluster.events("FailedCreate") == ['Error creating: pods "web-" is forbidden: exceeded quota']
        cluster.objects.refuses = False
        await cluster.eventually(lambda: status(cluster).get("replicas") == 30)
        assert "conditions" not in status(cluster)


async def test_pods_in_crash_loop_back_off_wake_nobody(cluster: Cluster) -> None:
    cluster.objects.create(("", "services"), NAMESPACE, service())
    cluster.deploy(replicas=40, template=template(BAD))
    await cluster.eventually(lambda: sum(status_of(pod).get("phase") == "Running" for pod in cluster.pods()) == 40)
    await cluster.settle()
    before = cluster.runs()
    for restarts in range(5):
        for pod in cluster.pods():
            waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": f"back-off {restarts}"}}
            container = {"name": "main", "restartCount": restarts, "state": waiting}
            cluster.kubelet.report(pod, ready=False, containerStatuses=[container])
    await cluster.settle()
    assert cluster.runs() == before


async def test_pods_keep_template_labels_and_annotations_only(cluster: Cluster) -> None:
    made = template()
    made["metadata"]["annotations"] = {"note": "x"}
    cluster.objects.create(REPLICA_SETS, NAMESPACE, replica_set(replicas=1, template=made))
    (pod,) = await cluster.eventually(cluster.pods)
    assert labels_of(pod) == {"app": "web"}
    assert pod["metadata"]["annotations"] == {"note": "x"}
    assert name_of(pod).startswith("web-")
