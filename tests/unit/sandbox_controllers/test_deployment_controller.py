"""Deployments: rollouts, undo, pause, scaling, history, deadlines, as kubectl and Helm see them."""

from datetime import timedelta
from typing import Any

import pytest

from selfheal_sandbox.controllers.keys import DEPLOYMENTS, REPLICA_SETS
from selfheal_sandbox.store.objects import annotations_of, labels_of, name_of, spec_of, status_of, with_spec
from tests.unit.sandbox_controllers.cluster import BAD, NAMESPACE, Cluster, start_cluster, template, utc_now

REVISION = "deployment.kubernetes.io/revision"
CAREFUL = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def revision(cluster: Cluster) -> str:
    return annotations_of(cluster.objects.get(DEPLOYMENTS, NAMESPACE, "web"))[REVISION]


async def test_deployment_becomes_available_and_says_so(cluster: Cluster) -> None:
    cluster.deploy()
    await cluster.eventually(cluster.is_complete)
    status = status_of(cluster.objects.get(DEPLOYMENTS, NAMESPACE, "web"))
    assert "unavailableReplicas" not in status
    assert cluster.condition(DEPLOYMENTS, "web", "Available")["reason"] == "MinimumReplicasAvailable"
    (replica_set,) = cluster.replica_sets()
    progressing = cluster.condition(DEPLOYMENTS, "web", "Progressing")
    assert progressing["reason"] == "NewReplicaSetAvailable"
    assert progressing["message"] == f'ReplicaSet "{name_of(replica_set)}" has successfully progressed.'
    assert cluster.events("ScalingReplicaSet") == [f"Scaled up replica set {name_of(replica_set)} from 0 to 3"]
    assert labels_of(replica_set)["pod-template-hash"] == name_of(replica_set).removeprefix("web-")


async def test_rolling_update_never_has_fewer_ready_pods_than_wanted() -> None:
    cluster = start_cluster(start_seconds=0.01, stop_seconds=0.02)
    async with cluster.controllers:
        cluster.deploy(replicas=4, strategy=CAREFUL)
        await cluster.eventually(cluster.is_complete)
        cluster.record_least_ready(app="web")
        for number in range(3):
            cluster.change_deployment(template=template(f"busybox:{number}"))
            await cluster.settle()
            await cluster.eventually(cluster.is_complete)
        assert cluster.least_ready == 4
        assert len(cluster.replica_sets()) == 4


async def test_update_that_never_gets_ready_leaves_the_old_pods_alone(cluster: Cluster) -> None:
    cluster.deploy(strategy=CAREFUL)
    await cluster.eventually(cluster.is_complete)
    cluster.record_least_ready(app="web")
    cluster.change_deployment(template=template(BAD))
    await cluster.eventually(lambda: len(cluster.pods()) == 4)
    await cluster.settle()
    assert len(cluster.pods()) == 4
    assert cluster.least_ready == 3
    assert cluster.condition(DEPLOYMENTS, "web", "Progressing")["reason"] == "ReplicaSetUpdated"


async def test_undo_reuses_the_old_replica_set_under_a_new_revision(cluster: Cluster) -> None:
    cluster.deploy()
    await cluster.eventually(cluster.is_complete)
    first = name_of(cluster.replica_sets()[0])
    cluster.change_deployment(template=template("busybox:2"))
    await cluster.eventually(lambda: revision(cluster) == "2" and cluster.is_complete())
    cluster.undo(1)
    await cluster.eventually(lambda: revision(cluster) == "3" and cluster.is_complete())
    assert len(cluster.replica_sets()) == 2
    restored = cluster.objects.get(REPLICA_SETS, NAMESPACE, first)
    assert annotations_of(restored)[REVISION] == "3"
    assert annotations_of(restored)["deployment.kubernetes.io/revision-history"] == "1"
    assert spec_of(restored)["replicas"] == 3


async def test_change_cause_is_copied_to_the_replica_set(cluster: Cluster) -> None:
    cluster.deploy()
    await cluster.eventually(cluster.is_complete)
    cause = {"kubernetes.io/change-cause": "because"}

    def annotate(current: dict[str, Any]) -> dict[str, Any]:
        return {**current, "metadata": {**current["metadata"], "annotations": {**annotations_of(current), **cause}}}

    cluster.objects.update(DEPLOYMENTS, NAMESPACE, "web", annotate)
    await cluster.eventually(lambda: cause.items() <= annotations_of(cluster.replica_sets()[0]).items())


async def test_paused_deployment_scales_but_does_not_roll_out(cluster: Cluster) -> None:
    cluster.deploy()
    await cluster.eventually(cluster.is_complete)
    cluster.change_deployment(paused=True, replicas=5, template=template("busybox:2"))
    await cluster.eventually(lambda: len(cluster.ready()) == 5)
    await cluster.settle()
    assert len(cluster.replica_sets()) == 1
    assert cluster.condition(DEPLOYMENTS, "web", "Progressing")["reason"] == "DeploymentPaused"
    cluster.change_deployment(paused=False)
    await cluster.eventually(cluster.is_complete)
    assert len(cluster.replica_sets()) == 2


