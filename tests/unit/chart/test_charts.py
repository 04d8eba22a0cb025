"""What both charts have in common."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from checks.renderings import CHARTS
from tests.unit.chart.conftest import Manifest, Render, RenderError

NAMES = ("service", "healerd")


@pytest.fixture(params=NAMES)
def chart(request: pytest.FixtureRequest) -> str:
    name = request.param
    assert isinstance(name, str)
    return name


def schema_of(chart: str) -> Manifest:
    schema = json.loads((CHARTS / chart / "values.schema.json").read_text())
    assert isinstance(schema, dict)
    return schema


def values_of(chart: str) -> Manifest:
    values = yaml.safe_load((CHARTS / chart / "values.yaml").read_text())
    assert isinstance(values, dict)
    return values


def objects_in(schema: Any, path: str = "$") -> Iterator[tuple[str, Manifest]]:
    """Every part of a schema that describes an object."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield path, schema
        for key, value in schema.items():
            yield from objects_in(value, f"{path}.{key}")


def resolve(schema: Manifest, root: Manifest) -> Manifest:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    target = root["definitions"][reference.rsplit("/", 1)[1]]
    assert isinstance(target, dict)
    return target


def assert_described(values: Manifest, schema: Manifest, root: Manifest, path: str) -> None:
    """Each value has a schema and each property a value to read about."""
    properties = schema.get("properties")
    if properties is None:
        return
    assert set(values) == set(properties) - {"global"}, path
    for key, value in values.items():
        if isinstance(value, dict) and value:
            assert_described(value, resolve(properties[key], root), root, f"{path}.{key}")


def test_lints_strictly(helm: str, chart: str) -> None:
    result = subprocess.run(
        [helm, "lint", "--strict", str(CHARTS / chart)], capture_output=True, text=True, timeout=30, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_schema_is_closed_everywhere(chart: str) -> None:
    for path, schema in objects_in(schema_of(chart)):
        if not path.endswith(".global"):
            extra = schema.get("additionalProperties")
            assert extra is False or extra == {"type": "string"}, path


def test_values_and_schema_describe_the_same_keys(chart: str) -> None:
    values, schema = values_of(chart), schema_of(chart)
    for name in ("requests", "limits"):
        values["resources"][name].setdefault("cpu", "explained")
    assert_described(values, schema, schema, chart)


def test_every_pod_meets_the_restricted_security_standard(render: Render, chart: str) -> None:
    specs = list(render(chart).pod_specs())
    assert specs
    for spec in specs:
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])
            assert "memory" in container["resources"]["limits"]


def test_only_healerd_holds_a_token(render: Render) -> None:
    assert not any(spec["automountServiceAccountToken"] for spec in render("service").pod_specs())
    holders = [
        spec.get("serviceAccountName") for spec in render("healerd").pod_specs() if spec["automountServiceAccountToken"]
    ]
    assert holders == ["web"]  # and not the pod that only asks whether it answers


def test_objects_live_in_the_release_namespace_and_carry_the_standard_labels(render: Render, chart: str) -> None:
    for manifest in render(chart, namespace="demo").manifests:
        if not manifest["kind"].startswith("ClusterRole"):
            assert manifest["metadata"]["namespace"] == "demo"
        labels = manifest["metadata"]["labels"]
        for name in ("name", "instance", "version", "managed-by"):
            assert f"app.kubernetes.io/{name}" in labels, manifest["kind"]


def test_a_selector_holds_nothing_that_changes_between_versions(render: Render, chart: str) -> None:
    selectors = [render(chart, image__tag=tag).of_kind("Deployment")["spec"]["selector"] for tag in ("1.0", "2.0")]
    assert selectors[0] == selectors[1]


@pytest.mark.parametrize("version", ["1.29.9", "1.30.0", "1.37.1", "1.32.4-eks-1234"])
def test_the_oldest_kubernetes_is_1_30(helm: str, chart: str, version: str) -> None:
    command = [helm, "template", "web", str(CHARTS / chart), "--kube-version", version]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (result.returncode == 0) == (version != "1.29.9"), result.stderr


def test_a_network_policy_lets_in_at_the_http_port_only(render: Render, chart: str) -> None:
    assert "NetworkPolicy" not in render(chart).kinds()
    rendered = render(chart, networkPolicy__enabled=True)
    policy = rendered.of_kind("NetworkPolicy")["spec"]
    assert policy["podSelector"]["matchLabels"] == rendered.of_kind("Deployment")["spec"]["selector"]["matchLabels"]
    assert policy["policyTypes"] == ["Ingress"]
    assert policy["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}]}]


def test_a_network_policy_lets_in_only_whom_it_names(render: Render, chart: str) -> None:
    peers = [{"namespaceSelector": {"matchLabels": {"team": "a"}}}, {"podSelector": {"matchLabels": {"app": "b"}}}]
    policy = render(chart, networkPolicy__enabled=True, networkPolicy__from=peers).of_kind("NetworkPolicy")
    assert [rule["from"] for rule in policy["spec"]["ingress"]] == [peers]
    with pytest.raises(RenderError):
        render(chart, networkPolicy__enabled=True, networkPolicy__from=[{}])
