"""From the records of a pod's containers to its ``status``: phase and conditions as a kubelet computes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from selfheal_sandbox.kubelet.init_containers import InitRecord, incomplete, sidecars
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
        initial: its init containers.
    """

    ip: str
    start_time: datetime
    stopping: bool = False
    failure: Mapping[str, str] = field(default_factory=dict)
    initial: Sequence[InitRecord] = ()


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
    new_phase = _phase(pod, records, facts)
    addresses: Object = {"podIP": facts.ip, "podIPs": [{"ip": facts.ip}]} if facts.ip else {}
    return {
        **current,
        "phase": "Failed" if facts.failure else new_phase,
        **facts.failure,
        "hostIP": HOST_IP,
        "hostIPs": [{"ip": HOST_IP}],
        **addresses,
        "startTime": now_rfc3339(facts.start_time),
        "conditions": _conditions(pod, records, facts, new_phase, now),
        **({"initContainerStatuses": [one.to_json() for one in facts.initial]} if facts.initial else {}),
        "containerStatuses": [record.to_json() for record in records],
    }


def _phase(pod: Object, records: Sequence[ContainerRecord], facts: PodFacts) -> str:
    """Return the phase with regard to init containers, which are of no importance to it once they succeeded."""
    policy, current = spec_of(pod).get("restartPolicy", "Always"), status_of(pod).get("phase", "")
    if policy == "Never" and any(one.has_failed for one in facts.initial):
        return "Failed"
    new = phase(policy, records, current, stopping=facts.stopping)
    lives_on = any(isinstance(record.state, Running) for record in sidecars(facts.initial))
    return "Running" if lives_on and new in TERMINAL_PHASES and current not in TERMINAL_PHASES else new


def _conditions(
    pod: Object, records: Sequence[ContainerRecord], facts: PodFacts, new_phase: str, now: datetime
) -> list[Object]:
    containers = _containers_problem([*sidecars(facts.initial), *records], new_phase)
    wanted = [
        _condition(pod, "PodReadyToStartContainers", None if facts.ip else Problem(), now),
        _condition(pod, "Initialized", _initial_problem(records, facts.initial, new_phase), now),
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


def _initial_problem(
    records: Sequence[ContainerRecord], initial: Sequence[InitRecord], new_phase: str
) -> Problem | None:
    """Return what keeps the pod from being initialised; nothing does once one of its containers runs."""
    names = incomplete(initial)
    if not names or new_phase == "Succeeded" or any(isinstance(record.state, Running) for record in records):
        return None
    return Problem("ContainersNotInitialized", f"containers with incomplete status: [{names}]")


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
