"""What the watches of each source have been through, and by whose clock the cluster's times are read."""

import asyncio
from collections import deque
from pathlib import Path

import pytest

from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import connect
from selfheal_core.observe.observer import Observer
from selfheal_core.observe.sources import DEPLOYMENTS, EVENTS, HEALING_SOURCES, PODS, STATEFUL_SETS
from tests.faults import behaviours
from tests.faults.load import AGE_SECONDS, Load
from tests.faults.server import FaultServer
from tests.unit.observe.conftest import Watch
from tests.unit.observe.live_cluster import LiveCluster

SECONDS = 10.0
PODS_AND_EVENTS = frozenset({PODS, EVENTS})


async def test_counts_by_source_and_lists_as_a_stream_what_is_never_large(cluster: LiveCluster, watch: Watch) -> None:
    cluster.deploy()
    observer = await watch(sources=HEALING_SOURCES)
    await observer.wait_for(
        lambda snapshot: all(source.condition == "live" for source in snapshot.sources.values()), SECONDS
    )
    found = observer.statistics()
    assert set(found) == HEALING_SOURCES
    assert all((one.lists, one.watches, one.failures) == (1, 1, 0) for one in found.values())
    assert {name for name, one in found.items() if one.streamed_lists == 1} == {DEPLOYMENTS, STATEFUL_SETS}
    assert found[PODS].lists_by_cause == {"first": 1}
    assert found[DEPLOYMENTS].events > 1
    assert found[DEPLOYMENTS].last_event_at is not None


async def test_of_events_only_what_is_shown_is_asked_for_and_not_before_pods_are_there(tmp_path: Path) -> None:
    async with FaultServer(content=Load(1_200)) as server:
        connection = await connect(kubeconfig=server.kubeconfig(tmp_path), environ={})
        observer = Observer(KubernetesClient(connection, user_agent="selfheal-tests"), sources=PODS_AND_EVENTS)
        running = asyncio.create_task(observer.run())
        await observer.wait_for(lambda snapshot: snapshot.sources[EVENTS].condition == "live", SECONDS)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await connection.close()
    lists = [request for request in server.requests if request.kind == "list"]
    last_page = max(number for number, request in enumerate(lists) if request.path == "/api/v1/pods")
    events = [(number, request) for number, request in enumerate(lists) if request.path.endswith("/events")]
    assert all(number > last_page for number, _ in events)
    assert sorted(request.query["fieldSelector"] for _, request in events) == [
        "type!=Normal",
        "type=Normal,reportingComponent=healerd",
    ]


async def test_events_do_not_wait_for_ever_for_pods_that_may_not_be_listed(tmp_path: Path) -> None:
    async with FaultServer(content=Load(3)) as server:
        server.answers["GET", "/api/v1/pods"] = deque([behaviours.status(403, "Forbidden", "no pods for you")])
        connection = await connect(kubeconfig=server.kubeconfig(tmp_path), environ={})
        observer = Observer(KubernetesClient(connection, user_agent="selfheal-tests"), sources=PODS_AND_EVENTS)
        running = asyncio.create_task(observer.run())
        snapshot = await observer.wait_for(lambda snapshot: snapshot.sources[EVENTS].condition == "live", SECONDS)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await connection.close()
    assert snapshot.sources[PODS].condition == "forbidden"


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
