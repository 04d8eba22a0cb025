"""`selfheal doctor`: every finding is a line, what is missing comes with what to type, what is broken with a code."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from selfheal_cli.cluster_checks import skew_finding
from selfheal_cli.doctor import examine
from selfheal_cli.local_checks import kubectl, terminal
from selfheal_core.errors import BadUsage, ClusterUnreachable, SelfhealError
from tests.faults.behaviours import json_body, status
from tests.faults.exchange import Behaviour, Exchange
from tests.faults.server import FaultServer

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
METRICS = "/apis/metrics.k8s.io/v1beta1/namespaces/payments/pods"
DEPLOYMENTS = "/apis/apps/v1/deployments"
SERVICES = "/api/v1/services"
QUERY = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query"
PROMETHEUS_SERVICE = {
    "metadata": {"name": "prometheus", "namespace": "monitoring"},
    "spec": {"ports": [{"name": "web", "port": 9090}]},
}
KUBECTL = """#!/bin/sh
echo '{"clientVersion": {"gitVersion": "v1.32.3"}}'
"""
HELM = "#!/bin/sh\necho v3.18.4\n"


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FaultServer]:
    """A cluster where all is well, a helm on the PATH, and a home of one's own."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, script in (("helm", HELM), ("kubectl", KUBECTL)):
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    async with FaultServer() as faults:
        faults.script("GET", "/version", json_body({"gitVersion": "v1.33.0"}))
        faults.script("POST", REVIEWS, json_body({"status": {"allowed": True}}, code=201))
        faults.script("GET", METRICS, json_body({"items": []}))
        healerd = {"metadata": {"labels": {"app.kubernetes.io/version": "0.3.1"}}, "status": {"readyReplicas": 2}}
        faults.script("GET", DEPLOYMENTS, json_body({"items": [healerd]}))
        faults.script("GET", SERVICES, json_body({"items": [PROMETHEUS_SERVICE]}))
        faults.script("GET", QUERY, json_body(sample("12.3")))
        faults.kubeconfig(tmp_path)
        yield faults


def sample(*values: str) -> dict[str, object]:
    """Prometheus' answer with one series per value."""
    series = [{"metric": {}, "value": [1_790_000_000, value]} for value in values]
    return {"status": "success", "data": {"resultType": "vector", "result": series}}


async def examined(tmp_path: Path, **options: str) -> None:
    await asyncio.to_thread(
        examine,
        tmp_path / "kubeconfig",
        options.get("context"),
        options.get("namespace"),
        prometheus=options.get("prometheus", ""),
        as_json="as_json" in options,
    )


