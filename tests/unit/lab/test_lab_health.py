"""Whether a lab is well, judged from what its API server says."""

from typing import Any

from tests.lab import health


def one(name: str, kind: str, status: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"conditions": [{"type": kind, "status": status}]}}


def test_a_node_that_is_not_ready_or_not_there_is_named() -> None:
    nodes = {"items": [one("a", "Ready", "True"), one("b", "Ready", "Unknown"), {"metadata": {"name": "d"}}]}

    assert health.not_ready(nodes, ["a", "b", "c", "d"]) == ["b", "c", "d"]


def test_no_answer_means_no_node_is_ready() -> None:
    assert health.not_ready({}, ["a"]) == ["a"]


def test_a_deployment_that_is_not_available_is_named() -> None:
    deployments = {"items": [one("coredns", "Available", "True"), one("metrics-server", "Available", "False")]}

    assert health.unavailable(deployments, ["coredns", "metrics-server"]) == ["metrics-server"]


def test_an_aggregated_api_is_served_when_it_says_so() -> None:
    assert health.is_served(one("x", "Available", "True"))
    assert not health.is_served({})
