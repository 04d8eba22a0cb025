"""Writing known-good records: what is in the cluster afterwards, beside what others had written before."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from healerd.metrics import Metrics
from healerd.record import Recorder
from selfheal_core.cluster.kubernetes.api_errors import Forbidden
from selfheal_core.cluster.kubernetes.client import DEADLINE_SECONDS, KubernetesClient
from selfheal_core.domain.known_good import KnownGood, ReleaseKey, config_map_body, config_map_name
from selfheal_core.domain.snapshot import OwnerKey
from selfheal_sandbox.store.objects import Object, name_of
from tests.unit.observe.live_cluster import CONFIG_MAPS, DEPLOYMENTS, NAMESPACE, LiveCluster, deployment, live_cluster

RELEASE = ReleaseKey(NAMESPACE, "app-a")
FIRST, SECOND = (
    KnownGood(1, True, 100.0, 200.0, "healerd", "app:1"),
    KnownGood(2, True, 300.0, 400.0, "healerd", "app:2"),
)


class WithoutDeletion(KubernetesClient):
    """A client of a cluster that lets nobody change owners who may not delete the object."""

    async def replace(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        dry_run: bool = False,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> Any:
        if "ownerReferences" in body["metadata"]:
            raise Forbidden("cannot set an owner", verb="update", resource="configmaps", namespace=NAMESPACE)
        return await super().replace(path, body, dry_run=dry_run, deadline_seconds=deadline_seconds)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[LiveCluster]:
    async with live_cluster(tmp_path) as running:
        yield running


@pytest.fixture
def workload(cluster: LiveCluster) -> OwnerKey:
    """What runs the release; without pods, since nobody looks at them here."""
    made = cluster.create(DEPLOYMENTS, deployment("app-a", 0, "app:1", {}))
    return OwnerKey("Deployment", NAMESPACE, "app-a", made["metadata"]["uid"])


def recorder(client: KubernetesClient) -> Recorder:
    return Recorder(client, Metrics(), instance="healerd-1")


def on_record(cluster: LiveCluster) -> Object:
    return cluster.objects.get(CONFIG_MAPS, NAMESPACE, config_map_name("app-a"))


def owners(config_map: Object) -> list[str]:
    return [name_of({"metadata": reference}) for reference in config_map["metadata"].get("ownerReferences", [])]


async def test_the_first_record_belongs_to_what_runs_the_release(cluster: LiveCluster, workload: OwnerKey) -> None:
    await recorder(cluster.client).known_good(RELEASE, FIRST, workload, None)

    assert owners(on_record(cluster)) == ["app-a"]


async def test_a_record_without_an_owner_gets_one_with_the_next_revision(
    cluster: LiveCluster, workload: OwnerKey
) -> None:
    cluster.create(CONFIG_MAPS, config_map_body(RELEASE, [FIRST]))

    await recorder(cluster.client).known_good(RELEASE, SECOND, workload, None)

    assert owners(on_record(cluster)) == ["app-a"]
    assert list(on_record(cluster)["data"]) == ["1", "2"]


async def test_whoever_owns_a_record_stays(cluster: LiveCluster, workload: OwnerKey) -> None:
    await recorder(cluster.client).known_good(RELEASE, FIRST, workload, None)
    other = cluster.create(DEPLOYMENTS, deployment("app-b", 0, "app:1", {}))

    await recorder(cluster.client).known_good(
        RELEASE, SECOND, OwnerKey("Deployment", NAMESPACE, "app-b", other["metadata"]["uid"]), None
    )

    assert owners(on_record(cluster)) == ["app-a"]


async def test_where_no_owner_may_be_set_the_record_is_written_all_the_same(
    cluster: LiveCluster, workload: OwnerKey
) -> None:
    cluster.create(CONFIG_MAPS, config_map_body(RELEASE, [FIRST]))
    client = WithoutDeletion(cluster.client.connection, user_agent="tests/1")

    await recorder(client).known_good(RELEASE, SECOND, workload, None)

    assert owners(on_record(cluster)) == []
    assert list(on_record(cluster)["data"]) == ["1", "2"]
