"""Whom the sandbox's Prometheus scrapes, and how it is set up."""

import json
from pathlib import Path
from typing import Any

import pytest

from selfheal_sandbox.monitoring.configuration import arguments, configuration, interval_seconds, target_groups


def pod(name: str = "web-1", *, ip: str = "127.64.0.2", phase: str = "Running", **changes: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "labels": changes.pop("labels", {"app": "web"}), **changes}
    ports = [{"name": "http", "containerPort": 8080}]
    return {
        "metadata": metadata,
        "spec": {"containers": [{"name": "main", "ports": ports}]},
        "status": {"phase": phase, "podIP": ip},
    }


def test_a_pod_with_metrics_is_a_target_with_its_names() -> None:
    (group,) = target_groups([pod(labels={"app": "web", "track": "canary"})])
    assert group["targets"] == ["127.64.0.2:8080"]
    assert group["labels"] == {
        "namespace": "shop",
        "pod": "web-1",
        "app": "web",
        "track": "canary",
        "__metrics_path__": "/metrics",
    }


def test_annotations_choose_port_and_path() -> None:
    wish = {"prometheus.io/scrape": "true", "prometheus.io/port": "9102", "prometheus.io/path": "/m"}
    (group,) = target_groups([pod(annotations=wish)])
    assert group["targets"] == ["127.64.0.2:9102"]
    assert group["labels"]["__metrics_path__"] == "/m"


def test_an_application_is_named_by_its_instance_where_it_has_no_other_name() -> None:
    (group,) = target_groups([pod(labels={"app.kubernetes.io/instance": "web"})])
    assert group["labels"]["app"] == "web"
    (nameless,) = target_groups([pod(labels={})])
    assert "app" not in nameless["labels"]


@pytest.mark.parametrize(
    "left_out",
    [
        pod(phase="Pending"),
        pod(ip=""),
        pod(deletionTimestamp="2026-11-26T12:00:00Z"),
        pod(annotations={"prometheus.io/scrape": "false"}),
    ],
    ids=["not running", "without an address", "on its way out", "unwilling"],
)
def test_other_pods_are_not_scraped(left_out: dict[str, Any]) -> None:
    assert target_groups([left_out]) == []


def test_targets_have_a_steady_order() -> None:
    names = [group["labels"]["pod"] for group in target_groups([pod("b"), pod("c"), pod("a")])]
    assert names == ["a", "b", "c"]


@pytest.mark.parametrize(("speed", "seconds"), [(1, 5.0), (2, 2.5), (10, 1.0), (1000, 1.0), (0.5, 10.0)])
def test_speed_shortens_the_interval_to_a_second_at_most(speed: float, seconds: float) -> None:
    assert interval_seconds(speed) == seconds


def test_the_configuration_takes_targets_from_the_file() -> None:
    settings = json.loads(configuration(2))
    (job,) = settings["scrape_configs"]
    assert job["file_sd_configs"][0]["files"] == ["targets.json"]
    assert settings["global"]["scrape_interval"] == "2500ms"


def test_it_listens_on_one_loopback_address_and_keeps_little() -> None:
    argv = arguments(Path("/bin/prometheus"), Path("/x"), "127.64.0.1")
    assert "--web.listen-address=127.64.0.1:9090" in argv
    assert "--storage.tsdb.path=/x/data" in argv
    assert "--storage.tsdb.retention.size=256MB" in argv
