"""healerd whose ClusterRole lacks a rule: it says which right is missing, what that costs, and who can grant it."""

import json
from typing import Any

import pytest

from healerd.rights import GRANT, RIGHTS, sentence
from selfheal_core.ops.operation import Access
from tests.e2e.healerd.application import SYSTEM, crash, events, pods
from tests.e2e.sandbox_process import SandboxProcess
from tests.polling import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

ROLE = f"clusterrole/{SYSTEM}:healerd"
RULES = 5


def rules(cluster: SandboxProcess) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cluster.get(ROLE)["rules"]
    return found


def set_rules(cluster: SandboxProcess, wanted: list[dict[str, Any]]) -> None:
    """Give healerd these rules, and start it anew: it asks for its rights when it starts."""
    cluster.kubectl("patch", ROLE, "--type=merge", "-p", json.dumps({"rules": wanted}))
    cluster.kubectl("rollout", "restart", "deployment/healerd", "-n", SYSTEM)
    cluster.kubectl("rollout", "status", "deployment/healerd", "-n", SYSTEM, "--timeout=30s")


def missing_in_log(cluster: SandboxProcess) -> set[str]:
    """The sentences about missing rights in healerd's log."""
    lines = cluster.kubectl("logs", "deployment/healerd", "-n", SYSTEM).out.splitlines()
    entries = [json.loads(line) for line in lines]
    return {entry["why"] for entry in entries if entry["event"] == "right missing" and entry["level"] == "warning"}


def rights_of(rule: dict[str, Any]) -> set[Access]:
    return {
        Access(verb, group, *resource.split("/"))
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.fixture(scope="module")
def given(cluster: SandboxProcess) -> list[dict[str, Any]]:
    """The rules of the chart, before any is taken away."""
    found = rules(cluster)
    assert len(found) == RULES
    return found


@pytest.mark.parametrize("number", range(RULES))
def test_each_rule_that_is_taken_away_is_missed_in_words(
    cluster: SandboxProcess, given: list[dict[str, Any]], number: int
) -> None:
    expected = {sentence(right) for right in RIGHTS if right.access in rights_of(given[number])}
    assert expected
    set_rules(cluster, given[:number] + given[number + 1 :])

    until(lambda: missing_in_log(cluster) == expected, 20, f"healerd says: {expected}")
    page = f"/api/v1/namespaces/{SYSTEM}/services/healerd:http/proxy/healthz"
    assert set(json.loads(cluster.kubectl("get", "--raw", page).out)["missing_rights"]) == expected


def test_a_pod_that_it_may_not_evict_says_so_and_is_replaced_once_it_may(
    cluster: SandboxProcess, given: list[dict[str, Any]]
) -> None:
    set_rules(cluster, [rule for rule in given if rule["resources"] != ["pods/eviction"]])
    victim = pods(cluster)[0]["metadata"]
    for number in range(4):
        crash(cluster, victim["name"], crashes_before=number)

    failed = until(lambda: events(cluster, "SelfhealFailed"), 30, "an Event about the refused eviction")
    assert {event["involvedObject"]["kind"] for event in failed} <= {"Pod", "Deployment"}
    assert f"not allowed to create pods/eviction in namespace shop; {GRANT}" in failed[0]["message"]
    assert victim["uid"] in {pod["metadata"]["uid"] for pod in pods(cluster)}

    set_rules(cluster, given)  # which starts it anew: it would try again by itself within a minute
    until(lambda: all(pod["metadata"]["uid"] != victim["uid"] for pod in pods(cluster)), 60, "the pod is replaced")
