"""What one container is doing, as a value; every change makes a new one."""

from dataclasses import dataclass, replace
from datetime import datetime

from selfheal_sandbox.store.objects import Object, now_rfc3339

KILLED_BY_SIGNAL = 128
"""Added to a signal number to make an exit code, as a container runtime reports it."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not running, and why."""

    reason: str
    message: str = ""

    def to_json(self) -> Object:
        """Return a ``ContainerState``."""
        return {"waiting": {"reason": self.reason, **({"message": self.message} if self.message else {})}}


@dataclass(frozen=True, slots=True)
class Running:
    """Its process runs."""

    started_at: datetime

    def to_json(self) -> Object:
        """Return a ``ContainerState``."""
        return {"running": {"startedAt": now_rfc3339(self.started_at)}}


@dataclass(frozen=True, slots=True)
class Terminated:
    """Its process ended.

    Attributes:
        exit_code: 0 to 255; 128 + signal number when a signal ended it.
    """

    exit_code: int
    reason: str
    started_at: datetime
    finished_at: datetime
    container_id: str = ""
    message: str = ""

    @property
    def ran_seconds(self) -> float:
        """How long the process lived."""
        return (self.finished_at - self.started_at).total_seconds()

    def to_json(self) -> Object:
        """Return a ``ContainerState``."""
        body: Object = {
            "exitCode": self.exit_code,
            "reason": self.reason,
            "startedAt": now_rfc3339(self.started_at),
            "finishedAt": now_rfc3339(self.finished_at),
        }
        optional = {"message": self.message, "containerID": self.container_id}
        return {"terminated": {**body, **{name: value for name, value in optional.items() if value}}}


State = Waiting | Running | Terminated


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """One container of a pod, now.

    Attributes:
        last: how the instance before this one ended.
        started: the startup probe succeeded, or there is none and the process runs.
    """

    name: str
    image: str
    state: State = Waiting("ContainerCreating")
    last: Terminated | None = None
    restart_count: int = 0
    ready: bool = False
    started: bool = False
    container_id: str = ""
    image_id: str = ""

    @property
    def has_run(self) -> bool:
        """Whether there was an instance before, of this kubelet or an earlier one."""
        return self.last is not None or not isinstance(self.state, Waiting)

    def waiting(self, reason: str, message: str = "") -> "ContainerRecord":
        """Return the record of a container that waits."""
        return replace(self, state=Waiting(reason, message), ready=False, started=False)

    def running(self, now: datetime, container_id: str, *, started: bool, ready: bool) -> "ContainerRecord":
        """Return the record of a container whose process was just made; an instance that ended becomes the last one."""
        last = self.state if isinstance(self.state, Terminated) else self.last
        return replace(self, state=Running(now), last=last, container_id=container_id, started=started, ready=ready)

    def with_health(self, *, started: bool, ready: bool) -> "ContainerRecord":
        """Return the record after a probe changed its mind."""
        return replace(self, started=started, ready=ready)

    def terminated(self, how: Terminated) -> "ContainerRecord":
        """Return the record of a container whose process ended."""
        return replace(self, state=how, ready=False, started=False)

    def backing_off(self, how: Terminated, message: str) -> "ContainerRecord":
        """Return the record of a container that ended too often and waits before its next instance."""
        return replace(self.waiting("CrashLoopBackOff", message), last=how)

    def counting_restart(self) -> "ContainerRecord":
        """Return the record at the moment that a further instance is made."""
        return replace(self, restart_count=self.restart_count + 1)

    def to_json(self) -> Object:
        """Return a ``ContainerStatus``."""
        body: Object = {
            "name": self.name,
            "image": self.image,
            "imageID": self.image_id,
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restart_count,
            "state": self.state.to_json(),
            "lastState": self.last.to_json() if self.last else {},
        }
        return {**body, "containerID": self.container_id} if self.container_id else body


def exit_reason(exit_code: int) -> str:
    """Return the reason a container runtime gives for an exit code."""
    return "Completed" if exit_code == 0 else "Error"


def should_restart(policy: str, exit_code: int) -> bool:
    """Return whether a pod's ``restartPolicy`` wants a new instance after this exit code."""
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)
