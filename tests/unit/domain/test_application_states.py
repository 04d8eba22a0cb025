"""Every state of an application: what its pods and workloads look like, and the word an operator reads."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import msgspec
import pytest

from selfheal_core.domain.applications import Parts, build_application
from selfheal_core.domain.snapshot import Application, AppState, Autoscaler, ErrorRate, PodRow, Severity
from selfheal_core.domain.tracks import RunningWorkload
from tests.unit.domain.builders import APP, NOW, condition, crashing, deployment, replica_set, revision, row


def build(
    rows: Sequence[PodRow],
    *workloads: RunningWorkload,
    previous: Application | None = None,
    now: float = NOW,
    autoscaler: Autoscaler | None = None,
    pods_known: bool = True,
) -> Application:
    parts = Parts(APP, rows, workloads, autoscaler=autoscaler, pods_known=pods_known)
    return build_application(parts, previous, now)


def starting(name: str) -> PodRow:
    return row(name, state="starting", severity="info", ready_containers=0, reason="container app is being created")


def unready(name: str) -> PodRow:
    return row(
        name, state="unready", severity="warn", ready_containers=0, reason="its readiness probe fails", since=NOW - 9
    )


def unschedulable(name: str) -> PodRow:
    return row(name, state="pending", severity="bad", ready_containers=0, reason="no node takes it", since=NOW - 80)


def broken(name: str, state: AppState) -> PodRow:
    return row(name, state=state, severity="bad", ready_containers=0, reason="image x can't be pulled")


def scaler(desired: int, current: int) -> Autoscaler:
    return Autoscaler("app-a", 2, 5, current, desired, 90)


STALLED = condition("Progressing", "False", reason="ProgressDeadlineExceeded")


class Case(NamedTuple):
    name: str
    application: Application
    state: AppState
    severity: Severity
    detail: str
    reason: str


CASES = (
    Case("healthy", build([row("1"), row("2")], deployment()), "healthy", "ok", "2/2", "2 of 2 pods are ready"),
    Case(
        "crash loop in one of two",
        build([row("1"), crashing("2")], deployment(ready=1)),
        "crash loop",
        "bad",
        "1/2",
        "container app exits 1 after 2s, in 1 of 2 pods",
    ),
    Case(
        "crash loop of a rollout's new pod",
        build([row("1"), row("2"), crashing("3")], deployment(updated=1, total=3)),
        "crash loop",
        "bad",
        "2/2",
        "in 1 of 3 pods",
    ),
    Case(
        "image error",
        build([row("1"), broken("2", "image error")], deployment(ready=1)),
        "image error",
        "bad",
        "1/2",
        "image x can't be pulled, in 1 of 2 pods",
    ),
    Case(
        "config error",
        build([broken("1", "config error")], deployment(replicas=1, ready=0)),
        "config error",
        "bad",
        "0/1",
        "image x can't be pulled",
    ),
    Case(
        "rolling out",
        build([row("1"), row("2"), starting("3")], deployment(updated=1, total=3)),
        "rolling out",
        "info",
        "1/2",
        "1 of 2 pods are of the new template, 2 of the old one remain",
    ),
    Case(
        "rolling out, one old pod remains",
        build([row("1"), row("2"), row("3")], deployment(updated=2, total=3)),
        "rolling out",
        "info",
        "2/2",
        "2 of 2 pods are of the new template, 1 of the old one remains",
    ),
    Case(
        "rolling out, change not seen yet",
        build([row("1"), row("2")], deployment(generation=2)),
        "rolling out",
        "info",
        "2/2",
        "2 of 2 pods are of the new template",
    ),
    Case(
        "rolling out with trouble",
        build([row("1"), row("2"), unready("3")], deployment(updated=1, total=3)),
        "rolling out",
        "warn",
        "1/2",
        "its readiness probe fails, in 1 of 3 pods",
    ),
    Case(
        "rollout paused",
        build([row("1"), row("2"), row("3")], deployment(updated=1, total=3, paused=True)),
        "rolling out",
        "warn",
        "1/2",
        "the rollout is paused",
    ),
    Case(
        "rollout stalled",
        build([row("1"), row("2"), unready("3")], deployment(updated=1, total=3, conditions=(STALLED,))),
        "degraded",
        "bad",
        "2/2",
        "its rollout did not progress within its deadline: its readiness probe fails",
    ),
    Case(
        "first start",
        build([starting("1"), starting("2")], deployment(ready=0, updated=1)),
        "rolling out",
        "info",
        "1/2",
        "1 of 2 pods are of the new template",
    ),
    Case(
        "unready in part",
        build([row("1"), unready("2")], deployment(ready=1)),
        "unready",
        "warn",
        "1/2",
        "its readiness probe fails, in 1 of 2 pods",
    ),
    Case(
        "all unready",
        build([unready("1"), unready("2")], deployment(ready=0)),
        "down",
        "bad",
        "0/2",
        "no pod is ready: its readiness probe fails, in 2 of 2 pods",
    ),
    Case(
        "no pods at all",
        build([], deployment(ready=0)),
        "down",
        "bad",
        "0/2",
        "none of its 2 wanted pods exists",
    ),
    Case(
        "scaled to nothing",
        build([], deployment(replicas=0)),
        "down",
        "info",
        "0/0",
        "it is scaled to 0 replicas",
    ),
    Case(
        "pending",
        build([row("1"), unschedulable("2")], deployment(ready=1)),
        "pending",
        "bad",
        "1/2",
        "no node takes it, in 1 of 2 pods",
    ),
    Case(
        "all pending",
        build([unschedulable("1")], deployment(replicas=1, ready=0)),
        "pending",
        "bad",
        "0/1",
        "no node takes it",
    ),
    Case(
        "canary",
        build([row("1"), row("2"), row("c", track="canary")], deployment(), deployment("app-a-canary", replicas=1)),
        "canary",
        "info",
        "1 of 3 pods",
        "a canary runs beside stable in 1 of 3 pods",
    ),
    Case(
        "scaling up",
        build(
            [row("1"), row("2"), starting("3"), starting("4")], deployment(replicas=4, ready=2), autoscaler=scaler(4, 2)
        ),
        "scaling",
        "info",
        "2 -> 4",
        "its autoscaler goes from 2 to 4 pods",
    ),
    Case(
        "autoscaler at rest",
        build([row("1"), row("2")], deployment(), autoscaler=scaler(2, 2)),
        "healthy",
        "ok",
        "2/2",
        "2 of 2 pods are ready",
    ),
    Case(
        "degraded: a pod is missing",
        build([row("1")], deployment(ready=1)),
        "degraded",
        "warn",
        "1/2",
        "1 of 2 wanted pods are ready",
    ),
    Case(
        "degraded: a pod starts",
        build([row("1"), starting("2")], deployment(ready=1)),
        "degraded",
        "warn",
        "1/2",
        "1 of 2 wanted pods are ready: container app is being created, in 1 of 2 pods",
    ),
    Case(
        "evicted pods are litter once replaced",
        build([row("1"), row("2"), row("old", state="failed", ready_containers=0)], deployment()),
        "healthy",
        "ok",
        "2/2",
        "2 of 2 pods are ready",
    ),
    Case(
        "a failed bare pod",
        build([row("1", state="failed", severity="bad", ready_containers=0, reason="container app exits 3")]),
        "degraded",
        "bad",
        "0/1",
        "container app exits 3",
    ),
    Case(
        "completed",
        build([row("1", state="completed", ready_containers=0)]),
        "healthy",
        "ok",
        "",
        "its pods have completed",
    ),
    Case("a bare pod that runs", build([row("1")]), "healthy", "ok", "1/1", "1 of 1 pods are ready"),
    Case(
        "pods unknown",
        build([], deployment(), pods_known=False),
        "no data",
        "unknown",
        "",
        "its pods are not known yet",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_reads_the_state_in_one_word(case: Case) -> None:
    found = case.application
    assert (found.state, found.severity, found.detail) == (case.state, case.severity, case.detail)
    assert case.reason in found.reason
    assert not found.reason.endswith(".")


def test_since_is_kept_while_the_word_stays_the_same() -> None:
    first = build([row("1"), crashing("2", since=NOW - 252)], deployment(ready=1))
    later = build([row("1"), crashing("2", since=NOW - 10)], deployment(ready=1), previous=first, now=NOW + 60)
    assert first.since == later.since == NOW - 252


def test_since_starts_anew_when_the_word_changes() -> None:
    first = build([row("1"), row("2")], deployment())
    later = build([row("1")], deployment(ready=1), previous=first, now=NOW + 60)
    assert later.since == NOW + 60


def test_what_was_not_seen_to_begin_has_no_beginning() -> None:
    nothing_known = build_application(Parts(APP, [], [deployment()], pods_known=False), None, NOW)
    found = build([row("1")], deployment(ready=1), previous=nothing_known, now=NOW + 1)
    assert (nothing_known.state, found.state, found.since) == ("no data", "degraded", None)


def test_healthy_since_the_last_pod_became_ready() -> None:
    assert build([row("1", since=NOW - 500), row("2", since=NOW - 90)], deployment()).since == NOW - 90


def test_healthy_is_never_older_than_the_trouble_before_it() -> None:
    old = [row("1", since=NOW - 500), row("2", since=NOW - 500)]
    trouble = build([*old, msgspec.structs.replace(broken("3", "image error"), since=NOW - 30)], deployment())
    healed = build(old, deployment(), previous=trouble, now=NOW)
    assert (trouble.state, healed.state, healed.since) == ("image error", "healthy", NOW)
    assert build(old, deployment(), previous=healed, now=NOW + 60).since == NOW


@pytest.mark.parametrize(
    ("ratio", "rate", "state"), [(0.4, 4.0, "degraded"), (0.05, 4.0, "healthy"), (0.4, 0.1, "healthy")]
)
def test_ready_pods_whose_requests_fail_are_not_healthy(ratio: float, rate: float, state: AppState) -> None:
    errors = ErrorRate(ratio, rate, None, 60.0, NOW, "own scrape")
    parts = Parts(APP, [row("1"), row("2")], [deployment()], errors=errors)
    found = build_application(parts, build([row("1"), row("2")], deployment()), NOW)
    assert found.state == state
    assert ("40% of its requests fail, though 2/2 pods are ready" in found.reason) == (state == "degraded")
    assert state == "healthy" or found.since == NOW


def test_scaled_to_0_is_not_healthy_while_its_last_pods_stop() -> None:
    found = build([row("1", state="terminating")], deployment(replicas=0, ready=0, updated=0))
    assert (found.state, found.severity, found.detail) == ("down", "info", "0/0")


def test_ready_counts_pods_that_take_traffic() -> None:
    going = row("3", state="terminating")
    found = build([row("1"), crashing("2", ready_containers=1), going], deployment())
    assert (found.ready, found.desired) == (2, 2)


def test_restarts_are_summed_and_the_last_one_is_named() -> None:
    found = build([crashing("1", restarts=6), crashing("2", restarts=3, last_restart_at=NOW - 5)], deployment())
    assert (found.restarts, found.last_restart_at) == (9, NOW - 5)


def test_what_changed_before_is_revision_and_image() -> None:
    sets = (
        replica_set("old", image="registry:5000/app:v2.2.4", number=6, created=9_000),
        replica_set("new", image="registry:5000/app:v2.3.0", number=7, created=300),
    )
    running = deployment(release="app-a", revision=7, replica_sets=sets)
    parts = Parts(APP, [row("1")], [running], revisions=[revision(6), revision(7, "deployed", deployed_at=NOW - 301)])
    found = build_application(parts, None, NOW)
    assert found.change == "revision 6 -> 7, image v2.2.4 -> v2.3.0"
    assert found.changed_at == NOW - 301
    assert [each.number for each in found.revisions] == [7, 6]


def test_a_failed_upgrade_is_a_change_too() -> None:
    parts = Parts(
        APP, [row("1")], [deployment(release="app-a")], revisions=[revision(6, "deployed"), revision(7, "failed")]
    )
    found = build_application(parts, None, NOW)
    assert found.change == "revision 6 -> 7 (failed)"
    stable = found.track("stable")
    assert stable is not None
    assert (stable.revision, stable.revision_inferred) == (6, True)


def test_without_helm_the_rollout_number_is_what_changed() -> None:
    sets = (
        replica_set("old", image="a:1", number=1, created=9_000),
        replica_set("new", image="a:1", number=2, created=300),
    )
    found = build([row("1")], deployment(replica_sets=sets))
    assert (found.change, found.changed_at) == ("rollout 1 -> 2", NOW - 300)


def test_the_first_install_is_no_change_from_anything() -> None:
    parts = Parts(APP, [row("1")], [deployment(release="app-a", revision=1)], revisions=[revision(1, "deployed")])
    assert build_application(parts, None, NOW).change == "installed as revision 1"


def test_nothing_is_said_when_nothing_is_known() -> None:
    found = build([row("1")], deployment())
    assert (found.change, found.changed_at) == ("", None)


def test_a_new_repository_is_named_in_full() -> None:
    sets = (
        replica_set("old", image="a@sha256:12", number=1, created=9_000),
        replica_set("new", image="b:2", number=2, created=300),
    )
    assert build([row("1")], deployment(replica_sets=sets)).change == "image a@sha256:12 -> b:2"


def test_equal_parts_give_equal_applications() -> None:
    first = build([row("1")], deployment())
    assert build([row("1")], deployment(), previous=first) == replace(first)


def test_after_a_rollback_the_newest_deployed_revision_runs_the_older_manifest_and_inherits_its_health() -> None:
    good = replace(revision(1, "superseded"), known_good=True, healthy_seconds=600.0)
    revisions = [good, revision(2, "superseded"), revision(3, "deployed")]
    found = build_application(
        Parts(APP, [row("1")], [deployment(release="app-a", revision=1)], revisions=revisions), None, NOW
    )

    stable = found.track("stable")
    assert stable is not None
    assert (stable.revision, stable.manifest_revision, stable.revision_inferred) == (3, 1, False)
    assert [(each.number, each.known_good) for each in found.revisions] == [(3, True), (2, None), (1, True)]


def test_nothing_is_inherited_from_the_manifest_that_helm_is_just_putting_in_place() -> None:
    bad = replace(revision(2, "superseded"), known_good=False)
    revisions = [revision(1, "superseded"), bad, revision(3, "deployed"), revision(4, "pending-rollback")]
    parts = Parts(APP, [row("1")], [deployment(release="app-a", revision=2)], revisions=revisions)
    assert [each.known_good for each in build_application(parts, None, NOW).revisions] == [None, None, False, None]


def test_a_failed_upgrade_runs_although_it_is_deployed_nowhere() -> None:
    revisions = [revision(1, "deployed"), revision(2, "failed")]
    found = build_application(
        Parts(APP, [row("1")], [deployment(release="app-a", revision=2)], revisions=revisions), None, NOW
    )

    stable = found.track("stable")
    assert stable is not None
    assert (stable.revision, stable.manifest_revision) == (2, 2)
