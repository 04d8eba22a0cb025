"""What healerd's service account asked for while the layers were shown, against what its chart grants it; and each rule
of that is missed in words when it is taken away.

Runs after the layers, by the name of its file: by then healerd has watched, evicted, said so, and recorded revisions.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from healerd.rights import RIGHTS, sentence
from selfheal_cli.demo.steps import APP, healing
from selfheal_core.files import chart
from tests.e2e.healerd.test_healerd_without_a_right import RULES, rights_of
from tests.e2e.layers.clusters import Cluster
from tests.e2e.layers.conftest import Demo
from tests.e2e.rights import Right, granted_by, used, with_lists
from tests.polling import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def role_of(cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster.stage.run("kubectl", "get", role_name(cluster), "-o", "json").json()
    return found


def role_name(cluster: Cluster) -> str:
    return f"clusterrole/{cluster.stage.profile.healerd_namespace}:healerd"


def used_by_healerd(cluster: Cluster) -> set[Right]:
    assert cluster.asked is not None
    return used(cluster.asked(f"system:serviceaccount:{cluster.stage.profile.healerd_namespace}:healerd"))


def another_revision(cluster: Cluster, mark: str) -> None:
    """Roll the application out anew, so that there is another revision to be recorded as good."""
    release = ("helm", "upgrade", APP, str(chart("service")), "-n", cluster.stage.namespace, "--reuse-values")
    cluster.stage.run(*release, "--set-string", f"podAnnotations.mark={mark}", "--wait", cluster.stage.timeout(60))


def test_healerd_uses_every_right_it_has_and_no_other(demo: Demo) -> None:
    cluster = demo.cluster
    if cluster.asked is None:
        pytest.skip("who asked for what is in the API server's audit log, which is not ours to read here")
    granted = granted_by(role_of(cluster))
    if ("", "pods/eviction", "create") not in used_by_healerd(cluster):
        healing(cluster.stage)
    for mark in ("first", "second"):
        another_revision(cluster, mark)
        if ("", "configmaps", "update") in used_by_healerd(cluster):
            break

    start_anew(cluster)  # a watch is in an audit log once it has ended
    enough = cluster.stage.profile.seconds(40)
    until(lambda: with_lists(used_by_healerd(cluster)) >= granted, enough, f"healerd uses {sorted(granted)}")
    assert with_lists(used_by_healerd(cluster)) == granted


@pytest.fixture(scope="module")
def given(demo: Demo) -> Iterator[list[dict[str, Any]]]:
    """The rules of the chart, before any is taken away; they are given back."""
    rules: list[dict[str, Any]] = role_of(demo.cluster)["rules"]
    assert len(rules) == RULES
    yield rules
    give(demo.cluster, rules)


def give(cluster: Cluster, rules: list[dict[str, Any]]) -> None:
    """Give healerd these rules, and start it anew: it asks for its rights when it starts."""
    body = json.dumps({"rules": rules})
    cluster.stage.run("kubectl", "patch", role_name(cluster), "--type=merge", "-p", body)
    start_anew(cluster)


def start_anew(cluster: Cluster) -> None:
    for verb in ("restart", "status"):
        namespace = cluster.stage.profile.healerd_namespace
        cluster.stage.run("kubectl", "rollout", verb, "deployment/healerd", "-n", namespace)


def missing_rights(cluster: Cluster) -> set[str]:
    """What healerd says it may not do."""
    page = f"/api/v1/namespaces/{cluster.stage.profile.healerd_namespace}/services/healerd:http/proxy/healthz"
    seen = cluster.stage.run("kubectl", "get", "--raw", page, check=False).json()
    return set(seen["missing_rights"]) if seen else set()


@pytest.mark.parametrize("number", range(RULES))
def test_each_rule_that_is_taken_away_is_missed(demo: Demo, given: list[dict[str, Any]], number: int) -> None:
    expected = {sentence(right) for right in RIGHTS if right.access in rights_of(given[number])}
    give(demo.cluster, given[:number] + given[number + 1 :])

    enough = demo.cluster.stage.profile.seconds(20)
    until(lambda: missing_rights(demo.cluster) == expected, enough, f"healerd says: {expected}")
