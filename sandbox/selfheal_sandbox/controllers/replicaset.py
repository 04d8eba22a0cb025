"""The ReplicaSet controller: keeps as many pods of a template as wanted."""

from collections.abc import Iterable

from selfheal_sandbox.api.errors import ApiError
from selfheal_sandbox.api.events import EventType
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.controllers.availability import FINISHED_PHASES, PodCounts, count_pods, is_active
from selfheal_sandbox.controllers.claims import adopted, claim, released
from selfheal_sandbox.controllers.conditions import Verdict, with_verdict, without
from selfheal_sandbox.controllers.controller import Place, differs, intent, newest, place_of, states
from selfheal_sandbox.controllers.keys import PODS, REPLICA_SETS
from selfheal_sandbox.controllers.ownership import Ownership
from selfheal_sandbox.controllers.replica_choice import victims
from selfheal_sandbox.store.objects import (
    Object,
    condition,
    controller_of,
    is_ready,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    owner_reference,
    spec_of,
    status_of,
    uid_of,
)
from selfheal_sandbox.store.selectors import matches_selector
from selfheal_sandbox.store.store import Change

BURST = 50
"""Pods created or deleted in one run; the next run follows at once, after others had their turn. (A cluster: 500.)"""
_COMPONENT = "replicaset-controller"
_FAILURE = "ReplicaFailure"


def replica_facts(pod: Object) -> tuple[object, ...]:
    """Return what about a pod its ReplicaSet depends on.

    Restarts, waiting reasons and messages are not among it, so a pod in CrashLoopBackOff costs nothing here.
    """
    ready = condition(pod, "Ready") if is_ready(pod) else None
    return (
        status_of(pod).get("phase") in FINISHED_PHASES,
        ready and ready.get("lastTransitionTime"),
        is_terminating(pod),
        labels_of(pod),
        controller_of(pod),
    )


def is_namespace_going(error: ApiError) -> bool:
    """Return whether a creation was refused because the namespace is being deleted: nothing to retry."""
    causes = error.details.get("causes") or []
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)


