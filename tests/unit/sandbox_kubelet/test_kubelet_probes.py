from typing import Any

import pytest

from selfheal_sandbox.kubelet.probes import (
    ActionError,
    Command,
    HttpGet,
    Probe,
    ProbeKind,
    Sleep,
    TcpSocket,
    Verdict,
    action_of,
    initial_state,
    observe,
    probe_of,
)

CONTAINER: dict[str, Any] = {"name": "web", "ports": [{"name": "http", "containerPort": 8080}]}


def verdicts(kind: ProbeKind, results: str, **thresholds: int) -> list[Verdict]:
    """What a series of results ("+" and "-") means."""
    probe = Probe(kind, TcpSocket(1), **thresholds)
    state, found = initial_state(kind), []
    for result in results:
        state = observe(probe, state, result == "+")
        found.append(state.verdict)
    return found


N, R, X, K, S = Verdict.UNCHANGED, Verdict.READY, Verdict.NOT_READY, Verdict.KILL, Verdict.STARTED


@pytest.mark.parametrize(
    ("kind", "results", "thresholds", "expected"),
    [
        pytest.param(ProbeKind.READINESS, "+++", {}, [R, N, N], id="ready once"),
        pytest.param(ProbeKind.READINESS, "-+", {}, [N, R], id="not ready from the start"),
        pytest.param(ProbeKind.READINESS, "+--", {"failure_threshold": 2}, [R, N, X], id="unready at the threshold"),
        pytest.param(ProbeKind.READINESS, "+-+-", {"failure_threshold": 2}, [R, N, N, N], id="a success resets"),
        pytest.param(ProbeKind.READINESS, "+---", {"failure_threshold": 2}, [R, N, X, N], id="told once"),
        pytest.param(ProbeKind.READINESS, "++", {"success_threshold": 2}, [N, R], id="success threshold"),
        pytest.param(ProbeKind.READINESS, "+-+", {"success_threshold": 2}, [N, N, N], id="a failure resets"),
        pytest.param(ProbeKind.LIVENESS, "---", {}, [N, N, K], id="killed at the third failure"),
        pytest.param(ProbeKind.LIVENESS, "--+--", {}, [N] * 5, id="live again"),
        pytest.param(ProbeKind.STARTUP, "--+", {}, [N, N, S], id="started at last"),
        pytest.param(ProbeKind.STARTUP, "---", {}, [N, N, K], id="never started"),
    ],
)
def test_thresholds(kind: ProbeKind, results: str, thresholds: dict[str, int], expected: list[Verdict]) -> None:
    assert verdicts(kind, results, **thresholds) == expected


def test_reads_every_number_of_a_probe() -> None:
    spec = {
        "httpGet": {"path": "/ready", "port": "http", "httpHeaders": [{"name": "X", "value": "1"}]},
        "initialDelaySeconds": 1,
        "periodSeconds": 3,
        "timeoutSeconds": 2,
        "successThreshold": 1,
        "failureThreshold": 2,
        "terminationGracePeriodSeconds": 0,
    }

    probe = probe_of({**CONTAINER, "livenessProbe": spec}, ProbeKind.LIVENESS)

    assert probe == Probe(
        kind=ProbeKind.LIVENESS,
        action=HttpGet(8080, "/ready", "http", "", (("X", "1"),)),
        initial_delay_seconds=1,
        period_seconds=3,
        timeout_seconds=2,
        success_threshold=1,
        failure_threshold=2,
        termination_grace_seconds=0,
    )


def test_defaults_are_those_of_the_api() -> None:
    probe = probe_of({**CONTAINER, "readinessProbe": {"tcpSocket": {"port": 80}}}, ProbeKind.READINESS)

    assert probe == Probe(ProbeKind.READINESS, TcpSocket(80), 0, 10, 1, 1, 3)


def test_a_container_without_the_probe_has_none() -> None:
    assert probe_of(CONTAINER, ProbeKind.STARTUP) is None


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        ({"exec": {"command": ["true"]}}, Command(("true",))),
        ({"sleep": {"seconds": 5}}, Sleep(5)),
        ({"tcpSocket": {"port": "8081"}}, TcpSocket(8081)),
        ({"httpGet": {"port": 1, "scheme": "HTTPS", "host": "x"}}, HttpGet(1, "/", "https", "x")),
    ],
)
def test_actions(handler: dict[str, Any], expected: object) -> None:
    assert action_of(handler, CONTAINER) == expected


@pytest.mark.parametrize("handler", [{}, {"httpGet": {"port": "metrics"}}, {"grpc": {"port": 1}}])
def test_an_action_that_cannot_be_carried_out_is_told(handler: dict[str, Any]) -> None:
    with pytest.raises(ActionError):
        action_of(handler, CONTAINER)
