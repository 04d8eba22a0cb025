"""`explain` asks the same decision as healerd, shows every gate, and never claims to know what only healerd knows."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from selfheal_cli.explain import explanation_lines, observed_policy, policy_from, step_words
from selfheal_cli.explanation import explain_application, explain_pod
from selfheal_cli.last_words import last_words
from selfheal_cli.next_step import NextStep, next_step
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import connect
from selfheal_core.domain.heal import GATES, HealMemory, HealPolicy, decide
from selfheal_core.domain.objects import Event
from selfheal_core.domain.snapshot import Application, ControllerStatus, PodRow, Snapshot, Source
from tests.faults.behaviours import body, json_body, status
from tests.faults.exchange import Behaviour
from tests.faults.server import FaultServer
from tests.unit.domain.builders import APP, NOW, OWNER, crashing, event, picture, row

RUNNING = ControllerStatus(present=True, version="1", ready=1, desired=1)
PLACE = {"name": "app-a", "namespace": "payments", "pod": "app-a-1"}


def application(*pods: PodRow, events: tuple[Event, ...] = ()) -> Application:
    return Application(
        key=APP,
        state="crash loop",
        severity="bad",
        detail="",
        since=NOW - 252,
        reason="container app exits 1",
        tracks=(),
        pods=tuple(pod.uid for pod in pods),
        ready=0,
        desired=1,
        restarts=6,
        last_restart_at=NOW - 41,
        events=events,
    )


def seen(*pods: PodRow, controller: ControllerStatus = RUNNING, **changes: Any) -> Snapshot:
    return picture(*pods, controller=controller, **{"applications": (application(*pods),), **changes})


BARE = crashing(owner=None)
DAEMON = crashing(owner=OWNER._replace(kind="DaemonSet"))
SYSTEM = crashing(namespace="kube-system")
OVER = crashing(restarts=4, state="running", since=NOW - 900, last_restart_at=NOW - 900)


@pytest.mark.parametrize("pod", [crashing(), BARE, DAEMON, SYSTEM, OVER, row()], ids=lambda pod: str(pod.state))
def test_it_says_what_healerd_decides(pod: PodRow) -> None:
    snapshot = seen(pod)
    about = explain_pod(pod, snapshot, HealPolicy(), NOW)
    decision = decide(snapshot, HealMemory(), HealPolicy(), NOW)

    assert len(about.gates) == len(GATES)
    assert ("would evict" in about.decision) == bool(decision.actions)
    if decision.holds:
        assert decision.holds[0].reason in about.decision
        first_closed = next(gate for gate in about.gates if gate.sign == "closed")
        assert first_closed.reason == decision.holds[0].reason


def test_a_pod_below_the_limit_is_left_alone_and_the_limit_is_named() -> None:
    pod = crashing(restarts=3)
    about = explain_pod(pod, seen(pod), HealPolicy(), NOW)

    assert about.decision == (
        "healerd would leave pod app-a-1 alone: no container restarted more than 3 times (most: 3)."
    )


def test_stale_data_closes_the_first_gate_in_words() -> None:
    pod = crashing()
    stale = {"pods": Source("pods", "lost", NOW - 40, NOW - 200, "connection refused")}
    about = explain_pod(pod, seen(pod, sources=stale), HealPolicy(), NOW)

    assert about.gates[0].sign == "closed"
    assert "pods are lost, last seen 3m ago (connection refused)" in about.decision


def test_what_only_healerd_remembers_is_not_called_open() -> None:
    pod = crashing()
    about = explain_pod(pod, seen(pod), HealPolicy(), NOW)

    assert [gate.question for gate in about.gates if gate.sign == "unknown"] == [
        "not sent just now",
        "budget has not refused",
        "owner's turn",
    ]


def test_of_two_pods_of_one_owner_only_one_would_go() -> None:
    first, second = crashing("app-a-1", restarts=9), crashing("app-a-2", restarts=5)
    snapshot = seen(first, second)

    assert "would evict" in explain_pod(first, snapshot, HealPolicy(), NOW).decision
    assert "another pod of Deployment app-a is being removed now" in (
        explain_pod(second, snapshot, HealPolicy(), NOW).decision
    )


@pytest.mark.parametrize(
    ("controller", "words"),
    [
        (ControllerStatus(present=False), "healerd is not installed here; it would evict"),
        (ControllerStatus(present=True, desired=0), "healerd is not running (scaled to 0); it would evict"),
        (ControllerStatus(), "healerd would evict"),
    ],
)
def test_a_healerd_that_is_not_there_is_said(controller: ControllerStatus, words: str) -> None:
    pod = crashing()

    assert explain_pod(pod, seen(pod, controller=controller), HealPolicy(), NOW).decision.startswith(words)


def test_an_application_speaks_of_its_worst_pod_and_of_all_its_events() -> None:
    calm, worst = row("app-a-1"), crashing("app-a-2")
    told = event("SelfhealEvicted", "Evicted pod app-a-0: too many restarts", about="gone", ago=90, component="healerd")
    of_owner = event("SelfhealEvicted", told.message, about="owner", ago=90, component="healerd")
    app = application(calm, worst, events=(told, of_owner))
    about = explain_application(app, seen(calm, worst, applications=(app,)), HealPolicy(), NOW)

    assert "would evict pod app-a-2 now: container app restarted 6 times (limit 3)" in about.decision
    assert [(deed.verb, deed.sentence) for deed in about.deeds] == [
        ("evicted", "Evicted pod app-a-0: too many restarts.")
    ]


def test_where_nothing_restarted_too_often_it_speaks_of_the_pod_that_is_in_trouble() -> None:
    well, broken = row(name="app-a-9", uid="9", restarts=1), row(name="app-a-1", uid="1", severity="bad")
    about = explain_application(application(well, broken), seen(well, broken), HealPolicy(), NOW)
    assert about.decision.startswith("healerd would leave pod app-a-1 alone")
    over = crashing(name="app-a-5", uid="5", restarts=4, severity="warn")
    about = explain_application(application(broken, over), seen(broken, over), HealPolicy(), NOW)
    assert "app-a-5" in about.decision


def test_an_application_without_pods_has_no_gates() -> None:
    about = explain_application(application(), seen(), HealPolicy(), NOW)

    assert about.gates == ()
    assert about.decision == "It has no pods, so there is nothing to remove."


def test_the_lines_name_the_gates_and_end_with_a_command() -> None:
    pod = crashing()
    lines = list(explanation_lines(explain_pod(pod, seen(pod), HealPolicy(), NOW), PLACE, NOW))

    assert lines[0].startswith("state     Crash loop since ")
    assert lines[1].startswith("decides   healerd would evict pod app-a-1 now")
    assert "          yes  data is fresh" in lines
    assert any(line.startswith("          ?    owner's turn: only healerd remembers") for line in lines)
    assert lines[-1].startswith("next      Read what the last run logged before it ended.")
    assert lines[-1].endswith("Type: kubectl logs -n payments app-a-1 --previous")


def test_it_begins_with_what_is_broken_and_what_it_says_itself() -> None:
    pod = crashing()
    about = explain_application(application(pod), seen(pod), HealPolicy(), NOW, "unknown variable PROT")
    lines = list(explanation_lines(about, PLACE, NOW))

    assert re.match(r"state     Crash loop since .* \(4m.*\)\. Container app exits 1\.$", lines[0])
    assert lines[1] == "it says   “unknown variable PROT”"


def test_without_a_log_a_failed_probe_says_it() -> None:
    pod = row(state="unready", severity="warn", since=NOW - 30, reason="its readiness probe fails")
    told = event("Unhealthy", "Readiness probe failed: 503", about=pod.uid, ago=20, component="kubelet")
    shown = seen(pod, applications=(application(pod, events=(told,)),))

    assert explain_pod(pod, shown, HealPolicy(), NOW).says == "Readiness probe failed: 503"


LOG = "/api/v1/namespaces/payments/pods/app-a-1/log"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (body(b'reading settings\n{"level":"error","event":"no database","url":"db"}\n\n'), "no database url=db"),
        (status(404, "NotFound"), ""),
    ],
    ids=["a log", "no log"],
)
async def test_the_last_words_are_the_last_line_of_the_run_before(
    tmp_path: Path, answer: Behaviour, words: str
) -> None:
    async with FaultServer() as server:
        server.script("GET", LOG, answer)
        connection = await connect(kubeconfig=server.kubeconfig(tmp_path), context=None)
        try:
            said = await last_words(KubernetesClient(connection, user_agent="test"), "payments", "app-a-1", "app")
        finally:
            await connection.close()

    assert said == words
    assert server.requests[0].query["previous"] == "true"


def test_the_first_crash_in_a_rollout_is_not_waited_for() -> None:
    rolling = replace(application(crashing()), state="rolling out", severity="info")

    assert next_step(replace(rolling, last_restart_at=NOW - 2, since=NOW - 20), NOW).key == "p"
    assert next_step(replace(rolling, last_restart_at=NOW - 300, since=NOW - 20), NOW).sentence.startswith("wait")


def test_text_of_the_cluster_can_not_command_the_terminal() -> None:
    pod = crashing(worst_container="\x1b]0;owned\x07")
    lines = list(explanation_lines(explain_pod(pod, seen(pod), HealPolicy(), NOW), PLACE, NOW))

    assert not any("\x1b" in line or "\x07" in line for line in lines)


def test_to_wait_needs_no_command() -> None:
    assert step_words(NextStep("", "wait: it is rolling out"), PLACE) == "Wait: it is rolling out."


@pytest.mark.parametrize(
    ("text", "limit", "known"),
    [
        ("policy: {maxRestarts: 7}\nnamespaces: {excluded: [batch]}", 7, True),
        ("{}", 3, True),
        ("policy: [", 3, False),
        ("- 1", 3, False),
        ("policy: {maxRestarts: often}\nnamespaces: 3", 3, True),
    ],
)
def test_the_policy_is_healerds_own_where_it_can_be_read(text: str, limit: int, known: bool) -> None:
    policy, was_known = policy_from(text, "selfheal-system")

    assert (policy.max_restarts, was_known) == (limit, known)
    if "batch" in text:
        assert policy.excluded_namespaces == {"kube-system", "batch"}
        assert policy.own_namespace == "selfheal-system"


CONFIG_MAPS = "/api/v1/configmaps"
FILE = "policy: {maxRestarts: 9}\n"


@pytest.mark.parametrize(
    ("answer", "limit", "known"),
    [
        (json_body({"items": [{"metadata": {"namespace": "heal"}, "data": {"config.yaml": FILE}}]}), 9, True),
        (json_body({"items": [{"metadata": {"namespace": "heal"}, "data": {"other": "x"}}]}), 3, False),
        (json_body({"items": []}), 3, False),
        (status(403, "Forbidden"), 3, False),
    ],
    ids=["readable", "another file", "none", "forbidden"],
)
async def test_the_policy_is_looked_for_in_the_cluster(
    tmp_path: Path, answer: Behaviour, limit: int, known: bool
) -> None:
    async with FaultServer() as server:
        server.script("GET", CONFIG_MAPS, answer)
        connection = await connect(kubeconfig=server.kubeconfig(tmp_path), context=None)
        try:
            policy, was_known = await observed_policy(KubernetesClient(connection, user_agent="test"))
        finally:
            await connection.close()

    assert (policy.max_restarts, was_known) == (limit, known)
    assert policy.own_namespace == ("heal" if known else "")
    assert server.requests[0].query["labelSelector"] == "app.kubernetes.io/name=healerd"