async def test_scaling_in_the_middle_of_an_update_keeps_both_sides(cluster: Cluster) -> None:
    cluster.deploy(
        replicas=4, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2, "maxUnavailable": 0}}
    )
    await cluster.eventually(cluster.is_complete)
    cluster.change_deployment(template=template(BAD))
    await cluster.eventually(lambda: len(cluster.pods()) == 6)
    cluster.change_deployment(replicas=8)
    await cluster.eventually(lambda: len(cluster.pods()) == 10)
    sizes = sorted(spec_of(each)["replicas"] for each in cluster.replica_sets())
    assert sizes == [3, 7]
    await cluster.settle()
    assert len(cluster.ready()) == 7


async def test_recreate_stops_every_old_pod_before_the_first_new_one() -> None:
    cluster = start_cluster(stop_seconds=0.03)
    async with cluster.controllers:
        cluster.deploy(strategy={"type": "Recreate"})
        await cluster.eventually(cluster.is_complete)
        old = {name_of(pod) for pod in cluster.pods()}
        mixed: list[set[str]] = []

        def look(_: object) -> None:
            names = {name_of(pod) for pod in cluster.pods()}
            if names & old and names - old:
                mixed.append(names)

        cluster.objects.store.subscribe(look)
        cluster.change_deployment(template=template("busybox:2"))
        await cluster.eventually(lambda: revision(cluster) == "2" and cluster.is_complete())
        assert not mixed
        assert not old & {name_of(pod) for pod in cluster.pods()}


async def test_history_limit_drops_the_oldest_unused_replica_sets(cluster: Cluster) -> None:
    cluster.deploy(replicas=1, revisionHistoryLimit=1)
    await cluster.eventually(cluster.is_complete)
    for number in range(4):
        cluster.change_deployment(template=template(f"busybox:{number}"))
        await cluster.settle()
        await cluster.eventually(cluster.is_complete)
    await cluster.eventually(lambda: len(cluster.replica_sets()) == 2)
    kept = sorted(annotations_of(each)[REVISION] for each in cluster.replica_sets())
    assert kept == ["4", "5"]


async def test_rollout_without_progress_times_out(cluster: Cluster) -> None:
    cluster.deploy(replicas=1, progressDeadlineSeconds=1, template=template(BAD))
    progressing = await cluster.eventually(
        lambda: (found := cluster.condition(DEPLOYMENTS, "web", "Progressing")).get("status") == "False" and found
    )
    assert progressing["reason"] == "ProgressDeadlineExceeded"
    assert progressing["message"].endswith("has timed out progressing.")


async def test_pod_counts_as_available_only_after_min_ready_seconds(cluster: Cluster) -> None:
    started = utc_now()
    cluster.deploy(replicas=1, minReadySeconds=2)  # times have whole seconds: it may take one less
    await cluster.eventually(lambda: len(cluster.ready()) == 1)
    await cluster.settle()
    assert not cluster.is_complete()
    await cluster.eventually(cluster.is_complete)
    assert utc_now() - started >= timedelta(seconds=0.9)


async def test_replica_set_that_cannot_be_created_is_reported_and_retried(cluster: Cluster) -> None:
    cluster.objects.create(
        REPLICA_SETS,
        NAMESPACE,
        {
            "metadata": {"name": "placeholder"},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "other"}}, "template": template(app="other")},
        },
    )
    cluster.deploy()
    await cluster.eventually(cluster.is_complete)
    taken = name_of(next(each for each in cluster.replica_sets() if name_of(each) != "placeholder"))
    cluster.objects.delete(DEPLOYMENTS, NAMESPACE, "web")
    await cluster.eventually(lambda: len(cluster.replica_sets()) == 1)
    foreign = {
        "metadata": {"name": taken},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "x"}}, "template": template(app="x")},
    }
    cluster.objects.create(REPLICA_SETS, NAMESPACE, foreign)
    cluster.deploy()
    await cluster.eventually(cluster.is_complete)
    assert status_of(cluster.objects.get(DEPLOYMENTS, NAMESPACE, "web"))["collisionCount"] == 1
    assert cluster.controllers.counters["deployment"].errors >= 1


async def test_deleting_a_deployment_removes_all_it_owns(cluster: Cluster) -> None:
    cluster.deploy()
    await cluster.eventually(cluster.is_complete)
    cluster.objects.delete(DEPLOYMENTS, NAMESPACE, "web")
    await cluster.eventually(lambda: not cluster.replica_sets() and not cluster.pods())


async def test_nothing_runs_when_nothing_happens(cluster: Cluster) -> None:
    cluster.deploy()
    await cluster.eventually(cluster.is_complete)
    await cluster.settle()
    before = cluster.runs()
    await cluster.settle()
    after = cluster.runs()
    assert after == before


@pytest.mark.parametrize("wanted", [0, 1])
async def test_scaling_to_few_or_none(cluster: Cluster, wanted: int) -> None:
    cluster.deploy()
    await cluster.eventually(cluster.is_complete)
    cluster.objects.update(
        DEPLOYMENTS, NAMESPACE, "web", lambda current: with_spec(current, replicas=wanted), subresource="scale"
    )
    await cluster.eventually(lambda: len(cluster.pods()) == wanted and cluster.is_complete())
    assert any(text.endswith(f"from 3 to {wanted}") for text in cluster.events("ScalingReplicaSet"))
