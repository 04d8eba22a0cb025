"""Applications: which pods belong together, and the one line that says how they are."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from selfheal_core.domain.app_state import Facts, continued_since, judge
from selfheal_core.domain.objects import Event, HorizontalPodAutoscaler, PodDisruptionBudget
from selfheal_core.domain.snapshot import (
    AppKey,
    Application,
    Autoscaler,
    DisruptionBudget,
    ErrorRate,
    OwnerKey,
    PodRow,
    PodState,
    Revision,
    Track,
)
from selfheal_core.domain.tracks import (
    RELEASE_ANNOTATION,
    STABLE,
    RecentChange,
    RunningWorkload,
    build_track,
    old_replicas,
    recent_change,
    with_inherited_health,
)

APP_LABEL = "app"
INSTANCE_LABEL = "app.kubernetes.io/instance"


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that belongs to one application.

    Attributes:
        rows: Its pods.
        workloads: Its workloads with their ReplicaSets.
        revisions: Of all its releases.
        events: Newest first.
        cpu_percent: Use over request of all pods, if known.
        pods_known: False while the pods were never listed.
    """

    key: AppKey
    rows: Sequence[PodRow]
    workloads: Sequence[RunningWorkload] = ()
    revisions: Sequence[Revision] = ()
    autoscaler: Autoscaler | None = None
    budget: DisruptionBudget | None = None
    errors: ErrorRate | None = None
    events: tuple[Event, ...] = ()
    cpu_percent: int | None = None
    pods_known: bool = True


def application_key(namespace: str, labels: dict[str, str], owner: OwnerKey | None, name: str) -> AppKey:
    """To which application a pod or a workload's pods belong.

    Args:
        namespace: Of the pod.
        labels: Of the pod, or of the workload's pod template.
        owner: The top owner; None for a bare pod.
        name: Of the pod itself, for one that nothing else names.
    """
    label = labels.get(APP_LABEL) or labels.get(INSTANCE_LABEL)
    return AppKey(namespace, label or (owner.name if owner is not None else name))


def build_application(parts: Parts, previous: Application | None, now: float) -> Application:
    """Join an application's parts and judge its state.

    Args:
        parts: What belongs to it.
        previous: The application before this change; its ``since`` is kept while the state word stays the same.
        now: Seconds since the epoch.
    """
    revisions = tuple(sorted(parts.revisions, key=lambda revision: (revision.release, -revision.number)))
    tracks = tuple(
        sorted(
            (build_track(running, _of_release(revisions, running)) for running in parts.workloads),
            key=lambda track: (track.name != STABLE, track.workload.name if track.workload else ""),
        )
    )
    change = _newest_change(parts.workloads, revisions)
    desired = _desired(tracks)
    tally = _tally(parts.rows, replaced=desired is not None)
    verdict = judge(
        Facts(
            tracks=tracks,
            rows=tally.counting,
            states=tally.states,
            ready=tally.ready,
            desired=desired,
            old=sum(old_replicas(running) for running in parts.workloads),
            autoscaler=parts.autoscaler,
            changed_at=change.at,
            pods_known=parts.pods_known,
            errors=parts.errors,
        )
    )
    return Application(
        key=parts.key,
        state=verdict.state,
        severity=verdict.severity,
        detail=verdict.detail,
        since=continued_since(verdict, previous, now),
        reason=verdict.reason,
        tracks=tracks,
        pods=tuple([row.uid for row in parts.rows]),
        ready=tally.ready,
        desired=desired,
        restarts=tally.restarts,
        last_restart_at=tally.last_restart_at,
        autoscaler=parts.autoscaler,
        budget=parts.budget,
        cpu_percent=parts.cpu_percent,
        errors=parts.errors,
        revisions=with_inherited_health(revisions, tracks),
        events=parts.events,
        change=change.text,
        changed_at=change.at,
    )


