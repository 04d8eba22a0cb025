"""The official Python client, in its forms."""

# mypy: allow-untyped-calls

import asyncio
import threading
from typing import Any

import pytest
from kubernetes import client, dynamic, watch
from kubernetes import config as configuration
from kubernetes.aio import client as aio_client
from kubernetes.aio import config as aio_configuration
from kubernetes.aio import watch as aio_watch
from kubernetes.informer import ADDED, SharedInformer
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

from tests.contract.api import leave
from tests.contract.bodies import config_map
from tests.contract.cluster import Cluster

DEADLINE_SECONDS = 10.0


@pytest.fixture
def core_client(cluster: Cluster) -> Any:
    configuration.load_kube_config(str(cluster.kubeconfig))
    return client.CoreV1Api()


def make(core: Any, namespace: str, name: str, data: dict[str, str] | None = None) -> None:
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data=data)
    core.create_namespaced_config_map(namespace, body)


@pytest.mark.probe("py.sync_crud")
def test_objects_are_written_and_read(core_client: Any, namespace: str) -> None:
    make(core_client, namespace, "py", {"x": "1"})
    read = core_client.read_namespaced_config_map("py", namespace)
    read.data["y"] = "2"
    core_client.replace_namespaced_config_map("py", namespace, read)
    core_client.patch_namespaced_config_map("py", namespace, {"data": {"z": "3"}})

    assert core_client.read_namespaced_config_map("py", namespace).data == {"x": "1", "y": "2", "z": "3"}
    listed = core_client.list_namespaced_config_map(namespace, field_selector="metadata.name=py")
    assert len(listed.items) == 1
    core_client.delete_namespaced_config_map("py", namespace)


@pytest.mark.probe("py.watch")
def test_a_watch_yields_what_is_made(core_client: Any, namespace: str) -> None:
    version = core_client.list_namespaced_config_map(namespace).metadata.resource_version
    make(core_client, namespace, "py-watch")
    watcher, seen = watch.Watch(), []
    list_all = core_client.list_namespaced_config_map
    for event in watcher.stream(list_all, namespace, resource_version=version, timeout_seconds=10):
        seen.append((event["type"], event["object"].metadata.name))
        if seen[-1][1] == "py-watch":
            watcher.stop()

    assert ("ADDED", "py-watch") in seen


@pytest.mark.probe("py.informer")
def test_an_informer_keeps_a_cache(core_client: Any, namespace: str) -> None:
    make(core_client, namespace, "py-before")
    seen: dict[str, threading.Event] = {"py-before": threading.Event(), "py-after": threading.Event()}

    def added(obj: Any) -> None:
        if obj.metadata.name in seen:
            seen[obj.metadata.name].set()

    informer = SharedInformer(list_func=core_client.list_namespaced_config_map, namespace=namespace, resync_period=0)
    informer.add_event_handler(ADDED, added)
    informer.start()
    try:
        assert seen["py-before"].wait(DEADLINE_SECONDS)
        make(core_client, namespace, "py-after")
        assert seen["py-after"].wait(DEADLINE_SECONDS)
        assert {"py-before", "py-after"} <= {obj.metadata.name for obj in informer.cache.list()}
    finally:
        informer.stop()


class EnoughError(Exception):
    """Ends the lead."""


@pytest.mark.probe("py.leaderelection")
def test_a_leader_is_elected_with_a_lease(core_client: Any, namespace: str) -> None:
    leads, ended = threading.Event(), threading.Event()

    def lead() -> None:
        leads.set()
        raise EnoughError  # the client's way to give up a lead

    election = electionconfig.Config(
        LeaseLock("py-election", namespace, "me"),
        lease_duration=5,
        renew_deadline=3,
        retry_period=1,
        onstarted_leading=lead,
        onstopped_leading=ended.set,
    )
    threading.Thread(target=leaderelection.LeaderElection(election).run, daemon=True).start()

    assert leads.wait(DEADLINE_SECONDS)
    assert ended.wait(DEADLINE_SECONDS)
    lease = client.CoordinationV1Api().read_namespaced_lease("py-election", namespace)
    assert lease.spec is not None
    assert lease.spec.holder_identity == "me"


@pytest.mark.probe("py.aio")
async def test_the_asyncio_client_lists_and_watches(cluster: Cluster, namespace: str) -> None:
    await aio_configuration.load_kube_config(str(cluster.kubeconfig))
    async with aio_client.ApiClient() as connection, asyncio.timeout(DEADLINE_SECONDS):
        core = aio_client.CoreV1Api(connection)
        version = (await core.list_namespaced_config_map(namespace, limit=1)).metadata.resource_version  # type: ignore[union-attr]
        body = aio_client.V1ConfigMap(metadata=aio_client.V1ObjectMeta(name="aio"))
        await core.create_namespaced_config_map(namespace, body)
        watcher = aio_watch.Watch()
        list_all = core.list_namespaced_config_map
        async for event in watcher.stream(list_all, namespace, resource_version=version, timeout_seconds=10):
            if event["object"].metadata.name == "aio":
                break
        assert watcher.resp is not None
        leave(watcher.resp)
        await watcher.close()

    assert event["type"] == "ADDED"


@pytest.mark.probe("py.dynamic_ssa")
def test_the_dynamic_client_applies(core_client: Any, namespace: str) -> None:
    resources = dynamic.DynamicClient(core_client.api_client).resources
    config_maps = resources.get(api_version="v1", kind="ConfigMap")
    applied = config_maps.server_side_apply(body=config_map("dynamic"), namespace=namespace, field_manager="tester")

    assert applied.metadata.uid
    assert applied.metadata.managedFields[0].manager == "tester"
