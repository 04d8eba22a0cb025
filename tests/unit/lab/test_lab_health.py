"""Whether a lab is well, judged from what its API server says."""

from pathlib import Path
from typing import Any

import pytest

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


def test_the_api_server_is_asked_past_the_proxies_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    kubectl = tmp_path / "kubectl"
    kubectl.write_text('#!/bin/sh\necho "proxy: $HTTPS_PROXY$https_proxy"\n')
    kubectl.chmod(0o755)

    assert health.read(kubectl, tmp_path / "kubeconfig", "/readyz") == "proxy: \n"
