"""Objects as the API server would send them, with only what a test is about spelled out."""

from collections.abc import Mapping
from typing import Any

import msgspec

from selfheal_core.domain.objects import (
    Condition,
    Container,
    ContainerState,
    ContainerStatus,
    Event,
    Metadata,
    ObjectReference,
    OwnerReference,
    Pod,
    PodSpec,
    PodStatus,
    PodTemplate,
    ResourceRequirements,
    Running,
    Terminated,
    Waiting,
    Workload,
    WorkloadSpec,
    WorkloadStatus,
)
from selfheal_core.domain.snapshot import AppKey, Application, OwnerKey, PodRow, Revision, Snapshot, Source
from selfheal_core.domain.times import rfc3339
from selfheal_core.domain.tracks import RunningWorkload

NOW = 1_790_000_000.0
APP = AppKey("payments", "app-a")
OWNER = OwnerKey("Deployment", "payments", "app-a", "deployment-uid")


def at(seconds_ago: float) -> str:
    """A time that long before NOW."""
    return rfc3339(NOW - seconds_ago)


def container(
    name: str = "app",
    *,
    ready: bool = True,
    started: bool | None = True,
    restarts: int = 0,
    running: float | None = None,
    waiting: tuple[str, str] | None = None,
    ended: Terminated | None = None,
    last: Terminated | None = None,
    image: str = "registry/app:1.0",
) -> ContainerStatus:
    """A container's status; ``running`` is how many seconds it has been."""
    state = ContainerState(
        running=Running(at(running)) if running is not None else None,
        waiting=Waiting(*waiting) if waiting is not None else None,
        terminated=ended,
    )
    return ContainerStatus(
        name=name,
        ready=ready,
        started=started,
        restart_count=restarts,
        image=image,
        state=state,
        last_state=ContainerState(terminated=last),
    )


def run_ended(
    code: int = 1, reason: str = "Error", *, lasted: float = 2, ago: float = 41, message: str = "", signal: int = 0
) -> Terminated:
    """A run that ended ``ago`` seconds before NOW."""
    return Terminated(code, signal, reason, message, at(ago + lasted), at(ago))


def condition(kind: str, status: str, *, ago: float = 252, reason: str = "", message: str = "") -> Condition:
    """A pod's condition that changed ``ago`` seconds before NOW."""
    return Condition(kind, status, reason, message, at(ago))


def pod(
    name: str = "app-a-7d9f8c6b5d-x2x9k",
    *,
    namespace: str = "payments",
    uid: str = "",
    phase: str = "Running",
    containers: tuple[ContainerStatus, ...] = (),
    init_containers: tuple[ContainerStatus, ...] = (),
    conditions: tuple[Condition, ...] | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    node: str = "node-1",
    created: float = 360,
    deleted: float | None = None,
    finalizers: tuple[str, ...] = (),
    reason: str = "",
    message: str = "",
    owner: OwnerReference | None = None,
    memory_limit: str = "",
    cpu_request: str = "100m",
    pod_ip: str = "10.0.0.7",
    version: str = "1",
) -> Pod:
    """A pod; ``deleted`` is how many seconds ago its grace period ended (negative: it still runs)."""
    limits: dict[str, str | int] = {"memory": memory_limit} if memory_limit else {}
    requests: dict[str, str | int] = {"cpu": cpu_request} if cpu_request else {}
    names = [status.name for status in containers] or ["app"]
    return Pod(
        metadata=Metadata(
            name=name,
            namespace=namespace,
            uid=uid or f"uid-{name}",
            resource_version=version,
            creation_timestamp=at(created),
            deletion_timestamp=at(deleted) if deleted is not None else None,
            labels=dict(labels) if labels is not None else {"app": "app-a", "pod-template-hash": "7d9f8c6b5d"},
            annotations=dict(annotations or {}),
            owner_references=(owner,) if owner is not None else (),
            finalizers=finalizers,
        ),
        spec=PodSpec(
            node_name=node,
            containers=tuple(
                Container(name=each, image="registry/app:1.0", resources=ResourceRequirements(requests, limits))
                for each in names
            ),
        ),
        status=PodStatus(
            phase=phase,
            reason=reason,
            message=message,
            pod_ip=pod_ip,
            start_time=at(created),
            conditions=_READY if conditions is None else conditions,
            container_statuses=containers,
            init_container_statuses=init_containers,
        ),
    )


_READY = (Condition("Initialized", "True"), Condition("Ready", "True", last_transition_time=at(350)))


def not_ready(ago: float = 252) -> tuple[Condition, ...]:
    """Conditions of an initialised pod that lost its readiness that long ago."""
    return (condition("Initialized", "True", ago=355), condition("Ready", "False", ago=ago))


def controlled_by(kind: str, name: str, uid: str) -> OwnerReference:
    """The managing owner of an object."""
    return OwnerReference(kind=kind, name=name, uid=uid, controller=True)


