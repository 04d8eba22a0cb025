"""Nodes: they register and send heartbeats, and pods leave them when they are tainted or gone."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from selfheal_sandbox.api.deletion import DeleteOptions
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.controllers.controller import Place, differs, newest, place_of
from selfheal_sandbox.controllers.keys import LEASES, NODES, PODS
from selfheal_sandbox.controllers.node_load import NodeLoad
from selfheal_sandbox.controllers.node_status import (
    LEASE_NAMESPACE,
    SANDBOX_NODE,
    Machine,
    lease_spec,
    new_lease,
    new_node,
    node_status,
    says_healthy,
)
from selfheal_sandbox.controllers.tolerations import (
    NO_EXECUTE,
    UNSCHEDULABLE,
    stays_for_seconds,
    taints_of,
    tolerations_of,
)
from selfheal_sandbox.store.objects import (
    Object,
    condition,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    now_rfc3339,
    parse_rfc3339,
    spec_of,
    status_of,
    uid_of,
)
from selfheal_sandbox.store.store import Change

HEARTBEAT_SECONDS = 10.0
"""How often a kubelet renews its Lease (a quarter of the lease's duration)."""
REPORT_SECONDS = 300.0
"""How often a kubelet writes an unchanged status (``nodeStatusReportFrequency``)."""
QUARANTINE_SECONDS = 40.0
"""How long pods of a node that is gone are left alone, in case it comes back (``quarantineTime`` of the pod GC)."""


class NodeHeartbeats:
    """Registers the sandbox's nodes at the start and keeps their Leases and conditions fresh.

    As on a cluster, a node that somebody deletes comes back only when its kubelet starts again.
    """

    name = "node-heartbeat"
    watches = frozenset({NODES})

    def __init__(self, objects: Objects, names: Iterable[str], machine: Machine, kubelet_version: str) -> None:
        self._objects = objects
        self._machine = machine
        self._version = kubelet_version
        self._names = tuple(names)

    def register(self) -> None:
        """Create the nodes that do not exist yet."""
        now = self._objects.clock()
        for name in self._names:
            if self._objects.store.get(NODES, "", name) is None:
                node = self._objects.create(NODES, "", new_node(name, self._machine, self._version, now))
                status = node_status({}, name, self._machine, self._version, now)
                node = self._objects.set_status(NODES, node, status) or node
                text = f"Node {name} event: Registered Node {name} in Controller"
                self._objects.record_event(node, "RegisteredNode", text, component="node-controller")

    def items_for(self, change: Change) -> Iterable[Place]:
        """Return a node of the sandbox whose conditions somebody else changed."""
        node = newest(change)
        return [place_of(node)] if change.type != "DELETED" and self._is_own(node) and not says_healthy(node) else []

    def everything(self) -> Iterable[Place]:
        """Return the sandbox's nodes."""
        return [Place("", name) for name in self._names]

    def reconcile(self, item: Place) -> float | None:
        """Send one heartbeat."""
        node = self._objects.store.get(NODES, *item)
        if node is None:
            return None
        now = self._objects.clock()
        self._renew_lease(node, now)
        if not says_healthy(node) or _is_report_due(node, now):
            status = node_status(status_of(node), item.name, self._machine, self._version, now)
            self._objects.set_status(NODES, node, {**status_of(node), **status})
        return HEARTBEAT_SECONDS

    def _is_own(self, node: Object) -> bool:
        return name_of(node) in self._names and labels_of(node).get(SANDBOX_NODE) == "true"

    def _renew_lease(self, node: Object, now: datetime) -> None:
        lease = self._objects.store.get(LEASES, LEASE_NAMESPACE, name_of(node))
        if lease is None:
            self._objects.create(LEASES, LEASE_NAMESPACE, new_lease(node, now))
        else:
            spec = lease_spec(name_of(node), now)
            self._objects.patch_object(LEASES, lease, lambda current: {**current, "spec": spec})


def _is_report_due(node: Object, now: datetime) -> bool:
    last = (condition(node, "Ready") or {}).get("lastHeartbeatTime")
    return last is None or now >= parse_rfc3339(last) + timedelta(seconds=REPORT_SECONDS)


class NodeLifecycle:
    """Taints cordoned nodes, and removes pods from nodes with NoExecute taints and from nodes that are gone."""

    name = "node-lifecycle"
    watches = frozenset({NODES, PODS})

    def __init__(self, objects: Objects, load: NodeLoad, *, speed: float) -> None:
        self._objects = objects
        self._load = load
        self._quarantine_seconds = QUARANTINE_SECONDS / speed
        self._gone_since: dict[str, datetime] = {}

    def items_for(self, change: Change) -> Iterable[Place]:
        """Return the node that changed, or the one a pod was just bound to."""
        obj = newest(change)
        if change.key == NODES:
            return [place_of(obj)] if differs(change, spec_of) else []
        node = spec_of(obj).get("nodeName")
        if change.type == "DELETED" or not node or not differs(change, _binding):
            return []
        return [Place("", node)] if self._needs_care(node) else []

    def everything(self) -> Iterable[Place]:
        """Return every node, those that only pods speak of too."""
        named = {spec_of(pod).get("nodeName") for pod in self._objects.store.list(PODS)}
        known = {name_of(node) for node in self._objects.store.list(NODES)}
        return [Place("", name) for name in sorted(known | {name for name in named if name})]

    def reconcile(self, item: Place) -> float | None:
        """See to one node and the pods on it."""
        node = self._objects.store.get(NODES, *item)
        now = self._objects.clock()
        if node is None:
            return self._clear(item.name, now)
        self._gone_since.pop(item.name, None)
        tainted = self._objects.patch_object(NODES, node, lambda current: with_cordon_taint(current, now))
        self._report_cordon(node, tainted)
        return self._evict(tainted, now)

    def _report_cordon(self, before: Object, after: Object) -> None:
        if has_cordon_taint(before) != has_cordon_taint(after):
            reason = "NodeNotSchedulable" if has_cordon_taint(after) else "NodeSchedulable"
            text = f"Node {name_of(after)} status is now: {reason}"
            self._objects.record_event(after, reason, text, component="kubelet")

    def _needs_care(self, name: str) -> bool:
        node = self._objects.store.get(NODES, "", name)
        return node is None or any(taint.get("effect") == NO_EXECUTE for taint in taints_of(node))

    def _clear(self, name: str, now: datetime) -> float | None:
        """Remove the pods of a node that is gone, once it has been gone for long enough."""
        pods = self._load.pods_on(name)
        if not pods:
            self._gone_since.pop(name, None)
            return None
        left = self._gone_since.setdefault(name, now) + timedelta(seconds=self._quarantine_seconds) - now
        if left > timedelta(0):
            return left.total_seconds()
        for pod in pods:
            text = f"PodGC: node {name} is gone"
            self._objects.record_event(pod, "DeletingOrphanedPod", text, component="pod-garbage-collector")
            self._remove(pod, grace_period_seconds=0)
        # Pods that name the node later are left alone as long again.
        del self._gone_since[name]
        return None

    def _evict(self, node: Object, now: datetime) -> float | None:
        """Delete the pods that do not tolerate the node's NoExecute taints; return when the next one's time is up."""
        taints = [taint for taint in taints_of(node) if taint.get("effect") == NO_EXECUTE]
        waits: list[float] = []
        for pod in self._load.pods_on(name_of(node)) if taints else ():
            stay = stays_for_seconds(taints, tolerations_of(pod))
            if stay is None or is_terminating(pod):
                continue
            left = (_latest(taints, now) + timedelta(seconds=stay) - now).total_seconds() if stay else 0.0
            if left > 0:
                waits.append(left)
            else:
                text = f"Marking for deletion Pod {namespace_of(pod)}/{name_of(pod)}"
                self._objects.record_event(pod, "TaintManagerEviction", text, component="taint-eviction-controller")
                self._remove(pod)
        return min(waits, default=None)

    def _remove(self, pod: Object, grace_period_seconds: int | None = None) -> None:
        options = DeleteOptions(grace_period_seconds=grace_period_seconds, uid=uid_of(pod))
        self._objects.delete(PODS, namespace_of(pod), name_of(pod), options=options)


def _binding(pod: Object) -> object:
    return spec_of(pod).get("nodeName"), spec_of(pod).get("tolerations")


def _latest(taints: Iterable[Object], now: datetime) -> datetime:
    """Return when the youngest of the taints was added; one without a time counts from now."""
    times = [parse_rfc3339(taint["timeAdded"]) for taint in taints if taint.get("timeAdded")]
    return max(times, default=now)


def has_cordon_taint(node: Object) -> bool:
    """Return whether the node carries the taint that says ``spec.unschedulable``."""
    return any(_is_cordon(taint) for taint in taints_of(node))


def with_cordon_taint(node: Object, now: datetime) -> Object:
    """Return the node with the taint that says ``spec.unschedulable``, or without it, and NoExecute taints dated.

    Dates matter for ``tolerationSeconds``: without one, the time a pod may stay would start anew with every look.
    """
    taints = [_dated(taint, now) for taint in taints_of(node)]
    if not spec_of(node).get("unschedulable"):
        taints = [taint for taint in taints if not _is_cordon(taint)]
    elif not has_cordon_taint(node):
        taints.append({**UNSCHEDULABLE, "timeAdded": now_rfc3339(now)})
    if taints == taints_of(node):
        return node
    spec = {field: value for field, value in spec_of(node).items() if field != "taints"}
    return {**node, "spec": {**spec, "taints": taints} if taints else spec}


def _is_cordon(taint: Object) -> bool:
    return (taint["key"], taint.get("effect")) == (UNSCHEDULABLE["key"], UNSCHEDULABLE["effect"])


def _dated(taint: Object, now: datetime) -> Object:
    if taint.get("effect") != NO_EXECUTE or taint.get("timeAdded"):
        return taint
    return {**taint, "timeAdded": now_rfc3339(now)}
