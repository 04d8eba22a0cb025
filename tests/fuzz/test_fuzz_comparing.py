"""Answers are compared without what servers choose, and nothing else."""

from typing import Any

import pytest

from tests.fuzz.calls import UNKNOWN_UID, Call, Memory, seen_version, uid_of, version_of
from tests.fuzz.comparing import Answer, differences
from tests.fuzz.normalising import Ordinals
from tests.fuzz.sequences import CALL_LIMIT, generated

GET = Call("get", "ConfigMap", "GET", "/api/v1/namespaces/NS/configmaps/a")


def config_map(**metadata: Any) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": "a", **metadata}}


def compared(real: list[Any], sandbox: list[Any]) -> list[str]:
    """Return the fields in which the last of several bodies differ."""
    sides = (Ordinals("one"), Ordinals("two"))
    pairs = [
        tuple(Answer(200, side.normal(body)) for side, body in zip(sides, pair, strict=True))
        for pair in zip(real, sandbox, strict=True)
    ]
    return [difference.field for difference in differences(0, GET, (pairs[-1][0], pairs[-1][1]))]


def test_other_versions_uids_times_and_namespaces_are_the_same() -> None:
    real = config_map(resourceVersion="7", uid="u", creationTimestamp="2026-01-01T00:00:00Z", namespace="one")
    sandbox = config_map(resourceVersion="100", uid="w", creationTimestamp="2025-01-01T00:00:00Z", namespace="two")

    assert compared([real], [sandbox]) == []


def test_a_write_that_changes_the_version_on_one_side_alone_is_a_difference() -> None:
    real = [config_map(resourceVersion="7"), config_map(resourceVersion="7")]
    sandbox = [config_map(resourceVersion="100"), config_map(resourceVersion="101")]

    assert compared(real, sandbox) == ["metadata.resourceVersion"]


@pytest.mark.parametrize(
    ("real", "sandbox", "field"),
    [
        (config_map(labels={"a": "b"}), config_map(), "metadata.labels"),
        (config_map(finalizers=["x"]), config_map(finalizers=["x", "y"]), "metadata.finalizers"),
        (config_map(generation=1), config_map(generation=True), "metadata.generation"),
        (config_map(deletionTimestamp="2026-01-01T00:00:00Z"), config_map(), "metadata.deletionTimestamp"),
    ],
)
def test_what_clients_see_is_compared(real: Any, sandbox: Any, field: str) -> None:
    assert compared([real], [sandbox]) == [field]


def test_messages_count_where_users_see_them_and_causes_always() -> None:
    def status(reason: str, message: str, field: str = "spec") -> dict[str, Any]:
        causes = [{"reason": "FieldValueInvalid", "field": field, "message": message}]
        return {"kind": "Status", "code": 422, "reason": reason, "message": message, "details": {"causes": causes}}

    assert compared([status("Invalid", "x")], [status("Invalid", "y")]) == []
    assert compared([status("NotFound", "x")], [status("NotFound", "y")]) == ["message"]
    assert compared([status("Invalid", "x")], [status("Invalid", "x", "status")]) == ["causes[]"]


def test_different_codes_are_one_difference() -> None:
    pair = (Answer(200, {"a": 1}), Answer(404, {"b": 2}))

    assert [difference.field for difference in differences(0, GET, pair)] == ["code"]


def test_references_mean_what_the_server_told() -> None:
    memory = Memory()
    memory.learn(config_map(resourceVersion="7", uid="u"))
    memory.learn(config_map(resourceVersion="9", uid="u"))
    body = {
        "newest": version_of("ConfigMap", "a", "newest"),
        "first": version_of("ConfigMap", "a", "first"),
        "seen": seen_version(1),
        "uid": uid_of("ConfigMap", "a"),
        "unknown": uid_of("ConfigMap", "b"),
    }

    assert memory.resolve(body) == {"newest": "9", "first": "7", "seen": "7", "uid": "u", "unknown": UNKNOWN_UID}


def test_a_seed_makes_the_same_sequences_each_time() -> None:
    first = generated(20, 5)

    assert first == generated(20, 5)
    assert first != generated(20, 6)
    assert all(1 <= len(sequence) <= CALL_LIMIT for sequence in first)
