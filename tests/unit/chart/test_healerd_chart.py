from pathlib import Path

import pytest
import yaml

from healerd.configuration import load
from tests.unit.chart.conftest import Render, RenderError


def test_one_replica_that_is_never_two(render: Render) -> None:
    spec = render("healerd", "healerd").of_kind("Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert "PodDisruptionBudget" not in render("healerd", "healerd").kinds()


def test_its_rights_are_exactly_these(render: Render) -> None:
    rules = render("healerd", "healerd").of_kind("ClusterRole")["rules"]
    rights = {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    watched = {("", "pods"), ("apps", "deployments"), ("apps", "replicasets"), ("apps", "statefulsets")}
    assert rights == {(*resource, verb) for resource in watched for verb in ("list", "watch")} | {
        ("", "pods/eviction", "create"),
        ("", "events", "create"),
        ("", "configmaps", "get"),
        ("", "configmaps", "create"),
        ("", "configmaps", "update"),
    }


def test_the_role_is_bound_to_its_own_account_only(render: Render) -> None:
    rendered = render("healerd", "healer", namespace="selfheal")
    binding, account = rendered.of_kind("ClusterRoleBinding"), rendered.of_kind("ServiceAccount")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "healer", "namespace": "selfheal"}]
    assert binding["roleRef"]["name"] == rendered.of_kind("ClusterRole")["metadata"]["name"]
    assert account["metadata"]["name"] == "healer"
    assert rendered.of_kind("Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "healer"


def test_two_releases_share_no_cluster_wide_name(render: Render) -> None:
    names = {
        render("healerd", "healerd", namespace=namespace).of_kind("ClusterRole")["metadata"]["name"]
        for namespace in ("one", "two")
    }
    assert len(names) == 2


def test_the_configuration_is_the_values(render: Render) -> None:
    values = {
        "policy": {"maxRestarts": 5},
        "namespaces": {"excluded": ["payments"]},
        "dryRun": True,
        "knownGood": {"soakSeconds": 120},
    }
    config = render("healerd", "healerd", **values).of_kind("ConfigMap")["data"]["config.yaml"]
    assert yaml.safe_load(config) == values


def test_healerd_reads_it_and_its_defaults_are_healerds_own(render: Render, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(render("healerd", "healerd").of_kind("ConfigMap")["data"]["config.yaml"])
    assert load(file, own_namespace="selfheal") == load(None, own_namespace="selfheal")


def test_it_is_mounted_where_the_command_looks(render: Render) -> None:
    rendered = render("healerd", "healerd")
    container, spec = rendered.container(), rendered.of_kind("Deployment")["spec"]["template"]["spec"]
    assert container["args"] == ["--config", "/etc/healerd/config.yaml"]
    (mount,), (volume,) = container["volumeMounts"], spec["volumes"]
    assert (mount["mountPath"], mount["name"]) == ("/etc/healerd", volume["name"])
    assert volume["configMap"]["name"] == rendered.of_kind("ConfigMap")["metadata"]["name"]


def test_a_change_of_configuration_replaces_the_pod(render: Render) -> None:
    templates = [
        render("healerd", "healerd", dryRun=dry_run).of_kind("Deployment")["spec"]["template"]
        for dry_run in (True, False)
    ]
    assert templates[0]["metadata"]["annotations"] != templates[1]["metadata"]["annotations"]


def test_it_is_told_where_it_is_and_where_its_token_is(render: Render) -> None:
    environment = {entry["name"]: entry for entry in render("healerd", "healerd").container()["env"]}
    assert environment["POD_NAMESPACE"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}
    folder = environment["SELFHEAL_SERVICE_ACCOUNT_DIR"]["value"]
    assert folder == "/var/run/secrets/kubernetes.io/serviceaccount"


def test_probes_ask_healthz_on_its_port(render: Render) -> None:
    container = render("healerd", "healerd").container()
    assert container["ports"] == [{"name": "http", "containerPort": 8081, "protocol": "TCP"}]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": "http", "scheme": "HTTP"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"dryrun": True}, "dryrun"),
        ({"policy__maxRestart": 3}, "maxRestart"),
        ({"policy__maxRestarts": 0}, "maxRestarts"),
        ({"namespaces__excluded": "payments"}, "excluded"),
        ({"knownGood__soakSeconds": 0.5}, "soakSeconds"),
        ({"replicas": 2}, "replicas"),
    ],
)
def test_wrong_values_are_refused_by_name(render: Render, values: dict[str, object], said: str) -> None:
    with pytest.raises(RenderError, match=said):
        render("healerd", "healerd", **values)


def test_scraping_is_asked_for(render: Render) -> None:
    assert "ServiceMonitor" not in render("healerd", "healerd").kinds()
    assert "ServiceMonitor" in render("healerd", "healerd", serviceMonitor__enabled=True).kinds()
