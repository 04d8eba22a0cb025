"""Rows, application keys, tracks, budgets: where a pod belongs and what follows."""

import pytest

from selfheal_core.domain.applications import (
    application_key,
    autoscaler_of,
    budget_of,
)
from selfheal_core.domain.controller_status import by_controller, controller_status, event_time, is_controller
from selfheal_core.domain.diagnose import diagnose_pod
from selfheal_core.domain.objects import (
    AutoscalerMetric,
    AutoscalerSpec,
    AutoscalerStatus,
    Condition,
    DisruptionBudgetStatus,
    Event,
    HorizontalPodAutoscaler,
    Metadata,
    MetricValue,
    Pod,
    PodDisruptionBudget,
    ResourceMetric,
    Workload,
    WorkloadStatus,
)
from selfheal_core.domain.pod_rows import pod_row
from selfheal_core.domain.snapshot import AppKey, OwnerKey, PodRow
from selfheal_core.domain.tracks import RunningWorkload, build_track, track_name
from tests.unit.domain.builders import (
    APP,
    NOW,
    OWNER,
    at,
    container,
    deployment,
    event,
    not_ready,
    pod,
    run_ended,
)


def made(subject: Pod, previous: PodRow | None = None, now: float = NOW) -> PodRow:
    return pod_row(subject, diagnose_pod(subject, now), owner=OWNER, app=APP, track="stable", previous=previous)


def test_a_row_counts_ready_containers_and_restarts() -> None:
    subject = pod(
        containers=(
            container("web", running=300, restarts=2, last=run_ended(ago=900)),
            container(
                "log", ready=False, restarts=6, waiting=("CrashLoopBackOff", ""), last=run_ended(137, "OOMKilled")
            ),
        ),
        init_containers=(container("proxy", running=300, restarts=1),),
        conditions=not_ready(),
    )
    found = made(subject)
    assert (found.ready_containers, found.containers, found.restarts) == (1, 2, 9)
    assert (found.worst_container, found.worst_container_restarts) == ("log", 6)
    assert (found.last_restart_at, found.last_exit) == (NOW - 41, "137 OOMKilled")
    assert (found.template_hash, found.pod_ip, found.created_at) == ("7d9f8c6b5d", "10.0.0.7", NOW - 360)


def test_a_pod_that_never_restarted_has_no_last_restart() -> None:
    found = made(pod(containers=(container(running=300),)))
    assert (found.restarts, found.last_restart_at, found.last_exit) == (0, None, "")


def test_a_loops_beginning_is_kept_though_the_pods_own_time_moves() -> None:
    status = container(ready=False, restarts=3, waiting=("CrashLoopBackOff", ""), last=run_ended())
    first = made(pod(containers=(status,), conditions=not_ready(252)))
    later = made(pod(containers=(status,), conditions=not_ready(10)), previous=first)
    assert later.since == NOW - 252


def test_readiness_times_are_the_pods_own() -> None:
    status = container(ready=False, running=300)
    first = made(pod(containers=(status,), conditions=not_ready(252)))
    later = made(pod(containers=(status,), conditions=not_ready(10)), previous=first)
    assert later.since == NOW - 10


@pytest.mark.parametrize(
    ("labels", "owner", "name"),
    [
        ({"app": "web", "app.kubernetes.io/instance": "other"}, OWNER, "web"),
        ({"app.kubernetes.io/instance": "web"}, OWNER, "web"),
        ({"app": ""}, OWNER, "app-a"),
        ({}, None, "lonely"),
    ],
)
def test_which_application_a_pod_belongs_to(labels: dict[str, str], owner: OwnerKey | None, name: str) -> None:
    assert application_key("payments", labels, owner, "lonely") == AppKey("payments", name)


def test_only_a_canary_label_makes_a_canary() -> None:
    assert [track_name(labels) for labels in ({}, {"track": "canary"}, {"track": "blue"})] == [
        "stable",
        "canary",
        "stable",
    ]


def test_a_daemon_sets_own_words_are_read() -> None:
    running = RunningWorkload(
        OwnerKey("DaemonSet", "payments", "agent", "u"),
        Workload(
            status=WorkloadStatus(
                desired_number_scheduled=3, updated_number_scheduled=2, number_ready=2, number_available=1
            )
        ),
    )
    track = build_track(running, ())
    assert (track.desired, track.updated, track.ready, track.available) == (3, 2, 2, 1)


def test_a_bare_replica_set_is_always_up_to_date() -> None:
    track = build_track(deployment(kind="ReplicaSet", updated=0), ())
    assert (track.updated, track.desired) == (2, 2)


def test_replicas_left_out_mean_one() -> None:
    assert build_track(deployment(replicas=None), ()).desired == 1


def test_an_autoscaler_is_reduced_to_what_people_ask() -> None:
    scaler = HorizontalPodAutoscaler(
        metadata=Metadata(name="app-a"),
        spec=AutoscalerSpec(min_replicas=2, max_replicas=5),
        status=AutoscalerStatus(
            current_replicas=5,
            desired_replicas=5,
            current_metrics=(
                AutoscalerMetric("Resource", ResourceMetric("memory", MetricValue(10))),
                AutoscalerMetric("Resource", ResourceMetric("cpu", MetricValue(91))),
            ),
            conditions=(Condition("ScalingLimited", "True", "TooManyReplicas"),),
        ),
    )
    found = autoscaler_of(scaler)
    assert (found.cpu_percent, found.max_replicas, found.limited) == (91, 5, True)
    assert autoscaler_of(HorizontalPodAutoscaler()).cpu_percent is None


def test_a_budget_is_reduced() -> None:
    budget = PodDisruptionBudget(Metadata(name="app-a"), status=DisruptionBudgetStatus(0, 1, 1))
    assert budget_of(budget).disruptions_allowed == 0


def healer(ready: int, version: str = "0.3.1") -> Workload:
    labels = {"app.kubernetes.io/name": "healerd"}
    if version:
        labels["app.kubernetes.io/version"] = version
    running = deployment("healerd", ready=ready, image="healerd:0.2.0")
    return Workload(Metadata(name="healerd", labels=labels), running.workload.spec, running.workload.status)


def test_says_what_is_known_of_healerd() -> None:
    act = event("SelfhealEvicted", "evicted app-a-1", about="x", ago=90, component="healerd")
    found = controller_status([healer(2)], act, looked=True)
    assert (found.present, found.version, found.ready, found.desired) == (True, "0.3.1", 2, 2)
    assert (found.last_action, found.last_action_at) == ("evicted app-a-1", NOW - 90)
    assert controller_status([healer(2, "")], None, looked=True).version == "0.2.0"
    assert is_controller(healer(1))
    assert by_controller(act)


def test_healerds_absence_is_known_only_after_looking() -> None:
    assert controller_status([], None, looked=True).present is False
    assert controller_status([], None, looked=False).present is None


def test_an_events_time_is_its_newest() -> None:
    assert event_time(Event(first_timestamp=at(90), last_timestamp=at(30))) == NOW - 30
    assert event_time(Event(event_time=at(50))) == NOW - 50
    assert event_time(Event()) == 0
