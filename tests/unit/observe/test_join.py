"""The join: whatever order things come in, the picture is the same, and only what changed is rebuilt."""

import random
from collections.abc import Callable

import msgspec
import pytest

from selfheal_core.domain.known_good import KnownGood, ReleaseKey
from selfheal_core.domain.objects import (
    AutoscalerSpec,
    DisruptionBudgetSpec,
    DisruptionBudgetStatus,
    HorizontalPodAutoscaler,
    LabelSelector,
    Metadata,
    ObjectMetadataOnly,
    ObjectReference,
    Pod,
    PodDisruptionBudget,
    Workload,
)
from selfheal_core.domain.snapshot import AppKey, Application, ErrorRate, PodRow
from selfheal_core.observe.join import USAGE_ROWS_PER_REFRESH, Join
from tests.unit.domain.builders import (
    APP,
    NOW,
    container,
    controlled_by,
    deployment,
    event,
    pod,
    replica_set,
    revision,
)

DEPLOYMENT = deployment(release="app-a", revision=7).workload
SET = replica_set("app-a-7d9f", image="registry/app:1.0", number=7, created=500)
OTHER_SET = replica_set("app-a-old", image="registry/app:0.9", number=6, created=5_000)


def member(
    name: str = "app-a-1", *, labels: dict[str, str] | None = None, restarts: int = 0, deleted: float | None = None
) -> Pod:
    return pod(
        name,
        containers=(container(running=300, restarts=restarts),),
        labels={"app": "app-a"} if labels is None else labels,
        owner=controlled_by("ReplicaSet", "app-a-7d9f", "uid-app-a-7d9f"),
        deleted=deleted,
        version=str(restarts),
    )


BUDGET = PodDisruptionBudget(
    Metadata(name="app-a", namespace="payments", uid="budget"),
    DisruptionBudgetSpec(LabelSelector({"app": "app-a"})),
    DisruptionBudgetStatus(1, 2, 1),
)
SCALER = HorizontalPodAutoscaler(
    Metadata(name="app-a", namespace="payments", uid="scaler"),
    AutoscalerSpec(ObjectReference(kind="Deployment", name="app-a"), 2, 5),
)
WARNING = event("BackOff", "Back-off restarting", about="uid-app-a-1", ago=10)
SET_WARNING = event("FailedCreate", "exceeded quota", about="uid-app-a-7d9f", ago=5)
RECORDS = {6: KnownGood(6, True, NOW - 100, NOW - 40)}

ARRIVALS: tuple[Callable[[Join], None], ...] = (
    lambda join: join.put_workload("Deployment", DEPLOYMENT),
    lambda join: join.put_replica_set(SET),
    lambda join: join.put_replica_set(OTHER_SET),
    lambda join: join.put_pod(member("app-a-1")),
    lambda join: join.put_pod(member("app-a-2")),
    lambda join: join.put_budget(BUDGET),
    lambda join: join.put_autoscaler(SCALER),
    lambda join: join.put_event(WARNING),
    lambda join: join.put_event(SET_WARNING),
    lambda join: join.put_revision(revision(7, "deployed")),
    lambda join: join.put_revision(revision(6)),
    lambda join: join.put_records(ReleaseKey("payments", "app-a"), RECORDS),
    lambda join: join.set_pods_known(True),
)


def joined(arrivals: tuple[Callable[[Join], None], ...] = ARRIVALS, *, refresh_each: bool = False) -> Join:
    join = Join()
    for arrive in arrivals:
        arrive(join)
        if refresh_each:
            join.refresh(NOW)
    join.refresh(NOW)
    return join


def timeless(application: Application) -> tuple[object, ...]:
    """Everything but ``since`` (which may depend on what was seen before) and the order of pods."""
    parts = {name: getattr(application, name) for name in application.__slots__ if name not in ("since", "pods")}
    return (*parts.values(), frozenset(application.pods))


