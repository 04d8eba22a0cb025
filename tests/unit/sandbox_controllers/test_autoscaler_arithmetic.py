"""What metrics ask for: tolerance, missing samples, pods that start."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal_sandbox.api.ports import ContainerUsage
from selfheal_sandbox.controllers.autoscaler_metrics import (
    MetricError,
    PodSamples,
    Tolerance,
    by_average_value,
    by_utilization,
    combine,
)
from selfheal_sandbox.controllers.autoscaler_readings import read
from selfheal_sandbox.controllers.autoscaler_samples import Metric, counted_pods, samples
from selfheal_sandbox.store.objects import now_rfc3339

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
NARROW = Tolerance()


def utilization(current: int, used: list[int], target: int = 50, **groups: Any) -> int:
    samples = PodSamples({f"p{index}": value for index, value in enumerate(used)}, **groups)
    names = [*samples.used, *samples.unready, *samples.missing]
    return by_utilization(current, samples, dict.fromkeys(names, 100), target, NARROW).replicas


@pytest.mark.parametrize(
    ("current", "used", "expected"),
    [
        (2, [100, 100], 4),
        (2, [54, 54], 2),
        (2, [55, 55], 2),
        (2, [56, 56], 3),
        (2, [46, 46], 2),
        (4, [10, 10, 10, 10], 1),
        (10, [55] * 10, 10),
    ],
)
def test_replicas_follow_utilization_outside_the_tolerance(current: int, used: list[int], expected: int) -> None:
    assert utilization(current, used) == expected


def test_missing_sample_counts_as_idle_when_scaling_up() -> None:
    assert utilization(3, [100, 100]) == 4
    assert utilization(3, [100, 100], missing=frozenset({"m"})) == 4
    assert utilization(2, [80], missing=frozenset({"m"})) == 2


def test_missing_sample_counts_as_busy_when_scaling_down() -> None:
    assert utilization(3, [10, 10]) == 1
    assert utilization(3, [10, 10], missing=frozenset({"m"})) == 3
    assert utilization(5, [10, 10, 10, 10], missing=frozenset({"m"})) == 3


def test_starting_pod_counts_as_idle_when_scaling_up_and_not_at_all_otherwise() -> None:
    assert utilization(2, [80], unready=frozenset({"u"})) == 2
    assert utilization(2, [10], unready=frozenset({"u"})) == 1


def test_no_sample_is_an_error_not_a_zero() -> None:
    with pytest.raises(MetricError, match="did not receive metrics"):
        utilization(2, [], missing=frozenset({"m"}))


def test_average_value_works_without_requests() -> None:
    proposal = by_average_value(2, PodSamples({"a": 300, "b": 100}), 100, NARROW)
    assert (proposal.replicas, proposal.utilization, proposal.average) == (4, None, 200)


@settings(deadline=None)  # the machine may be busy
@given(
    used=st.lists(st.integers(0, 400), min_size=1, max_size=8),
    missing=st.integers(0, 4),
    unready=st.integers(0, 4),
    target=st.integers(10, 100),
)
def test_doubtful_pods_never_make_the_change_larger(used: list[int], missing: int, unready: int, target: int) -> None:
    current = len(used) + missing + unready
    groups = {
        "missing": frozenset(f"m{index}" for index in range(missing)),
        "unready": frozenset(f"u{index}" for index in range(unready)),
    }
    usage_of_pods = {f"p{index}": value for index, value in enumerate(used)}
    certain = by_average_value(current, PodSamples(usage_of_pods), target, NARROW).replicas
    cautious = by_average_value(current, PodSamples(usage_of_pods, **groups), target, NARROW).replicas
    if certain < current:
        assert certain <= cautious
    else:
        assert cautious <= max(certain, current)


@pytest.mark.parametrize(
    ("proposals", "failures", "expected"),
    [([3, 5], 0, 5), ([3], 1, None), ([5], 1, 5), ([], 1, None), ([4], 1, 4)],
)
def test_failed_metric_among_several_may_only_add(proposals: list[int], failures: int, expected: int | None) -> None:
    assert combine(proposals, failures, current=4) == expected


def pod(name: str, *, ready: bool = True, ready_for: float = 1000, age: float = 1000, **status: Any) -> dict[str, Any]:
    condition = {
        "type": "Ready",
        "status": "True" if ready else "False",
        "lastTransitionTime": now_rfc3339(NOW - timedelta(seconds=ready_for)),
    }
    start = now_rfc3339(NOW - timedelta(seconds=age))
    requests = {"cpu": "200m", "memory": "64Mi"}
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "resources": {"requests": requests}}]},
        "status": {"phase": "Running", "startTime": start, "conditions": [condition], **status},
    }


def usage(_: dict[str, Any]) -> list[ContainerUsage]:
    return [ContainerUsage("main", 70, 1024), ContainerUsage("side", 5, 10)]


@pytest.mark.parametrize(
    ("case", "group"),
    [
        (pod("p"), "used"),
        (pod("p", phase="Pending"), "unready"),
        (pod("p", age=60, ready_for=5), "unready"),
        (pod("p", age=60, ready_for=30), "used"),
        (pod("p", ready=False, age=60, ready_for=30), "unready"),
        (pod("p", ready=False, age=1000, ready_for=980), "unready"),
        (pod("p", ready=False, age=1000, ready_for=100), "used"),
    ],
)
def test_cpu_of_starting_pods_is_not_trusted(case: dict[str, Any], group: str) -> None:
    found = samples(Metric("cpu"), [case], usage, NOW, speed=1)
    assert "p" in getattr(found, group)


def test_speed_shortens_the_time_in_which_a_pod_starts() -> None:
    young = pod("p", age=60, ready_for=5)
    assert "p" in samples(Metric("cpu"), [young], usage, NOW, speed=10).used


def test_memory_of_starting_pods_is_trusted() -> None:
    assert samples(Metric("memory"), [pod("p", age=5, ready_for=1)], usage, NOW, speed=1).used == {"p": 1034}


def test_pod_without_sample_is_missing() -> None:
    assert samples(Metric("cpu"), [pod("p")], lambda _: [], NOW, speed=1).missing == {"p"}


def test_leaving_and_failed_pods_are_ignored() -> None:
    leaving = pod("gone")
    leaving["metadata"]["deletionTimestamp"] = now_rfc3339(NOW)
    assert counted_pods([leaving, pod("failed", phase="Failed"), pod("p")]) == [pod("p")]


def resource_metric(**target: Any) -> dict[str, Any]:
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def test_reading_tells_current_value_as_a_cluster_does() -> None:
    spec = resource_metric(type="Utilization", averageUtilization=50)
    reading = read(spec, 1, [pod("p")], usage, NARROW, NOW, 1)
    assert reading.label == "cpu resource utilization (percentage of request)"
    assert reading.status == {
        "type": "Resource",
        "resource": {"name": "cpu", "current": {"averageUtilization": 37, "averageValue": "75m"}},
    }


def test_container_metric_looks_at_one_container() -> None:
    source = {"name": "cpu", "container": "side", "target": {"type": "AverageValue", "averageValue": "1m"}}
    reading = read({"type": "ContainerResource", "containerResource": source}, 1, [pod("p")], usage, NARROW, NOW, 1)
    assert reading.proposal.replicas == 5


def test_missing_request_is_named() -> None:
    bare = pod("p")
    bare["spec"]["containers"].append({"name": "side"})
    spec = resource_metric(type="Utilization", averageUtilization=50)
    with pytest.raises(MetricError, match="missing request for cpu in container side of Pod p"):
        read(spec, 1, [bare], usage, NARROW, NOW, 1)


def test_metric_without_a_source_is_refused_in_words() -> None:
    with pytest.raises(MetricError, match="registered") as caught:
        read({"type": "External"}, 1, [pod("p")], usage, NARROW, NOW, 1)
    assert caught.value.reason == "FailedGetExternalMetric"