class ReplicaSetController:
    """Creates and deletes pods, adopts and releases them, and counts them in the status."""

    name = "replicaset"
    watches = frozenset({REPLICA_SETS, PODS})

    def __init__(self, objects: Objects, ownership: Ownership) -> None:
        self._objects = objects
        self._ownership = ownership

    def items_for(self, change: Change) -> Iterable[Place]:
        """Return the ReplicaSets that a change of a ReplicaSet or a pod concerns."""
        if change.key == REPLICA_SETS:
            return [place_of(newest(change))] if differs(change, intent) else []
        if not differs(change, replica_facts):
            return []
        return {place for pod in states(change) for place in self._owners(pod)}

    def everything(self) -> Iterable[Place]:
        """Return every ReplicaSet."""
        return [place_of(each) for each in self._objects.store.list(REPLICA_SETS)]

    def reconcile(self, item: Place) -> float | None:
        """Bring one ReplicaSet to the wanted number of pods and update its status.

        Raises:
            ApiError: a pod could not be created. One failed attempt ends the run, so that a refusal is met once for
                each back-off and not once for each missing pod.
        """
        replica_set = self._objects.store.get(REPLICA_SETS, *item)
        if replica_set is None:
            return None
        pods = self._claimed(replica_set)
        failure, more = None, False
        if not is_terminating(replica_set):
            failure, more = self._resize(replica_set, [pod for pod in pods if is_active(pod)])
        counts = self._write_status(replica_set, failure)
        if failure is not None and not is_namespace_going(failure):
            raise failure
        return 0.0 if more else counts.next_available_seconds

    def _owners(self, pod: Object) -> list[Place]:
        """Return the ReplicaSet that owns a pod, or those that would adopt it."""
        owner = controller_of(pod)
        namespace = namespace_of(pod)
        if owner is not None:
            return [Place(namespace, owner["name"])] if owner["kind"] == "ReplicaSet" else []
        candidates = self._objects.store.list(REPLICA_SETS, namespace)
        labels = labels_of(pod)
        return [place_of(each) for each in candidates if matches_selector(spec_of(each).get("selector"), labels)]

    def _claimed(self, replica_set: Object) -> list[Object]:
        """Return the pods that belong to the ReplicaSet, after adopting and releasing some."""
        owned = self._ownership.children(uid_of(replica_set), PODS)
        orphans = self._ownership.orphans(PODS, namespace_of(replica_set))
        claims = claim(replica_set, [*owned, *(pod for pod in orphans if is_active(pod))])
        for pod in claims.release:
            self._objects.patch_object(PODS, pod, lambda current: released(current, replica_set))
        new = [
            self._objects.patch_object(PODS, pod, lambda current: adopted(current, replica_set)) for pod in claims.adopt
        ]
        return [*claims.owned, *new]

    def _resize(self, replica_set: Object, active: list[Object]) -> tuple[ApiError | None, bool]:
        """Create or delete pods; return what refused a creation, and whether more is left to do."""
        missing = int(spec_of(replica_set).get("replicas", 1)) - len(active)
        if missing > 0:
            return self._create(replica_set, min(missing, BURST)), missing > BURST
        if missing < 0:
            self._delete(replica_set, active, min(-missing, BURST))
        return None, missing < -BURST

    def _create(self, replica_set: Object, count: int) -> ApiError | None:
        for _ in range(count):
            try:
                pod = self._objects.create(PODS, namespace_of(replica_set), _new_pod(replica_set))
            except ApiError as error:
                if not is_namespace_going(error):
                    self._event(replica_set, "FailedCreate", f"Error creating: {error.message}", "Warning")
                return error
            self._event(replica_set, "SuccessfulCreate", f"Created pod: {name_of(pod)}")
        return None

    def _delete(self, replica_set: Object, active: list[Object], count: int) -> None:
        for pod in victims(active, count, self._related(replica_set)):
            self._objects.delete(PODS, namespace_of(pod), name_of(pod))
            self._event(replica_set, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}")

    def _related(self, replica_set: Object) -> list[Object]:
        """Return the pods of all ReplicaSets with the same controller."""
        owner = controller_of(replica_set)
        siblings = self._ownership.children(owner["uid"], REPLICA_SETS) if owner else [replica_set]
        return [pod for each in siblings for pod in self._ownership.children(uid_of(each), PODS)]

    def _write_status(self, replica_set: Object, failure: ApiError | None) -> PodCounts:
        current = self._objects.store.get(REPLICA_SETS, *place_of(replica_set)) or replica_set
        pods = self._ownership.children(uid_of(current), PODS)
        now = self._objects.clock()
        counts = count_pods(pods, int(spec_of(current).get("minReadySeconds", 0)), now)
        labels = (spec_of(current)["template"].get("metadata") or {}).get("labels") or {}
        labelled = sum(1 for pod in pods if is_active(pod) and labels.items() <= labels_of(pod).items())
        conditions = list(status_of(current).get("conditions") or [])
        if failure is None:
            conditions = without(conditions, _FAILURE)
        else:
            conditions = with_verdict(conditions, Verdict(_FAILURE, "True", "FailedCreate", failure.message), now)
        self._objects.set_status(REPLICA_SETS, current, _status(current, counts, labelled, conditions))
        return counts

    def _event(self, replica_set: Object, reason: str, message: str, event_type: EventType = "Normal") -> None:
        self._objects.record_event(replica_set, reason, message, type=event_type, component=_COMPONENT)


def _new_pod(replica_set: Object) -> Object:
    template = spec_of(replica_set)["template"]
    given = template.get("metadata") or {}
    copied = {field: given[field] for field in ("labels", "annotations", "finalizers") if given.get(field)}
    return {
        "metadata": {
            **copied,
            "generateName": f"{name_of(replica_set)}-",
            "ownerReferences": [owner_reference(replica_set)],
        },
        "spec": template["spec"],
    }


def _status(replica_set: Object, counts: PodCounts, labelled: int, conditions: list[Object]) -> Object:
    optional = {
        "fullyLabeledReplicas": labelled,
        "readyReplicas": counts.ready,
        "availableReplicas": counts.available,
        "conditions": conditions,
    }
    return {
        "replicas": counts.replicas,
        **{field: value for field, value in optional.items() if value},
        "observedGeneration": replica_set["metadata"].get("generation", 1),
    }
