"""Which usage samples of pods an autoscaler may trust.

The rules are those of ``groupPods`` in ``pkg/controller/podautoscaler/replica_calculator.go``.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from selfheal_sandbox.api.ports import ContainerUsage
from selfheal_sandbox.controllers.amounts import millicores, whole
from selfheal_sandbox.controllers.autoscaler_metrics import MetricError, PodSamples
from selfheal_sandbox.controllers.pod_requests import container_requests
from selfheal_sandbox.store.objects import (
    Object,
    condition,
    is_terminating,
    lasting_containers,
    name_of,
    parse_rfc3339,
    status_of,
)

CPU_INITIALISATION_SECONDS = 300
"""For this long after its start a pod's CPU counts only while it is Ready (``...-cpu-initialization-period``)."""
INITIAL_READINESS_SECONDS = 30
"""A pod unready since before this age never was Ready (``--horizontal-pod-autoscaler-initial-readiness-delay``)."""
SAMPLE_WINDOW_SECONDS = 15
"""Time that a sample covers at least: until a pod is Ready for that long, its sample still holds its start."""
SHORTEST_WINDOW_SECONDS = 2
"""Whatever the speed: times in a status are whole seconds, so that up to one of them was cut off."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One resource metric of an autoscaler.

    Attributes:
        resource: ``cpu`` or ``memory``.
        container: only this container counts; "" for the whole pod.
    """

    resource: str
    container: str = ""

    @property
    def label(self) -> str:
        """How messages name the metric."""
        if self.container:
            return f"{self.resource} container resource"
        return f"{self.resource} resource"

    def used(self, usage: Iterable[ContainerUsage]) -> int | None:
        """Return millicores or bytes in use, None without a sample."""
        chosen = [each for each in usage if not self.container or each.name == self.container]
        if not chosen:
            return None
        return sum(each.cpu_millicores if self.resource == "cpu" else each.memory_bytes for each in chosen)

    def requested(self, pod: Object) -> int:
        """Return millicores or bytes that a pod requests.

        Raises:
            MetricError: a container has no request.
        """
        total = 0
        for container in lasting_containers(pod):
            if self.container and container["name"] != self.container:
                continue
            request = container_requests(container).get(self.resource)
            if request is None:
                text = f"missing request for {self.resource} in container {container['name']} of Pod {name_of(pod)}"
                raise MetricError("FailedGetResourceMetric", f"failed to get {self.resource} utilization: {text}")
            total += millicores(request) if self.resource == "cpu" else whole(request)
        return total


def counted_pods(pods: Iterable[Object]) -> list[Object]:
    """Return the pods that a metric looks at: neither being deleted nor failed."""
    return [pod for pod in pods if not is_terminating(pod) and status_of(pod).get("phase") != "Failed"]


def samples(
    metric: Metric,
    pods: Sequence[Object],
    usage_of: Callable[[Object], Iterable[ContainerUsage]],
    now: datetime,
    speed: float,
) -> PodSamples:
    """Sort the usage of ``pods`` (those of `counted_pods`) by how far it can be trusted.

    Args:
        metric: what is measured.
        pods: the pods of the target.
        usage_of: present usage of a pod's containers.
        now: the time.
        speed: divides the periods in which a pod counts as starting.
    """
    used: dict[str, int] = {}
    unready: set[str] = set()
    missing: set[str] = set()
    for pod in pods:
        sample = metric.used(usage_of(pod))
        if status_of(pod).get("phase") == "Pending":
            unready.add(name_of(pod))
        elif sample is None:
            missing.add(name_of(pod))
        elif metric.resource == "cpu" and _is_starting(pod, now, speed):
            unready.add(name_of(pod))
        else:
            used[name_of(pod)] = sample
    return PodSamples(used, frozenset(unready), frozenset(missing))


def _is_starting(pod: Object, now: datetime, speed: float) -> bool:
    """Return whether the pod's CPU sample shows its start rather than its work."""
    ready = condition(pod, "Ready")
    started = status_of(pod).get("startTime")
    if ready is None or not started:
        return True
    is_unready = ready.get("status") == "False"
    start = parse_rfc3339(started)
    changed = parse_rfc3339(ready.get("lastTransitionTime") or started)
    if now < start + timedelta(seconds=CPU_INITIALISATION_SECONDS / speed):
        window = timedelta(seconds=max(SAMPLE_WINDOW_SECONDS / speed, SHORTEST_WINDOW_SECONDS))
        return is_unready or now < changed + window
    return is_unready and changed < start + timedelta(seconds=INITIAL_READINESS_SECONDS / speed)
