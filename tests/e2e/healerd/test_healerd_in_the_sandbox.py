"""healerd as its chart deploys it: what it does in a cluster, what it writes down, and which rights it uses."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from selfheal_core.domain.known_good import config_map_name
from selfheal_core.files import chart
from tests.e2e.healerd.application import SYSTEM, crash, events, pods, runs_after
from tests.e2e.rights import Right, granted_by, in_request_log, used, with_lists
from tests.e2e.sandbox_process import SandboxProcess
from tests.polling import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def test_records_that_a_revision_was_healthy(cluster: SandboxProcess) -> None:
    name = config_map_name("web")

    def recorded() -> dict[str, Any] | None:
        found = cluster.kubectl("get", "configmap", name, "-n", "shop", "-o", "json", check=False)
        config_map: dict[str, Any] = json.loads(found.out) if found.code == 0 else {}
        return config_map if '"good":true' in config_map.get("data", {}).get("1", "") else None

    config_map = until(recorded, 30, "release web is recorded as good")

    owner = config_map["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"]) == ("Deployment", "web")
    record = json.loads(config_map["data"]["1"])
    assert record["image"] == "selfheal-service:1.0"
    assert record["observedBy"] == "healerd"


def test_leaves_three_restarts_alone_and_replaces_the_pod_at_the_fourth(cluster: SandboxProcess) -> None:
    victim = pods(cluster)[0]["metadata"]
    for number in range(3):
        crash(cluster, victim["name"], crashes_before=number)
    until(lambda: runs_after(cluster, victim["name"], 3), 30, "it runs after its third restart")
    assert events(cluster, "SelfhealEvicted") == []

    crash(cluster, victim["name"], crashes_before=3)

    until(lambda: all(pod["metadata"]["uid"] != victim["uid"] for pod in pods(cluster)), 30, "the pod is replaced")
    until(lambda: len([p for p in pods(cluster) if p["status"]["phase"] == "Running"]) == 2, 30, "two pods run")
    said = {
        (event["involvedObject"]["kind"], event["involvedObject"]["name"])
        for event in events(cluster, "SelfhealEvicted")
    }
    assert said == {("Pod", victim["name"]), ("Deployment", "web")}
    assert "restarted 4 times (limit 3)" in events(cluster, "SelfhealEvicted")[0]["message"]


def test_shows_on_its_metrics_page_what_it_did(cluster: SandboxProcess) -> None:
    url = f"/api/v1/namespaces/{SYSTEM}/services/healerd:http/proxy/metrics"
    page = cluster.kubectl("get", "--raw", url).out

    assert 'healerd_evictions_total{result="evicted"} 1.0' in page
    age = next(line for line in page.splitlines() if line.startswith("healerd_watch_age_seconds "))
    assert float(age.split()[1]) < 60


def used_rights(log: Path) -> set[Right]:
    return used(in_request_log(log, f"system:serviceaccount:{SYSTEM}:healerd"))


def granted_rights(cluster: SandboxProcess) -> set[Right]:
    rendered = cluster.helm("get", "manifest", "healerd", "-n", SYSTEM).out
    return granted_by(next(one for one in yaml.safe_load_all(rendered) if one and one["kind"] == "ClusterRole"))


def test_uses_every_right_it_has_and_no_other(cluster: SandboxProcess, requests_log: Path) -> None:
    """Runs last: by now it has watched, evicted, said so, and recorded a revision twice."""
    cluster.helm(
        "upgrade", "web", str(chart("service")), "-n", "shop", "--reuse-values", "--set", "image.tag=1.1", "--wait"
    )
    until(lambda: ("", "configmaps", "update") in used_rights(requests_log), 40, "the second revision is recorded")

    assert with_lists(used_rights(requests_log)) == granted_rights(cluster)


def test_the_request_log_is_private(requests_log: Path, cluster: SandboxProcess) -> None:
    assert os.stat(requests_log).st_mode & 0o077 == 0
