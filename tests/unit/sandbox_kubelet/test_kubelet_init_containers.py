"""Init containers and sidecars on a real kubelet: order, restarts, what the pod's status tells, and the end."""

import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from selfheal_sandbox.kinds.pod_cells import summarise
from selfheal_sandbox.store.objects import Object, condition
from tests.unit.sandbox_kubelet.conftest import Cluster, shell

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="loopback addresses per pod are Linux")

NOTES = {"volumeMounts": [{"name": "notes", "mountPath": "/notes"}]}
VOLUME: dict[str, Any] = {"volumes": [{"name": "notes", "emptyDir": {}}]}


def first(name: str, script: str, **more: Any) -> Object:
    """An init container."""
    return {"name": name, "image": "shell:1", **shell(script), **more}


def sidecar(name: str, script: str, **more: Any) -> Object:
    """An init container that lives on."""
    return first(name, script, restartPolicy="Always", **more)


def initial(cluster: Cluster, index: int = 0) -> Object:
    """The status of an init container."""
    statuses: list[Object] = cluster.pod()["status"].get("initContainerStatuses") or []
    return statuses[index] if index < len(statuses) else {"state": {}, "restartCount": -1}


def shown(cluster: Cluster) -> str:
    """What the STATUS column shows."""
    return summarise(cluster.pod()).reason


async def test_init_containers_run_one_after_the_other_before_the_others(cluster: Cluster) -> None:
    steps = [first(name, f"echo {name} >> /notes/order; sleep 0.05", **NOTES) for name in ("a", "b")]
    cluster.run(
        shell("echo main >> /notes/order; cat /notes/order", **NOTES),
        restartPolicy="Never",
        initContainers=steps,
        **VOLUME,
    )

    assert await cluster.output() == "a\nb\nmain\n"

    statuses = cluster.pod()["status"]["initContainerStatuses"]
    assert [(one["ready"], one["restartCount"], one["state"]["terminated"]["reason"]) for one in statuses] == [
        (True, 0, "Completed"),
        (True, 0, "Completed"),
    ]
    assert cluster.pod()["status"]["phase"] == "Succeeded"


async def test_the_status_tells_how_far_the_initialisation_is(cluster: Cluster) -> None:
    gate = "while [ ! -e /notes/{0} ]; do sleep 0.02; done"
    cluster.run(
        shell("sleep 60", **NOTES),
        **VOLUME,
        initContainers=[first("a", gate.format("a"), **NOTES), first("b", gate.format("b"), **NOTES)],
    )
    notes = cluster.folder / cluster.pod()["metadata"]["uid"] / "volumes" / "notes"

    await cluster.until(lambda: "running" in initial(cluster)["state"])
    assert shown(cluster) == "Init:0/2"
    assert cluster.state() == "PodInitializing"
    assert cluster.pod()["status"]["phase"] == "Pending"
    told = condition(cluster.pod(), "Initialized") or {}
    assert (told["status"], told["reason"]) == ("False", "ContainersNotInitialized")
    assert told["message"] == "containers with incomplete status: [a b]"
    assert not initial(cluster)["ready"]

    (notes / "a").touch()
    await cluster.until(lambda: "running" in initial(cluster, 1)["state"])
    assert shown(cluster) == "Init:1/2"

    (notes / "b").touch()
    await cluster.until(lambda: cluster.state() == "running")
    assert (shown(cluster), (condition(cluster.pod(), "Initialized") or {})["status"]) == ("Running", "True")


async def test_an_init_container_that_fails_backs_off_and_is_tried_again(cluster: Cluster) -> None:
    script = (
        "echo try; [ -e /notes/seen2 ] && exit 0; [ -e /notes/seen ] && touch /notes/seen2; touch /notes/seen; exit 3"
    )
    cluster.run(shell("sleep 60"), initContainers=[first("a", script, **NOTES)], **VOLUME)

    await cluster.until(lambda: shown(cluster) == "Init:CrashLoopBackOff")
    assert cluster.state() == "PodInitializing"
    await cluster.until(lambda: cluster.state() == "running")

    assert initial(cluster)["restartCount"] == 2
    assert await cluster.logs(container="a", previous=True) == "try\n"
    # What happened while the pod was initialised is of no interest to its RESTARTS column.
    assert summarise(cluster.pod()).restart_text(datetime.now(UTC)) == "0"


