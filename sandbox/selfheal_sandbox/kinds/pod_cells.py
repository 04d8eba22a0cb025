"""How a pod is summed up in a table: ready containers, status, restarts (upstream printers.go, printPod)."""

from dataclasses import dataclass
from datetime import datetime

from selfheal_sandbox.kinds.ages import age
from selfheal_sandbox.kinds.filling import parts
from selfheal_sandbox.store.objects import Object, condition, is_condition_true, spec_of, status_of

NODE_LOST = "NodeLost"
_FINISHED = ("Succeeded", "Failed")


@dataclass(slots=True)
class PodSummary:
    """What the columns of a pod show.

    Attributes:
        reason: The status column, such as "Running" or "CrashLoopBackOff".
        last_restart: RFC 3339 time of the newest end of a container, "" when none has ended.
    """

    ready: int = 0
    total: int = 0
    restarts: int = 0
    reason: str = ""
    last_restart: str = ""

    def restart_text(self, now: datetime) -> str:
        """`3 (2m ago)`, or `0`."""
        if self.restarts and self.last_restart:
            return f"{self.restarts} ({age(self.last_restart, now)} ago)"
        return str(self.restarts)


def summarise(pod: Object) -> PodSummary:
    """Sum up a pod."""
    status = status_of(pod)
    sidecars = [one["name"] for one in parts(spec_of(pod), "initContainers") if one.get("restartPolicy") == "Always"]
    summary = PodSummary(total=len(parts(spec_of(pod), "containers")) + len(sidecars))
    summary.reason = status.get("reason") or status.get("phase") or "Unknown"
    scheduled = condition(pod, "PodScheduled") or {}
    if scheduled.get("reason") == "SchedulingGated":
        summary.reason = "SchedulingGated"
    is_initialising = _add_initialisation(summary, pod, sidecars)
    if not is_initialising or is_condition_true(pod, "Initialized"):
        _count_sidecar_restarts(summary, pod, sidecars)
        _add_containers(summary, pod)
    if pod["metadata"].get("deletionTimestamp"):
        if status.get("reason") == NODE_LOST:
            summary.reason = "Unknown"
        elif status.get("phase") not in _FINISHED:
            summary.reason = "Terminating"
    return summary


def _add_initialisation(summary: PodSummary, pod: Object, sidecars: list[str]) -> bool:
    """Take the init containers in; return whether they still keep the pod from starting."""
    total = len(parts(spec_of(pod), "initContainers"))
    for index, container in enumerate(parts(status_of(pod), "initContainerStatuses")):
        state = container.get("state") or {}
        ended = state.get("terminated")
        summary.restarts += container.get("restartCount") or 0
        if ended is not None and ended.get("exitCode") == 0:
            continue
        if container.get("name") in sidecars and container.get("started"):
            summary.ready += bool(container.get("ready"))
            continue
        waiting = (state.get("waiting") or {}).get("reason")
        if ended is not None:
            summary.reason = f"Init:{_end_reason(ended)}"
        elif waiting and waiting != "PodInitializing":
            summary.reason = f"Init:{waiting}"
        else:
            summary.reason = f"Init:{index}/{total}"
        return True
    return False


def _count_sidecar_restarts(summary: PodSummary, pod: Object, sidecars: list[str]) -> None:
    """Forget the restarts of the init phase, which is over, except for the containers that live on."""
    statuses = parts(status_of(pod), "initContainerStatuses")
    summary.restarts = sum(one.get("restartCount") or 0 for one in statuses if one.get("name") in sidecars)


def _add_containers(summary: PodSummary, pod: Object) -> None:
    running = False
    for container in reversed(parts(status_of(pod), "containerStatuses")):
        state = container.get("state") or {}
        summary.restarts += container.get("restartCount") or 0
        ended = ((container.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or ""
        summary.last_restart = max(summary.last_restart, ended)
        if (state.get("waiting") or {}).get("reason"):
            summary.reason = state["waiting"]["reason"]
        elif state.get("terminated") is not None:
            summary.reason = _end_reason(state["terminated"])
        elif container.get("ready") and state.get("running") is not None:
            running = True
            summary.ready += 1
    if summary.reason == "Completed" and running:
        is_ready = (condition(pod, "Ready") or {}).get("status") == "True"
        summary.reason = "Running" if is_ready else "NotReady"


def _end_reason(ended: Object) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def readiness_gates(pod: Object) -> str:
    """`1/2` of the readiness gates are met, or `<none>`."""
    gates = parts(spec_of(pod), "readinessGates")
    if not gates:
        return "<none>"
    found = (condition(pod, gate.get("conditionType", "")) or {} for gate in gates)
    return f"{sum(item.get('status') == 'True' for item in found)}/{len(gates)}"
