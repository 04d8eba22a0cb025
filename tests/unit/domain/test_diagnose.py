"""Every row of the diagnosis: what a pod looks like, and the word and sentence an operator reads for it."""

from typing import NamedTuple

import pytest

from selfheal_core.domain.diagnose import WAITING, diagnose_pod
from selfheal_core.domain.objects import Condition, ContainerState, ContainerStatus, Pod, Waiting
from selfheal_core.domain.snapshot import PodState, Severity
from tests.unit.domain.builders import NOW, condition, container, not_ready, pod, run_ended


class Case(NamedTuple):
    """One row: a pod, its state, its severity, its sentence (a part of it)."""

    name: str
    pod: Pod
    state: PodState
    severity: Severity
    sentence: str


def waiting(reason: str, message: str = "", *, restarts: int = 0) -> Pod:
    phase = "Pending" if reason not in ("CrashLoopBackOff",) else "Running"
    status = container(ready=False, started=False, waiting=(reason, message), restarts=restarts)
    return pod(phase=phase, containers=(status,), conditions=not_ready())


CRASH = run_ended(1, lasted=2, ago=41, message='Traceback\n  ...\nKeyError: "DB_URL"\n')

CASES = (
    Case("ready", pod(containers=(container(running=350),)), "running", "ok", "all containers are ready"),
    Case(
        "CrashLoopBackOff",
        pod(
            containers=(
                container(
                    ready=False,
                    restarts=6,
                    waiting=("CrashLoopBackOff", "back-off 40s restarting failed container=app pod=app-a-x"),
                    last=CRASH,
                ),
            ),
            conditions=not_ready(),
        ),
        "crash loop",
        "bad",
        'container app exits 1 after 2s: "KeyError: "DB_URL"" (6 restarts, next try within 40s)',
    ),
    Case(
        "crashed again, not yet backing off",
        pod(containers=(container(ready=False, restarts=2, ended=CRASH),), conditions=not_ready()),
        "crash loop",
        "bad",
        "container app exits 1 after 2s",
    ),
    Case(
        "between two crashes it runs for a moment",
        pod(
            containers=(container(restarts=4, running=3, last=run_ended(lasted=20, ago=60)),),
            conditions=not_ready(2),
        ),
        "crash loop",
        "bad",
        "running again but not yet for long enough",
    ),
    Case(
        "its node rebooted twice",
        pod(containers=(container(restarts=2, running=3, last=run_ended(255, "Unknown", lasted=20, ago=60)),)),
        "running",
        "ok",
        "ready again; before that, container app ended with its node's reboot",
    ),
    Case(
        "its node has just come back",
        pod(containers=(container(ready=False, restarts=2, ended=run_ended(255, "Unknown")),), conditions=not_ready()),
        "unready",
        "bad",
        "container app ended with its node's reboot (255 Unknown) after 2s",
    ),
    Case(
        "has outlived the run that crashed",
        pod(containers=(container(restarts=4, running=45, last=run_ended(lasted=20, ago=60)),)),
        "running",
        "ok",
        "ready again; before that, container app exits 1 after 20s",
    ),
    Case(
        "one restart is no loop",
        pod(containers=(container(restarts=1, running=1, last=run_ended(lasted=20, ago=2)),)),
        "running",
        "ok",
        "ready again",
    ),
    Case(
        "a restart long ago is forgotten",
        pod(containers=(container(restarts=9, running=3600, last=run_ended(ago=3601)),)),
        "running",
        "ok",
        "all containers are ready",
    ),
    Case(
        "first crash",
        pod(containers=(container(ready=False, ended=CRASH),), conditions=not_ready()),
        "unready",
        "bad",
        "container app exits 1 after 2s",
    ),
    Case(
        "OOMKilled",
        pod(
            containers=(
                container(
                    ready=False,
                    restarts=3,
                    waiting=("CrashLoopBackOff", "back-off 20s restarting"),
                    last=run_ended(137, "OOMKilled", lasted=90),
                ),
            ),
            conditions=not_ready(),
            memory_limit="64Mi",
        ),
        "crash loop",
        "bad",
        "container app was killed for using more memory than its limit of 64Mi (OOMKilled) after 1m30s",
    ),
    Case(
        "killed",
        pod(containers=(container(ready=False, restarts=1, ended=run_ended(137)),), conditions=not_ready()),
        "crash loop",
        "bad",
        "exits 137 after 2s, it was killed (SIGKILL)",
    ),
    Case(
        "segmentation fault",
        pod(containers=(container(ready=False, restarts=1, ended=run_ended(139)),), conditions=not_ready()),
        "crash loop",
        "bad",
        "exits 139 after 2s, it crashed (SIGSEGV)",
    ),
    Case(
        "command not found",
        pod(containers=(container(ready=False, restarts=1, ended=run_ended(127)),), conditions=not_ready()),
        "crash loop",
        "bad",
        "its command was not found",
    ),
    Case(
        "command can't be executed",
        pod(containers=(container(ready=False, restarts=1, ended=run_ended(126)),), conditions=not_ready()),
        "crash loop",
        "bad",
        "its command can't be executed",
    ),
    Case(
        "can't be started",
        pod(
            containers=(
                container(ready=False, restarts=1, ended=run_ended(128, "StartError", message="exec: no such file")),
            ),
            conditions=not_ready(),
        ),
        "crash loop",
        "bad",
        'can\'t be started (StartError): "exec: no such file"',
    ),
    Case(
        "ends by itself",
        pod(containers=(container(ready=False, restarts=2, ended=run_ended(0, "Completed")),), conditions=not_ready()),
        "crash loop",
        "bad",
        "exits 0 after 2s, it ended by itself though it is meant to run on",
    ),
    Case(
        "ImagePullBackOff",
        waiting("ImagePullBackOff", 'Back-off pulling image "registry/app:1.0": not found'),
        "image error",
        "bad",
        "image registry/app:1.0 can't be pulled: not found",
    ),
    Case(
        "ErrImagePull",
        waiting("ErrImagePull", "manifest unknown."),
        "image error",
        "bad",
        "image registry/app:1.0 can't be pulled: manifest unknown",
    ),
    Case("ErrImageNeverPull", waiting("ErrImageNeverPull"), "image error", "bad", "pull policy Never forbids"),
    Case("InvalidImageName", waiting("InvalidImageName"), "image error", "bad", "is not valid"),
    Case("ImageInspectError", waiting("ImageInspectError"), "image error", "bad", "can't be read on the node"),
    Case("RegistryUnavailable", waiting("RegistryUnavailable"), "image error", "bad", "does not answer"),
    Case("SignatureValidationFailed", waiting("SignatureValidationFailed"), "image error", "bad", "was refused"),
    Case(
        "CreateContainerConfigError",
        waiting("CreateContainerConfigError", 'configmap "settings" not found'),
        "config error",
        "bad",
        'container app can\'t be configured: configmap "settings" not found',
    ),
    Case("CreateContainerError", waiting("CreateContainerError"), "config error", "bad", "can't be created"),
    Case("RunContainerError", waiting("RunContainerError"), "config error", "bad", "can't be started"),
    Case("PreCreateHookError", waiting("PreCreateHookError"), "config error", "bad", "can't be created"),
    Case("PreStartHookError", waiting("PreStartHookError"), "config error", "bad", "can't be started"),
    Case("PostStartHookError", waiting("PostStartHookError"), "config error", "bad", "postStart hook"),
    Case(
        "an unknown wait", waiting("NewReason", "words"), "config error", "bad", "container app waits: NewReason: words"
    ),
    Case(
        "ContainerCreating",
        pod(phase="Pending", containers=(container(ready=False, waiting=("ContainerCreating", "")),), created=5),
        "starting",
        "info",
        "container app is being created",
    ),
    Case(
        "PodInitializing",
        pod(phase="Pending", containers=(container(ready=False, waiting=("PodInitializing", "")),), created=5),
        "starting",
        "info",
        "waits for the init containers",
    ),
    Case(
        "a wait without a reason",
        pod(phase="Pending", containers=(container(ready=False, waiting=("", "")),), created=5),
        "starting",
        "info",
        "waits to be started",
    ),
    Case(
        "ContainerCreating for minutes",
        waiting("ContainerCreating"),
        "starting",
        "warn",
        "container app is being created (takes unusually long)",
    ),
    Case(
        "Unschedulable",
        pod(
            phase="Pending",
            node="",
            conditions=(
                condition(
                    "PodScheduled",
                    "False",
                    ago=30,
                    reason="Unschedulable",
                    message="0/3 nodes are available: 3 Insufficient cpu.",
                ),
            ),
        ),
        "pending",
        "warn",
        "no node takes it: 0/3 nodes are available: 3 Insufficient cpu",
    ),
    Case(
        "Unschedulable for minutes",
        pod(
            phase="Pending",
            node="",
            conditions=(condition("PodScheduled", "False", ago=300, reason="Unschedulable"),),
        ),
        "pending",
        "bad",
        "no node takes it",
    ),
    Case(
        "SchedulingGated",
        pod(phase="Pending", node="", conditions=(condition("PodScheduled", "False", reason="SchedulingGated"),)),
        "pending",
        "info",
        "scheduling gate",
    ),
    Case("just created", pod(phase="Pending", node="", conditions=()), "pending", "info", "waits for the scheduler"),
    Case(
        "scheduled, nothing created yet",
        pod(phase="Pending", conditions=(), created=5),
        "starting",
        "info",
        "node node-1 has not created its containers yet",
    ),
    Case(
        "runs, not ready yet",
        pod(containers=(container(ready=False, running=5),), conditions=not_ready(6), created=6),
        "starting",
        "info",
        "container app runs and is not ready yet",
    ),
    Case(
        "startup probe pending",
        pod(containers=(container(ready=False, started=False, running=15),), conditions=not_ready(20), created=20),
        "starting",
        "info",
        "its startup probe has not passed yet",
    ),
    Case(
        "startup probe never passes",
        pod(containers=(container(ready=False, started=False, running=200),), conditions=not_ready(200)),
        "starting",
        "warn",
        "its startup probe has not passed yet (takes unusually long)",
    ),
    Case(
        "readiness failing",
        pod(containers=(container(ready=False, running=300),), conditions=not_ready(40)),
        "unready",
        "warn",
        "container app runs but its readiness probe fails",
    ),
    Case(
        "readiness lost within seconds of the start",
        pod(containers=(container(ready=False, running=20),), conditions=not_ready(3), created=25),
        "unready",
        "warn",
        "its readiness probe fails",
    ),
    Case(
        "readiness gate",
        pod(
            containers=(container(running=300),),
            conditions=(condition("Ready", "False", reason="ReadinessGatesNotReady"),),
        ),
        "unready",
        "warn",
        "a readiness gate is not met",
    ),
    Case(
        "terminating",
        pod(containers=(container(running=300),), deleted=-20),
        "terminating",
        "info",
        "was deleted and is stopping",
    ),
    Case(
        "terminating, stuck on the node",
        pod(containers=(container(running=300),), deleted=120),
        "terminating",
        "bad",
        "is stuck in termination: node node-1 has not confirmed its end",
    ),
    Case(
        "terminating, stuck on a finalizer",
        pod(containers=(container(running=300),), deleted=120, finalizers=("example.com/hold",)),
        "terminating",
        "bad",
        "finalizer example.com/hold has not been removed",
    ),
    Case(
        "terminating on a lost node",
        pod(containers=(container(running=300),), deleted=120, reason="NodeLost"),
        "terminating",
        "bad",
        "node node-1 is lost",
    ),
    Case(
        "Evicted",
        pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory."),
        "failed",
        "warn",
        "was evicted by its node: The node was low on resource: memory",
    ),
    Case("Preempting", pod(phase="Failed", reason="Preempting"), "failed", "warn", "pod of higher priority"),
    Case("node shut down", pod(phase="Failed", reason="Terminated"), "failed", "warn", "its node shut down"),
    Case("node shutdown, older", pod(phase="Failed", reason="NodeShutdown"), "failed", "warn", "its node shut down"),
    Case("failed on a lost node", pod(phase="Failed", reason="NodeLost"), "failed", "bad", "lost with its node"),
    Case(
        "DeadlineExceeded", pod(phase="Failed", reason="DeadlineExceeded"), "failed", "bad", "longer than its deadline"
    ),
    Case(
        "admission refused",
        pod(phase="Failed", reason="UnexpectedAdmissionError", message="no GPU"),
        "failed",
        "bad",
        "was refused by its node: no GPU",
    ),
    Case("failed otherwise", pod(phase="Failed", reason="OutOfcpu"), "failed", "bad", "failed (OutOfcpu)"),
    Case(
        "failed by exit code",
        pod(phase="Failed", containers=(container(ready=False, ended=run_ended(3)),)),
        "failed",
        "bad",
        "container app exits 3 after 2s",
    ),
    Case("failed without a reason", pod(phase="Failed"), "failed", "bad", "failed without a reason given"),
    Case("Completed", pod(phase="Succeeded"), "completed", "ok", "all containers ended with 0"),
    Case("node lost", pod(reason="NodeLost"), "unknown", "unknown", "node node-1 does not report"),
    Case("phase Unknown", pod(phase="Unknown"), "unknown", "unknown", "node node-1 does not report"),
    Case(
        "phase that is none",
        pod(phase="Dreaming", containers=(container(running=1),)),
        "unknown",
        "unknown",
        "its phase is 'Dreaming'",
    ),
    Case(
        "init container at work",
        pod(
            phase="Pending",
            init_containers=(
                container("fetch", ended=run_ended(0, "Completed")),
                container("migrate", ready=False, started=False, running=5),
            ),
            containers=(container(ready=False, waiting=("PodInitializing", "")),),
            conditions=(condition("Initialized", "False"),),
        ),
        "starting",
        "info",
        "init container migrate (2 of 2) has not finished yet",
    ),
    Case(
        "init container crash loop",
        pod(
            phase="Pending",
            init_containers=(
                container("migrate", ready=False, restarts=5, waiting=("CrashLoopBackOff", ""), last=CRASH),
            ),
            containers=(container(ready=False, waiting=("PodInitializing", "")),),
            conditions=(condition("Initialized", "False"),),
        ),
        "crash loop",
        "bad",
        "init container migrate exits 1 after 2s",
    ),
    Case(
        "init container image",
        pod(
            phase="Pending",
            init_containers=(container("fetch", ready=False, waiting=("ImagePullBackOff", ""), image="tools:9"),),
            conditions=(condition("Initialized", "False"),),
        ),
        "image error",
        "bad",
        "image tools:9 can't be pulled",
    ),
    Case(
        "sidecar is up, next init container runs",
        pod(
            phase="Pending",
            init_containers=(
                container("proxy", running=9),
                container("migrate", ready=False, started=False, running=5),
            ),
            conditions=(condition("Initialized", "False"),),
        ),
        "starting",
        "info",
        "init container migrate (2 of 2)",
    ),
    Case(
        "sidecar crash loop",
        pod(
            init_containers=(
                container("proxy", ready=False, restarts=5, waiting=("CrashLoopBackOff", ""), last=CRASH),
            ),
            containers=(container(running=300),),
        ),
        "crash loop",
        "bad",
        "sidecar proxy exits 1",
    ),
    Case(
        "finished init containers say nothing",
        pod(
            init_containers=(container("migrate", ready=True, ended=run_ended(0, "Completed")),),
            containers=(container(running=300),),
        ),
        "running",
        "ok",
        "all containers are ready",
    ),
    Case(
        "the worst container decides",
        pod(
            containers=(
                container("web", ready=False, running=300),
                container("log", ready=False, waiting=("ImagePullBackOff", ""), image="log:1"),
            ),
            conditions=not_ready(),
        ),
        "image error",
        "bad",
        "image log:1",
    ),
    Case(
        "a container without any state",
        pod(containers=(ContainerStatus(name="app"),), conditions=not_ready()),
        "starting",
        "info",
        "waits to be started",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_reads_the_state_in_one_word_and_its_reason_in_one_sentence(case: Case) -> None:
    diagnosis = diagnose_pod(case.pod, NOW)
    assert (diagnosis.state, diagnosis.severity) == (case.state, case.severity)
    assert case.sentence in diagnosis.reason
    assert not diagnosis.reason.endswith(".")
    assert "\n" not in diagnosis.reason


def test_every_waiting_reason_has_a_case() -> None:
    tested = {
        status.state.waiting.reason
        for case in CASES
        for status in (*case.pod.status.container_statuses, *case.pod.status.init_container_statuses)
        if status.state.waiting is not None
    }
    assert set(WAITING) <= tested


def test_a_message_with_an_escape_sequence_is_shown_not_obeyed() -> None:
    diagnosis = diagnose_pod(waiting("ErrImagePull", "\x1b[2Jgone\nand a second line"), NOW)
    assert "\x1b" not in diagnosis.reason
    assert "␛[2Jgone and a second line" in diagnosis.reason


def test_since_is_when_readiness_was_lost() -> None:
    unready = pod(containers=(container(ready=False, running=300),), conditions=not_ready(40))
    assert diagnose_pod(unready, NOW).since == NOW - 40


@pytest.mark.parametrize(
    ("subject", "later"),
    [
        (pod(containers=(container(running=300),), deleted=-20), "bad"),
        (
            pod(phase="Pending", containers=(container(ready=False, waiting=("ContainerCreating", "")),), created=5),
            "warn",
        ),
        (
            pod(
                phase="Pending",
                node="",
                conditions=(condition("PodScheduled", "False", ago=30, reason="Unschedulable"),),
            ),
            "bad",
        ),
    ],
)
def test_names_the_time_at_which_it_may_change_by_itself(subject: Pod, later: str) -> None:
    diagnosis = diagnose_pod(subject, NOW)
    assert diagnosis.recheck_at is not None
    assert diagnose_pod(subject, diagnosis.recheck_at - 0.1) == diagnosis
    assert diagnose_pod(subject, diagnosis.recheck_at).severity == later


def test_a_crash_loop_ends_when_the_container_outlives_its_last_run() -> None:
    subject = pod(containers=(container(restarts=4, running=3, last=run_ended(lasted=20, ago=60)),))
    diagnosis = diagnose_pod(subject, NOW)
    assert diagnosis.recheck_at == NOW + 37
    assert diagnose_pod(subject, NOW + 37).state == "running"


def test_a_loop_whose_runs_differ_in_length_keeps_its_word() -> None:
    words = set()
    for lasted, running in ((60, 5), (60, 90), (90, 5), (90, 100), (100, 150), (60, 110)):
        subject = pod(containers=(container(restarts=5, running=running, last=run_ended(lasted=lasted, ago=200)),))
        words.add(diagnose_pod(subject, NOW).state)
    assert words == {"crash loop"}


def test_a_loop_is_over_at_the_latest_when_the_kubelet_forgets_it() -> None:
    subject = pod(containers=(container(restarts=5, running=601, last=run_ended(lasted=500, ago=602)),))
    assert diagnose_pod(subject, NOW).state == "running"


def test_waiting_to_pull_again_reads_like_the_failed_pull() -> None:
    problem = "registry/app:1.0: not found"
    tried = diagnose_pod(waiting("ErrImagePull", problem), NOW)
    waits = diagnose_pod(waiting("ImagePullBackOff", f'Back-off pulling image "x": ErrImagePull: {problem}'), NOW)
    assert tried.reason == waits.reason
    assert tried.reason.endswith(f"can't be pulled: {problem}")


def test_a_pod_with_nothing_but_a_name_is_diagnosed() -> None:
    assert diagnose_pod(Pod(), NOW).state == "starting"


def test_conditions_without_times_are_no_trouble() -> None:
    subject = pod(containers=(container(ready=False, running=300),), conditions=(Condition("Ready", "False"),))
    assert diagnose_pod(subject, NOW).state == "unready"


def test_a_restart_passes_through_a_short_wait_without_leaving_its_loop() -> None:
    status = ContainerStatus(
        name="app",
        restart_count=3,
        state=ContainerState(waiting=Waiting("ContainerCreating")),
        last_state=ContainerState(terminated=run_ended()),
    )
    assert diagnose_pod(pod(containers=(status,), conditions=not_ready()), NOW).state == "crash loop"
