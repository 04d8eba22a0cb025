"""Who owns a pod: pod -> ReplicaSet -> Deployment, pod -> Job -> CronJob, by uid."""

from collections.abc import Iterator

from selfheal_core.domain.objects import Metadata, ObjectMetadataOnly, OwnerReference, Pod, Uid, Workload
from selfheal_core.domain.snapshot import OwnerKey
from selfheal_core.domain.tracks import RunningWorkload


def controller_of(metadata: Metadata) -> OwnerReference | None:
    """The owner that manages an object; None for a bare one."""
    for reference in metadata.owner_references:
        if reference.controller:
            return reference
    return None


class Owners:
    """Index of everything that can own a pod."""

    def __init__(self) -> None:
        self._workloads: dict[Uid, RunningWorkload] = {}
        self._by_name: dict[tuple[str, str, str], Uid] = {}
        self._replica_sets: dict[Uid, Workload] = {}
        self._replica_sets_of: dict[Uid, set[Uid]] = {}
        self._jobs: dict[Uid, ObjectMetadataOnly] = {}

    def put_workload(self, kind: str, workload: Workload) -> OwnerKey:
        """Add or replace a Deployment, StatefulSet or DaemonSet."""
        metadata = workload.metadata
        owner = OwnerKey(kind, metadata.namespace, metadata.name, metadata.uid)
        self._workloads[metadata.uid] = RunningWorkload(owner, workload)
        self._by_name[owner[:3]] = metadata.uid
        return owner

    def remove_workload(self, uid: Uid) -> None:
        """Forget a workload."""
        running = self._workloads.pop(uid, None)
        if running is not None and self._by_name.get(running.owner[:3]) == uid:
            del self._by_name[running.owner[:3]]

    def put_replica_set(self, replica_set: Workload) -> None:
        """Add or replace a ReplicaSet; a bare one is a workload of its own."""
        uid = replica_set.metadata.uid
        controller = controller_of(replica_set.metadata)
        before = self._replica_sets.get(uid)
        if before is not None and controller_of(before.metadata) != controller:
            self.remove_replica_set(uid)
        self._replica_sets[uid] = replica_set
        if controller is None:
            self.put_workload("ReplicaSet", replica_set)
        else:
            self._replica_sets_of.setdefault(controller.uid, set()).add(uid)

    def remove_replica_set(self, uid: Uid) -> None:
        """Forget a ReplicaSet."""
        replica_set = self._replica_sets.pop(uid, None)
        if replica_set is None:
            return
        self.remove_workload(uid)
        controller = controller_of(replica_set.metadata)
        siblings = self._replica_sets_of.get(controller.uid) if controller is not None else None
        if controller is not None and siblings is not None:
            siblings.discard(uid)
            if not siblings:
                del self._replica_sets_of[controller.uid]

    def put_job(self, job: ObjectMetadataOnly) -> None:
        """Add or replace a Job."""
        self._jobs[job.metadata.uid] = job

    def remove_job(self, uid: Uid) -> None:
        """Forget a Job."""
        self._jobs.pop(uid, None)

    def owner_of(self, pod: Pod) -> OwnerKey | None:
        """The top workload of a pod, as far as the chain is known; None for a bare pod."""
        controller = controller_of(pod.metadata)
        if controller is None:
            return None
        namespace = pod.metadata.namespace
        above = self._above(controller.uid)
        top = controller if above is None else above
        return OwnerKey(top.kind, namespace, top.name, top.uid)

    def running(self, uid: Uid) -> RunningWorkload | None:
        """A workload with its ReplicaSets."""
        running = self._workloads.get(uid)
        if running is None:
            return None
        children = self._replica_sets_of.get(uid)
        if not children:
            return running
        sets = tuple(self._replica_sets[child] for child in children if child in self._replica_sets)
        return RunningWorkload(running.owner, running.workload, sets)

    def find(self, kind: str, namespace: str, name: str) -> Uid | None:
        """Uid of the workload of that name."""
        return self._by_name.get((kind, namespace, name))

    def top_of(self, uid: Uid) -> Uid:
        """The workload above a ReplicaSet; any other uid is its own top."""
        above = self._above(uid)
        return uid if above is None else above.uid

    def deployments(self) -> Iterator[RunningWorkload]:
        """Every Deployment, without its ReplicaSets."""
        return (running for running in self._workloads.values() if running.owner.kind == "Deployment")

    def _above(self, uid: Uid) -> OwnerReference | None:
        between = self._replica_sets.get(uid) or self._jobs.get(uid)
        return None if between is None else controller_of(between.metadata)
