"""Probes and life-cycle hooks of pods on a real kubelet."""

import sys
from typing import Any

import pytest

from selfheal_sandbox.api.ports import LogOptions
from tests.unit.sandbox_kubelet.conftest import Cluster, shell

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="loopback addresses per pod are Linux")


def get(path: str, **numbers: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": 8080}, "periodSeconds": 1, **numbers}


async def test_readiness_follows_its_probe(cluster: Cluster) -> None:
    cluster.run({"image": "web:1", "readinessProbe": get("/ready", failureThreshold=1)})
    await cluster.until(lambda: cluster.container().get("ready"))
    root = next(cluster.folder.glob("*/containers/c0/root"))

    (root / "ready.bad").touch()
    await cluster.until(lambda: not cluster.container()["ready"])
    (root / "ready.bad").unlink()
    await cluster.until(lambda: cluster.container()["ready"])

    assert "Readiness probe failed: HTTP probe failed with statuscode: 503" in cluster.events("Unhealthy")
    assert cluster.container()["restartCount"] == 0


async def test_a_failed_liveness_probe_restarts_the_container(cluster: Cluster) -> None:
    probe = get("/health", failureThreshold=2, initialDelaySeconds=10)
    cluster.run({"image": "web:1", "livenessProbe": probe})
    await cluster.until(lambda: cluster.state() == "running")

    (next(cluster.folder.glob("*/containers/c0/root")) / "health.bad").touch()
    await cluster.until(lambda: cluster.container()["restartCount"] >= 1)

    assert cluster.container()["lastState"]["terminated"]["exitCode"] == 143
    assert "Container c0 failed liveness probe, will be restarted" in cluster.events("Killing")


async def test_a_startup_probe_holds_the_others_back(cluster: Cluster) -> None:
    script = "touch $TMPDIR/ready; sleep 0.5; touch $TMPDIR/started; sleep 60"
    test = '[ -e "$TMPDIR/{}" ]'
    cluster.run(
        shell(
            script,
            startupProbe={
                "exec": {"command": ["sh", "-c", test.format("started")]},
                "periodSeconds": 1,
                "failureThreshold": 50,
            },
            readinessProbe={"exec": {"command": ["sh", "-c", test.format("ready")]}, "periodSeconds": 1},
        )
    )
    seen: list[tuple[bool, bool]] = []
    unsubscribe = cluster.objects.store.subscribe(
        lambda _: seen.append((cluster.container().get("started", False), cluster.container().get("ready", False)))
    )

    await cluster.until(lambda: cluster.container().get("ready"))
    unsubscribe()

    assert (False, True) not in seen
    assert (True, True) in seen


async def test_a_container_that_never_starts_up_is_restarted(cluster: Cluster) -> None:
    probe = {"tcpSocket": {"port": 9}, "periodSeconds": 1, "failureThreshold": 1}
    cluster.run(shell("sleep 60", startupProbe=probe))

    await cluster.until(lambda: cluster.container()["restartCount"] >= 1)

    assert "connect: connection refused" in cluster.events("Unhealthy")[0]


async def test_exec_probe_that_takes_too_long_fails(cluster: Cluster) -> None:
    probe = {"exec": {"command": ["sleep", "30"]}, "periodSeconds": 1, "timeoutSeconds": 1}
    cluster.run(shell("sleep 60", readinessProbe=probe))

    await cluster.until(lambda: cluster.events("Unhealthy"))

    assert cluster.events("Unhealthy") == ["Readiness probe failed: command timed out: 'sleep 30' timed out after 0.1s"]


async def test_pre_stop_runs_before_sigterm(cluster: Cluster) -> None:
    cluster.run(
        shell(
            "trap 'cat mark; exit 0' TERM; echo up; while :; do sleep 0.05; done",
            lifecycle={"preStop": {"exec": {"command": ["/bin/sh", "-c", "echo hook > mark"]}}},
        )
    )
    await cluster.until(lambda: cluster.state() == "running")
    log = cluster.kubelet.read_logs(cluster.pod(), "", LogOptions(follow=True))
    assert await anext(log) == b"up\n"

    cluster.delete()

    assert b"".join([data async for data in log]) == b"hook\n"


async def test_a_failed_post_start_hook_kills_the_container(cluster: Cluster) -> None:
    hook = {"postStart": {"exec": {"command": ["/bin/sh", "-c", "echo no; exit 1"]}}}
    cluster.run(shell("sleep 60", lifecycle=hook), restartPolicy="Never")

    await cluster.until(lambda: cluster.pod()["status"].get("phase") == "Failed")

    assert cluster.events("FailedPostStartHook") == ["PostStartHook failed: no\n"]
