"""What pods request of a node's CPU and memory."""

from collections.abc import Iterable
from dataclasses import dataclass

from selfheal_sandbox.controllers.amounts import millicores, whole
from selfheal_sandbox.store.objects import Object, spec_of, status_of


@dataclass(frozen=True, slots=True)
class Requests:
    """CPU, memory and a number of pods: what is requested, used, or free."""

    cpu_millicores: int = 0
    memory_bytes: int = 0
    pods: int = 0

    def __add__(self, other: "Requests") -> "Requests":
        return Requests(
            self.cpu_millicores + other.cpu_millicores, self.memory_bytes + other.memory_bytes, self.pods + other.pods
        )

    def __sub__(self, other: "Requests") -> "Requests":
        return Requests(
            self.cpu_millicores - other.cpu_millicores, self.memory_bytes - other.memory_bytes, self.pods - other.pods
        )


def container_requests(container: Object) -> Object:
    """Return ``resources.requests`` of a container, never None; do not change the result."""
    requests: Object = (container.get("resources") or {}).get("requests") or {}
    return requests


def requests_of(pod: Object) -> Requests:
    """Return what a pod requests: for each resource, the most that it needs at any time.

    That is its containers with its sidecars or, if more, an init container with the sidecars that stand before it
    (``PodRequests`` of ``k8s.io/component-helpers/resource``).
    """
    spec = spec_of(pod)
    beside = Requests()
    moments = []
    for container in spec.get("initContainers") or []:
        moments.append(_sum([container]) + beside)
        if container.get("restartPolicy") == "Always":
            beside += _sum([container])
    moments.append(_sum(spec.get("containers") or []) + beside)
    return Requests(max(one.cpu_millicores for one in moments), max(one.memory_bytes for one in moments), 1)


def _sum(containers: Iterable[Object]) -> Requests:
    requests = [container_requests(container) for container in containers]
    return Requests(
        sum(millicores(each.get("cpu", 0)) for each in requests), sum(whole(each.get("memory", 0)) for each in requests)
    )


def allocatable_of(node: Object) -> Requests:
    """Return what pods on a node may request together."""
    allocatable = status_of(node).get("allocatable") or status_of(node).get("capacity") or {}
    return Requests(
        millicores(allocatable.get("cpu", 0)), whole(allocatable.get("memory", 0)), whole(allocatable.get("pods", 110))
    )
