"""What ``--speed`` divides in the controllers, measured: two clusters side by side, one four times as fast."""

import asyncio

import pytest

from selfheal_sandbox.controllers.keys import DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS
from selfheal_sandbox.controllers.namespaces import NamespaceDefaults
from selfheal_sandbox.controllers.run import RESYNC_SECONDS
from selfheal_sandbox.store.objects import name_of, spec_of
from tests.unit.sandbox_controllers.cluster import NAMESPACE, Cluster, start_cluster

RATIO = 4
STABILISATION_SECONDS = 300.0
"""How long an autoscaler waits before it scales down, unless its behavior says otherwise."""


def idle_autoscaler(cluster: Cluster) -> None:
    """An autoscaler over four idle pods, of which two are enough."""
    for pod in cluster.pods():
        cluster.kubelet.cpu_millicores[name_of(pod)] = 1
        cluster.kubelet.report(pod, ready=True, startTime="2026-01-01T00:00:00Z")
    body = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 2,
        "maxReplicas": 5,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
            }
        ],
    }
    cluster.objects.create(HORIZONTAL_POD_AUTOSCALERS, NAMESPACE, {"metadata": {"name": "web"}, "spec": body})


async def seconds_to_scale_down(speed: float) -> float:
    cluster = start_cluster(speed=speed)
    async with cluster.controllers:
        cluster.deploy(replicas=4)
        await cluster.eventually(cluster.is_complete)
        idle_autoscaler(cluster)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await cluster.eventually(
            lambda: spec_of(cluster.objects.get(DEPLOYMENTS, NAMESPACE, "web"))["replicas"] == 2, seconds=10
        )
        cluster.kubelet.unsubscribe()
        return loop.time() - begun


@pytest.mark.slow
async def test_the_autoscalers_stabilisation_is_divided_by_the_speed() -> None:
    speed = 60
    slow, fast = await asyncio.gather(seconds_to_scale_down(speed), seconds_to_scale_down(speed * RATIO))

    # A look comes up to half a second late, of 5 s and of 1.25 s.
    assert slow == pytest.approx(STABILISATION_SECONDS / speed, rel=0.25)
    assert slow / fast == pytest.approx(RATIO, rel=0.4)


async def resyncs(speed: float, seconds: float) -> float:
    """How often all namespaces were looked at although nothing happened."""
    cluster = start_cluster(speed=speed)
    async with cluster.controllers:
        await cluster.settle()
        before = cluster.runs()[NamespaceDefaults.name]
        await asyncio.sleep(seconds)
        cluster.kubelet.unsubscribe()
        return (cluster.runs()[NamespaceDefaults.name] - before) / len(cluster.objects.store.list(("", "namespaces")))


async def test_resync_is_divided_by_the_speed() -> None:
    speed, seconds = 2000, 2.4
    slow, fast = await asyncio.gather(resyncs(speed, seconds), resyncs(speed * RATIO, seconds))

    assert slow == pytest.approx(seconds * speed / RESYNC_SECONDS, abs=1.5)
    assert fast / slow == pytest.approx(RATIO, rel=0.35)
