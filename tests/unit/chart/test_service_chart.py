import dataclasses
import re

import pytest

from selfheal_service.main import main
from selfheal_service.settings import Settings, load
from tests.unit.chart.conftest import Manifest, Render, RenderError

CANARY = {
    "app": "web",
    "track": "canary",
    "autoscaling__enabled": False,
    "podDisruptionBudget__enabled": False,
    "service__enabled": False,
    "replicas": 1,
}


def is_selected(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


def pod_labels(deployment: Manifest) -> dict[str, str]:
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert isinstance(labels, dict)
    return labels


def test_a_stable_release_has_a_part_for_every_layer_of_recovery(render: Render) -> None:
    assert render("service").kinds() == [
        "Deployment",
        "HorizontalPodAutoscaler",
        "Pod",
        "PodDisruptionBudget",
        "Service",
    ]


def test_a_canary_release_is_a_deployment_and_nothing_else(render: Render) -> None:
    assert render("service", "web-canary", **CANARY).kinds() == ["Deployment"]


@pytest.mark.parametrize("part", ["autoscaling", "podDisruptionBudget", "service"])
def test_a_canary_release_that_would_own_a_shared_part_is_refused(render: Render, part: str) -> None:
    with pytest.raises(RenderError, match=rf"has no {part} of its own: add --set {part}.enabled=false"):
        render("service", "web-canary", **{**CANARY, f"{part}__enabled": True})


def test_the_service_selects_stable_and_canary_but_not_the_test_pod(render: Render) -> None:
    stable, canary = render("service", "web"), render("service", "web-canary", **CANARY)
    selector = stable.of_kind("Service")["spec"]["selector"]
    assert selector == {"app": "web"}
    assert is_selected(selector, pod_labels(stable.of_kind("Deployment")))
    assert is_selected(selector, pod_labels(canary.of_kind("Deployment")))
    assert not is_selected(selector, stable.of_kind("Pod")["metadata"]["labels"])


def test_each_deployment_and_budget_covers_its_own_track_only(render: Render) -> None:
    stable, canary = render("service", "web"), render("service", "web-canary", **CANARY)
    selectors = [
        stable.of_kind("Deployment")["spec"]["selector"]["matchLabels"],
        stable.of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ]
    for selector in selectors:
        assert is_selected(selector, pod_labels(stable.of_kind("Deployment")))
        assert not is_selected(selector, pod_labels(canary.of_kind("Deployment")))


def test_an_autoscaler_owns_the_number_of_pods(render: Render) -> None:
    scaled = render("service")
    assert "replicas" not in scaled.of_kind("Deployment")["spec"]
    spec = scaled.of_kind("HorizontalPodAutoscaler")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 5)
    assert spec["metrics"][0]["resource"] == {
        "name": "cpu",
        "target": {"type": "Utilization", "averageUtilization": 70},
    }
    assert set(spec["behavior"]) == {"scaleUp", "scaleDown"}
    assert spec["scaleTargetRef"]["name"] == scaled.of_kind("Deployment")["metadata"]["name"]


def test_without_an_autoscaler_the_values_own_it(render: Render) -> None:
    fixed = render("service", autoscaling__enabled=False, replicas=4)
    assert fixed.of_kind("Deployment")["spec"]["replicas"] == 4
    assert "HorizontalPodAutoscaler" not in fixed.kinds()


def test_probes_have_the_numbers_of_the_layers_and_explicit_timeouts(render: Render) -> None:
    container = render("service").container()
    liveness, readiness = container["livenessProbe"], container["readinessProbe"]
    assert (liveness["httpGet"]["path"], liveness["periodSeconds"], liveness["failureThreshold"]) == ("/health", 5, 3)
    assert (readiness["httpGet"]["path"], readiness["periodSeconds"], readiness["failureThreshold"]) == ("/ready", 3, 2)
    assert all("timeoutSeconds" in container[f"{name}Probe"] for name in ("startup", "liveness", "readiness"))


