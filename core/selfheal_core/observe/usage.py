"""Use of CPU and memory by pod, and how much of the requested CPU an application uses."""

from collections.abc import Iterable, Mapping

import msgspec

from selfheal_core.domain.objects import Pod, PodMetrics, Uid
from selfheal_core.domain.quantities import cpu_millicores, memory_bytes
from selfheal_core.domain.snapshot import PodRow


class Usage:
    """The last round of metrics, beside what pods request."""

    def __init__(self) -> None:
        self._used: dict[Uid, tuple[int, int]] = {}
        self._requested: dict[Uid, int] = {}

    def note_request(self, pod: Pod) -> None:
        """Remember how much CPU a pod requests."""
        self._requested[pod.metadata.uid] = requested_millicores(pod)

    def forget(self, uid: Uid) -> None:
        """The pod is gone."""
        self._used.pop(uid, None)
        self._requested.pop(uid, None)

    def replace(self, used: Mapping[Uid, tuple[int, int]]) -> list[Uid]:
        """Take a round of metrics in; gives the pods whose figures changed."""
        changed = [uid for uid in used.keys() | self._used.keys() if used.get(uid) != self._used.get(uid)]
        self._used = dict(used)
        return changed

    def applied(self, row: PodRow) -> PodRow:
        """The row with its present figures; None where they are unknown."""
        cpu, memory = self._used.get(row.uid, (None, None))
        return msgspec.structs.replace(row, cpu_millicores=cpu, memory_bytes=memory)

    def of(self, uid: Uid) -> tuple[int | None, int | None]:
        """CPU in millicores and memory in bytes; None where unknown."""
        return self._used.get(uid, (None, None))

    def cpu_percent(self, uids: Iterable[Uid]) -> int | None:
        """Use over request of the pods for which both are known, as the autoscaler computes it; else None."""
        used = requested = 0
        for uid in uids:
            figures = self._used.get(uid)
            request = self._requested.get(uid, 0)
            if figures is not None and request:
                used += figures[0]
                requested += request
        return round(100 * used / requested) if requested else None


def requested_millicores(pod: Pod) -> int:
    """CPU request of all containers together; 0 if any of them has none that can be read."""
    total = 0
    for container in pod.spec.containers:
        quantity = container.resources.requests.get("cpu")
        if quantity is None:
            return 0
        try:
            total += cpu_millicores(quantity)
        except ValueError:
            return 0
    return total


def measured(metrics: PodMetrics) -> tuple[int, int] | None:
    """CPU in millicores and memory in bytes of a pod's containers together; None if a figure can't be read."""
    cpu = memory = 0
    try:
        for container in metrics.containers:
            cpu += cpu_millicores(container.usage["cpu"])
            memory += memory_bytes(container.usage["memory"])
    except (KeyError, ValueError):
        return None
    return (cpu, memory) if metrics.containers else None
