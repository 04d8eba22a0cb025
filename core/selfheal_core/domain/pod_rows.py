"""A pod, its diagnosis and its place, as the flat row that tables, filters and decisions read."""

from collections.abc import Set as AbstractSet

from selfheal_core.domain.diagnose import Diagnosis
from selfheal_core.domain.exits import last_run, short_exit
from selfheal_core.domain.objects import ContainerStatus, Pod
from selfheal_core.domain.snapshot import AppKey, OwnerKey, PodRow, PodState
from selfheal_core.domain.times import parse_time

TEMPLATE_HASH_LABEL = "pod-template-hash"
_CONTINUED: AbstractSet[PodState] = frozenset({"crash loop", "image error", "config error"})
"""States in which the pod's own timestamps move with every attempt: there the first sighting counts."""


def pod_row(
    pod: Pod,
    diagnosis: Diagnosis,
    *,
    owner: OwnerKey | None,
    app: AppKey,
    track: str,
    cpu_millicores: int | None = None,
    memory_bytes: int | None = None,
    previous: PodRow | None = None,
) -> PodRow:
    """Flatten a pod.

    Args:
        pod: As the API server sent it.
        diagnosis: From ``diagnose_pod``.
        owner: The top workload that owns it; None for a bare pod.
        app: The application it belongs to.
        track: ``stable`` or ``canary``.
        cpu_millicores: Measured use, if known.
        memory_bytes: Measured use, if known.
        previous: The row before this one; while a loop goes on, its earlier ``since`` is kept.
    """
    metadata, status = pod.metadata, pod.status
    ready, restarts, worst = 0, 0, ContainerStatus()
    for container in status.container_statuses:
        ready += container.ready
        restarts += container.restart_count
        if container.restart_count > worst.restart_count:
            worst = container
    for container in status.init_container_statuses:
        restarts += container.restart_count
        if container.restart_count > worst.restart_count:
            worst = container
    ended = _newest_end(status.container_statuses) or _newest_end(status.init_container_statuses)
    last_restart_at = parse_time(ended[1]) if ended is not None and restarts else None
    return PodRow(
        uid=metadata.uid,
        namespace=metadata.namespace,
        name=metadata.name,
        resource_version=metadata.resource_version,
        app=app,
        track=track,
        owner=owner,
        template_hash=metadata.labels.get(TEMPLATE_HASH_LABEL, ""),
        node=pod.spec.node_name,
        pod_ip=status.pod_ip,
        ready_containers=ready,
        containers=len(pod.spec.containers) or len(status.container_statuses),
        state=diagnosis.state,
        severity=diagnosis.severity,
        reason=_reason(diagnosis, previous),
        since=_since(diagnosis, previous),
        restarts=restarts,
        last_restart_at=last_restart_at,
        last_exit=ended[0] if ended is not None else "",
        created_at=parse_time(metadata.creation_timestamp),
        cpu_millicores=cpu_millicores,
        memory_bytes=memory_bytes,
        labels=metadata.labels,
        worst_container=worst.name,
        worst_container_restarts=worst.restart_count,
    )


def _reason(diagnosis: Diagnosis, previous: PodRow | None) -> str:
    """While an image is waited for between two attempts, servers before 1.31 do not repeat why the last one failed."""
    if previous is None or not diagnosis.state == previous.state == "image error":
        return diagnosis.reason
    return previous.reason if previous.reason.startswith(f"{diagnosis.reason}: ") else diagnosis.reason


def _since(diagnosis: Diagnosis, previous: PodRow | None) -> float | None:
    if previous is None or previous.since is None or previous.state != diagnosis.state:
        return diagnosis.since
    if diagnosis.state not in _CONTINUED:
        return diagnosis.since
    return previous.since if diagnosis.since is None else min(previous.since, diagnosis.since)


def _newest_end(statuses: tuple[ContainerStatus, ...]) -> tuple[str, str] | None:
    """Exit in short form and time of the newest finished run, over all containers."""
    newest: tuple[str, str] | None = None
    for status in statuses:
        ended = last_run(status)
        if ended is not None and (newest is None or (ended.finished_at or "") > newest[1]):
            newest = (short_exit(ended), ended.finished_at or "")
    return newest
