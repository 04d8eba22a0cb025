"""Endpoints follow pods at once."""

import asyncio
from typing import Any

from selfheal_sandbox.controllers.keys import ENDPOINT_SLICES, ENDPOINTS, PODS, SERVICES
from selfheal_sandbox.store.objects import name_of, with_spec
from tests.unit.sandbox_controllers.cluster import NAMESPACE, Cluster, service, start_cluster


def ready_addresses(cluster: Cluster) -> set[str]:
    slices = cluster.objects.store.list(ENDPOINT_SLICES, NAMESPACE)
    found = [each for one in slices for each in one["endpoints"] if each["conditions"]["ready"]]
    return {each["addresses"][0] for each in found}


def listed(cluster: Cluster, field: str = "addresses") -> set[str]:
    subsets: list[Any] = (cluster.get(ENDPOINTS, "web") or {}).get("subsets") or []
    return {each["ip"] for subset in subsets for each in subset.get(field, [])}


async def test_pods_appear_when_ready(cluster: Cluster) -> None:
    cluster.objects.create(SERVICES, NAMESPACE, service())
    await cluster.eventually(lambda: cluster.get(ENDPOINTS, "web"))
    cluster.deploy()
    await cluster.eventually(lambda: len(ready_addresses(cluster)) == 3)
    assert listed(cluster) == ready_addresses(cluster)


async def test_unready_pod_leaves_within_a_few_turns_of_the_loop(cluster: Cluster) -> None:
    cluster.objects.create(SERVICES, NAMESPACE, service())
    cluster.deploy()
    await cluster.eventually(lambda: len(ready_addresses(cluster)) == 3)
    await cluster.settle()
    pod = cluster.pods()[0]
    cluster.kubelet.report(pod, ready=False)
    for _ in range(5):
        await asyncio.sleep(0)
    assert pod["status"]["podIP"] not in ready_addresses(cluster)
    assert listed(cluster, "notReadyAddresses") == {pod["status"]["podIP"]}


async def test_leaving_pod_leaves_within_a_few_turns_of_the_loop() -> None:
    cluster = start_cluster(stop_seconds=0.2)
    async with cluster.controllers:
        cluster.objects.create(SERVICES, NAMESPACE, service())
        cluster.deploy()
        await cluster.eventually(lambda: len(ready_addresses(cluster)) == 3)
        await cluster.settle()
        pod = cluster.pods()[0]
        cluster.objects.delete(PODS, NAMESPACE, name_of(pod))
        for _ in range(5):
            await asyncio.sleep(0)
        assert pod["status"]["podIP"] not in ready_addresses(cluster) | listed(cluster)


async def test_changed_selector_and_deleted_service_are_followed(cluster: Cluster) -> None:
    cluster.objects.create(SERVICES, NAMESPACE, service())
    cluster.deploy()
    await cluster.eventually(lambda: len(ready_addresses(cluster)) == 3)
    cluster.objects.update(SERVICES, NAMESPACE, "web", lambda old: with_spec(old, selector={"app": "other"}))
    await cluster.eventually(lambda: not ready_addresses(cluster) and not listed(cluster))
    cluster.objects.delete(SERVICES, NAMESPACE, "web")
    await cluster.eventually(lambda: cluster.get(ENDPOINTS, "web") is None)
    await cluster.eventually(lambda: not cluster.objects.store.list(ENDPOINT_SLICES, NAMESPACE))


async def test_deleted_endpoints_come_back(cluster: Cluster) -> None:
    cluster.objects.create(SERVICES, NAMESPACE, service())
    cluster.deploy()
    await cluster.eventually(lambda: len(listed(cluster)) == 3)
    cluster.objects.delete(ENDPOINTS, NAMESPACE, "web")
    cluster.objects.delete(ENDPOINT_SLICES, NAMESPACE, name_of(cluster.objects.store.list(ENDPOINT_SLICES)[0]))
    await cluster.eventually(lambda: len(listed(cluster)) == 3 and len(ready_addresses(cluster)) == 3)


async def test_endpoints_of_a_service_without_selector_are_left_to_their_author(cluster: Cluster) -> None:
    cluster.objects.create(SERVICES, NAMESPACE, {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}})
    subsets = [{"addresses": [{"ip": "127.0.0.9"}], "ports": [{"port": 80}]}]
    cluster.objects.create(ENDPOINTS, NAMESPACE, {"metadata": {"name": "web"}, "subsets": subsets})
    await cluster.settle()
    assert listed(cluster) == {"127.0.0.9"}
