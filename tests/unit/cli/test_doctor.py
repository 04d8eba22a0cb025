"""`selfheal doctor`: every finding is a line, what is missing comes with what to type, what is broken with a code."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from selfheal_cli.doctor import examine
from selfheal_core.errors import BadUsage, ClusterUnreachable, SelfhealError
from tests.faults.behaviours import json_body, status
from tests.faults.server import FaultServer

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
METRICS = "/apis/metrics.k8s.io/v1beta1/namespaces/payments/pods"
DEPLOYMENTS = "/apis/apps/v1/deployments"
HELM = "#!/bin/sh\necho v3.18.4\n"


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FaultServer]:
    """A cluster where all is well, a helm on the PATH, and a home of one's own."""
    helm = tmp_path / "bin" / "helm"
    helm.parent.mkdir()
    helm.write_text(HELM)
    helm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{helm.parent}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    async with FaultServer() as faults:
        faults.script("GET", "/version", json_body({"gitVersion": "v1.33.0"}))
        faults.script("POST", REVIEWS, json_body({"status": {"allowed": True}}, code=201))
        faults.script("GET", METRICS, json_body({"items": []}))
        faults.script("GET", DEPLOYMENTS, json_body({"items": [{"status": {"readyReplicas": 2}}]}))
        faults.kubeconfig(tmp_path)
        yield faults


async def examined(tmp_path: Path, **options: str) -> None:
    await asyncio.to_thread(examine, tmp_path / "kubeconfig", options.get("context"), options.get("namespace"))


async def test_all_is_well(server: FaultServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await examined(tmp_path)

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["ok"] * 9
    assert [line[8:].partition(":")[0] for line in lines] == [
        *("journal", "context", "cluster", "rollback", "restart", "kill", "metrics", "healerd", "helm")
    ]
    assert f"context: faults ({server.url}) as tester" in lines[1]
    assert "cluster: v1.33.0, answered in " in lines[2]
    assert "rollback: allowed in namespace 'payments'" in lines[3]
    assert "healerd: 2 ready" in lines[7]
    assert "helm: 3.18.4 (" in lines[8]


async def test_what_is_missing_is_named_with_what_to_do_and_is_no_failure(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.script("POST", REVIEWS, json_body({"status": {"allowed": False}}, code=201))
    server.script("GET", METRICS, status(404, "NotFound"))
    server.script("GET", DEPLOYMENTS, json_body({"items": []}))
    monkeypatch.setenv("PATH", "/no/such/folder")

    await examined(tmp_path, namespace="payments")

    missing = {
        line[8:].partition(":")[0]: line for line in capsys.readouterr().out.splitlines() if line.startswith("missing")
    }
    assert set(missing) == {"rollback", "restart", "kill", "metrics", "healerd", "helm"}
    assert "not allowed in 'payments': create pods/eviction; ask who administers" in missing["kill"]
    assert missing["metrics"].endswith("; CPU columns stay empty; install metrics-server")
    assert "helm install healerd chart/healerd" in missing["healerd"]
    assert "let this fetch it: make setup" in missing["helm"]


async def test_rights_are_asked_for_in_the_namespace_that_was_named(server: FaultServer, tmp_path: Path) -> None:
    await examined(tmp_path, namespace="checkout")

    asked = [request.json["spec"]["resourceAttributes"] for request in server.requests if request.path == REVIEWS]
    assert {attributes["namespace"] for attributes in asked} == {"checkout"}
    assert {"verb": "patch", "group": "apps", "resource": "deployments", "namespace": "checkout"} in asked


async def test_rights_that_can_not_be_told_are_not_taken_for_given(
    server: FaultServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.script("POST", REVIEWS, status(500, "InternalError"))

    await examined(tmp_path)

    assert "missing kill: rights unknown: the API server answered 500" in capsys.readouterr().out


async def test_a_cluster_that_does_not_let_us_in_is_broken_and_nothing_more_is_asked_of_it(
    server: FaultServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.tokens = {"another"}

    with pytest.raises(ClusterUnreachable, match="401 Unauthorized") as raised:
        await examined(tmp_path)

    printed = capsys.readouterr().out
    assert raised.value.exit_code == 4
    assert "broken  cluster: " in printed
    assert "rollback" not in printed
    assert {request.path for request in server.requests} == {"/version"}


async def test_a_journal_that_can_not_be_written_is_broken_but_the_rest_is_told(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Nobody can make a folder there, root included.
    monkeypatch.setenv("XDG_STATE_HOME", "/proc")

    with pytest.raises(SelfhealError, match="can't be written") as raised:
        await examined(tmp_path)

    assert raised.value.exit_code == 1
    assert "ok      helm" in capsys.readouterr().out


async def test_an_unknown_context_is_wrong_usage(server: FaultServer, tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match=r"no context 'fault' in .*did you mean 'faults'"):
        await examined(tmp_path, context="fault")


async def test_text_of_the_server_can_not_command_the_terminal(
    server: FaultServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.script("GET", "/version", json_body({"gitVersion": "\x1b[2Jv1\nok      forged: line"}))

    await examined(tmp_path)

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 9
    assert "cluster: ␛[2Jv1␊ok      forged: line, answered" in lines[2]
