"""What the sandbox's own nodes look like: labels, capacity, conditions, and the Lease that is their heartbeat."""

import os
import platform
from dataclasses import dataclass
from datetime import datetime

from selfheal_sandbox.controllers.conditions import Verdict, find
from selfheal_sandbox.controllers.topology import HOSTNAME
from selfheal_sandbox.store.objects import Object, now_rfc3339, now_rfc3339_micro, owner_reference, status_of

LEASE_NAMESPACE = "kube-node-lease"
LEASE_DURATION_SECONDS = 40
SANDBOX_NODE = "sandbox.selfheal.internal/node"
PODS_LIMIT = 110
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_HEALTHY = (
    Verdict("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    Verdict("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    Verdict("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    Verdict("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine that every node of the sandbox stands on."""

    cpus: int
    memory_bytes: int
    architecture: str
    kernel: str


def this_machine() -> Machine:
    """Return the machine this process runs on."""
    return Machine(
        cpus=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        architecture=_ARCHITECTURES.get(platform.machine(), platform.machine()),
        kernel=platform.release(),
    )


def node_names(count: int) -> list[str]:
    """Return the names of the sandbox's nodes."""
    return [f"node-{number}" for number in range(1, count + 1)]


def new_node(name: str, machine: Machine, kubelet_version: str, now: datetime) -> Object:
    """Return a Node as a kubelet registers it. Each node offers the whole machine: limits are not enforced."""
    labels = {
        HOSTNAME: name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine.architecture,
        "topology.kubernetes.io/zone": f"zone-{name.rpartition('-')[2]}",
        SANDBOX_NODE: "true",
    }
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"providerID": f"selfheal-sandbox://{name}"},
        "status": node_status({}, name, machine, kubelet_version, now),
    }


def node_status(current: Object, name: str, machine: Machine, kubelet_version: str, now: datetime) -> Object:
    """Return a node's status with fresh heartbeats in its conditions."""
    capacity = {
        "cpu": str(machine.cpus),
        "memory": f"{machine.memory_bytes // 1024}Ki",
        "pods": str(PODS_LIMIT),
        "ephemeral-storage": "0",
    }
    return {
        "capacity": capacity,
        "allocatable": capacity,
        "conditions": [_condition(verdict, current, now) for verdict in _HEALTHY],
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": name}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
        "nodeInfo": _node_info(name, machine, kubelet_version),
    }


def _condition(verdict: Verdict, current: Object, now: datetime) -> Object:
    old = find(current.get("conditions") or [], verdict.type)
    since = old.get("lastTransitionTime") if old and old.get("status") == verdict.status else None
    return {
        "type": verdict.type,
        "status": verdict.status,
        "lastHeartbeatTime": now_rfc3339(now),
        "lastTransitionTime": since or now_rfc3339(now),
        "reason": verdict.reason,
        "message": verdict.message,
    }


def _node_info(name: str, machine: Machine, kubelet_version: str) -> Object:
    return {
        "architecture": machine.architecture,
        "bootID": "",
        "containerRuntimeVersion": "process://1",
        "kernelVersion": machine.kernel,
        "kubeProxyVersion": "",
        "kubeletVersion": kubelet_version,
        "machineID": name,
        "operatingSystem": "linux",
        "osImage": "selfheal sandbox (local processes)",
        "systemUUID": name,
    }


def says_healthy(node: Object) -> bool:
    """Return whether the node's conditions say what the sandbox's kubelet says of it."""
    conditions = status_of(node).get("conditions") or []
    found = {entry.get("type"): entry.get("status") for entry in conditions}
    return all(found.get(verdict.type) == verdict.status for verdict in _HEALTHY)


def new_lease(node: Object, now: datetime) -> Object:
    """Return the Lease whose renewal is the heartbeat of a node."""
    owner = owner_reference(node)
    reference = {field: owner[field] for field in ("apiVersion", "kind", "name", "uid")}
    return {"metadata": {"name": owner["name"], "ownerReferences": [reference]}, "spec": lease_spec(owner["name"], now)}


def lease_spec(node: str, now: datetime) -> Object:
    """Return the spec of a node's Lease, renewed now."""
    return {
        "holderIdentity": node,
        "leaseDurationSeconds": LEASE_DURATION_SECONDS,
        "renewTime": now_rfc3339_micro(now),
    }
