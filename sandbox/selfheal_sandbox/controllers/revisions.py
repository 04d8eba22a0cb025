"""Annotations that tie a Deployment to its ReplicaSets: revision numbers, wanted sizes, and what is copied down."""

from collections.abc import Iterable, Sequence

from selfheal_sandbox.controllers.rollout import Limits
from selfheal_sandbox.store.objects import Object, annotations_of

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_HISTORY_LIMIT_CHARACTERS = 2000
_NOT_COPIED = frozenset({LAST_APPLIED, REVISION, REVISION_HISTORY, DESIRED_REPLICAS, MAX_REPLICAS})


def number_of(obj: Object, annotation: str) -> int:
    """Return an annotation as a number, 0 when it is absent or not a number."""
    text = annotations_of(obj).get(annotation, "")
    return int(text) if text.isdecimal() else 0


def next_revision(old: Iterable[Object]) -> int:
    """Return the revision that the ReplicaSet of the current template should carry."""
    return max((number_of(each, REVISION) for each in old), default=0) + 1


def size_annotations(limits: Limits) -> dict[str, str]:
    """Return the annotations that record for which size of the Deployment a ReplicaSet was last scaled."""
    return {DESIRED_REPLICAS: str(limits.wanted), MAX_REPLICAS: str(limits.wanted + limits.max_surge)}


def replica_set_annotations(
    deployment: Object, current: Object | None, revision: int, limits: Limits
) -> dict[str, str]:
    """Return the annotations for the ReplicaSet of the current template.

    The Deployment's own annotations are copied down, so that ``kubectl rollout history`` finds the change cause; a
    revision that is replaced by a higher one goes to the history annotation.
    """
    existing = dict(annotations_of(current)) if current else {}
    copied = {name: value for name, value in annotations_of(deployment).items() if name not in _NOT_COPIED}
    annotations = {**existing, **copied}
    if current is None:
        annotations.update(size_annotations(limits))
    had = number_of(current, REVISION) if current else 0
    if had < revision:
        annotations[REVISION] = str(revision)
        if had:
            annotations[REVISION_HISTORY] = _history(existing.get(REVISION_HISTORY, ""), had)
    return annotations


def _history(history: str, revision: int) -> str:
    entries = [entry for entry in history.split(",") if entry]
    entries.append(str(revision))
    while len(",".join(entries)) > _HISTORY_LIMIT_CHARACTERS:
        entries.pop(0)
    return ",".join(entries)


def surplus(old: Sequence[Object], limit: int | None) -> list[Object]:
    """Return the ReplicaSets that ``revisionHistoryLimit`` no longer keeps: unused ones, lowest revision first."""
    if limit is None or len(old) <= limit:
        return []
    by_revision = sorted(old, key=lambda each: number_of(each, REVISION))
    return [each for each in by_revision[: len(old) - limit] if _is_unused(each)]


def _is_unused(replica_set: Object) -> bool:
    status = replica_set.get("status") or {}
    metadata = replica_set["metadata"]
    seen = status.get("observedGeneration", 0) >= metadata.get("generation", 0)
    return seen and not replica_set["spec"].get("replicas") and not status.get("replicas")
