"""What a Deployment's status says: counts, the three conditions, and when a rollout counts as done or stuck.

Reasons and messages are those of the deployment controller of Kubernetes; ``kubectl rollout status``, ``kubectl wait``
and Helm read them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from selfheal_sandbox.controllers.availability import PodCounts
from selfheal_sandbox.controllers.conditions import Verdict, find, with_verdict, without
from selfheal_sandbox.controllers.rollout import Limits
from selfheal_sandbox.store.objects import Object, parse_rfc3339, spec_of, status_of

PROGRESSING = "Progressing"
AVAILABLE = "Available"
REPLICA_FAILURE = "ReplicaFailure"

NEW_AVAILABLE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
_FOREVER_SECONDS = 2**31 - 1
"""A progress deadline of this many seconds means none, as it does on a cluster."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Pods of a Deployment.

    Attributes:
        new_name: name of the ReplicaSet of the current template, or "" when there is none.
        new: pods of that ReplicaSet.
        everyone: pods of all ReplicaSets.
        asked: replicas that the ReplicaSets ask for together.
    """

    new_name: str
    new: PodCounts
    everyone: PodCounts
    asked: int


def has_deadline(spec: Object) -> bool:
    """Return whether progress of a rollout is watched at all."""
    return int(spec.get("progressDeadlineSeconds", _FOREVER_SECONDS)) != _FOREVER_SECONDS


def is_complete(limits: Limits, progress: Progress) -> bool:
    """Return whether every wanted pod is of the current template and available, and no other pod is left."""
    everyone = progress.everyone
    return progress.new.replicas == limits.wanted == everyone.replicas and everyone.available == limits.wanted


def _moved(status: Object, progress: Progress) -> bool:
    """Return whether the rollout came nearer to its end since the status was written."""
    old_left = status.get("replicas", 0) - status.get("updatedReplicas", 0)
    return bool(
        progress.new.replicas > status.get("updatedReplicas", 0)
        or progress.everyone.replicas - progress.new.replicas < old_left
        or progress.everyone.ready > status.get("readyReplicas", 0)
        or progress.everyone.available > status.get("availableReplicas", 0)
    )


def deadline(deployment: Object) -> datetime | None:
    """Return when a rollout that makes no more progress counts as stuck; None when it is not watched or has ended."""
    spec = spec_of(deployment)
    progressing = find(status_of(deployment).get("conditions") or [], PROGRESSING)
    if not has_deadline(spec) or progressing is None or progressing.get("reason") in (NEW_AVAILABLE, TIMED_OUT):
        return None
    since = progressing.get("lastUpdateTime") or progressing["lastTransitionTime"]
    return parse_rfc3339(since) + timedelta(seconds=int(spec["progressDeadlineSeconds"]))


def status_for(
    deployment: Object, limits: Limits, progress: Progress, failures: Sequence[Object], now: datetime
) -> Object:
    """Return the status of a Deployment.

    Args:
        deployment: the Deployment, with its present status.
        limits: its resolved limits.
        progress: its pods.
        failures: ReplicaFailure conditions of its ReplicaSets, that of the newest first.
        now: the time.
    """
    counts = {
        "replicas": progress.everyone.replicas,
        "updatedReplicas": progress.new.replicas,
        "readyReplicas": progress.everyone.ready,
        "availableReplicas": progress.everyone.available,
        "unavailableReplicas": max(progress.asked - progress.everyone.available, 0),
        "collisionCount": status_of(deployment).get("collisionCount", 0),
    }
    return {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        **{name: count for name, count in counts.items() if count},
        "conditions": _conditions(deployment, limits, progress, failures, now),
    }


def _conditions(
    deployment: Object, limits: Limits, progress: Progress, failures: Sequence[Object], now: datetime
) -> list[Object]:
    conditions: list[Object] = list(status_of(deployment).get("conditions") or [])
    conditions = with_verdict(conditions, _availability(limits, progress), now, updated=True)
    conditions = _with_progress(deployment, conditions, limits, progress, now)
    if not failures:
        return without(conditions, REPLICA_FAILURE)
    first = failures[0]
    failure = Verdict(REPLICA_FAILURE, first["status"], first.get("reason", ""), first.get("message", ""))
    return with_verdict(conditions, failure, now, updated=True)


def _availability(limits: Limits, progress: Progress) -> Verdict:
    if progress.everyone.available >= limits.fewest_available:
        return Verdict(AVAILABLE, "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    return Verdict(AVAILABLE, "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")


def _with_progress(
    deployment: Object, conditions: list[Object], limits: Limits, progress: Progress, now: datetime
) -> list[Object]:
    if not has_deadline(spec_of(deployment)):
        return without(conditions, PROGRESSING)
    if spec_of(deployment).get("paused"):
        return conditions
    present = find(conditions, PROGRESSING)
    settled = progress.new.replicas == progress.everyone.replicas
    if settled and present is not None and present.get("reason") == NEW_AVAILABLE:
        return conditions
    name = (
        f'ReplicaSet "{progress.new_name}"' if progress.new_name else f'Deployment "{deployment["metadata"]["name"]}"'
    )
    if is_complete(limits, progress):
        done = Verdict(PROGRESSING, "True", NEW_AVAILABLE, f"{name} has successfully progressed.")
        return with_verdict(conditions, done, now, updated=True)
    if _moved(status_of(deployment), progress):
        going = Verdict(PROGRESSING, "True", "ReplicaSetUpdated", f"{name} is progressing.")
        return with_verdict(conditions, going, now, updated=True, refresh=True)
    limit = deadline(deployment)
    if limit is not None and now > limit:
        late = Verdict(PROGRESSING, "False", TIMED_OUT, f"{name} has timed out progressing.")
        return with_verdict(conditions, late, now, updated=True)
    return conditions


def pause_verdict(deployment: Object) -> Verdict | None:
    """Return what the Progressing condition should say because ``spec.paused`` changed, or None when it did not."""
    spec = spec_of(deployment)
    if not has_deadline(spec):
        return None
    present = find(status_of(deployment).get("conditions") or [], PROGRESSING)
    reason = present.get("reason") if present else None
    if reason == TIMED_OUT:
        return None
    if spec.get("paused") and reason != "DeploymentPaused":
        return Verdict(PROGRESSING, "Unknown", "DeploymentPaused", "Deployment is paused")
    if not spec.get("paused") and reason == "DeploymentPaused":
        return Verdict(PROGRESSING, "Unknown", "DeploymentResumed", "Deployment is resumed")
    return None