def row(name: str = "app-a-1", **changes: Any) -> PodRow:
    """A healthy pod's row."""
    healthy = PodRow(
        uid=f"uid-{name}",
        namespace="payments",
        name=name,
        resource_version="1",
        app=APP,
        track="stable",
        owner=OWNER,
        template_hash="7d9f8c6b5d",
        node="node-1",
        pod_ip="10.0.0.7",
        ready_containers=1,
        containers=1,
        state="running",
        severity="ok",
        reason="all containers are ready",
        since=NOW - 3600,
        restarts=0,
        last_restart_at=None,
        last_exit="",
        created_at=NOW - 3700,
    )
    return msgspec.structs.replace(healthy, **changes)


def crashing(name: str = "app-a-1", restarts: int = 6, **changes: Any) -> PodRow:
    """The row of a pod in a crash loop."""
    facts: dict[str, Any] = {
        "state": "crash loop",
        "severity": "bad",
        "reason": "container app exits 1 after 2s",
        "ready_containers": 0,
        "restarts": restarts,
        "worst_container": "app",
        "worst_container_restarts": restarts,
        "last_restart_at": NOW - 41,
        "since": NOW - 252,
        "last_exit": "1 Error",
    }
    return row(name, **{**facts, **changes})


def deployment(
    name: str = "app-a",
    *,
    kind: str = "Deployment",
    namespace: str = "payments",
    replicas: int | None = 2,
    updated: int | None = None,
    ready: int | None = None,
    total: int | None = None,
    available: int | None = None,
    observed: int = 1,
    generation: int = 1,
    release: str = "",
    revision: int | None = None,
    image: str = "registry/app:1.0",
    labels: Mapping[str, str] | None = None,
    paused: bool = False,
    conditions: tuple[Condition, ...] = (),
    uid: str = "",
    replica_sets: tuple[Workload, ...] = (),
) -> RunningWorkload:
    """A workload whose rollout is complete unless told otherwise."""
    wanted = replicas or 0
    annotations = {"meta.helm.sh/release-name": release} if release else {}
    if revision is not None:
        annotations["selfheal.internal/revision"] = str(revision)
    workload = Workload(
        metadata=Metadata(
            name=name,
            namespace=namespace,
            uid=uid or f"{name}-uid",
            generation=generation,
            resource_version="1",
            annotations=annotations,
            labels=dict(labels or {"app": "app-a"}),
        ),
        spec=WorkloadSpec(
            replicas=replicas,
            paused=paused,
            template=PodTemplate(
                Metadata(labels=dict(labels or {"app": "app-a"})), PodSpec(containers=(Container("app", image),))
            ),
        ),
        status=WorkloadStatus(
            replicas=wanted if total is None else total,
            updated_replicas=wanted if updated is None else updated,
            ready_replicas=wanted if ready is None else ready,
            available_replicas=(wanted if ready is None else ready) if available is None else available,
            observed_generation=observed,
            conditions=conditions,
        ),
    )
    return RunningWorkload(OwnerKey(kind, namespace, name, workload.metadata.uid), workload, replica_sets)


def replica_set(
    name: str, *, image: str, number: int, created: float, owner_uid: str = "app-a-uid", owner: str = "app-a"
) -> Workload:
    """A ReplicaSet of a Deployment."""
    return Workload(
        metadata=Metadata(
            name=name,
            namespace="payments",
            uid=f"uid-{name}",
            creation_timestamp=at(created),
            annotations={"deployment.kubernetes.io/revision": str(number)},
            owner_references=(controlled_by("Deployment", owner, owner_uid),),
        ),
        spec=WorkloadSpec(replicas=2, template=PodTemplate(spec=PodSpec(containers=(Container("app", image),)))),
        status=WorkloadStatus(replicas=2, ready_replicas=2),
    )


def revision(number: int, status: str = "superseded", **facts: Any) -> Revision:
    """A revision of release ``app-a``."""
    return Revision(
        release=facts.pop("release", "app-a"),
        namespace="payments",
        number=number,
        status=status,
        deployed_at=facts.pop("deployed_at", NOW - 3600.0 * (10 - number)),
        secret_uid=f"secret-{number}",
        **facts,
    )


def event(
    reason: str, message: str, *, about: str, ago: float, kind: str = "Warning", component: str = "kubelet"
) -> Event:
    """An event about the object of that uid."""
    return Event(
        metadata=Metadata(name=f"{reason}-{ago}", namespace="payments", uid=f"event-{reason}-{about}-{ago}"),
        involved_object=ObjectReference(kind="Pod", namespace="payments", uid=about),
        reason=reason,
        message=message,
        type=kind,
        last_timestamp=at(ago),
        reporting_component=component,
    )


def live(*names: str, age: float = 1.0, now: float = NOW) -> dict[str, Source]:
    """Fresh sources."""
    return {name: Source(name, "live", now - 600, now - age) for name in names}


def picture(*rows: PodRow, applications: tuple[Application, ...] = (), now: float = NOW, **changes: Any) -> Snapshot:
    """A fresh snapshot of some pods."""
    facts: dict[str, Any] = {
        "sequence": 1,
        "taken_at": now,
        "pods": {each.uid: each for each in rows},
        "applications": {each.key: each for each in applications},
        "sources": live("pods", "replicasets", "deployments", now=now),
    }
    return Snapshot(**{**facts, **changes})
