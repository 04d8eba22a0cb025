"""The observer against an API server in process: what it shows, how fresh, and what it does when that goes away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.domain.known_good import KnownGood, ReleaseKey, config_map_body
from selfheal_core.domain.snapshot import AppKey, Application, Snapshot
from selfheal_core.observe.observer import LISTED_FIRST_SECONDS, Observer
from selfheal_core.observe.sources import ALL_SOURCES, CONTROLLER, HEALING_SOURCES, METRICS, PODS
from selfheal_sandbox.api.ports import ContainerUsage
from selfheal_sandbox.store.objects import Object, name_of
from tests.unit.observe.conftest import Watch
from tests.unit.observe.live_cluster import (
    AUTOSCALERS,
    BAD,
    BUDGETS,
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACE,
    SECRETS,
    LiveCluster,
    budget,
    deployment,
    release_secret,
)
from tests.unit.observe.live_cluster import PODS as POD_KEY

APP = AppKey(NAMESPACE, "app-a")
SECONDS = 10.0


def shows(state: str, key: AppKey = APP) -> Callable[[Snapshot], bool]:
    """Whether an application is in that state."""
    return lambda snapshot: key in snapshot.applications and snapshot.applications[key].state == state


async def seen(observer: Observer, check: Callable[[Application], bool]) -> Application:
    """Wait until the application satisfies a check."""
    found = await observer.wait_for(
        lambda snapshot: APP in snapshot.applications and check(snapshot.applications[APP]), SECONDS
    )
    return found.applications[APP]


async def test_shows_a_healthy_application_with_its_pods_and_owners(cluster: LiveCluster, watch: Watch) -> None:
    cluster.deploy(release="app-a")
    observer = await watch()
    snapshot = await observer.wait_for(shows("healthy"), SECONDS)
    application = snapshot.applications[APP]
    assert (application.ready, application.desired, len(application.pods)) == (2, 2, 2)
    stable = application.track("stable")
    assert stable is not None
    assert (stable.release, stable.revision, stable.revision_inferred) == ("app-a", 1, False)
    for uid in application.pods:
        row = snapshot.pods[uid]
        assert row.owner is not None
        assert (row.owner.kind, row.owner.name, row.state) == ("Deployment", "app-a", "running")
        assert row.template_hash
        assert observer.pod(uid) is not None
    assert observer.workload(stable.workload) is not None  # type: ignore[arg-type]


async def test_follows_a_bad_release_into_its_crash_loop(cluster: LiveCluster, watch: Watch) -> None:
    cluster.deploy()
    observer = await watch()
    await observer.wait_for(shows("healthy"), SECONDS)
    cluster.change(DEPLOYMENTS, "app-a", with_image)
    application = await seen(observer, lambda app: app.state == "crash loop")
    assert "container app exits 1" in application.reason
    assert "image good -> bad" in application.change
    assert application.restarts == 5


def with_image(current: Object) -> Object:
    return {**current, "spec": deployment("app-a", 2, BAD, {})["spec"]}


async def test_a_pod_that_went_is_gone(cluster: LiveCluster, watch: Watch) -> None:
    cluster.deploy(replicas=1)
    observer = await watch()
    first = await observer.wait_for(shows("healthy"), SECONDS)
    (uid,) = first.applications[APP].pods
    cluster.objects.delete(POD_KEY, NAMESPACE, first.pods[uid].name)
    later = await observer.wait_for(lambda snapshot: uid not in snapshot.pods and shows("healthy")(snapshot), SECONDS)
    assert len(later.applications[APP].pods) == 1
    assert observer.pod(uid) is None


async def test_an_application_that_was_deleted_is_gone(cluster: LiveCluster, watch: Watch) -> None:
    cluster.deploy()
    observer = await watch()
    await observer.wait_for(shows("healthy"), SECONDS)
    cluster.objects.delete(DEPLOYMENTS, NAMESPACE, "app-a")
    last = await observer.wait_for(lambda snapshot: APP not in snapshot.applications, SECONDS)
    assert not last.pods


async def test_joins_budget_autoscaler_history_and_record(cluster: LiveCluster, watch: Watch) -> None:
    cluster.deploy(release="app-a")
    cluster.create(BUDGETS, budget())
    cluster.create(
        AUTOSCALERS,
        {
            "metadata": {"name": "app-a"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app-a"},
                "minReplicas": 2,
                "maxReplicas": 5,
            },
        },
    )
    cluster.create(SECRETS, release_secret("app-a", 1, "superseded"))
    cluster.create(SECRETS, release_secret("app-a", 2, "deployed"))
    body = config_map_body(ReleaseKey(NAMESPACE, "app-a"), [KnownGood(1, True, 10.0, 70.0, image="app:1")])
    cluster.create(CONFIG_MAPS, body)
    observer = await watch()
    application = await seen(
        observer,
        lambda app: (
            app.budget is not None
            and app.budget.disruptions_allowed == 1
            and app.autoscaler is not None
            and len(app.revisions) == 2
            and app.revisions[1].known_good is True
        ),
    )
    assert [revision.number for revision in application.revisions] == [2, 1]
    assert (application.revisions[1].healthy_seconds, application.revisions[1].image) == (60.0, "app:1")
    assert application.autoscaler is not None
    assert application.autoscaler.max_replicas == 5
    assert observer.known_good()[ReleaseKey(NAMESPACE, "app-a")][1].good


async def test_the_secrets_bodies_are_never_read(cluster: LiveCluster, watch: Watch) -> None:
    cluster.deploy(release="app-a")
    cluster.create(SECRETS, release_secret("app-a", 1, "deployed", "c2VjcmV0"))
    observer = await watch()
    application = await seen(observer, lambda app: bool(app.revisions))
    assert "c2VjcmV0" not in repr(application)


async def test_shows_warnings_and_what_healerd_did(cluster: LiveCluster, watch: Watch) -> None:
    cluster.deploy(replicas=1)
    observer = await watch()
    await observer.wait_for(shows("healthy"), SECONDS)
    (pod,) = cluster.pods()
    cluster.objects.record_event(pod, "Unhealthy", "Readiness probe failed", type="Warning", component="kubelet")
    cluster.objects.record_event(pod, "SelfhealEvicted", "evicted: 4 restarts", component="healerd")
    cluster.objects.record_event(pod, "Pulled", "pulled", component="kubelet")
    application = await seen(observer, lambda app: len(app.events) >= 2)
    assert {event.reason for event in application.events} == {"Unhealthy", "SelfhealEvicted"}
    controller = observer.snapshot().controller
    assert controller.last_action == "evicted: 4 restarts"
    assert controller.last_action_at is not None
    assert controller.present is False


async def test_finds_healerd(cluster: LiveCluster, watch: Watch) -> None:
    body = deployment("healerd", 1, "healerd:0.3.1", {})
    body["metadata"]["labels"] = {"app.kubernetes.io/name": "healerd"}
    cluster.create(DEPLOYMENTS, body)
    observer = await watch()
    found = await observer.wait_for(lambda snapshot: snapshot.controller.ready == 1, SECONDS)
    assert (found.controller.present, found.controller.version, found.controller.desired) == (True, "0.3.1", 1)


async def test_finds_healerd_outside_the_scope(cluster: LiveCluster, watch: Watch) -> None:
    cluster.objects.create(("", "namespaces"), "", {"metadata": {"name": "platform"}})
    body = deployment("healerd", 1, "healerd:0.3.1", {})
    body["metadata"]["labels"] = {"app.kubernetes.io/name": "healerd"}
    cluster.create(DEPLOYMENTS, body, namespace="platform")
    observer = await watch(namespaces=(NAMESPACE,))
    found = await observer.wait_for(lambda snapshot: bool(snapshot.controller.present), SECONDS)
    assert found.sources[CONTROLLER].condition == "live"
    assert AppKey("platform", "healerd") not in found.applications


async def test_measures_cpu_over_request(cluster: LiveCluster, watch: Watch) -> None:
    cluster.deploy(replicas=1)
    cluster.kubelet.usage = lambda pod: [ContainerUsage("app", 31, 2**20)]  # type: ignore[method-assign]
    observer = await watch(metrics_interval_seconds=1.0)
    application = await seen(observer, lambda app: app.cpu_percent == 31)
    snapshot = observer.snapshot()
    row = snapshot.pods[application.pods[0]]
    assert (row.cpu_millicores, row.memory_bytes) == (31, 2**20)
    assert snapshot.sources[METRICS].condition == "live"


async def test_every_source_becomes_live_and_tells_its_age(cluster: LiveCluster, watch: Watch) -> None:
    observer = await watch()
    wanted = ALL_SOURCES - {CONTROLLER}
    snapshot = await observer.wait_for(
        lambda found: {name for name, source in found.sources.items() if source.condition == "live"} == wanted, SECONDS
    )
    assert all(snapshot.fresh(name, snapshot.taken_at, 60.0) for name in wanted)
    assert snapshot.server_version.startswith("v1.")


async def test_follows_only_the_sources_that_are_wanted(cluster: LiveCluster, watch: Watch) -> None:
    cluster.deploy()
    observer = await watch(sources=HEALING_SOURCES)
    snapshot = await observer.wait_for(shows("healthy"), SECONDS)
    assert set(snapshot.sources) == HEALING_SOURCES


async def test_sees_only_the_namespaces_in_scope(cluster: LiveCluster, watch: Watch) -> None:
    cluster.deploy()
    cluster.create(DEPLOYMENTS, deployment("other", 1, "app:good", {}), namespace="default")
    cluster.objects.create(("", "namespaces"), "", {"metadata": {"name": "third"}})
    cluster.create(DEPLOYMENTS, deployment("third", 1, "app:good", {}), namespace="third")
    observer = await watch(namespaces=(NAMESPACE, "default"))
    both = {APP, AppKey("default", "other")}
    snapshot = await observer.wait_for(lambda found: all(shows("healthy", key)(found) for key in both), SECONDS)
    assert set(snapshot.applications) == both
    assert snapshot.namespaces == (NAMESPACE, "default")


async def test_before_the_first_list_nothing_is_known(cluster: LiveCluster) -> None:
    snapshot = Observer(cluster.client).snapshot()
    assert snapshot.sources[PODS].condition == "connecting"
    assert snapshot.controller.present is None
    assert not snapshot.applications


async def test_a_quiet_cluster_gives_the_same_sequence_with_current_ages(cluster: LiveCluster, watch: Watch) -> None:
    cluster.deploy()
    observer = await watch(sources=HEALING_SOURCES)
    await observer.wait_for(shows("healthy"), SECONDS)
    await settled(observer)
    first = observer.snapshot()
    later = await observer.wait_for(
        lambda found: (found.sources[PODS].fresh_at or 0) > (first.sources[PODS].fresh_at or 0), SECONDS
    )
    assert later.sequence == first.sequence
    assert later.pods is first.pods
    assert later.taken_at > first.taken_at


async def settled(observer: Observer) -> None:
    """Wait until nothing changed for a while."""
    sequence = -1
    while observer.snapshot().sequence != sequence:
        sequence = observer.snapshot().sequence
        await asyncio.sleep(0.3)


async def test_unchanged_pods_and_applications_stay_the_same_objects(cluster: LiveCluster, watch: Watch) -> None:
    cluster.deploy()
    cluster.deploy("app-b")
    other = AppKey(NAMESPACE, "app-b")
    observer = await watch(sources=HEALING_SOURCES)
    await observer.wait_for(lambda found: shows("healthy")(found) and shows("healthy", other)(found), SECONDS)
    await settled(observer)
    before = observer.snapshot()
    victim = next(pod for pod in cluster.pods() if name_of(pod).startswith("app-a"))
    cluster.kubelet.report(victim, ready=False)
    after = await observer.wait_for(lambda found: found.sequence > before.sequence, SECONDS)
    assert after.applications[other] is before.applications[other]
    assert all(after.pods[uid] is before.pods[uid] for uid in before.applications[other].pods)
    assert after.applications[APP] is not before.applications[APP]


async def test_changed_is_set_by_changes(cluster: LiveCluster, watch: Watch) -> None:
    observer = await watch(sources=HEALING_SOURCES)
    await observer.wait_for(lambda found: found.fresh(PODS, found.taken_at, 5), SECONDS)
    observer.changed.clear()
    cluster.deploy()
    async with asyncio.timeout(SECONDS):
        await observer.changed.wait()


async def test_waiting_ends_in_time(cluster: LiveCluster, watch: Watch) -> None:
    observer = await watch(sources=HEALING_SOURCES)
    with pytest.raises(TimeoutError):
        await observer.wait_for(lambda _: False, 0.1)


async def test_keeps_the_last_picture_while_the_cluster_is_away_and_comes_back_by_itself(
    cluster: LiveCluster, watch: Watch
) -> None:
    cluster.deploy()
    observer = await watch(sources=HEALING_SOURCES)
    await observer.wait_for(shows("healthy"), SECONDS)
    await cluster.server.stop()
    lost = await observer.wait_for(lambda found: found.sources[PODS].condition == "lost", SECONDS)
    assert lost.applications[APP].state == "healthy"
    assert lost.sources[PODS].reason
    cluster.deploy("app-b")
    await cluster.server.start()
    observer.wake()
    back = await observer.wait_for(shows("healthy", AppKey(NAMESPACE, "app-b")), SECONDS)
    assert back.sources[PODS].condition == "live"


async def test_cancelling_leaves_no_task(cluster: LiveCluster) -> None:
    before = asyncio.all_tasks()
    observer = Observer(cluster.client)
    running = asyncio.create_task(observer.run())
    await observer.wait_for(lambda found: found.fresh(PODS, found.taken_at, 5), SECONDS)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()
    left = {getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks() - before}
    assert not {name for name in left if name.startswith(("Reflector", "Poller", "Observer"))}


class PodsHeld(KubernetesClient):
    """A client that notes what is asked for, and of a server that does not get to pods for a while."""

    def __init__(self, cluster: LiveCluster) -> None:
        super().__init__(cluster.client.connection, user_agent="tests/1")
        self.asked: list[str] = []
        self.pods_may_come = asyncio.Event()

    async def asks(self, path: str) -> None:
        self.asked.append(path)
        if path == "/api/v1/pods":
            await self.pods_may_come.wait()

    async def get_bytes(self, path: str, **options: Any) -> bytes:
        await self.asks(path)
        return await super().get_bytes(path, **options)

    @asynccontextmanager
    async def open_stream(self, path: str, *arguments: Any, **options: Any) -> AsyncIterator[Any]:
        await self.asks(path)
        async with super().open_stream(path, *arguments, **options) as stream:
            yield stream


async def test_events_are_asked_for_once_pods_are_listed(cluster: LiveCluster) -> None:
    client = PodsHeld(cluster)
    running = asyncio.create_task(Observer(client).run())

    async def asked_for(path: str) -> None:
        async with asyncio.timeout(LISTED_FIRST_SECONDS / 2):
            while path not in client.asked:
                await asyncio.sleep(0.005)

    try:
        await asked_for("/api/v1/nodes")
        assert "/api/v1/events" not in client.asked
        client.pods_may_come.set()
        await asked_for("/api/v1/events")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
