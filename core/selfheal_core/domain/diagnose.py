"""What is wrong with a pod: its state in one word, and why in one sentence.

Two tables decide, both read from top to bottom: ``RULES`` for the pod as a whole, ``WAITING`` for the reason a
container waits. A pod is as bad as its worst container.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from selfheal_core.domain.escape import printable
from selfheal_core.domain.exits import MESSAGE_LIMIT, exit_clause, last_run, run_seconds, went_with_its_node
from selfheal_core.domain.objects import Condition, ContainerStatus, Pod
from selfheal_core.domain.snapshot import PodState, Severity
from selfheal_core.domain.times import parse_time
from selfheal_core.domain.words import counted

BACKOFF_RESET_SECONDS = 600.0
"""The kubelet forgets its restart back-off after ten minutes of running (Kubernetes docs, pod lifecycle)."""
STARTING_SECONDS = 30.0
"""A container that runs but is not ready counts as starting for this long, then as unready."""
SLOW_START_SECONDS = 120.0
"""Creating a container for longer than this deserves a warning."""
UNSCHEDULABLE_SECONDS = 60.0
"""No node for longer than this is bad; before, an autoscaler may just be adding one."""
TERMINATION_SLACK_SECONDS = 30.0
"""A pod that outlives its grace period by this much is stuck."""


class Diagnosis(NamedTuple):
    """State of a pod.

    Attributes:
        reason: One sentence without a full stop.
        since: When the state began, as far as the pod itself tells.
        recheck_at: When the passing of time alone may change the diagnosis; None if it can't.
    """

    state: PodState
    severity: Severity
    reason: str
    since: float | None
    recheck_at: float | None = None


class Wait(NamedTuple):
    """One row of ``WAITING``; the sentence may use ``{name}``, ``{image}`` and ``{why}``."""

    state: PodState
    severity: Severity
    sentence: str


WAITING: Mapping[str, Wait] = {
    "ImagePullBackOff": Wait("image error", "bad", "image {image} can't be pulled{why}"),
    "ErrImagePull": Wait("image error", "bad", "image {image} can't be pulled{why}"),
    "ErrImageNeverPull": Wait(
        "image error", "bad", "image {image} is not on the node, and its pull policy Never forbids to fetch it"
    ),
    "InvalidImageName": Wait("image error", "bad", "image name {image} is not valid"),
    "ImageInspectError": Wait("image error", "bad", "image {image} can't be read on the node{why}"),
    "RegistryUnavailable": Wait("image error", "bad", "the registry of image {image} does not answer{why}"),
    "SignatureValidationFailed": Wait("image error", "bad", "the signature of image {image} was refused{why}"),
    "CreateContainerConfigError": Wait("config error", "bad", "container {name} can't be configured{why}"),
    "CreateContainerError": Wait("config error", "bad", "container {name} can't be created{why}"),
    "RunContainerError": Wait("config error", "bad", "container {name} can't be started{why}"),
    "PreCreateHookError": Wait("config error", "bad", "container {name} can't be created{why}"),
    "PreStartHookError": Wait("config error", "bad", "container {name} can't be started{why}"),
    "PostStartHookError": Wait("config error", "bad", "the postStart hook of container {name} fails{why}"),
    "ContainerCreating": Wait("starting", "info", "container {name} is being created"),
    "PodInitializing": Wait("starting", "info", "container {name} waits for the init containers"),
    "": Wait("starting", "info", "container {name} waits to be started"),
}
"""Why a container waits -> what that means (reasons: kubelet ``pkg/kubelet/images`` and ``kuberuntime``).