def test_everything_finds_its_application() -> None:
    application = joined().applications[APP]
    assert (application.state, application.ready, application.desired) == ("healthy", 2, 2)
    assert application.budget is not None
    assert application.autoscaler is not None
    assert [found.reason for found in application.events] == ["FailedCreate", "BackOff"]
    assert [(each.number, each.known_good) for each in application.revisions] == [(7, None), (6, True)]
    assert application.change == "revision 6 -> 7, image 0.9 -> 1.0"


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("refresh_each", [False, True])
def test_the_order_of_arrival_makes_no_difference(seed: int, refresh_each: bool) -> None:
    arrivals = random.Random(seed).sample(ARRIVALS, len(ARRIVALS))
    join = joined(tuple(arrivals), refresh_each=refresh_each)
    expected = joined()
    assert {key: timeless(each) for key, each in join.applications.items()} == {
        key: timeless(each) for key, each in expected.applications.items()
    }
    assert join.rows == expected.rows


def test_everything_that_went_leaves_nothing_behind() -> None:
    join = joined()
    for name in ("app-a-1", "app-a-2"):
        join.remove_pod(member(name))
    join.remove_replica_set(SET)
    join.remove_replica_set(OTHER_SET)
    join.remove_workload(DEPLOYMENT)
    join.remove_budget(BUDGET)
    join.remove_autoscaler(SCALER)
    join.remove_event(WARNING)
    join.remove_revision(revision(7, "deployed"))
    assert join.refresh(NOW)
    assert (join.rows, join.applications) == ({}, {})
    assert not join.refresh(NOW)


def test_removing_one_thing_shows() -> None:
    removals: tuple[tuple[Callable[[Join], None], str, object], ...] = (
        (lambda join: join.remove_budget(BUDGET), "budget", None),
        (lambda join: join.remove_autoscaler(SCALER), "autoscaler", None),
        (lambda join: join.remove_pod(member("app-a-2")), "ready", 1),
        (lambda join: join.remove_revision(revision(6)), "change", "revision 7, image 0.9 -> 1.0"),
        (
            lambda join: join.put_records(ReleaseKey("payments", "app-a"), {}),
            "change",
            "revision 6 -> 7, image 0.9 -> 1.0",
        ),
    )
    for remove, name, value in removals:
        join = joined()
        remove(join)
        assert join.refresh(NOW)
        assert getattr(join.applications[APP], name) == value


def test_a_pod_that_came_before_its_replica_set_finds_its_owner_later() -> None:
    join = Join()
    join.put_pod(member())
    join.refresh(NOW)
    early = join.rows["uid-app-a-1"].owner
    assert early is not None
    assert (early.kind, early.name) == ("ReplicaSet", "app-a-7d9f")
    join.put_replica_set(SET)
    join.refresh(NOW)
    late = join.rows["uid-app-a-1"].owner
    assert late is not None
    assert (late.kind, late.name, late.uid) == ("Deployment", "app-a", "app-a-uid")


def test_a_pod_of_a_cron_job_belongs_to_the_cron_job() -> None:
    join = Join()
    job = ObjectMetadataOnly(
        Metadata(
            "nightly-1", "payments", "uid-job", owner_references=(controlled_by("CronJob", "nightly", "uid-cron"),)
        )
    )
    join.put_pod(pod("nightly-1-x", labels={}, owner=controlled_by("Job", "nightly-1", "uid-job")))
    join.put_job(job)
    join.refresh(NOW)
    assert AppKey("payments", "nightly") in join.applications
    join.remove_job(job)


def test_a_bare_replica_set_is_a_workload() -> None:
    join = Join()
    bare = msgspec.structs.replace(SET, metadata=msgspec.structs.replace(SET.metadata, owner_references=()))
    join.put_replica_set(bare)
    join.put_pod(member(labels={}))
    join.set_pods_known(True)
    join.refresh(NOW)
    application = join.applications[AppKey("payments", "app-a-7d9f")]
    assert (application.desired, len(application.pods)) == (2, 1)
    join.remove_replica_set(bare)
    join.remove_pod(member(labels={}))
    join.refresh(NOW)
    assert not join.applications


def test_an_adopted_replica_set_moves_to_its_deployment() -> None:
    join = joined()
    orphan = msgspec.structs.replace(SET, metadata=msgspec.structs.replace(SET.metadata, owner_references=()))
    join.put_replica_set(orphan, SET)
    join.refresh(NOW)
    owner = join.rows["uid-app-a-1"].owner
    assert owner is not None
    assert owner.kind == "ReplicaSet"
    join.put_replica_set(SET, orphan)
    join.refresh(NOW)
    owner = join.rows["uid-app-a-1"].owner
    assert owner is not None
    assert owner.kind == "Deployment"


