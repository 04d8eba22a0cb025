"""The stable and canary parts of an application, read from the workloads that run them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from selfheal_core.domain.objects import Workload
from selfheal_core.domain.quantities import whole_number
from selfheal_core.domain.snapshot import OwnerKey, Revision, Track
from selfheal_core.domain.times import parse_time

TRACK_LABEL = "track"
STABLE, CANARY = "stable", "canary"
RELEASE_ANNOTATION = "meta.helm.sh/release-name"
REVISION_ANNOTATION = "selfheal.internal/revision"
ROLLOUT_ANNOTATION = "deployment.kubernetes.io/revision"
"""Number that the Deployment controller gives a ReplicaSet each time it becomes the current one."""


@dataclass(frozen=True, slots=True)
class RunningWorkload:
    """A workload with what belongs to it.

    Attributes:
        replica_sets: Those of a Deployment, in any order; empty for other kinds.
    """

    owner: OwnerKey
    workload: Workload
    replica_sets: tuple[Workload, ...] = ()


@dataclass(frozen=True, slots=True)
class RecentChange:
    """What changed last on a track, and when."""

    text: str
    at: float | None


def track_name(labels: dict[str, str]) -> str:
    """``canary`` if labelled so, else ``stable``."""
    return CANARY if labels.get(TRACK_LABEL) == CANARY else STABLE


def build_track(running: RunningWorkload, revisions: Sequence[Revision]) -> Track:
    """Reduce a workload to a track.

    Args:
        running: The workload.
        revisions: Of the release that installed it, newest first; empty if unknown.
    """
    workload = running.workload
    status = workload.status
    daemons = status.desired_number_scheduled is not None
    replicas = 1 if workload.spec.replicas is None else workload.spec.replicas
    revision, inferred = _revision(workload, revisions)
    return Track(
        name=track_name(workload.spec.template.metadata.labels),
        workload=running.owner,
        release=workload.metadata.annotations.get(RELEASE_ANNOTATION, ""),
        revision=revision,
        revision_inferred=inferred,
        image=_image(workload),
        desired=status.desired_number_scheduled if daemons else replicas,
        updated=status.updated_number_scheduled if daemons else _updated(running),
        ready=status.number_ready if daemons else status.ready_replicas,
        available=status.number_available if daemons else status.available_replicas,
        generation_observed=status.observed_generation >= workload.metadata.generation,
        paused=workload.spec.paused,
        progress_deadline_exceeded=_deadline_exceeded(workload),
        manifest_revision=_annotated(workload) or revision,
    )


def old_replicas(running: RunningWorkload) -> int:
    """Pods of a Deployment that are still of an older template."""
    if running.owner.kind != "Deployment":
        return 0
    return max(0, running.workload.status.replicas - running.workload.status.updated_replicas)


def recent_change(running: RunningWorkload, revisions: Sequence[Revision]) -> RecentChange:
    """Say what changed last: the Helm revision, and the image if it differs from the one before.

    Args:
        running: The workload.
        revisions: Of its release, newest first.
    """
    ordered = sorted(running.replica_sets, key=_rollout_number, reverse=True)
    parts = []
    at = parse_time(ordered[0].metadata.creation_timestamp) if ordered else None
    if revisions:
        newest = revisions[0]
        parts.append(_revision_step(newest, revisions[1] if len(revisions) > 1 else None))
        at = newest.deployed_at if newest.deployed_at is not None else at
    if len(ordered) > 1:
        before, after = _image(ordered[1]), _image(ordered[0])
        if before and after and before != after:
            parts.append(image_step(before, after))
        elif not parts:
            parts.append(f"rollout {_rollout_number(ordered[1])} -> {_rollout_number(ordered[0])}")
    return RecentChange(", ".join(parts), at if parts else None)


def image_step(before: str, after: str) -> str:
    """Word a change of image, by tag only where the repository stays: ``image v2.2.4 -> v2.3.0``."""
    repository, tag = _split_image(before)
    new_repository, new_tag = _split_image(after)
    if repository == new_repository and tag and new_tag:
        return f"image {tag} -> {new_tag}"
    return f"image {before} -> {after}"


def _revision_step(newest: Revision, before: Revision | None) -> str:
    if before is None:
        return f"installed as revision {newest.number}" if newest.number == 1 else f"revision {newest.number}"
    status = "" if newest.status in ("deployed", "superseded") else f" ({newest.status})"
    return f"revision {before.number} -> {newest.number}{status}"


def _annotated(workload: Workload) -> int | None:
    return whole_number(workload.metadata.annotations.get(REVISION_ANNOTATION, ""))


def _revision(workload: Workload, revisions: Sequence[Revision]) -> tuple[int | None, bool]:
    """The revision that runs, and whether it is only inferred.

    A rollback to 1 that became revision 3 puts back the manifest of 1, annotation included: there the newest deployed
    revision is the one that runs. A failed upgrade is in the annotation and is deployed nowhere.
    """
    annotated = _annotated(workload)
    deployed = next((revision.number for revision in revisions if revision.status == "deployed"), None)
    if annotated is not None:
        return max(annotated, deployed or 0), False
    return deployed, deployed is not None


def with_inherited_health(revisions: Sequence[Revision], tracks: Sequence[Track]) -> tuple[Revision, ...]:
    """Let a revision that put an older manifest back have what was observed of that older one.

    While Helm puts another revision in place the manifest that runs may be that one's, so that nothing is inherited.
    """
    under_way = {
        (revision.release, revision.number) for revision in revisions if revision.status.startswith("pending-")
    }
    known = {(revision.release, revision.number): revision for revision in revisions}
    older = {
        (track.release, track.revision): known.get((track.release, track.manifest_revision or 0))
        for track in tracks
        if track.manifest_revision != track.revision
        and not any(release == track.release and number > (track.revision or 0) for release, number in under_way)
    }
    return tuple(_inherited(revision, older.get((revision.release, revision.number))) for revision in revisions)


def _inherited(revision: Revision, older: Revision | None) -> Revision:
    if older is None or revision.known_good is not None:
        return revision
    image = revision.image or older.image
    return replace(revision, known_good=older.known_good, healthy_seconds=older.healthy_seconds, image=image)


def _updated(running: RunningWorkload) -> int:
    status = running.workload.status
    return status.replicas if running.owner.kind == "ReplicaSet" else status.updated_replicas


def _deadline_exceeded(workload: Workload) -> bool:
    return any(
        condition.type == "Progressing"
        and condition.status == "False"
        and condition.reason == "ProgressDeadlineExceeded"
        for condition in workload.status.conditions
    )


def _image(workload: Workload) -> str:
    containers = workload.spec.template.spec.containers
    return containers[0].image if containers else ""


def _rollout_number(replica_set: Workload) -> int:
    return whole_number(replica_set.metadata.annotations.get(ROLLOUT_ANNOTATION, "")) or 0


def _split_image(image: str) -> tuple[str, str]:
    """Repository and tag; a colon before the last slash belongs to the registry's port."""
    head, separator, tag = image.rpartition(":")
    if not separator or "/" in tag or "@" in image:
        return image, ""
    return head, tag
