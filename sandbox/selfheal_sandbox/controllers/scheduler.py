"""The scheduler: gives pods a node."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.controllers.availability import is_active
from selfheal_sandbox.controllers.conditions import Verdict, with_verdict
from selfheal_sandbox.controllers.controller import Place, differs, newest, place_of
from selfheal_sandbox.controllers.keys import NODES, PODS
from selfheal_sandbox.controllers.node_load import NodeLoad
from selfheal_sandbox.controllers.scheduling import Candidate, choose
from selfheal_sandbox.controllers.topology import Placement
from selfheal_sandbox.store.objects import (
    Object,
    is_ready,
    is_terminating,
    labels_of,
    name_of,
    spec_of,
    status_of,
    with_spec,
)
from selfheal_sandbox.store.store import Change

SCHEDULER_NAME = "default-scheduler"
FLUSH_SECONDS = 300
"""A pod without a node is looked at again after this time even when nothing happened, as kube-scheduler does."""
_SCHEDULED = "PodScheduled"


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A pod without a node: why, when that was told, and whether the arrival of another pod can help."""

    message: str
    told: datetime
    wants_company: bool


class Scheduler:
    """Binds each pod that names this scheduler to the best node, and retries the others when there is news."""

    name = "scheduler"
    watches = frozenset({PODS, NODES})

    def __init__(self, objects: Objects, load: NodeLoad, *, speed: float) -> None:
        self._objects = objects
        self._load = load
        self._flush_seconds = FLUSH_SECONDS / speed
        self._waiting: dict[Place, _Waiting] = {}

    def items_for(self, change: Change) -> Iterable[Place]:
        """Return the pods to schedule because of a change: a new one, or all that wait when there may be room."""
        if change.key == NODES:
            return list(self._waiting) if differs(change, _node_facts) else []
        pod = newest(change)
        if change.type != "DELETED" and _wants_node(pod):
            return [place_of(pod)] if differs(change, _wishes) else []
        self._waiting.pop(place_of(pod), None)
        if change.type != "DELETED" and differs(change, _node_of):
            return [place for place, waiting in self._waiting.items() if waiting.wants_company]
        return list(self._waiting) if _may_make_room(change) else []

    def everything(self) -> Iterable[Place]:
        """Return every pod without a node."""
        return [place_of(pod) for pod in self._objects.store.list(PODS) if _wants_node(pod)]

    def reconcile(self, item: Place) -> float | None:
        """Give one pod a node, or say why there is none."""
        pod = self._objects.store.get(PODS, *item)
        if pod is None or not _wants_node(pod):
            self._waiting.pop(item, None)
            return None
        if spec_of(pod).get("schedulingGates"):
            text = "Scheduling is blocked due to non-empty scheduling gates"
            self._say(pod, Verdict(_SCHEDULED, "False", "SchedulingGated", text))
            return None
        choice = choose(pod, self._candidates())
        if choice.node is None:
            return self._wait(pod, choice.message)
        self._waiting.pop(item, None)
        self._bind(pod, choice.node)
        return None

    def _candidates(self) -> list[Candidate]:
        nodes = self._objects.store.list(NODES)
        return [
            Candidate(Placement(node, self._load.pods_on(name_of(node))), self._load.used_on(name_of(node)))
            for node in nodes
        ]

    def _wait(self, pod: Object, message: str) -> float:
        """Let a pod wait for news; tell why when the reason is new, and again from time to time."""
        now = self._objects.clock()
        known = self._waiting.get(place_of(pod))
        if known is None or known.message != message or now >= known.told + timedelta(seconds=self._flush_seconds):
            self._objects.record_event(pod, "FailedScheduling", message, type="Warning", component=SCHEDULER_NAME)
            self._say(pod, Verdict(_SCHEDULED, "False", "Unschedulable", message))
            company = bool((spec_of(pod).get("affinity") or {}).get("podAffinity"))
            self._waiting[place_of(pod)] = _Waiting(message, now, company)
        return self._flush_seconds

    def _bind(self, pod: Object, node: str) -> None:
        now = self._objects.clock()

        def change(current: Object) -> Object:
            conditions = with_verdict(status_of(current).get("conditions") or [], Verdict(_SCHEDULED, "True", ""), now)
            bound = with_spec(current, nodeName=node)
            return {**bound, "status": {**status_of(current), "conditions": conditions}}

        self._objects.patch_object(PODS, pod, change)
        place = place_of(pod)
        text = f"Successfully assigned {place.namespace}/{place.name} to {node}"
        self._objects.record_event(pod, "Scheduled", text, component=SCHEDULER_NAME)

    def _say(self, pod: Object, verdict: Verdict) -> None:
        status = status_of(pod)
        conditions = with_verdict(status.get("conditions") or [], verdict, self._objects.clock())
        self._objects.set_status(PODS, pod, {**status, "conditions": conditions})


def _wants_node(pod: Object) -> bool:
    spec = spec_of(pod)
    mine = spec.get("schedulerName", SCHEDULER_NAME) == SCHEDULER_NAME
    return mine and not spec.get("nodeName") and is_active(pod)


def _wishes(pod: Object) -> object:
    """Return what the choice of a node depends on in the pod itself."""
    return pod.get("spec"), labels_of(pod), is_terminating(pod)


def _node_facts(node: Object) -> object:
    """Return what the choice depends on in a node; heartbeats are not among it."""
    return node.get("spec"), labels_of(node), is_ready(node), status_of(node).get("allocatable"), is_terminating(node)


def _may_make_room(change: Change) -> bool:
    """Return whether a pod left a node, or changed in what others want to be near to or far from."""
    if change.type == "ADDED" or change.old is None:
        return False
    if change.type == "DELETED":
        return bool(spec_of(change.old.obj).get("nodeName"))
    return _presence(change.old.obj) != _presence(change.new.obj)


def _presence(pod: Object) -> object:
    return is_active(pod), labels_of(pod)


def _node_of(pod: Object) -> object:
    return spec_of(pod).get("nodeName")