def recount(before: Application, rows: Sequence[PodRow], *, old: int, pods_known: bool, now: float) -> Application:
    """The application after the state of its pods changed, and nothing else about it.

    With thousands of restarts a minute this is what an application is asked for, and most of it stays as it was.

    Args:
        before: As it was, with the same pods in the same order.
        rows: Its pods now.
        old: Pods of its workloads that are still of an older template.
        pods_known: False while the pods were never listed.
        now: Seconds since the epoch.

    Returns:
        ``before`` itself where nothing changed.
    """
    tally = _tally(rows, replaced=before.desired is not None)
    facts = Facts(
        tracks=before.tracks,
        rows=tally.counting,
        states=tally.states,
        ready=tally.ready,
        desired=before.desired,
        old=old,
        autoscaler=before.autoscaler,
        changed_at=before.changed_at,
        pods_known=pods_known,
        errors=before.errors,
    )
    verdict = judge(facts)
    after = replace(
        before,
        state=verdict.state,
        severity=verdict.severity,
        detail=verdict.detail,
        since=continued_since(verdict, before, now),
        reason=verdict.reason,
        ready=tally.ready,
        restarts=tally.restarts,
        last_restart_at=tally.last_restart_at,
    )
    return before if after == before else after


NOT_SERVING: AbstractSet[PodState] = frozenset({"terminating", "completed", "failed", "unready", "unknown"})
"""States in which a pod takes no traffic, whatever its containers say."""


def is_ready(row: PodRow) -> bool:
    """Whether a pod takes traffic: all containers ready, and it is not on its way out."""
    return 0 < row.containers <= row.ready_containers and row.state not in NOT_SERVING


@dataclass(slots=True)
class _Tally:
    """The pods of an application, counted.

    Attributes:
        counting: Pods that say something about the application now.
        states: The same by their state.
    """

    ready: int = 0
    restarts: int = 0
    last_restart_at: float | None = None
    counting: list[PodRow] = field(default_factory=list)
    states: dict[PodState, list[PodRow]] = field(default_factory=dict)


def _tally(rows: Sequence[PodRow], *, replaced: bool) -> _Tally:
    """Count pods in one pass over them: that is most of what an application costs.

    A completed pod is done. A failed one (evicted, say) is only litter where a workload has a count.

    Args:
        rows: The pods.
        replaced: Whether their workload has a count, so that a failed pod is replaced by another.
    """
    ready = restarts = 0
    last: float | None = None
    counting: list[PodRow] = []
    states: dict[PodState, list[PodRow]] = {}
    for row in rows:
        state = row.state
        if 0 < row.containers <= row.ready_containers and state not in NOT_SERVING:
            ready += 1
        restarts += row.restarts
        at = row.last_restart_at
        if at is not None and (last is None or at > last):
            last = at
        if state != "completed" and not (replaced and state == "failed"):
            counting.append(row)
            if state in states:
                states[state].append(row)
            else:
                states[state] = [row]
    return _Tally(ready, restarts, last, counting, states)


def autoscaler_of(scaler: HorizontalPodAutoscaler) -> Autoscaler:
    """Reduce a HorizontalPodAutoscaler."""
    cpu = next(
        (
            metric.resource.current.average_utilization
            for metric in scaler.status.current_metrics or ()
            if metric.resource is not None and metric.resource.name == "cpu"
        ),
        None,
    )
    limited = any(
        condition.type == "ScalingLimited" and condition.status == "True" and condition.reason == "TooManyReplicas"
        for condition in scaler.status.conditions
    )
    return Autoscaler(
        name=scaler.metadata.name,
        min_replicas=scaler.spec.min_replicas,
        max_replicas=scaler.spec.max_replicas,
        current_replicas=scaler.status.current_replicas,
        desired_replicas=scaler.status.desired_replicas,
        cpu_percent=cpu,
        limited=limited,
    )


def budget_of(budget: PodDisruptionBudget) -> DisruptionBudget:
    """Reduce a PodDisruptionBudget."""
    return DisruptionBudget(
        name=budget.metadata.name,
        disruptions_allowed=budget.status.disruptions_allowed,
        current_healthy=budget.status.current_healthy,
        desired_healthy=budget.status.desired_healthy,
    )


def _of_release(revisions: Sequence[Revision], running: RunningWorkload) -> tuple[Revision, ...]:
    """The revisions of the release that installed a workload, newest first."""
    release = running.workload.metadata.annotations.get(RELEASE_ANNOTATION, "")
    return tuple(revision for revision in revisions if release and revision.release == release)


def _newest_change(workloads: Sequence[RunningWorkload], revisions: Sequence[Revision]) -> RecentChange:
    changes = [recent_change(running, _of_release(revisions, running)) for running in workloads]
    known = [change for change in changes if change.text]
    return max(known, key=lambda change: change.at or 0.0, default=RecentChange("", None))


def _desired(tracks: Sequence[Track]) -> int | None:
    wanted = [track.desired for track in tracks if track.desired is not None]
    return sum(wanted) if wanted else None
