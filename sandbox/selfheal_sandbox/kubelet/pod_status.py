"""From the records of a pod's containers to its ``status``: phase and conditions as a kubelet computes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from selfheal_sandbox.kubelet.states import ContainerRecord, Running, Terminated, Waiting
from selfheal_sandbox.store.objects import Object, condition, is_condition_true, now_rfc3339, spec_of, status_of

TERMINAL_PHASES = ("Succeeded", "Failed")
OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
HOST_IP = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What the kubelet knows of a pod besides its containers.

    Attributes:
        ip: its address, "" until it has one.
        stopping: it is being deleted or its time is up, so that nothing restarts any more.
        failure: why it failed as a whole (``reason`` and ``message`` of its status); empty otherwise.
    """

    ip: str
    start_time: datetime
    stopping: bool = False
    failure: Mapping[str, str] = field(default_factory=dict)


def phase(restart_policy: str, records: Sequence[ContainerRecord], current: str, *, stopping: bool) -> str:
    """Return the pod's phase (the kubelet's ``getPhase``); a terminal phase stays."""
    if current in TERMINAL_PHASES:
        return current
    ends = [_end(record) for record in records]
    never_ran = any(
        isinstance(record.state, Waiting) and end is None for record, end in zip(records, ends, strict=True)
    )
    if never_ran and not stopping:
        return "Pending"
    if any(isinstance(record.state, Running) for record in records):
        return "Running"
    if never_ran:
        return "Failed"
    failed = any(end is not None and end.exit_code != 0 for end in ends)
    if not stopping and (restart_policy == "Always" or (restart_policy == "OnFailure" and failed)):
        return "Running"
    return "Failed" if failed else "Succeeded"


def _end(record: ContainerRecord) -> Terminated | None:
    return record.state if isinstance(record.state, Terminated) else record.last


def pod_status(pod: Object, records: Sequence[ContainerRecord], facts: PodFacts, now: datetime) -> Object:
    """Return the whole new ``status`` of ``pod``; fields and conditions that others own are kept."""
    current = status_of(pod)
    new_phase = phase(
        spec_of(pod).get("restartPolicy", "Always"), records, current.get("phase", ""), stopping=facts.stopping
    )
    addresses: Object = {"podIP": facts.ip, "podIPs": [{"ip": facts.ip}]} if facts.ip else {}
    return {
        **current,
        "phase": "Failed" if facts.failure else new_phase,
        **facts.failure,
        "hostIP": HOST_IP,
        "hostIPs": [{"ip": HOST_IP}],
        **addresses,
        "startTime": now_rfc3339(facts.start_time),
        "conditions": _conditions(pod, records, new_phase, bool(facts.ip), now),
        "containerStatuses": [record.to_json() for record in records],
    }


def _conditions(
    pod: Object, records: Sequence[ContainerRecord], new_phase: str, has_ip: bool, now: datetime
) -> list[Object]:
    containers = _containers_problem(records, new_phase)
    wanted = [
        _condition(pod, "PodReadyToStartContainers", None if has_ip else Problem(), now),
        _condition(pod, "Initialized", None, now),
        _condition(pod, "Ready", containers or _gate_problem(pod), now),
        _condition(pod, "ContainersReady", containers, now),
        _condition(pod, "PodScheduled", None, now),
    ]
    others = [entry for entry in status_of(pod).get("conditions") or [] if entry.get("type") not in OWN_CONDITIONS]
    return [*wanted, *others]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a condition does not hold."""

    reason: str = ""
    message: str = ""


def _containers_problem(records: Sequence[ContainerRecord], new_phase: str) -> Problem | None:
    if new_phase in TERMINAL_PHASES:
        return Problem("PodCompleted" if new_phase == "Succeeded" else "PodFailed")
    unready = " ".join(record.name for record in records if not record.ready)
    return Problem("ContainersNotReady", f"containers with unready status: [{unready}]") if unready else None


def _gate_problem(pod: Object) -> Problem | None:
    gates = [gate["conditionType"] for gate in spec_of(pod).get("readinessGates") or []]
    closed = next((gate for gate in gates if not is_condition_true(pod, gate)), None)
    if closed is None:
        return None
    return Problem("ReadinessGatesNotReady", f'the status of pod readiness gate "{closed}" is not "True"')


def _condition(pod: Object, kind: str, problem: Problem | None, now: datetime) -> Object:
    """Make a condition; its transition time moves only when its status does."""
    status = "False" if problem else "True"
    old = condition(pod, kind)
    since = old["lastTransitionTime"] if old and old.get("status") == status else now_rfc3339(now)
    explanation = {"reason": problem.reason, "message": problem.message} if problem else {}
    told = {field: text for field, text in explanation.items() if text}
    return {"type": kind, "status": status, "lastTransitionTime": since, **told}