def test_a_rollout_never_has_fewer_pods_than_before(render: Render) -> None:
    spec = render("service").of_kind("Deployment")["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    assert spec["minReadySeconds"] > 0


def test_the_budget_lets_one_pod_go_and_any_unhealthy_one(render: Render) -> None:
    spec = render("service").of_kind("PodDisruptionBudget")["spec"]
    assert (spec["maxUnavailable"], spec["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")


def test_the_revision_is_on_the_deployment_and_not_in_the_pod_template(render: Render) -> None:
    deployment = render("service").of_kind("Deployment")
    assert deployment["metadata"]["annotations"] == {"selfheal.internal/revision": "1"}
    assert "annotations" not in deployment["spec"]["template"]["metadata"]


def test_the_grace_period_covers_the_whole_shutdown(render: Render) -> None:
    chosen = {"shutdown__preStopSleepSeconds": 3, "shutdown__drainSeconds": 10, "shutdown__finishSeconds": 40}
    rendered = render("service", **chosen)
    spec = rendered.of_kind("Deployment")["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] >= 3 + 10 + 40
    assert rendered.container()["lifecycle"]["preStop"] == {"sleep": {"seconds": 3}}


def test_no_pre_stop_hook_when_its_sleep_is_zero(render: Render) -> None:
    assert "lifecycle" not in render("service", shutdown__preStopSleepSeconds=0).container()


def test_the_service_understands_every_setting_the_chart_gives(render: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in render("service", "web", image__tag="1.1", practice=True).environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SELFHEAL_SERVICE_HOST", raising=False)
    assert load() == Settings(name="web", version="1.1", practice=True)


def test_practice_is_off_and_the_log_level_info_unless_asked(render: Render) -> None:
    environment = render("service").environment()
    assert environment["SELFHEAL_SERVICE_PRACTICE"] == "false"
    assert environment["SELFHEAL_SERVICE_LOG_LEVEL"] == "info"


def test_the_address_to_listen_on_is_left_to_the_image(render: Render, everything_on: dict[str, object]) -> None:
    assert "SELFHEAL_SERVICE_HOST" not in render("service", **everything_on).environment()


def test_variables_of_services_cannot_be_taken_for_settings(render: Render) -> None:
    assert all(spec["enableServiceLinks"] is False for spec in render("service", "selfheal").pod_specs())


def test_traces_are_off_without_an_endpoint(render: Render) -> None:
    assert not any(name.startswith("OTEL_") for name in render("service").environment())
    traced = render("service", tracing__endpoint="http://jaeger:4318").environment()
    assert traced["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://jaeger:4318"


def test_helm_test_asks_the_service_with_the_command_of_the_image(render: Render) -> None:
    rendered = render("service", "web", namespace="demo", service__port=8088)
    pod = rendered.of_kind("Pod")
    (container,) = pod["spec"]["containers"]
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert container["image"] == rendered.container()["image"]
    assert "command" not in container
    command, *arguments = container["args"]
    urls = main.commands[command].make_context(command, arguments).params["urls"]
    assert {re.sub(r"/\w*$", "", url) for url in urls} == {"http://web.demo.svc:8088"}


def test_an_everything_on_release_renders(render: Render, everything_on: dict[str, object]) -> None:
    rendered = render("service", **everything_on)
    assert "ServiceMonitor" in rendered.kinds()
    monitor = rendered.of_kind("ServiceMonitor")
    assert is_selected(monitor["spec"]["selector"]["matchLabels"], rendered.of_kind("Service")["metadata"]["labels"])
    assert {"app", "track"} <= set(monitor["spec"]["podTargetLabels"])
    assert rendered.container()["image"] == "selfheal-service:1.1@sha256:" + "0" * 64
    assert rendered.environment()["GREETING"] == "yes"


@pytest.mark.parametrize("release", ["true", "null", "on", "1e3"])
def test_names_that_yaml_would_take_for_something_else_stay_names(render: Render, release: str) -> None:
    rendered = render("service", release, app="yes", namespace="123")
    deployment = rendered.of_kind("Deployment")
    assert (deployment["metadata"]["name"], deployment["metadata"]["namespace"]) == (release, "123")
    assert pod_labels(deployment)["app"] == "yes"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"replicaz": 3}, "replicaz"),
        ({"autoscaling__enabeld": True}, "enabeld"),
        ({"autoscaling__behavior__scaleUp__policy": []}, "policy"),
        ({"track": "blue"}, "track"),
        ({"app": "Web_1"}, "app"),
        ({"practice": "yes"}, "practice"),
        ({"service__port": 0}, "port"),
        ({"image__tag": "a b"}, "tag"),
        ({"podLabels": {"track": "canary"}}, "podLabels"),
        ({"extraEnv": [{"name": "SELFHEAL_SERVICE_PORT", "value": "1"}]}, "extraEnv"),
        ({"extraEnv": [{"name": "A", "valueFrom": {}}]}, "extraEnv"),
        ({"tracing__endpoint": "jaeger:4317"}, "endpoint"),
        ({"resources__requests__cpu": "lots"}, "cpu"),
        ({"autoscaling__minReplicas": 6}, r"maxReplicas \(5\) is less than autoscaling.minReplicas \(6\)"),
        ({"service__enabled": False, "serviceMonitor__enabled": True}, "serviceMonitor.enabled needs service.enabled"),
    ],
)
def test_wrong_values_are_refused_by_name(render: Render, values: dict[str, object], said: str) -> None:
    with pytest.raises(RenderError, match=said):
        render("service", **values)


def test_defaults_of_chart_and_service_agree(render: Render) -> None:
    environment = render("service").environment()
    for field in ("port", "drain_seconds", "linger_seconds", "finish_seconds"):
        default = next(item.default for item in dataclasses.fields(Settings) if item.name == field)
        assert float(environment[f"SELFHEAL_SERVICE_{field.upper()}"]) == default