``CrashLoopBackOff`` is not in the table: its sentence tells how the last run ended.
"""

_FAILED: Mapping[str, tuple[Severity, str]] = {
    "Evicted": ("warn", "was evicted by its node{why}"),
    "Preempting": ("warn", "had to make room for a pod of higher priority{why}"),
    "Terminated": ("warn", "was ended because its node shut down{why}"),
    "NodeShutdown": ("warn", "was ended because its node shut down{why}"),
    "NodeLost": ("bad", "was lost with its node{why}"),
    "DeadlineExceeded": ("bad", "ran longer than its deadline allows{why}"),
    "UnexpectedAdmissionError": ("bad", "was refused by its node{why}"),
}
"""``status.reason`` of a failed pod -> what that means."""

OUTLIVED_FACTOR = 2.0
OUTLIVED_SECONDS = 10.0
"""A looping container is believed once it runs twice as long as last time, and at least this much longer: runs of a
loop differ in length, and a word that changes with each of them says nothing."""

_PULL_BACK_OFF = re.compile(r'Back-off pulling image "[^"]*"(?:: )?(?:ErrImagePull: )?')
"""What the kubelet puts before the cause while it waits to pull again; the cause is the same as before."""
_BACK_OFF = re.compile(r"back-off (\S+) restarting")
_RANK: Mapping[PodState, int] = {
    "image error": 6,
    "config error": 5,
    "crash loop": 4,
    "unready": 3,
    "starting": 2,
    "running": 0,
}


def diagnose_pod(pod: Pod, now: float) -> Diagnosis:
    """Say in one word and one sentence how a pod is.

    Args:
        pod: The pod as the API server sent it.
        now: Seconds since the epoch.
    """
    for rule in RULES:
        diagnosis = rule(pod, now)
        if diagnosis is not None:
            # Messages are made printable where they are quoted; this catches names and reasons that nobody vetted.
            vetted = diagnosis.reason.isprintable()
            return diagnosis if vetted else diagnosis._replace(reason=printable(diagnosis.reason))
    return Diagnosis("unknown", "unknown", f"its phase is '{printable(pod.status.phase, limit=40)}'", _created(pod))


def _terminating(pod: Pod, now: float) -> Diagnosis | None:
    """Deleted, and still there. ``deletionTimestamp`` is when the grace period ends."""
    due = parse_time(pod.metadata.deletion_timestamp)
    if due is None:
        return None
    stuck_at = due + TERMINATION_SLACK_SECONDS
    if now < stuck_at:
        return Diagnosis("terminating", "info", "was deleted and is stopping", due, stuck_at)
    if pod.metadata.finalizers:
        why = f"finalizer {printable(pod.metadata.finalizers[0], limit=80)} has not been removed"
    elif pod.status.reason == "NodeLost":
        why = f"node {pod.spec.node_name} is lost"
    else:
        why = f"node {pod.spec.node_name or 'unknown'} has not confirmed its end"
    return Diagnosis("terminating", "bad", f"is stuck in termination: {why}", due)


def _completed(pod: Pod, _now: float) -> Diagnosis | None:
    if pod.status.phase != "Succeeded":
        return None
    return Diagnosis("completed", "ok", "all containers ended with 0", _ended_at(pod))


def _failed(pod: Pod, _now: float) -> Diagnosis | None:
    if pod.status.phase != "Failed":
        return None
    why = _why(pod.status.message)
    if pod.status.reason in _FAILED:
        severity, sentence = _FAILED[pod.status.reason]
        return Diagnosis("failed", severity, sentence.format(why=why), _ended_at(pod))
    if pod.status.reason:
        return Diagnosis("failed", "bad", f"failed ({printable(pod.status.reason, limit=60)}){why}", _ended_at(pod))
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        ended = status.state.terminated
        if ended is not None and ended.exit_code != 0:
            reason = f"container {status.name} {exit_clause(ended, _memory_limit(pod, status.name))}"
            return Diagnosis("failed", "bad", reason, _ended_at(pod))
    return Diagnosis("failed", "bad", f"failed{why}" if why else "failed without a reason given", _ended_at(pod))


def _unscheduled(pod: Pod, now: float) -> Diagnosis | None:
    if pod.status.phase != "Pending" or pod.spec.node_name:
        return None
    scheduled = _condition(pod, "PodScheduled")
    if scheduled is None or scheduled.status != "False":
        return Diagnosis("pending", "info", "waits for the scheduler", _created(pod))
    since = parse_time(scheduled.last_transition_time) or _created(pod)
    if scheduled.reason == "SchedulingGated":
        return Diagnosis("pending", "info", "is held back by a scheduling gate", since)
    reason = f"no node takes it{_why(scheduled.message)}"
    bad_at = (since or now) + UNSCHEDULABLE_SECONDS
    if now < bad_at:
        return Diagnosis("pending", "warn", reason, since, bad_at)
    return Diagnosis("pending", "bad", reason, since)


def _lost(pod: Pod, _now: float) -> Diagnosis | None:
    ready = _condition(pod, "Ready")
    if pod.status.phase == "Unknown" or pod.status.reason == "NodeLost":
        return Diagnosis("unknown", "unknown", f"node {pod.spec.node_name} does not report", _changed(ready))
    return None


def _initialising(pod: Pod, now: float) -> Diagnosis | None:
    initialised = _condition(pod, "Initialized")
    if initialised is None or initialised.status == "True":
        return None
    statuses = pod.status.init_container_statuses
    for number, status in enumerate(statuses, start=1):
        ended = status.state.terminated
        if (ended is not None and ended.exit_code == 0) or (status.started and status.state.running is not None):
            continue  # done, or a sidecar that is up
        found = _container(pod, status, now, "init container ")
        if found is not None and found.state not in ("starting", "unready"):
            return found
        reason = f"init container {status.name} ({number} of {len(statuses)}) has not finished yet"
        return Diagnosis("starting", "info", reason, _created(pod))
    return None


def _containers(pod: Pod, now: float) -> Diagnosis | None:
    """The worst container decides; None when every one runs and is ready."""
    worst: Diagnosis | None = None
    for status in pod.status.container_statuses:
        found = _container(pod, status, now)
        if found is not None and (worst is None or _RANK[found.state] > _RANK[worst.state]):
            worst = found
    for status in pod.status.init_container_statuses:
        # Past initialisation only sidecars (restartable init containers) are still of interest.
        if status.state.terminated is None or status.state.terminated.exit_code != 0:
            found = _container(pod, status, now, "sidecar ")
            if found is not None and (worst is None or _RANK[found.state] > _RANK[worst.state]):
                worst = found
    return worst


def _not_created(pod: Pod, now: float) -> Diagnosis | None:
    if pod.status.container_statuses or pod.status.phase not in ("Pending", ""):
        return None
    since = parse_time(pod.status.start_time) or _created(pod)
    return _slow("starting", f"node {pod.spec.node_name} has not created its containers yet", since, now)


def _running(pod: Pod, now: float) -> Diagnosis | None:
    if pod.status.phase != "Running":
        return None
    ready = _condition(pod, "Ready")
    if ready is not None and ready.status != "True":
        gates = ready.reason == "ReadinessGatesNotReady"
        why = "a readiness gate is not met" if gates else "is not ready though its containers are"
        return Diagnosis("unready", "warn", f"{why}{_why(ready.message)}", _changed(ready))
    return _ready_running(pod, ready, now)


RULES: tuple[Callable[[Pod, float], Diagnosis | None], ...] = (
    _terminating,
    _completed,
    _failed,
    _unscheduled,
    _lost,
    _initialising,
    _not_created,
    _containers,
    _running,
)
"""The first rule that has something to say decides."""


def _ready_running(pod: Pod, ready: Condition | None, now: float) -> Diagnosis:
    since = _changed(ready) or parse_time(pod.status.start_time)
    for status in pod.status.container_statuses:
        ended = status.last_state.terminated
        if status.restart_count == 0 or ended is None:
            continue
        finished = parse_time(ended.finished_at)
        if finished is not None and now < finished + BACKOFF_RESET_SECONDS:
            clause = exit_clause(ended, _memory_limit(pod, status.name))
            reason = f"ready again; before that, container {status.name} {clause}"
            return Diagnosis("running", "ok", reason, since, finished + BACKOFF_RESET_SECONDS)
    return Diagnosis("running", "ok", "all containers are ready", since)


def _container(pod: Pod, status: ContainerStatus, now: float, label: str = "container ") -> Diagnosis | None:
    """What is wrong with one container; None if it runs and is ready."""
    state = status.state
    if state.waiting is not None:
        return _waiting(pod, status, now, label)
    if state.terminated is not None:
        return _ended(pod, status, label)
    if state.running is not None:
        return _runs(pod, status, now, label)
    return Diagnosis("starting", "info", f"{label}{status.name} waits to be started", _created(pod))


def _waiting(pod: Pod, status: ContainerStatus, now: float, label: str) -> Diagnosis:
    waiting = status.state.waiting
    assert waiting is not None
    if waiting.reason == "CrashLoopBackOff":
        return _crash_loop(pod, status, label)
    # A container that restarts passes through short waits; it is still in its loop.
    if waiting.reason in ("", "ContainerCreating", "PodInitializing") and _was_looping(status):
        return _crash_loop(pod, status, label)
    row = WAITING.get(waiting.reason)
    if row is None:
        reason = f"{label}{status.name} waits: {printable(waiting.reason, limit=60)}{_why(waiting.message)}"
        return Diagnosis("config error", "bad", reason, _not_ready_since(pod))
    reason = row.sentence.format(
        name=status.name,
        image=printable(status.image, limit=MESSAGE_LIMIT),
        why=_why(_PULL_BACK_OFF.sub("", waiting.message)),
    )
    if row.state == "starting":
        return _slow("starting", reason, parse_time(pod.status.start_time) or _created(pod), now)
    return Diagnosis(row.state, row.severity, reason, _not_ready_since(pod))


def _ended(pod: Pod, status: ContainerStatus, label: str) -> Diagnosis:
    ended = status.state.terminated
    assert ended is not None
    if status.restart_count > 0 and not went_with_its_node(ended):
        return _crash_loop(pod, status, label)
    reason = f"{label}{status.name} {exit_clause(ended, _memory_limit(pod, status.name))}"
    return Diagnosis("unready", "bad", reason, parse_time(ended.finished_at))


def _runs(pod: Pod, status: ContainerStatus, now: float, label: str) -> Diagnosis | None:
    running = status.state.running
    started = parse_time(running.started_at) if running is not None else None
    outlived_at = _outlives_last_run_at(status, started)
    if outlived_at is not None and now < outlived_at:
        return _crash_loop(pod, status, label)._replace(recheck_at=outlived_at)
    if status.ready:
        return None
    if status.started is False:
        reason = f"{label}{status.name} runs; its startup probe has not passed yet"
        return _slow("starting", reason, started, now)
    starting_until = (started or now) + STARTING_SECONDS
    if now < starting_until and not _was_ready(pod, started):
        reason = f"{label}{status.name} runs and is not ready yet"
        return Diagnosis("starting", "info", reason, started, starting_until)
    return Diagnosis(
        "unready", "warn", f"{label}{status.name} runs but its readiness probe fails", _not_ready_since(pod)
    )


def _crash_loop(pod: Pod, status: ContainerStatus, label: str) -> Diagnosis:
    ended = last_run(status)
    clause = "ends again and again" if ended is None else exit_clause(ended, _memory_limit(pod, status.name))
    times = counted(status.restart_count, "restart")
    waiting = status.state.waiting
    back_off = _BACK_OFF.search(waiting.message) if waiting is not None else None
    if back_off:
        times += f", next try within {printable(back_off[1], limit=12)}"
    elif status.state.running is not None:
        times += ", running again but not yet for long enough"
    return Diagnosis("crash loop", "bad", f"{label}{status.name} {clause} ({times})", _not_ready_since(pod))


def _was_looping(status: ContainerStatus) -> bool:
    """Two short runs in a row: it crashed again before the kubelet forgot its back-off."""
    ended = status.last_state.terminated
    if ended is None or status.restart_count < 2 or went_with_its_node(ended):
        return False
    lasted = run_seconds(ended)
    return lasted is not None and lasted < BACKOFF_RESET_SECONDS


def _outlives_last_run_at(status: ContainerStatus, started: float | None) -> float | None:
    """When the present run will have lasted well longer than the crashed one before it; None if it is in no loop.

    Between two crashes a container looks fine for a moment (``CrashLoopBackOff`` shows only while it waits); it is
    believed once it has run for well longer than last time, or as long as the kubelet remembers a crash.
    """
    ended = status.last_state.terminated
    if started is None or ended is None or not _was_looping(status):
        return None
    lasted = run_seconds(ended) or 0.0
    return started + min(BACKOFF_RESET_SECONDS, max(OUTLIVED_FACTOR * lasted, lasted + OUTLIVED_SECONDS))


def _slow(state: PodState, reason: str, since: float | None, now: float) -> Diagnosis:
    """Information at first, a warning once it takes too long."""
    warn_at = (now if since is None else since) + SLOW_START_SECONDS
    if now < warn_at:
        return Diagnosis(state, "info", reason, since, warn_at)
    return Diagnosis(state, "warn", f"{reason} (takes unusually long)", since)


def _was_ready(pod: Pod, started: float | None) -> bool:
    """Whether the pod was ready in this run of the container and lost it: then it is not starting any more."""
    ready = _condition(pod, "Ready")
    lost = _changed(ready)
    return started is not None and lost is not None and lost > started + 1


def _not_ready_since(pod: Pod) -> float | None:
    ready = _condition(pod, "Ready")
    if ready is None or ready.status == "True":
        return _created(pod) if ready is None else None
    return _changed(ready) or _created(pod)


def _ended_at(pod: Pod) -> float | None:
    ends = [
        finished
        for status in pod.status.container_statuses
        if status.state.terminated is not None
        and (finished := parse_time(status.state.terminated.finished_at)) is not None
    ]
    return max(ends, default=_changed(_condition(pod, "Ready")))


def _condition(pod: Pod, kind: str) -> Condition | None:
    for condition in pod.status.conditions:
        if condition.type == kind:
            return condition
    return None


def _changed(condition: Condition | None) -> float | None:
    return None if condition is None else parse_time(condition.last_transition_time)


def _created(pod: Pod) -> float | None:
    return parse_time(pod.metadata.creation_timestamp)


def _memory_limit(pod: Pod, container: str) -> str:
    for spec in pod.spec.containers:
        if spec.name == container:
            return printable(str(spec.resources.limits.get("memory", "")), limit=20)
    return ""


def _why(message: str) -> str:
    text = printable(" ".join(message.split()), limit=MESSAGE_LIMIT).rstrip(".")
    return f": {text}" if text else ""
