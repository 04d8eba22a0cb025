"""Pods that an earlier kubelet ran: the next one takes them on as after a reboot of their node."""

import sys
from pathlib import Path
from typing import Any

import pytest

from selfheal_sandbox.api.errors import ApiError
from selfheal_sandbox.reboot import rebooted
from selfheal_sandbox.store.objects import Object
from tests.unit.sandbox_kubelet.conftest import PODS, Cluster, running_kubelet, shell

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="loopback addresses per pod are Linux")


def switch_off(cluster: Cluster) -> dict[str, Object]:
    """What pods are when their node went away without a word."""
    found = [rebooted(pod, cluster.objects.clock()) for pod in cluster.objects.store.list(PODS)]
    return {pod["metadata"]["name"]: pod for pod in found if pod is not None}


async def reboot(tmp_path: Path, *containers: dict[str, Any], until: Any, then: Any, **spec: Any) -> None:
    """Run a pod until a condition holds, and again on the next kubelet."""
    async with running_kubelet(tmp_path / "before", 50) as first:
        first.run(*containers, **spec)
        await first.until(lambda: until(first))
        left = switch_off(first)
    objects = first.objects
    for pod in left.values():
        objects.store.put(PODS, {**pod, "metadata": dict(pod["metadata"])})
    async with running_kubelet(tmp_path / "after", 50, objects) as second:
        await then(second)


async def test_a_running_pod_is_started_once_more(tmp_path: Path) -> None:
    async def then(cluster: Cluster) -> None:
        await cluster.until(lambda: cluster.state() == "running")
        container = cluster.container()
        assert container["restartCount"] == 1
        assert container["lastState"]["terminated"]["exitCode"] == 255
        assert cluster.pod()["status"]["phase"] == "Running"
        assert cluster.events("SandboxChanged") == ["Pod sandbox changed, it will be killed and re-created."]
        with pytest.raises(ApiError, match="unable to retrieve container logs"):
            await cluster.logs(previous=True)

    await reboot(tmp_path, shell("sleep 60"), until=lambda cluster: cluster.state() == "running", then=then)


async def test_a_crash_loop_goes_on_counting(tmp_path: Path) -> None:
    async def then(cluster: Cluster) -> None:
        await cluster.until(lambda: cluster.container()["restartCount"] >= 5)

    await reboot(tmp_path, shell("exit 1"), until=lambda cluster: cluster.container()["restartCount"] == 2, then=then)


async def test_without_restarts_a_pod_fails_and_what_ended_well_stays(tmp_path: Path) -> None:
    async def then(cluster: Cluster) -> None:
        await cluster.until(lambda: cluster.pod()["status"]["phase"] == "Failed")
        assert [cluster.container(index=index)["state"]["terminated"]["exitCode"] for index in (0, 1)] == [0, 255]
        assert [cluster.container(index=index)["restartCount"] for index in (0, 1)] == [0, 0]
        cluster.delete()
        await cluster.until(cluster.is_gone)

    await reboot(
        tmp_path,
        shell("true"),
        shell("sleep 60"),
        restartPolicy="Never",
        until=lambda cluster: cluster.state() == "Completed" and "running" in cluster.container(index=1)["state"],
        then=then,
    )


async def test_init_containers_run_again(tmp_path: Path) -> None:
    async def then(cluster: Cluster) -> None:
        await cluster.until(lambda: cluster.state() == "running")
        [status] = cluster.pod()["status"]["initContainerStatuses"]
        assert (status["ready"], status["restartCount"]) == (True, 1)

    first = {"name": "first", "image": "shell:1", **shell("true")}
    await reboot(
        tmp_path,
        shell("sleep 60"),
        initContainers=[first],
        until=lambda cluster: cluster.state() == "running",
        then=then,
    )
