"""What a Deployment's status says at each point of a rollout."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from selfheal_sandbox.controllers.availability import PodCounts, available_in, count_pods
from selfheal_sandbox.controllers.rollout import Limits
from selfheal_sandbox.controllers.rollout_status import Progress, deadline, pause_verdict, status_for
from selfheal_sandbox.store.objects import now_rfc3339

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LIMITS = Limits(3, 1, 0)


def deployment(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "web", "generation": 4},
        "spec": {"progressDeadlineSeconds": 600, **spec},
        "status": status or {},
    }


def progress(new: int, everyone: int, available: int | None = None, ready: int | None = None) -> Progress:
    available = everyone if available is None else available
    ready = available if ready is None else ready
    return Progress(
        "web-abc",
        PodCounts(new, min(new, ready), min(new, available), None),
        PodCounts(everyone, ready, available, None),
        everyone,
    )


def progressing(reason: str, seconds_ago: float, status: str = "True") -> dict[str, Any]:
    time = now_rfc3339(NOW - timedelta(seconds=seconds_ago))
    entry = {"type": "Progressing", "status": status, "reason": reason, "message": ""}
    return {**entry, "lastUpdateTime": time, "lastTransitionTime": time}


def said(status: dict[str, Any], condition_type: str) -> dict[str, Any]:
    found: dict[str, Any] = next((each for each in status["conditions"] if each["type"] == condition_type), {})
    return found


def test_first_status_is_progressing_and_unavailable() -> None:
    status = status_for(deployment(), LIMITS, progress(3, 3, available=0), [], NOW)
    assert said(status, "Available")["status"] == "False"
    assert said(status, "Progressing")["reason"] == "ReplicaSetUpdated"
    assert status["unavailableReplicas"] == 3
    assert status["observedGeneration"] == 4
    assert "readyReplicas" not in status


def test_old_pods_left_over_keep_a_rollout_from_being_complete() -> None:
    before = {"replicas": 4, "updatedReplicas": 3, "readyReplicas": 4, "availableReplicas": 4}
    now = status_for(
        deployment({**before, "conditions": [progressing("ReplicaSetUpdated", 5)]}), LIMITS, progress(3, 4), [], NOW
    )
    assert said(now, "Progressing")["reason"] == "ReplicaSetUpdated"
    assert said(now, "Progressing")["lastUpdateTime"] == now_rfc3339(NOW - timedelta(seconds=5))


def test_complete_rollout_says_so_and_keeps_its_transition_time() -> None:
    before = deployment({"conditions": [progressing("ReplicaSetUpdated", 60)]})
    condition = said(status_for(before, LIMITS, progress(3, 3), [], NOW), "Progressing")
    assert condition["reason"] == "NewReplicaSetAvailable"
    assert condition["lastTransitionTime"] == now_rfc3339(NOW - timedelta(seconds=60))
    assert condition["lastUpdateTime"] == now_rfc3339(NOW)


def test_rollout_that_stands_still_too_long_is_stuck() -> None:
    stands = {"replicas": 4, "updatedReplicas": 1, "readyReplicas": 3, "availableReplicas": 3}
    for seconds, reason in ((599, "ReplicaSetUpdated"), (601, "ProgressDeadlineExceeded")):
        before = deployment({**stands, "conditions": [progressing("ReplicaSetUpdated", seconds)]})
        assert said(status_for(before, LIMITS, progress(1, 4, available=3), [], NOW), "Progressing")["reason"] == reason


def test_any_step_forward_starts_the_deadline_anew() -> None:
    before = {"replicas": 4, "updatedReplicas": 1, "readyReplicas": 3, "availableReplicas": 3}
    late = deployment({**before, "conditions": [progressing("ReplicaSetUpdated", 599)]})
    condition = said(status_for(late, LIMITS, progress(2, 4, available=3), [], NOW), "Progressing")
    assert condition["lastUpdateTime"] == now_rfc3339(NOW)


def test_complete_rollout_never_times_out() -> None:
    before = deployment({"conditions": [progressing("NewReplicaSetAvailable", 10_000)]})
    assert deadline(before) is None
    condition = said(status_for(before, LIMITS, progress(3, 3, available=1), [], NOW), "Progressing")
    assert condition["reason"] == "NewReplicaSetAvailable"


def test_stuck_rollout_recovers_when_pods_get_ready() -> None:
    before = {"replicas": 4, "updatedReplicas": 1, "readyReplicas": 3, "availableReplicas": 3}
    stuck = deployment({**before, "conditions": [progressing("ProgressDeadlineExceeded", 60, "False")]})
    condition = said(status_for(stuck, LIMITS, progress(1, 4), [], NOW), "Progressing")
    assert (condition["status"], condition["reason"]) == ("True", "ReplicaSetUpdated")
    assert condition["lastTransitionTime"] == now_rfc3339(NOW)


def test_failures_of_replica_sets_are_passed_on_and_cleared() -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "no"}
    status = status_for(deployment(), LIMITS, progress(0, 0), [failure], NOW)
    assert said(status, "ReplicaFailure")["message"] == "no"
    assert not said(status_for(deployment(status), LIMITS, progress(0, 0), [], NOW), "ReplicaFailure")


def test_no_deadline_means_no_progress_condition() -> None:
    status = status_for(deployment(progressDeadlineSeconds=2**31 - 1), LIMITS, progress(3, 3), [], NOW)
    assert not said(status, "Progressing")


@pytest.mark.parametrize(
    ("paused", "reason", "expected"),
    [
        (True, "NewReplicaSetAvailable", "DeploymentPaused"),
        (True, "DeploymentPaused", None),
        (False, "DeploymentPaused", "DeploymentResumed"),
        (False, "NewReplicaSetAvailable", None),
        (True, "ProgressDeadlineExceeded", None),
    ],
)
def test_pausing_and_resuming_is_noted_once(paused: bool, reason: str, expected: str | None) -> None:
    verdict = pause_verdict(deployment({"conditions": [progressing(reason, 1)]}, paused=paused))
    assert (verdict.reason if verdict else None) == expected


def pod(*, ready_for: float | None, phase: str = "Running", leaving: bool = False) -> dict[str, Any]:
    conditions = []
    if ready_for is not None:
        time = now_rfc3339(NOW - timedelta(seconds=ready_for))
        conditions.append({"type": "Ready", "status": "True", "lastTransitionTime": time})
    metadata = {"name": "p", **({"deletionTimestamp": now_rfc3339(NOW)} if leaving else {})}
    return {"metadata": metadata, "status": {"phase": phase, "conditions": conditions}}


def test_pod_becomes_available_after_min_ready_seconds_without_a_break() -> None:
    assert available_in(pod(ready_for=3), 10, NOW) == 7
    assert available_in(pod(ready_for=11), 10, NOW) == 0
    assert available_in(pod(ready_for=3), 0, NOW) == 0
    assert available_in(pod(ready_for=None), 0, NOW) is None
    assert available_in(pod(ready_for=11, leaving=True), 10, NOW) is None


def test_ended_and_leaving_pods_do_not_count() -> None:
    pods = [
        pod(ready_for=20),
        pod(ready_for=3),
        pod(ready_for=None),
        pod(ready_for=20, leaving=True),
        pod(ready_for=20, phase="Failed"),
    ]
    assert count_pods(pods, 10, NOW) == PodCounts(3, 2, 1, 7)