def test_a_pod_whose_label_changed_moves_to_the_other_application() -> None:
    join = joined()
    join.put_pod(member("app-a-1", labels={"app": "taken-out"}, restarts=1))
    join.refresh(NOW)
    assert join.applications[APP].pods == ("uid-app-a-2",)
    assert join.applications[AppKey("payments", "taken-out")].pods == ("uid-app-a-1",)


def test_a_workload_whose_template_label_changed_moves_too() -> None:
    join = joined()
    moved = deployment(release="app-a", labels={"app": "new-name"}).workload
    join.put_workload("Deployment", moved)
    join.refresh(NOW)
    assert join.applications[AppKey("payments", "new-name")].desired == 2
    assert join.applications[APP].desired is None


def test_only_what_changed_is_rebuilt() -> None:
    join = joined()
    join.put_pod(pod("lonely", labels={}, containers=(container(running=1),)))
    join.refresh(NOW)
    rows, applications = dict(join.rows), dict(join.applications)
    join.put_pod(member("app-a-1", restarts=1))
    assert join.refresh(NOW)
    assert [uid for uid in rows if join.rows[uid] is not rows[uid]] == ["uid-app-a-1"]
    assert [key for key in applications if join.applications[key] is not applications[key]] == [APP]


def test_a_change_that_shows_nothing_is_no_change() -> None:
    join = joined()
    join.put_pod(member("app-a-1"))
    join.put_workload("Deployment", DEPLOYMENT)
    assert not join.refresh(NOW)


def test_time_alone_changes_a_diagnosis_when_it_is_due() -> None:
    join = joined()
    join.put_pod(member("app-a-1", deleted=-20))
    join.refresh(NOW)
    before = join.rows["uid-app-a-1"]
    assert not join.refresh(NOW + 49)
    assert join.refresh(NOW + 50)
    assert (before.severity, join.rows["uid-app-a-1"].severity) == ("info", "bad")


def test_a_pod_that_is_gone_is_not_looked_at_again() -> None:
    join = joined()
    going = member("app-a-1", deleted=-20)
    join.put_pod(going)
    join.refresh(NOW)
    join.remove_pod(going)
    join.refresh(NOW + 1)
    assert not join.refresh(NOW + 100)


def test_usage_is_applied_a_share_at_a_time() -> None:
    join = Join()
    count = USAGE_ROWS_PER_REFRESH * 2 + 1
    for number in range(count):
        join.put_pod(member(f"app-{number}", labels={"app": f"app-{number % 7}"}))
    join.refresh(NOW)
    join.set_usage({f"uid-app-{number}": (10, 20) for number in range(count)})
    known = []
    while join.refresh(NOW):
        known.append(sum(row.cpu_millicores is not None for row in join.rows.values()))
    assert known == [USAGE_ROWS_PER_REFRESH, 2 * USAGE_ROWS_PER_REFRESH, count]
    assert join.applications[AppKey("payments", "app-3")].cpu_percent == 10


def test_usage_that_is_no_longer_reported_is_unknown() -> None:
    join = joined()
    join.set_usage({"uid-app-a-1": (50, 20), "uid-nobody": (1, 1)})
    join.refresh(NOW)
    assert join.applications[APP].cpu_percent == 50
    join.set_usage({})
    join.refresh(NOW)
    row: PodRow = join.rows["uid-app-a-1"]
    assert (row.cpu_millicores, row.memory_bytes, join.applications[APP].cpu_percent) == (None, None, None)


def test_errors_come_and_go() -> None:
    join = joined()
    rate = ErrorRate(0.38, 10.0, 1.2, 60.0, NOW, "own scrape")
    join.set_errors({APP: rate})
    assert join.refresh(NOW)
    assert join.applications[APP].errors == rate
    join.set_errors({APP: rate})
    assert not join.refresh(NOW)
    join.set_errors({})
    assert join.refresh(NOW)
    assert join.applications[APP].errors is None


def test_events_per_object_are_bounded_newest_first() -> None:
    join = joined()
    for ago in range(100, 0, -1):
        join.put_event(event("Unhealthy", f"{ago}", about="uid-app-a-1", ago=ago))
    join.refresh(NOW)
    messages = [found.message for found in join.applications[APP].events if found.reason == "Unhealthy"]
    assert messages == [str(ago) for ago in range(1, 11)]


