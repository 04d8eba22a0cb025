"""Joins pods with their owners and everything that hangs on them, recomputing only what changed.

Pure bookkeeping: no clock, no loop, no network. Changes are noted as they come, in any order; ``refresh`` then rebuilds
the pods concerned and the applications they belong to.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from selfheal_core.domain.applications import Parts, application_key, build_application, recount
from selfheal_core.domain.controller_status import is_controller
from selfheal_core.domain.diagnose import diagnose_pod
from selfheal_core.domain.known_good import KnownGood, ReleaseKey
from selfheal_core.domain.objects import (
    Event,
    HorizontalPodAutoscaler,
    ObjectMetadataOnly,
    Pod,
    PodDisruptionBudget,
    Uid,
    Workload,
)
from selfheal_core.domain.pod_rows import pod_row
from selfheal_core.domain.snapshot import AppKey, Application, ErrorRate, OwnerKey, PodRow, Revision
from selfheal_core.domain.tracks import RELEASE_ANNOTATION, RunningWorkload, old_replicas, track_name
from selfheal_core.observe.attachments import Autoscalers, Budgets, Events, Releases
from selfheal_core.observe.groups import Groups
from selfheal_core.observe.owners import Owners, controller_of
from selfheal_core.observe.usage import Usage

RESTARTS_PER_REFRESH = 64
"""Applications whose count of restarts, and nothing else, is brought up to date at a time, oldest first. Below that
many a refresh it makes no difference; above, a count is late by some refreshes, and the rest is not."""
USAGE_ROWS_PER_REFRESH = 500
"""A round of metrics touches every pod; spread over several refreshes it never makes one of them slow."""


class Join:
    """The joined picture, kept current from changes."""

    def __init__(self) -> None:
        self.rows: dict[Uid, PodRow] = {}
        self.applications: dict[AppKey, Application] = {}
        self.owners = Owners()
        self.events = Events()
        self.releases = Releases()
        self._autoscalers = Autoscalers()
        self._budgets = Budgets()
        self._usage = Usage()
        self._errors: Mapping[AppKey, ErrorRate] = {}
        self._pods_known = False
        self._pods: dict[Uid, Pod] = {}
        self._pods_by_controller: Groups[Uid, Uid] = Groups()
        self._pods_by_app: Groups[AppKey, Uid] = Groups()
        self._workloads_by_app: Groups[AppKey, Uid] = Groups()
        self._workloads_by_release: Groups[ReleaseKey, Uid] = Groups()
        self._apps_by_namespace: Groups[str, AppKey] = Groups()
        self._place_of: dict[Uid, tuple[AppKey, ReleaseKey | None]] = {}
        self._dirty_pods: dict[Uid, None] = {}
        self._dirty_usage: dict[Uid, None] = {}
        self._dirty_apps: dict[AppKey, None] = {}
        self._dirty_counts: dict[AppKey, None] = {}
        self._dirty_restarts: dict[AppKey, None] = {}
        self._rechecks: list[tuple[float, Uid]] = []
        self._recheck_at: dict[Uid, float] = {}

    # -- what the streams report ---------------------------------------------------------------------------------

    def put_pod(self, pod: Pod) -> None:
        """A pod came or changed."""
        uid = pod.metadata.uid
        self._pods[uid] = pod
        controller = controller_of(pod.metadata)
        if controller is not None:
            self._pods_by_controller.add(controller.uid, uid)
        self._dirty_pods[uid] = None

    def remove_pod(self, pod: Pod) -> None:
        """A pod went."""
        uid = pod.metadata.uid
        self._pods.pop(uid, None)
        self._usage.forget(uid)
        self._recheck_at.pop(uid, None)
        controller = controller_of(pod.metadata)
        if controller is not None:
            self._pods_by_controller.discard(controller.uid, uid)
        self._dirty_pods[uid] = None

    def put_workload(self, kind: str, workload: Workload) -> None:
        """A Deployment, StatefulSet or DaemonSet came or changed."""
        owner = self.owners.put_workload(kind, workload)
        self._place_workload(owner, workload)

    def remove_workload(self, workload: Workload) -> None:
        """A Deployment, StatefulSet or DaemonSet went."""
        self.owners.remove_workload(workload.metadata.uid)
        self._displace_workload(workload.metadata.uid)

    def put_replica_set(self, replica_set: Workload, previous: Workload | None = None) -> None:
        """A ReplicaSet came or changed."""
        self.owners.put_replica_set(replica_set)
        uid = replica_set.metadata.uid
        controller = controller_of(replica_set.metadata)
        if controller is None:
            self._place_workload(
                OwnerKey("ReplicaSet", replica_set.metadata.namespace, replica_set.metadata.name, uid), replica_set
            )
        else:
            self._touch_workload(controller.uid)
        if previous is None or controller_of(previous.metadata) != controller:
            self._touch_pods_of(uid)

    def remove_replica_set(self, replica_set: Workload) -> None:
        """A ReplicaSet went."""
        uid = replica_set.metadata.uid
        top = self.owners.top_of(uid)
        self.owners.remove_replica_set(uid)
        self._displace_workload(uid)
        self._touch_workload(top)
        self._touch_pods_of(uid)

    def put_job(self, job: ObjectMetadataOnly) -> None:
        """A Job came or changed; only its own owner is of interest."""
        self.owners.put_job(job)
        self._touch_pods_of(job.metadata.uid)

    def remove_job(self, job: ObjectMetadataOnly) -> None:
        """A Job went."""
        self.owners.remove_job(job.metadata.uid)

    def put_autoscaler(self, scaler: HorizontalPodAutoscaler, previous: HorizontalPodAutoscaler | None = None) -> None:
        """An autoscaler came or changed."""
        if previous is not None:
            self._touch_named(*self._autoscalers.remove(previous))
        self._touch_named(*self._autoscalers.put(scaler))

    def remove_autoscaler(self, scaler: HorizontalPodAutoscaler) -> None:
        """An autoscaler went."""
        self._touch_named(*self._autoscalers.remove(scaler))

    def put_budget(self, budget: PodDisruptionBudget) -> None:
        """A disruption budget came or changed."""
        self._budgets.put(budget)
        self._touch_namespace(budget.metadata.namespace)

    def remove_budget(self, budget: PodDisruptionBudget) -> None:
        """A disruption budget went."""
        self._budgets.remove(budget)
        self._touch_namespace(budget.metadata.namespace)

    def put_event(self, event: Event) -> None:
        """An event came or was repeated."""
        self._touch_object(self.events.put(event))

    def remove_event(self, event: Event) -> None:
        """An event expired."""
        self._touch_object(self.events.remove(event))

    def put_revision(self, revision: Revision) -> None:
        """A revision of a release came or changed."""
        self._touch_release(self.releases.put(revision))

    def remove_revision(self, revision: Revision) -> None:
        """A revision was pruned."""
        self._touch_release(self.releases.remove(revision))

    def put_records(self, key: ReleaseKey, records: Mapping[int, KnownGood]) -> None:
        """What was observed of a release changed; no records forget it."""
        self.releases.put_records(key, records)
        self._touch_release(key)

    def set_usage(self, usage: Mapping[Uid, tuple[int, int]]) -> None:
        """A round of metrics: CPU in millicores and memory in bytes, by pod; pods that lack are unknown."""
        changed = [uid for uid in self._usage.replace(usage) if uid in self.rows]
        # Pods of one application together, so that few applications are rebuilt at a time.
        changed.sort(key=lambda uid: self.rows[uid].app)
        self._dirty_usage.update(dict.fromkeys(changed))

    def set_errors(self, errors: Mapping[AppKey, ErrorRate]) -> None:
        """A round of error rates; applications that lack are unknown."""
        touched = {key for key in errors.keys() | self._errors.keys() if errors.get(key) != self._errors.get(key)}
        self._errors = dict(errors)
        self._dirty_apps.update(dict.fromkeys(touched))

    def set_pods_known(self, known: bool) -> None:
        """Whether pods were listed at least once."""
        if known != self._pods_known:
            self._pods_known = known
            self._dirty_apps.update(dict.fromkeys((*self.applications, *self._workloads_by_app.keys())))

    # -- what it knows -------------------------------------------------------------------------------------------

    def pod(self, uid: Uid) -> Pod | None:
        """The pod as the API server sent it."""
        return self._pods.get(uid)

    def pods(self) -> Iterable[Pod]:
        """All pods."""
        return self._pods.values()

    def controllers(self) -> list[Workload]:
        """Healerd's Deployments."""
        return [running.workload for running in self.owners.deployments() if is_controller(running.workload)]

    def refresh(self, now: float) -> bool:
        """Rebuild what changed; True if any row or application differs from before."""
        self._due(now)
        changed = False
        dirty, self._dirty_pods = self._dirty_pods, {}
        for uid in dirty:
            changed |= self._rebuild_row(uid, now)
        changed |= self._apply_usage()
        apps, self._dirty_apps = self._dirty_apps, {}
        counts, self._dirty_counts = self._dirty_counts, {}
        counts.update(dict.fromkeys(islice(self._dirty_restarts, RESTARTS_PER_REFRESH)))
        for key in apps:
            changed |= self._rebuild_application(key, now)
        for key in counts:
            if key not in apps:
                changed |= self._recount_application(key, now)
        for key in (*apps, *counts):
            self._dirty_restarts.pop(key, None)
        return changed

    # -- how ------------------------------------------------------------------------------------------------------

    def _due(self, now: float) -> None:
        while self._rechecks and self._rechecks[0][0] <= now:
            at, uid = heapq.heappop(self._rechecks)
            if self._recheck_at.get(uid) == at:
                del self._recheck_at[uid]
                self._dirty_pods[uid] = None

    def _rebuild_row(self, uid: Uid, now: float) -> bool:
        pod = self._pods.get(uid)
        before = self.rows.get(uid)
        if pod is None:
            if before is None:
                return False
            del self.rows[uid]
            self._leave(before.app, uid)
            return True
        row = self._row(pod, before, now)
        if row == before:
            return False
        self.rows[uid] = row
        if before is not None and before.app != row.app:
            self._leave(before.app, uid)
        if before is not None and before.app == row.app and before.labels == row.labels:
            same = before.state == row.state and before.ready_containers == row.ready_containers
            (self._dirty_restarts if same else self._dirty_counts)[row.app] = None
        else:
            self._pods_by_app.add(row.app, uid)
            self._dirty_apps[row.app] = None
        return True

    def _row(self, pod: Pod, before: PodRow | None, now: float) -> PodRow:
        uid = pod.metadata.uid
        diagnosis = diagnose_pod(pod, now)
        if diagnosis.recheck_at is not None and self._recheck_at.get(uid) != diagnosis.recheck_at:
            self._recheck_at[uid] = diagnosis.recheck_at
            heapq.heappush(self._rechecks, (diagnosis.recheck_at, uid))
        owner = self.owners.owner_of(pod)
        labels = pod.metadata.labels
        self._usage.note_request(pod)
        usage = self._usage.of(uid)
        return pod_row(
            pod,
            diagnosis,
            owner=owner,
            app=application_key(pod.metadata.namespace, labels, owner, pod.metadata.name),
            track=track_name(labels),
            cpu_millicores=usage[0],
            memory_bytes=usage[1],
            previous=before,
        )

    def _apply_usage(self) -> bool:
        if not self._dirty_usage:
            return False
        batch = list(self._dirty_usage)[:USAGE_ROWS_PER_REFRESH]
        for uid in batch:
            del self._dirty_usage[uid]
            row = self.rows.get(uid)
            if row is not None:
                self.rows[uid] = self._usage.applied(row)
                self._dirty_apps[row.app] = None
        return True

    def _rebuild_application(self, key: AppKey, now: float) -> bool:
        before = self.applications.get(key)
        if key not in self._pods_by_app and key not in self._workloads_by_app:
            self.applications.pop(key, None)
            self._apps_by_namespace.discard(key.namespace, key)
            return before is not None
        self._apps_by_namespace.add(key.namespace, key)
        application = build_application(self._parts(key), before, now)
        if application == before:
            return False
        self.applications[key] = application
        return True

    def _recount_application(self, key: AppKey, now: float) -> bool:
        """The pods of an application changed, but which they are and everything else did not."""
        before = self.applications[key]
        rows = [self.rows[uid] for uid in before.pods]
        workloads = self._workloads_by_app.of(key)
        old = sum(old_replicas(running) for uid in workloads if (running := self.owners.running(uid)) is not None)
        application = recount(before, rows, old=old, pods_known=self._pods_known, now=now)
        if application is before:
            return False
        self.applications[key] = application
        return True

    def _parts(self, key: AppKey) -> Parts:
        uids = self._pods_by_app.of(key)
        rows = [self.rows[uid] for uid in uids]
        places = self._workloads_by_app.of(key)
        workloads = [running for uid in places if (running := self.owners.running(uid)) is not None]
        releases = dict.fromkeys(release for uid in places if (release := self._place_of[uid][1]) is not None)
        return Parts(
            key=key,
            rows=rows,
            workloads=workloads,
            revisions=[revision for release in releases for revision in self.releases.of(release)],
            autoscaler=self._autoscalers.of(running.owner for running in workloads),
            budget=self._budgets.of(key.namespace, _labels(workloads, rows)),
            errors=self._errors.get(key),
            events=self.events.of((*uids, *_objects(workloads))),
            cpu_percent=self._usage.cpu_percent(uids),
            pods_known=self._pods_known,
        )

    def _place_workload(self, owner: OwnerKey, workload: Workload) -> None:
        template_labels = workload.spec.template.metadata.labels
        key = application_key(owner.namespace, template_labels, owner, owner.name)
        release_name = workload.metadata.annotations.get(RELEASE_ANNOTATION)
        release = ReleaseKey(owner.namespace, release_name) if release_name else None
        if self._place_of.get(owner.uid) != (key, release):
            self._displace_workload(owner.uid)
            self._place_of[owner.uid] = (key, release)
            self._workloads_by_app.add(key, owner.uid)
            if release is not None:
                self._workloads_by_release.add(release, owner.uid)
        self._dirty_apps[key] = None

    def _displace_workload(self, uid: Uid) -> None:
        place = self._place_of.pop(uid, None)
        if place is None:
            return
        key, release = place
        self._workloads_by_app.discard(key, uid)
        if release is not None:
            self._workloads_by_release.discard(release, uid)
        self._dirty_apps[key] = None

    def _leave(self, key: AppKey, uid: Uid) -> None:
        self._pods_by_app.discard(key, uid)
        self._dirty_apps[key] = None

    def _touch_namespace(self, namespace: str) -> None:
        self._dirty_apps.update(dict.fromkeys(self._apps_by_namespace.of(namespace)))

    def _touch_release(self, key: ReleaseKey) -> None:
        for uid in self._workloads_by_release.of(key):
            self._touch_workload(uid)

    def _touch_pods_of(self, controller: Uid) -> None:
        self._dirty_pods.update(dict.fromkeys(self._pods_by_controller.of(controller)))

    def _touch_workload(self, uid: Uid) -> None:
        place = self._place_of.get(uid)
        if place is not None:
            self._dirty_apps[place[0]] = None

    def _touch_named(self, kind: str, namespace: str, name: str) -> None:
        uid = self.owners.find(kind, namespace, name)
        if uid is not None:
            self._touch_workload(uid)

    def _touch_object(self, uid: Uid) -> None:
        """An object that an event is about: a pod, a ReplicaSet or a workload."""
        if not uid:
            return
        row = self.rows.get(uid)
        if row is not None:
            self._dirty_apps[row.app] = None
        else:
            self._touch_workload(self.owners.top_of(uid))


def _labels(workloads: Sequence[RunningWorkload], rows: Sequence[PodRow]) -> Mapping[str, str]:
    """Labels of an application's pods, for selectors: those of the template, which exist without any pod too."""
    if workloads:
        return workloads[0].workload.spec.template.metadata.labels
    return rows[0].labels if rows else {}


def _objects(workloads: Iterable[RunningWorkload]) -> Iterator[Uid]:
    """Uids of the workloads and their ReplicaSets."""
    for running in workloads:
        yield running.owner.uid
        for replica_set in running.replica_sets:
            yield replica_set.metadata.uid
