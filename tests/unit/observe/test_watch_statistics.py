"""What the watches of each source have been through, and by whose clock the cluster's times are read."""

import asyncio
from pathlib import Path

import pytest

from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import connect
from selfheal_core.observe.observer import Observer
from selfheal_core.observe.sources import HEALING_SOURCES, PODS
from tests.faults.load import AGE_SECONDS, Load
from tests.faults.server import FaultServer
from tests.unit.observe.conftest import Watch
from tests.unit.observe.live_cluster import LiveCluster

SECONDS = 10.0


async def test_counts_by_source_and_lists_as_a_stream_where_the_server_can(cluster: LiveCluster, watch: Watch) -> None:
    cluster.deploy()
    observer = await watch(sources=HEALING_SOURCES)
    await observer.wait_for(
        lambda snapshot: all(source.condition == "live" for source in snapshot.sources.values()), SECONDS
    )
    found = observer.statistics()
    assert set(found) == HEALING_SOURCES
    assert all((one.lists, one.streamed_lists, one.watches, one.failures) == (1, 1, 1, 0) for one in found.values())
    assert found[PODS].lists_by_cause == {"first": 1}
    assert found[PODS].events > 1
    assert found[PODS].last_event_at is not None


@pytest.mark.parametrize("clock_offset_seconds", [3600.0, -3600.0])
async def test_an_hour_between_the_clocks_changes_no_age(tmp_path: Path, clock_offset_seconds: float) -> None:
    load = Load(3, clock_offset_seconds=clock_offset_seconds)
    async with FaultServer(content=load, clock_offset_seconds=clock_offset_seconds) as server:
        connection = await connect(kubeconfig=server.kubeconfig(tmp_path), environ={})
        client = KubernetesClient(connection, user_agent="selfheal-tests")
        observer = Observer(client, sources=HEALING_SOURCES, clock=client.clock)
        running = asyncio.create_task(observer.run())
        snapshot = await observer.wait_for(
            lambda snapshot: len(snapshot.pods) == 3 and snapshot.fresh(PODS, client.clock(), 5), SECONDS
        )
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await connection.close()
    ages = [client.clock() - (row.created_at or 0.0) for row in snapshot.pods.values()]
    assert ages == pytest.approx([AGE_SECONDS] * 3, abs=5)
