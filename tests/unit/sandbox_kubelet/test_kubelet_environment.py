import base64
from typing import Any

import pytest

from selfheal_sandbox.kubelet.environment import ConfigError, PodContext, container_environment, expand, service_links

CONFIG = {"metadata": {"name": "settings"}, "data": {"LEVEL": "info", "COLOR": "blue"}}
SECRET = {"metadata": {"name": "keys"}, "data": {"TOKEN": base64.b64encode(b"s3cret").decode()}}
POD: dict[str, Any] = {
    "metadata": {"name": "web-1", "namespace": "shop", "uid": "u1", "labels": {"app": "web"}},
    "spec": {
        "nodeName": "node-1",
        "containers": [{"name": "web", "resources": {"limits": {"memory": "64Mi"}, "requests": {"cpu": "150m"}}}],
    },
    "status": {"podIP": "127.64.0.9", "podIPs": [{"ip": "127.64.0.9"}]},
}


def lookup(plural: str, name: str) -> dict[str, Any] | None:
    return {("configmaps", "settings"): CONFIG, ("secrets", "keys"): SECRET}.get((plural, name))


def environment(*env: dict[str, Any], env_from: list[dict[str, Any]] | None = None) -> dict[str, str]:
    context = PodContext(POD, lookup, {"cpu": "2", "memory": "8Gi"})
    return container_environment(context, {"name": "web", "env": list(env), "envFrom": env_from or []}, {"BASE": "1"})


def value_from(**source: Any) -> dict[str, Any]:
    return {"name": "X", "valueFrom": source}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)-$(B)", "1-$(B)"),
        ("$$(A)", "$(A)"),
        ("$A ${A} $(A", "$A ${A} $(A"),
        ("$$$(A)", "$1"),
        ("", ""),
    ],
)
def test_expansion(text: str, expected: str) -> None:
    assert expand(text, {"A": "1"}) == expected


def test_a_value_may_use_those_before_it() -> None:
    found = environment({"name": "A", "value": "x$(BASE)"}, {"name": "B", "value": "$(A)y$(C)"}, {"name": "C"})

    assert found == {"BASE": "1", "A": "x1", "B": "x1y$(C)", "C": ""}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"fieldRef": {"fieldPath": "metadata.name"}}, "web-1"),
        ({"fieldRef": {"fieldPath": "metadata.namespace"}}, "shop"),
        ({"fieldRef": {"fieldPath": "metadata.labels['app']"}}, "web"),
        ({"fieldRef": {"fieldPath": "metadata.annotations['none']"}}, ""),
        ({"fieldRef": {"fieldPath": "status.podIP"}}, "127.64.0.9"),
        ({"fieldRef": {"fieldPath": "spec.nodeName"}}, "node-1"),
        ({"fieldRef": {"fieldPath": "spec.serviceAccountName"}}, "default"),
        ({"resourceFieldRef": {"resource": "requests.cpu"}}, "1"),
        ({"resourceFieldRef": {"resource": "requests.cpu", "divisor": "0"}}, "1"),
        ({"resourceFieldRef": {"resource": "requests.cpu", "divisor": "1m"}}, "150"),
        ({"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}, "64"),
        ({"resourceFieldRef": {"resource": "limits.cpu"}}, "2"),
        ({"configMapKeyRef": {"name": "settings", "key": "LEVEL"}}, "info"),
        ({"secretKeyRef": {"name": "keys", "key": "TOKEN"}}, "s3cret"),
    ],
)
def test_sources(source: dict[str, Any], expected: str) -> None:
    assert environment(value_from(**source))["X"] == expected


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({"configMapKeyRef": {"name": "none", "key": "A"}}, 'configmap "none" not found'),
        ({"configMapKeyRef": {"name": "settings", "key": "A"}}, "couldn't find key A in ConfigMap shop/settings"),
        ({"secretKeyRef": {"name": "keys", "key": "A"}}, "couldn't find key A in Secret shop/keys"),
        ({"fieldRef": {"fieldPath": "spec.none"}}, "unsupported fieldPath: spec.none"),
        ({"resourceFieldRef": {"resource": "cpu"}}, "unsupported container resource"),
    ],
)
def test_what_is_missing_is_named(source: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        environment(value_from(**source))


def test_optional_sources_may_be_missing() -> None:
    optional = value_from(configMapKeyRef={"name": "none", "key": "A", "optional": True})
    from_all: list[dict[str, Any]] = [{"secretRef": {"name": "none", "optional": True}}]

    assert environment(optional, env_from=from_all) == {"BASE": "1"}


def test_env_from_takes_all_with_a_prefix_and_env_overrides() -> None:
    sources: list[dict[str, Any]] = [
        {"configMapRef": {"name": "settings"}, "prefix": "APP_"},
        {"secretRef": {"name": "keys"}},
    ]

    found = environment({"name": "APP_COLOR", "value": "red"}, env_from=sources)

    assert found == {"BASE": "1", "APP_LEVEL": "info", "APP_COLOR": "red", "TOKEN": "s3cret"}


def test_env_from_without_its_source_is_an_error() -> None:
    with pytest.raises(ConfigError, match='secret "none" not found'):
        environment(env_from=[{"secretRef": {"name": "none"}}])


def test_services_are_told_as_links() -> None:
    service = {
        "metadata": {"name": "my-web"},
        "spec": {"clusterIP": "127.64.1.1", "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]},
    }
    headless = {"metadata": {"name": "db"}, "spec": {"clusterIP": "None", "ports": [{"port": 1}]}}

    assert service_links([service, headless]) == {
        "MY_WEB_SERVICE_HOST": "127.64.1.1",
        "MY_WEB_SERVICE_PORT": "80",
        "MY_WEB_SERVICE_PORT_HTTP": "80",
        "MY_WEB_PORT": "tcp://127.64.1.1:80",
        "MY_WEB_PORT_80_TCP": "tcp://127.64.1.1:80",
        "MY_WEB_PORT_80_TCP_PROTO": "tcp",
        "MY_WEB_PORT_80_TCP_PORT": "80",
        "MY_WEB_PORT_80_TCP_ADDR": "127.64.1.1",
    }