async def test_without_restarts_a_failed_init_container_fails_the_pod(cluster: Cluster) -> None:
    cluster.run(shell("echo never"), restartPolicy="Never", initContainers=[first("a", "exit 3"), first("b", "true")])

    await cluster.until(lambda: cluster.pod()["status"].get("phase") == "Failed")

    assert shown(cluster) == "Init:Error"
    assert initial(cluster)["state"]["terminated"]["exitCode"] == 3
    assert initial(cluster, 1)["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert "Started: Started container c0" not in cluster.events()


async def test_a_pod_deleted_during_its_initialisation_goes(cluster: Cluster) -> None:
    cluster.run(shell("sleep 60"), initContainers=[first("a", "sleep 60")])
    await cluster.until(lambda: "running" in initial(cluster)["state"])

    cluster.delete(grace=1)

    await cluster.until(cluster.is_gone)
    assert cluster.processes() == []
    assert "Started: Started container c0" not in cluster.events()


async def test_a_sidecar_starts_first_and_runs_beside_the_others(cluster: Cluster) -> None:
    cluster.run(shell("sleep 60"), initContainers=[sidecar("proxy", "sleep 60"), first("a", "true")])
    await cluster.until(lambda: cluster.state() == "running")

    assert "running" in initial(cluster)["state"]
    assert cluster.events("Started") == ["Started container proxy", "Started container a", "Started container c0"]
    summary = summarise(cluster.pod())
    assert (summary.ready, summary.total, summary.reason) == (2, 2, "Running")


async def test_the_next_container_waits_for_a_sidecars_startup_probe(cluster: Cluster) -> None:
    probe = {"exec": {"command": ["test", "-e", "/notes/up"]}, "periodSeconds": 1, "failureThreshold": 1000}
    cluster.run(shell("sleep 60"), **VOLUME, initContainers=[sidecar("proxy", "sleep 60", startupProbe=probe, **NOTES)])
    await cluster.until(lambda: "running" in initial(cluster)["state"])
    assert cluster.state() == "PodInitializing"
    assert shown(cluster) == "Init:0/1"

    (cluster.folder / cluster.pod()["metadata"]["uid"] / "volumes" / "notes" / "up").touch()

    await cluster.until(lambda: cluster.state() == "running")


async def test_an_unready_sidecar_keeps_the_pod_unready(cluster: Cluster) -> None:
    probe = {"exec": {"command": ["test", "-e", "/notes/ready"]}, "periodSeconds": 1}
    cluster.run(
        shell("sleep 60"), **VOLUME, initContainers=[sidecar("proxy", "sleep 60", readinessProbe=probe, **NOTES)]
    )
    await cluster.until(lambda: cluster.state() == "running")
    told = condition(cluster.pod(), "Ready") or {}
    assert (told["status"], told["message"]) == ("False", "containers with unready status: [proxy]")

    (cluster.folder / cluster.pod()["metadata"]["uid"] / "volumes" / "notes" / "ready").touch()

    await cluster.until(lambda: (condition(cluster.pod(), "Ready") or {})["status"] == "True")


async def test_a_sidecar_that_ends_is_started_again(cluster: Cluster) -> None:
    script = "[ -e /notes/seen ] && exec sleep 60; touch /notes/seen"
    cluster.run(shell("sleep 60"), restartPolicy="Never", **VOLUME, initContainers=[sidecar("proxy", script, **NOTES)])

    await cluster.until(lambda: initial(cluster)["restartCount"] == 1 and "running" in initial(cluster)["state"])

    assert cluster.pod()["status"]["phase"] == "Running"


async def test_sidecars_end_after_the_others_the_last_one_first(cluster: Cluster) -> None:
    def noting(name: str) -> str:
        return f"trap 'echo {name} >> /notes/order; exit 0' TERM; echo up; sleep 60 & wait"

    cluster.run(
        shell("sleep 0.2; cat /notes/order; echo main >> /notes/order", **NOTES),
        restartPolicy="Never",
        **VOLUME,
        initContainers=[sidecar(name, f"touch /notes/order; {noting(name)}", **NOTES) for name in ("a", "b")],
    )
    notes = cluster.folder / cluster.pod()["metadata"]["uid"] / "volumes" / "notes"

    await cluster.until(lambda: cluster.pod()["status"].get("phase") == "Succeeded")

    assert (notes / "order").read_text() == "main\nb\na\n"


async def test_deletion_ends_sidecars_after_the_others(cluster: Cluster) -> None:
    def noting(name: str) -> str:
        # The folder of the pod goes with it.
        note = f"echo {name} >> {cluster.folder.parent}/order"
        return f"trap '{note}; exit 0' TERM; echo up; sleep 60 & wait"

    cluster.run(shell(noting("main")), initContainers=[sidecar("a", noting("a"))])
    await cluster.says("up")

    cluster.delete(grace=10)

    await cluster.until(cluster.is_gone)
    assert (cluster.folder.parent / "order").read_text() == "main\na\n"
    assert cluster.processes() == []


async def test_a_forced_deletion_ends_sidecars_at_once(cluster: Cluster) -> None:
    cluster.run(shell("trap '' TERM; sleep 60 & wait"), initContainers=[sidecar("a", "trap '' TERM; sleep 60 & wait")])
    await cluster.until(lambda: cluster.state() == "running")

    cluster.delete(grace=0)

    await cluster.until(lambda: cluster.processes() == [])