async def test_all_is_well(server: FaultServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await examined(tmp_path)

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["ok"] * 14
    assert [line[8:].partition(":")[0] for line in lines] == [
        *("terminal", "journal", "kubeconfig", "cluster", "clock", "look", "rollback", "restart", "kill", "metrics"),
        *("prometheus", "healerd", "helm", "kubectl"),
    ]
    said = {line[8:].partition(": ")[0]: line[8:].partition(": ")[2] for line in lines}
    assert said["kubeconfig"] == f"{tmp_path / 'kubeconfig'}: faults ({server.url}) as tester"
    assert said["cluster"].startswith("v1.33.0, answered in ")
    assert said["clock"] == "agrees with the API server's to within 2 s"
    assert said["rollback"] == "allowed in namespace 'payments'"
    assert said["prometheus"] == "monitoring/prometheus:9090 answers, newest sample 12s old"
    assert said["healerd"] == "0.3.1, 2 ready"
    assert said["helm"].startswith("3.18.4 (")
    assert said["kubectl"].startswith("v1.32.3 (")


async def test_what_is_missing_is_named_with_what_to_do_and_is_no_failure(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.script("POST", REVIEWS, json_body({"status": {"allowed": False}}, code=201))
    server.script("GET", METRICS, status(404, "NotFound"))
    server.script("GET", DEPLOYMENTS, json_body({"items": []}))
    server.script("GET", SERVICES, json_body({"items": []}))
    monkeypatch.setenv("PATH", "/no/such/folder")

    await examined(tmp_path, namespace="payments")

    missing = {
        line[8:].partition(":")[0]: line for line in capsys.readouterr().out.splitlines() if line.startswith("missing")
    }
    assert set(missing) == {
        *("look", "rollback", "restart", "kill", "metrics", "prometheus", "healerd", "helm", "kubectl")
    }
    assert "not allowed in 'payments': create pods/eviction; ask who administers" in missing["kill"]
    assert "CPU columns stay empty: " in missing["metrics"]
    assert "; kubectl apply -f https://github.com/kubernetes-sigs/metrics-server/" in missing["metrics"]
    assert "none found; error rates are read from the pods instead; name it: " in missing["prometheus"]
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

    printed = capsys.readouterr().out
    assert "missing kill: rights unknown: the API server answered 500" in printed
    assert "; try: kubectl auth can-i create pods -n payments" in printed


async def test_reviews_that_are_refused_themselves_leave_the_rest_to_be_told(
    server: FaultServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.script("POST", REVIEWS, status(403, "Forbidden"))

    await examined(tmp_path)

    lines = capsys.readouterr().out.splitlines()
    unknown = [line.split()[1] for line in lines if "rights unknown" in line]
    assert unknown == ["look:", "rollback:", "restart:", "kill:"]
    assert "ok      healerd: 0.3.1, 2 ready" in lines


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
    assert len(lines) == 14
    assert "cluster: ␛[2Jv1␊ok      forged: line, answered" in lines[3]


@pytest.mark.parametrize(
    ("offset_seconds", "said"),
    [
        (
            -3600.0,
            "warning clock: 1h ahead of the API server's: ages are told by the API server's, "
            "kubectl's ages read 1h too long",
        ),
        (
            3600.0,
            "warning clock: 1h behind the API server's: ages are told by the API server's, "
            "kubectl's ages read 1h too short",
        ),
    ],
)
async def test_a_clock_that_is_off_is_told_with_its_effect(
    server: FaultServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], offset_seconds: float, said: str
) -> None:
    server.clock_offset_seconds = offset_seconds

    await examined(tmp_path)

    line = next(line for line in capsys.readouterr().out.splitlines() if "clock: " in line)
    # A second may pass between the server's stamp and our look at the clock.
    assert line.replace("59m59s", "1h").startswith(said)
    assert line.endswith("; sudo timedatectl set-ntp true")


@pytest.mark.parametrize(("seconds", "verdict"), [(1.9, "ok"), (-1.9, "ok"), (2.1, "warning"), (-2.1, "warning")])
def test_two_seconds_of_skew_are_borne(seconds: float, verdict: str) -> None:
    assert skew_finding(seconds).verdict == verdict


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (json_body(sample("900")), "warning prometheus: monitoring/prometheus:9090 answers, newest sample 15m old"),
        (json_body(sample()), "missing prometheus: monitoring/prometheus:9090 answers and has no samples"),
        (json_body(sample("NaN")), "missing prometheus: monitoring/prometheus:9090 answers and has no samples"),
        (status(503, "ServiceUnavailable"), "missing prometheus: "),
    ],
    ids=["old", "empty", "no number", "down"],
)
async def test_a_prometheus_that_is_no_help_is_told(
    server: FaultServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: Behaviour, said: str
) -> None:
    server.script("GET", QUERY, answer)

    await examined(tmp_path)

    (line,) = [line for line in capsys.readouterr().out.splitlines() if "prometheus: " in line[:20]]
    assert line.startswith(said)
    assert "; " in line


