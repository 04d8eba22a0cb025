"""What is special about init containers: how they restart, and when a pod is initialised. Values in, values out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from selfheal_sandbox.kubelet.states import ContainerRecord, Running, Terminated
from selfheal_sandbox.store.objects import Object


def is_sidecar(spec: Object) -> bool:
    """Return whether an init container goes on beside the others once it has started."""
    return spec.get("restartPolicy") == "Always"


def restart_policy(spec: Object, pod_policy: str) -> str:
    """Return an init container's restart policy: one that succeeded never runs again, a sidecar always does."""
    if is_sidecar(spec):
        return "Always"
    return "Never" if pod_policy == "Never" else "OnFailure"


@dataclass(frozen=True, slots=True)
class InitRecord:
    """An init container, now."""

    record: ContainerRecord
    sidecar: bool

    @property
    def is_complete(self) -> bool:
        """Whether the next container may start."""
        return self.record.started if self.sidecar else _exit_code(self.record) == 0

    @property
    def has_failed(self) -> bool:
        """Whether it ended, not well, and is no sidecar."""
        return not self.sidecar and _exit_code(self.record) not in (None, 0)

    def to_json(self) -> Object:
        """Return a ``ContainerStatus``; one that is no sidecar is ready when it succeeded, and only then."""
        status = self.record.to_json()
        return status if self.sidecar else {**status, "ready": self.is_complete, "started": self._runs}

    @property
    def _runs(self) -> bool:
        return isinstance(self.record.state, Running)


def _exit_code(record: ContainerRecord) -> int | None:
    return record.state.exit_code if isinstance(record.state, Terminated) else None


def incomplete(records: Iterable[InitRecord]) -> str:
    """Return the names of those that keep the pod from being initialised, as a condition lists them."""
    return " ".join(one.record.name for one in records if not one.is_complete)


def sidecars(records: Sequence[InitRecord]) -> list[ContainerRecord]:
    """Return the records of the sidecars."""
    return [one.record for one in records if one.sidecar]
