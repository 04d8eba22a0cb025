"""Every object that the charts render or the programs create is valid, strictly, in each Kubernetes that is supported.

kubernetes-validate has the schemas. It lives in the environment of the generated tables.
"""

import json
import os
import subprocess
from typing import Any

import pytest
import yaml

from checks.renderings import CHARTS, RENDERINGS, Rendering, render
from selfheal_cli.demo.install import visitor_manifest
from selfheal_core.cluster.kubernetes import requests
from selfheal_core.domain.known_good import KnownGood, ReleaseKey, config_map_body
from selfheal_core.ops.operation import Access
from tests.unit.chart.conftest import REPOSITORY, Manifest

VALIDATOR = REPOSITORY / ".venv" / "tables" / "bin" / "python"
VERSIONS = [f"1.{minor}" for minor in range(30, 38)]
NOW = 1_700_000_000.25


@pytest.fixture(scope="module", autouse=True)
def validator() -> None:
    if not VALIDATOR.exists() and not os.environ.get("CI"):
        pytest.skip("no environment with kubernetes-validate: `make tables` makes it")


def complaints(objects: list[Manifest]) -> list[list[str]]:
    """What is wrong: [version, Kind/name, reason]."""
    asked = json.dumps({"versions": VERSIONS, "objects": objects})
    command = [str(VALIDATOR), str(REPOSITORY / "checks" / "validate.py")]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(done.stdout)
    return found


def rendered(helm: str, rendering: Rendering) -> list[Manifest]:
    return [manifest for manifest in yaml.safe_load_all(render(helm, rendering)) if manifest]


def created() -> list[Manifest]:
    """One of everything that the programs create, with every optional part on; an eviction holds delete options."""
    involved = {"apiVersion": "v1", "kind": "Pod", "namespace": "shop", "name": "web-1", "uid": "u-1"}
    record = KnownGood(revision=3, good=True, healthy_since=NOW, healthy_until=NOW + 60, observed_by="healerd")
    return [
        requests.eviction("shop", "web-1", uid="u-1", dry_run=True, grace_seconds=5),
        requests.access_review(Access("create", "", "pods", "eviction"), "shop", "web-1"),
        requests.lease(
            "shop",
            "selfheal-web",
            holder="a@b",
            duration_seconds=30,
            acquired_at=NOW,
            renewed_at=NOW,
            transitions=2,
            resource_version="7",
            annotations={"a": "b"},
            labels={"a": "b"},
        ),
        requests.event(
            involved=involved, reason="Evicted", message="x" * 2000, component="healerd", instance="h-1", now=NOW
        ),
        dict(config_map_body(ReleaseKey("shop", "web"), [record], resource_version="7")),
        visitor_manifest(),
    ]


@pytest.mark.parametrize("rendering", RENDERINGS, ids=lambda rendering: rendering.name)
def test_what_a_chart_renders_is_valid(helm: str, rendering: Rendering) -> None:
    objects = rendered(helm, rendering)
    assert len(objects) >= 1

    found = complaints(objects)

    wrong = [one for one in found if not (one[1].startswith("ServiceMonitor/") and one[2] == "no schema")]
    assert wrong == [], "only a resource of the Prometheus operator may have no schema"


def test_what_the_programs_create_is_valid() -> None:
    assert complaints(created()) == []


def test_a_field_that_does_not_exist_is_found_in_every_version() -> None:
    broken = visitor_manifest()
    broken["spec"]["template"]["spec"]["containers"][0]["imagePolicy"] = "Always"

    found = complaints([broken])

    assert [version for version, _, _ in found] == VERSIONS
    assert all("imagePolicy" in reason for _, _, reason in found)


def nothing_set(values: Any, path: str = "") -> list[str]:
    """Paths of the values that are off or empty by default."""
    if isinstance(values, dict) and values:
        return [name for key, value in values.items() for name in nothing_set(value, f"{path}.{key}".strip("."))]
    return [] if values else [path]


@pytest.mark.parametrize("chart", ["service", "healerd"])
def test_the_renderings_with_everything_on_leave_nothing_off(chart: str) -> None:
    defaults = yaml.safe_load((CHARTS / chart / "values.yaml").read_text())
    (everything,) = (one for one in RENDERINGS if one.name == f"{chart}-everything")
    off = set(nothing_set(defaults)) - {"autoscaling.behavior.scaleUp.stabilizationWindowSeconds"}

    assert off - {path for path, value in everything.values.items() if value} == set(), "add it to checks/renderings.py"