def test_normal_events_are_not_kept_but_healerds_are() -> None:
    join = joined()
    join.put_event(event("Pulled", "pulled", about="uid-app-a-1", ago=1, kind="Normal"))
    join.put_event(event("SelfhealHeld", "held", about="app-a-uid", ago=1, kind="Normal", component="healerd"))
    join.put_event(event("Odd", "about nothing", about="", ago=1))
    join.refresh(NOW)
    assert [found.reason for found in join.applications[APP].events][:1] == ["SelfhealHeld"]
    assert join.events.last_of_controller is not None


def test_the_strictest_of_several_budgets_counts() -> None:
    join = joined()
    strict = PodDisruptionBudget(
        Metadata(name="strict", namespace="payments", uid="b2"),
        DisruptionBudgetSpec(),
        DisruptionBudgetStatus(0, 2, 2),
    )
    join.put_budget(strict)
    join.refresh(NOW)
    budget = join.applications[APP].budget
    assert budget is not None
    assert budget.name == "strict"


def test_an_autoscaler_that_turns_to_another_workload_leaves_the_first() -> None:
    join = joined()
    other = deployment("app-b", labels={"app": "app-b"}).workload
    join.put_workload("Deployment", other)
    turned = msgspec.structs.replace(
        SCALER, spec=AutoscalerSpec(ObjectReference(kind="Deployment", name="app-b"), 2, 5)
    )
    join.put_autoscaler(turned, SCALER)
    join.refresh(NOW)
    assert join.applications[APP].autoscaler is None
    assert join.applications[AppKey("payments", "app-b")].autoscaler is not None


def test_two_tracks_of_one_application_stand_together() -> None:
    join = joined()
    canary = deployment(
        "app-a-canary", labels={"app": "app-a", "track": "canary"}, release="app-a-canary", revision=2, replicas=1
    ).workload
    join.put_workload("Deployment", canary)
    join.put_revision(revision(2, "deployed", release="app-a-canary"))
    join.refresh(NOW)
    application = join.applications[APP]
    assert [(track.name, track.release, track.revision) for track in application.tracks] == [
        ("stable", "app-a", 7),
        ("canary", "app-a-canary", 2),
    ]
    assert {each.release for each in application.revisions} == {"app-a", "app-a-canary"}
    assert application.desired == 3


def test_pods_and_workloads_can_be_asked_for() -> None:
    join = joined()
    assert join.pod("uid-app-a-1") == member("app-a-1")
    assert len(list(join.pods())) == 2
    running = join.owners.running("app-a-uid")
    assert running is not None
    assert len(running.replica_sets) == 2
    healer: Workload = msgspec.structs.replace(
        DEPLOYMENT, metadata=msgspec.structs.replace(DEPLOYMENT.metadata, labels={"app.kubernetes.io/name": "healerd"})
    )
    assert join.controllers() == []
    join.put_workload("Deployment", healer)
    assert join.controllers() == [healer]


def test_many_random_changes_end_in_the_same_picture_as_a_fresh_start() -> None:
    chance = random.Random(7)
    join = Join()
    join.set_pods_known(True)
    alive: dict[str, Pod] = {}
    for step in range(400):
        name = f"app-a-{chance.randrange(20)}"
        if name in alive and chance.random() < 0.4:
            join.remove_pod(alive.pop(name))
        else:
            alive[name] = member(name, restarts=chance.randrange(5), labels={"app": f"app-{chance.randrange(3)}"})
            join.put_pod(alive[name])
        if chance.random() < 0.1:
            chance.choice((join.put_replica_set, join.remove_replica_set))(SET)
        if step % 3 == 0:
            join.refresh(NOW)
    join.put_replica_set(SET)
    join.refresh(NOW)
    fresh = Join()
    fresh.set_pods_known(True)
    fresh.put_replica_set(SET)
    for each in alive.values():
        fresh.put_pod(each)
    fresh.refresh(NOW)
    assert join.rows == fresh.rows
    assert {key: timeless(each) for key, each in join.applications.items()} == {
        key: timeless(each) for key, each in fresh.applications.items()
    }
