"""What the objects of a snapshot look like after the cluster was off: as on nodes that rebooted, no process runs."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network

from selfheal_sandbox.api.events import EVENTS, expired_events
from selfheal_sandbox.controllers.keys import LEASES, NODES, PODS, SERVICES
from selfheal_sandbox.controllers.node_status import LEASE_NAMESPACE, SANDBOX_NODE
from selfheal_sandbox.kubelet.pod_status import TERMINAL_PHASES
from selfheal_sandbox.store.objects import (
    Key,
    Object,
    finalizers_of,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    now_rfc3339,
    revision_of,
    spec_of,
    status_of,
    with_metadata,
    with_spec,
)
from selfheal_sandbox.store.snapshot import Snapshot

REVISION_GAP = 1_000_000
"""Revisions that are skipped: more than can have been given between a snapshot and a crash after it."""
EVENT_LIMIT = 1_000
KILLED_BY_REBOOT = 255
"""Exit code of a container that was there before its node rebooted, as containerd reports it (reason ``Unknown``)."""
_STOPPED = ("Ready", "ContainersReady", "PodReadyToStartContainers")


@dataclass(frozen=True, slots=True)
class Restored:
    """What a store starts with."""

    revision: int
    objects: tuple[tuple[Key, Object], ...]


def after_reboot(snapshot: Snapshot, now: datetime, network: IPv4Network, nodes: Collection[str]) -> Restored:
    """Return what a store starts with after its cluster was off.

    Pods keep their objects and wait for their nodes to start them anew; those that were being deleted are gone. Leases
    have no holder, old events are dropped, Services move to the new network, and nodes that are not wanted any more
    are gone.

    Args:
        snapshot: what there was.
        now: the time of the restart.
        network: the loopback range of the restarted sandbox.
        nodes: the names of the sandbox's nodes.
    """
    events = [obj for key, obj in snapshot.objects if key == EVENTS]
    own_nodes = {name_of(obj) for key, obj in snapshot.objects if key == NODES and labels_of(obj).get(SANDBOX_NODE)}
    dropped = _uninteresting(events, now)
    changes: Mapping[Key, Callable[[Object], Object | None]] = {
        EVENTS: lambda event: None if _place(event) in dropped else event,
        LEASES: released,
        NODES: lambda node: None if name_of(node) in own_nodes - set(nodes) else node,
        PODS: lambda pod: rebooted(pod, now) if spec_of(pod).get("nodeName") in own_nodes else pod,
        SERVICES: lambda service: moved(service, network),
    }
    return Restored(snapshot.revision + REVISION_GAP, tuple(_changed(snapshot, changes)))


def _changed(
    snapshot: Snapshot, changes: Mapping[Key, Callable[[Object], Object | None]]
) -> Iterator[tuple[Key, Object]]:
    for key, obj in snapshot.objects:
        change = changes.get(key)
        changed = change(obj) if change else obj
        if changed is not None:
            yield key, changed


def _place(obj: Object) -> tuple[str, str]:
    return namespace_of(obj), name_of(obj)


def _uninteresting(events: list[Object], now: datetime) -> set[tuple[str, str]]:
    by_age = sorted(events, key=revision_of)
    return {_place(event) for event in [*by_age[:-EVENT_LIMIT], *expired_events(events, now)]}


def released(lease: Object) -> Object:
    """Return a lease as a holder that lets go leaves it; a node's stays, its kubelet renews it."""
    if namespace_of(lease) == LEASE_NAMESPACE or not spec_of(lease).get("holderIdentity"):
        return lease
    return with_spec(lease, holderIdentity="", leaseDurationSeconds=1)


def moved(service: Object, network: IPv4Network) -> Object:
    """Return a Service at the same place in another loopback range."""
    spec = spec_of(service)
    if not str(spec.get("clusterIP") or "").startswith("127."):
        return service
    address = str(
        IPv4Address(int(network.network_address) + int(IPv4Address(spec["clusterIP"])) % network.num_addresses)
    )
    return with_spec(service, clusterIP=address, clusterIPs=[address])


def rebooted(pod: Object, now: datetime) -> Object | None:
    """Return a pod of a node that rebooted: nothing of it runs, nothing is ready, and it has no address.

    None for one that was being deleted; one that a finalizer keeps goes with that, as no kubelet has to stop it.
    """
    if is_terminating(pod):
        return with_metadata(pod, deletionGracePeriodSeconds=0) if finalizers_of(pod) else None
    status = status_of(pod)
    if status.get("phase") in TERMINAL_PHASES or not status.get("containerStatuses"):
        return pod
    kept = {field: value for field, value in status.items() if field not in ("podIP", "podIPs")}
    statuses = {
        field: [_stopped(container, now) for container in status[field]]
        for field in ("initContainerStatuses", "containerStatuses")
        if field in status
    }
    conditions = [_unmet(entry, now) for entry in status.get("conditions") or []]
    return {**pod, "status": {**kept, **statuses, "conditions": conditions}}


def _stopped(container: Object, now: datetime) -> Object:
    """Return a container's status without its process; how one ended earlier stays."""
    running = (container.get("state") or {}).get("running")
    idle = {**container, "ready": False, "started": False}
    if running is None:
        return idle
    end = {
        "exitCode": KILLED_BY_REBOOT,
        "reason": "Unknown",
        "startedAt": running.get("startedAt") or now_rfc3339(now),
        "finishedAt": now_rfc3339(now),
        "containerID": container.get("containerID", ""),
    }
    return {**idle, "state": {"terminated": end}}


def _unmet(condition: Object, now: datetime) -> Object:
    if condition.get("type") not in _STOPPED or condition.get("status") != "True":
        return condition
    return {**condition, "status": "False", "lastTransitionTime": now_rfc3339(now)}
