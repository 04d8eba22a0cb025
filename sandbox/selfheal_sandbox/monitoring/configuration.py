"""What Prometheus is told: its configuration, its arguments, and whom to scrape. Pure.

Debian builds it without Kubernetes service discovery, so it is given its targets as a file.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from selfheal_core.domain.scraping import METRICS_PATH, PATH_ANNOTATION, metrics_port
from selfheal_sandbox.store.objects import (
    Object,
    annotations_of,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    spec_of,
    status_of,
)

PORT = 9090
INTERVAL_SECONDS = 5.0
"""Between two scrapes at speed 1: short, as there are few pods and people wait for the figures."""
SHORTEST_INTERVAL_SECONDS = 1.0
RETENTION = ("--storage.tsdb.retention.time=6h", "--storage.tsdb.retention.size=256MB")
TARGETS_FILE = "targets.json"
CONFIGURATION_FILE = "prometheus.yml"
APP_LABELS = ("app", "app.kubernetes.io/instance")


def interval_seconds(speed: float) -> float:
    """Return how often targets are scraped at a speed; never more often than once a second."""
    return max(SHORTEST_INTERVAL_SECONDS, INTERVAL_SECONDS / speed)


def configuration(speed: float) -> str:
    """Return ``prometheus.yml`` (JSON, which is YAML)."""
    interval = f"{round(interval_seconds(speed) * 1000)}ms"
    pods = {
        "job_name": "pods",
        "file_sd_configs": [{"files": [TARGETS_FILE], "refresh_interval": "30s"}],
        "scrape_timeout": interval if interval_seconds(speed) < 5 else "5s",
        "sample_limit": 10_000,
        "body_size_limit": "8MB",
    }
    return json.dumps({"global": {"scrape_interval": interval}, "scrape_configs": [pods]}, indent=2)


def arguments(program: Path, folder: Path, address: str) -> list[str]:
    """Return the command line of a Prometheus that keeps everything in a folder and listens on one address."""
    return [
        str(program),
        f"--config.file={folder / CONFIGURATION_FILE}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}:{PORT}",
        "--query.timeout=20s",
        "--query.max-samples=5000000",
        "--log.level=warn",
        *RETENTION,
    ]


def target_groups(pods: Iterable[Object]) -> list[Object]:
    """Return the content of the targets file: one group for each running pod that has metrics.

    Pods that are not Ready are scraped too, as by Prometheus' own discovery of pods: what fails in them is of interest.
    """
    groups = [group for pod in pods if (group := _group(pod)) is not None]
    return sorted(groups, key=lambda group: (group["labels"]["namespace"], group["labels"]["pod"]))


def _group(pod: Object) -> Object | None:
    ip = status_of(pod).get("podIP")
    if not ip or status_of(pod).get("phase") != "Running" or is_terminating(pod):
        return None
    containers = spec_of(pod).get("containers") or []
    ports = [
        (str(port.get("name") or ""), int(port["containerPort"]))
        for container in containers
        for port in container.get("ports") or []
    ]
    port = metrics_port(annotations_of(pod), ports)
    if port is None:
        return None
    found = {label: labels_of(pod).get(label, "") for label in (*APP_LABELS, "track")}
    app = next((found[label] for label in APP_LABELS if found[label]), "")
    labels = {
        "namespace": namespace_of(pod),
        "pod": name_of(pod),
        "app": app,
        "track": found["track"],
        "__metrics_path__": annotations_of(pod).get(PATH_ANNOTATION, METRICS_PATH),
    }
    return {"targets": [f"{ip}:{port}"], "labels": {name: value for name, value in labels.items() if value}}
