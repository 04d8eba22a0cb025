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
    """Return what a pod requests: the sum over its containers, or its largest init container if that is more."""
    spec = spec_of(pod)
    main = _sum(spec.get("containers") or [])
    first = [_sum([container]) for container in spec.get("initContainers") or []]
    cpu = max([main.cpu_millicores, *(each.cpu_millicores for each in first)])
    memory = max([main.memory_bytes, *(each.memory_bytes for each in first)])
    return Requests(cpu, memory, 1)


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
