"""The deletion policy, as a pure function."""

from typing import Any

import pytest

from selfheal_sandbox.api.deletion import (
    DeleteOptions,
    Removal,
    Termination,
    decide,
    delete_options,
    is_finished,
)
from selfheal_sandbox.api.errors import ApiError
from selfheal_sandbox.store.objects import Object
from tests.unit.sandbox_api.fakes import NOON


def decided(obj: Object, **options: Any) -> Removal | Termination:
    return decide(obj, DeleteOptions(**options), now=NOON)


def metadata_after(outcome: Removal | Termination) -> Object:
    assert isinstance(outcome, Termination)
    metadata: Object = outcome.obj["metadata"]
    return metadata


def running(**metadata: Any) -> Object:
    return {
        "kind": "Pod",
        "metadata": {"name": "p", **metadata},
        "spec": {"nodeName": "node-1", "terminationGracePeriodSeconds": 20},
        "status": {"phase": "Running"},
    }


def test_plain_objects_go_at_once() -> None:
    assert decided({"kind": "ConfigMap", "metadata": {}}) == Removal()


def test_a_running_pod_gets_its_own_grace_period() -> None:
    metadata = metadata_after(decided(running(generation=1)))

    assert metadata["deletionTimestamp"] == "2026-03-01T12:00:20Z"
    assert metadata["deletionGracePeriodSeconds"] == 20
    assert metadata["generation"] == 2


@pytest.mark.parametrize(
    "pod",
    [
        {**running(), "spec": {}},
        {**running(), "status": {"phase": "Succeeded"}},
        {**running(), "status": {"phase": "Failed"}},
    ],
)
def test_a_pod_that_no_kubelet_has_to_stop_goes_at_once(pod: Object) -> None:
    assert is_finished_after(decided(pod))


def test_a_grace_of_zero_removes_a_pod_unless_finalizers_hold_it() -> None:
    assert is_finished_after(decided(running(), grace_period_seconds=0))
    held = decided(running(finalizers=["x/y"]), grace_period_seconds=0)
    assert metadata_after(held)["deletionGracePeriodSeconds"] == 0
    assert not is_finished_after(held)


def is_finished_after(outcome: Removal | Termination) -> bool:
    assert isinstance(outcome, Termination)
    return is_finished(outcome.obj)


@pytest.mark.parametrize(("asked", "expected"), [(5, 5), (60, 20)])
def test_a_second_request_shortens_the_grace_period_and_never_lengthens_it(asked: int, expected: int) -> None:
    first = decided(running())
    assert isinstance(first, Termination)

    assert metadata_after(decided(first.obj, grace_period_seconds=asked))["deletionGracePeriodSeconds"] == expected


@pytest.mark.parametrize("options", [{}, {"grace_period_seconds": 20}, {"grace_period_seconds": 60}])
def test_a_pod_that_is_going_gets_no_finalizer_of_the_collector(options: Object) -> None:
    going = metadata_after(decided(running()))
    pod = {**running(), "metadata": going}
    assert metadata_after(decided(pod, propagation="Orphan", **options)) == going
    assert metadata_after(decided(pod, propagation="Orphan", grace_period_seconds=5))["finalizers"] == ["orphan"]


def test_the_last_finalizer_goes_when_dependents_shall_not_be_orphaned() -> None:
    pod = {"kind": "Pod", "metadata": {"name": "p"}, "spec": {}, "status": {}}
    held = metadata_after(decided(pod, propagation="Orphan"))
    assert held["finalizers"] == ["orphan"]
    assert decided({**pod, "metadata": held}, propagation="Background") == Removal()


def test_a_pod_that_failed_while_it_is_going_may_still_get_a_shorter_time() -> None:
    pod = {**running(), "metadata": metadata_after(decided(running())), "status": {"phase": "Failed"}}
    assert metadata_after(decided(pod, grace_period_seconds=5))["deletionGracePeriodSeconds"] == 5


def test_asking_twice_changes_nothing() -> None:
    first = decided({"kind": "ConfigMap", "metadata": {"finalizers": ["x/y"]}})
    assert isinstance(first, Termination)
    second = decided(first.obj)

    assert isinstance(second, Termination)
    assert second.obj is first.obj


@pytest.mark.parametrize(("propagation", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
def test_the_garbage_collector_gets_a_finalizer_of_its_own(propagation: str, finalizer: str) -> None:
    obj = {"kind": "ConfigMap", "metadata": {"finalizers": ["orphan", "x/y"]}}

    assert metadata_after(decided(obj, propagation=propagation))["finalizers"] == ["x/y", finalizer]


@pytest.mark.parametrize("said", ["foregroundDeletion", "orphan"])
def test_what_was_said_of_dependents_holds_until_another_deletion_says_otherwise(said: str) -> None:
    obj = {"kind": "ConfigMap", "metadata": {"name": "c", "finalizers": ["x/y", said]}}

    assert metadata_after(decided(obj))["finalizers"] == ["x/y", said]
    assert metadata_after(decided(obj, propagation="Background"))["finalizers"] == ["x/y"]


@pytest.mark.parametrize(
    ("obj", "finished"),
    [
        ({"kind": "Pod", "metadata": {"name": "p"}}, False),
        ({"kind": "Pod", "metadata": {"deletionTimestamp": "x", "deletionGracePeriodSeconds": 30}}, False),
        ({"kind": "Pod", "metadata": {"deletionTimestamp": "x", "deletionGracePeriodSeconds": 0}}, True),
        ({"kind": "Pod", "metadata": {"deletionTimestamp": "x", "finalizers": ["x/y"]}}, False),
        ({"kind": "Namespace", "metadata": {"deletionTimestamp": "x"}, "spec": {"finalizers": ["k"]}}, False),
        ({"kind": "Namespace", "metadata": {"deletionTimestamp": "x"}, "spec": {}}, True),
    ],
)
def test_what_keeps_a_terminating_object(obj: Object, finished: bool) -> None:
    assert is_finished(obj) is finished


def test_options_come_from_the_body_and_the_query() -> None:
    body = {"propagationPolicy": "Foreground", "preconditions": {"uid": "u"}, "gracePeriodSeconds": 9}
    options = delete_options(body, {"gracePeriodSeconds": 0, "dryRun": ["All"]})

    assert options == DeleteOptions(0, "Foreground", "u", None, dry_run=True)
    assert delete_options({"orphanDependents": True}, {}).propagation == "Orphan"
    assert delete_options({"orphanDependents": False}, {}).propagation == "Background"
    assert delete_options({}, {}).propagation is None
    assert delete_options({"gracePeriodSeconds": -5}, {}).grace_period_seconds == 1


@pytest.mark.parametrize(
    "body",
    [
        {"gracePeriodSeconds": "soon"},
        {"gracePeriodSeconds": True},
        {"propagationPolicy": "Orphan", "orphanDependents": True},
        {"preconditions": []},
        {"preconditions": {"uid": 3}},
        {"dryRun": "All"},
    ],
)
def test_malformed_options_are_refused(body: Object) -> None:
    with pytest.raises(ApiError) as caught:
        delete_options(body, {})

    assert caught.value.code == 400


def test_an_unknown_propagation_policy_is_invalid() -> None:
    with pytest.raises(ApiError) as caught:
        delete_options({"propagationPolicy": "Sideways"}, {})

    assert (caught.value.code, caught.value.details["kind"]) == (422, "DeleteOptions")