@pytest.mark.parametrize(
    ("setting", "said"),
    [("none", "missing prometheus: switched off"), ("monitoring", "missing prometheus: 'monitoring' is no address")],
)
async def test_the_setting_decides_which_prometheus_is_asked(
    server: FaultServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], setting: str, said: str
) -> None:
    await examined(tmp_path, prometheus=setting)

    assert said in capsys.readouterr().out
    assert not [request for request in server.requests if request.path in (SERVICES, QUERY)]


async def test_healerd_is_found_where_it_usually_is_without_rights_to_look_everywhere(
    server: FaultServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.script("GET", DEPLOYMENTS, status(403, "Forbidden"))
    usual = "/apis/apps/v1/namespaces/selfheal-system/deployments"
    server.script("GET", usual, json_body({"items": [{"status": {"readyReplicas": 1}}]}))

    await examined(tmp_path)

    assert "ok      healerd: 1 ready" in capsys.readouterr().out


async def test_as_json_it_is_one_document_and_the_same_exit_code(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc")

    with pytest.raises(SelfhealError):
        await examined(tmp_path, as_json="")

    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert [one["about"] for one in document["findings"]][:3] == ["terminal", "journal", "kubeconfig"]
    assert document["findings"][1]["verdict"] == "broken"
    assert set(document["findings"][0]) == {"verdict", "about", "text", "nextStep"}


async def test_each_line_appears_as_soon_as_it_is_known(
    server: FaultServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said_before_the_review: list[str] = []

    async def slow(exchange: Exchange) -> None:
        said_before_the_review.append(capsys.readouterr().out)
        await json_body({"status": {"allowed": True}}, code=201)(exchange)

    server.script("POST", REVIEWS, slow)
    await examined(tmp_path)

    assert "ok      clock: " in said_before_the_review[0]
    assert "helm" not in said_before_the_review[0]


@pytest.mark.parametrize(
    ("environ", "verdict", "said"),
    [
        ({"TERM": "xterm-256color", "LANG": "C.UTF-8"}, "ok", "xterm-256color, 256 colours, UTF-8"),
        ({"TERM": "xterm", "COLORTERM": "truecolor", "LC_ALL": "de_DE.utf8"}, "ok", "xterm, 24-bit colour, UTF-8"),
        ({"TERM": "linux", "LANG": "C.UTF-8", "NO_COLOR": "1"}, "ok", "linux, no colours (NO_COLOR is set), UTF-8"),
        ({"TERM": "xterm", "LANG": "C"}, "warning", "xterm, 16 colours; the locale is not UTF-8"),
        ({"TERM": "dumb"}, "missing", "TERM=dumb can show no screen"),
        ({}, "missing", "TERM= can show no screen"),
    ],
)
def test_what_the_terminal_can_do(environ: dict[str, str], verdict: str, said: str) -> None:
    finding = terminal(environ, is_terminal=True)

    assert finding.verdict == verdict
    assert finding.text.startswith(said)
    assert bool(finding.next_step) == (verdict != "ok")


def kubectl_at(folder: Path, script: str) -> dict[str, str]:
    (folder / "kubectl").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "kubectl").chmod(0o755)
    return {"PATH": str(folder)}


@pytest.mark.parametrize(
    ("server_version", "verdict"),
    [("v1.31.0", "ok"), ("v1.33.0", "ok"), ("v1.34.1", "warning"), ("v1.30.0", "warning"), ("", "ok"), ("odd", "ok")],
)
async def test_a_kubectl_too_far_from_the_server_is_told(tmp_path: Path, server_version: str, verdict: str) -> None:
    environ = kubectl_at(tmp_path, """echo '{"clientVersion": {"gitVersion": "v1.32.3"}}'""")

    assert (await kubectl(server_version, environ)).verdict == verdict


@pytest.mark.parametrize("script", ["exit 1", "echo nonsense", "echo '[]'"])
async def test_a_kubectl_that_does_not_work_is_missing(tmp_path: Path, script: str) -> None:
    finding = await kubectl("v1.32.0", kubectl_at(tmp_path, script))

    assert finding.verdict == "missing"
    assert "does not tell its version" in finding.text
