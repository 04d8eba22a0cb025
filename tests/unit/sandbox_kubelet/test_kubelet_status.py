from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from selfheal_sandbox.kubelet.pod_status import PodFacts, phase, pod_status
from selfheal_sandbox.kubelet.states import ContainerRecord, Running, State, Terminated, Waiting, should_restart
from selfheal_sandbox.store.objects import condition

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = NOW + timedelta(seconds=30)


def ended(code: int) -> Terminated:
    return Terminated(code, "Error" if code else "Completed", NOW, LATER, "process://1")


def record(state: State, last: Terminated | None = None, *, ready: bool = False, name: str = "web") -> ContainerRecord:
    return ContainerRecord(name, "busybox:1", state, last, ready=ready)


RUNS, CREATING = Running(NOW), Waiting("ContainerCreating")
BACKS_OFF = Waiting("CrashLoopBackOff", "back-off 10s")


@pytest.mark.parametrize(
    ("policy", "records", "stopping", "expected"),
    [
        pytest.param("Always", [record(CREATING)], False, "Pending", id="being created"),
        pytest.param("Always", [record(RUNS), record(CREATING)], False, "Pending", id="one not created yet"),
        pytest.param("Always", [record(RUNS)], False, "Running", id="runs"),
        pytest.param("Always", [record(BACKS_OFF, ended(1))], False, "Running", id="crash loop"),
        pytest.param("Always", [record(ended(0))], False, "Running", id="will restart"),
        pytest.param("OnFailure", [record(ended(1))], False, "Running", id="failed, will restart"),
        pytest.param("OnFailure", [record(ended(0))], False, "Succeeded", id="succeeded"),
        pytest.param("Never", [record(ended(0)), record(ended(1))], False, "Failed", id="one of two failed"),
        pytest.param("Never", [record(ended(0)), record(RUNS)], False, "Running", id="one still runs"),
        pytest.param("Always", [record(ended(0))], True, "Succeeded", id="deleted, ended well"),
        pytest.param("Always", [record(ended(143))], True, "Failed", id="deleted, killed"),
        pytest.param("Always", [record(RUNS), record(CREATING)], True, "Running", id="deleted, still runs"),
        pytest.param("Always", [record(CREATING)], True, "Failed", id="deleted before it was created"),
    ],
)
def test_phase(policy: str, records: list[ContainerRecord], stopping: bool, expected: str) -> None:
    assert phase(policy, records, "", stopping=stopping) == expected


@pytest.mark.parametrize("final", ["Succeeded", "Failed"])
def test_a_final_phase_stays(final: str) -> None:
    assert phase("Always", [record(RUNS)], final, stopping=False) == final


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", "namespace": "default"}, "spec": {"containers": []}, "status": status}


FACTS = PodFacts("127.64.0.2", NOW)


def test_ready_pod_is_ready() -> None:
    status = pod_status(pod(), [record(RUNS, ready=True)], FACTS, NOW)

    assert {entry["type"]: entry["status"] for entry in status["conditions"]} == {
        "PodReadyToStartContainers": "True",
        "Initialized": "True",
        "Ready": "True",
        "ContainersReady": "True",
        "PodScheduled": "True",
    }
    assert (status["podIP"], status["podIPs"]) == ("127.64.0.2", [{"ip": "127.64.0.2"}])


def test_names_the_containers_that_are_not_ready() -> None:
    records = [record(RUNS, ready=True, name="a"), record(RUNS, name="b"), record(BACKS_OFF, ended(1), name="c")]

    found = condition({"status": pod_status(pod(), records, FACTS, NOW)}, "Ready")

    assert found is not None
    assert found["reason"] == "ContainersNotReady"
    assert found["message"] == "containers with unready status: [b c]"


def test_transition_time_moves_only_with_the_status() -> None:
    first = pod_status(pod(), [record(RUNS)], FACTS, NOW)
    second = pod_status(pod(**first), [record(BACKS_OFF, ended(1))], FACTS, LATER)
    third = pod_status(pod(**second), [record(RUNS, ready=True)], FACTS, LATER)

    times = [condition({"status": status}, "Ready") for status in (first, second, third)]

    assert [entry["lastTransitionTime"] for entry in times if entry] == [
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:35Z",
    ]


def test_conditions_of_others_are_kept() -> None:
    other = {"type": "DisruptionTarget", "status": "True"}

    status = pod_status(pod(conditions=[other], qosClass="BestEffort"), [record(RUNS)], FACTS, NOW)

    assert other in status["conditions"]
    assert status["qosClass"] == "BestEffort"


def test_a_closed_readiness_gate_keeps_the_pod_unready() -> None:
    gated = pod()
    gated["spec"]["readinessGates"] = [{"conditionType": "example.com/warm"}]

    status = pod_status(gated, [record(RUNS, ready=True)], FACTS, NOW)

    ready, containers = condition({"status": status}, "Ready"), condition({"status": status}, "ContainersReady")
    assert ready is not None
    assert containers is not None
    assert (ready["status"], ready["reason"], containers["status"]) == ("False", "ReadinessGatesNotReady", "True")


def test_a_finished_pod_says_so() -> None:
    once = pod()
    once["spec"]["restartPolicy"] = "Never"

    found = condition({"status": pod_status(once, [record(ended(0))], FACTS, NOW)}, "Ready")

    assert found is not None
    assert (found["status"], found["reason"]) == ("False", "PodCompleted")


def test_a_restart_moves_the_last_end_to_last_state() -> None:
    crashed = record(RUNS).terminated(ended(3))
    again = crashed.counting_restart().running(LATER, "process://2", started=True, ready=True).to_json()

    assert again["restartCount"] == 1
    assert again["lastState"]["terminated"]["exitCode"] == 3
    assert again["state"] == {"running": {"startedAt": "2026-01-02T03:04:35Z"}}


def test_back_off_shows_the_last_end_and_does_not_count() -> None:
    waits = record(RUNS).terminated(ended(137)).backing_off(ended(137), "back-off 10s").to_json()

    assert waits["restartCount"] == 0
    assert waits["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    assert waits["lastState"]["terminated"]["exitCode"] == 137


@pytest.mark.parametrize(
    ("policy", "code", "expected"),
    [("Always", 0, True), ("Always", 1, True), ("OnFailure", 0, False), ("OnFailure", 2, True), ("Never", 1, False)],
)
def test_restart_policy(policy: str, code: int, expected: bool) -> None:
    assert should_restart(policy, code) is expected
