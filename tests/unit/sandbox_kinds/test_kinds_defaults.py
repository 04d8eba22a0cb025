"""Defaults as the API server fills them in."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from selfheal_sandbox.kinds.defaults import apply_defaults
from selfheal_sandbox.kinds.pod_defaults import admission_defaults, is_latest
from selfheal_sandbox.kinds.registry import BUILTIN, Resource, resources_of_definition

Find = Callable[[str], Resource]


def filled(resource: Resource, obj: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(obj)
    apply_defaults(resource, result)
    return result


def test_pod_gets_the_defaults_that_clients_rely_on(find: Find, pod: dict[str, Any]) -> None:
    spec = filled(find("pods"), pod)["spec"]
    container = spec.pop("containers")[0]
    assert spec == {
        "dnsPolicy": "ClusterFirst",
        "enableServiceLinks": True,
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    }
    assert container == {
        "image": "selfheal-service:1.0",
        "imagePullPolicy": "IfNotPresent",
        "name": "web",
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }


def test_admission_gives_a_new_pod_what_nobody_owns() -> None:
    spec: dict[str, Any] = {}
    admission_defaults(spec)
    assert spec == {
        "preemptionPolicy": "PreemptLowerPriority",
        "priority": 0,
        "serviceAccount": "default",
        "serviceAccountName": "default",
        "tolerations": [
            {
                "effect": "NoExecute",
                "key": f"node.kubernetes.io/{reason}",
                "operator": "Exists",
                "tolerationSeconds": 300,
            }
            for reason in ("not-ready", "unreachable")
        ],
    }


def test_what_a_client_set_stays_even_if_it_is_zero(find: Find, pod: dict[str, Any]) -> None:
    pod["spec"] |= {"terminationGracePeriodSeconds": 0, "restartPolicy": "Never", "serviceAccountName": "robot"}
    spec = filled(find("pods"), pod)["spec"]
    assert spec["terminationGracePeriodSeconds"] == 0
    assert spec["restartPolicy"] == "Never"
    assert spec["serviceAccount"] == spec["serviceAccountName"] == "robot"


def test_pod_that_tolerates_everything_gets_no_more_tolerations(find: Find, pod: dict[str, Any]) -> None:
    pod["spec"]["tolerations"] = [{"operator": "Exists"}]
    assert filled(find("pods"), pod)["spec"]["tolerations"] == [{"operator": "Exists"}]


@pytest.mark.parametrize(
    ("image", "latest"),
    [
        ("busybox", True),
        ("busybox:latest", True),
        ("ghcr.io:5000/x/busybox", True),
        ("ghcr.io:5000/x/busybox:1", False),
        ("busybox@sha256:0123", False),
    ],
)
def test_image_without_tag_is_always_pulled(find: Find, pod: dict[str, Any], image: str, latest: bool) -> None:
    assert is_latest(image) is latest
    pod["spec"]["containers"][0]["image"] = image
    policy = filled(find("pods"), pod)["spec"]["containers"][0]["imagePullPolicy"]
    assert policy == ("Always" if latest else "IfNotPresent")


def test_probe_and_ports_are_completed(find: Find, pod: dict[str, Any]) -> None:
    pod["spec"]["containers"][0] |= {
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"port": 8080}, "timeoutSeconds": 0, "periodSeconds": 2},
        "env": [
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "CPUS", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        ],
    }
    container = filled(find("pods"), pod)["spec"]["containers"][0]
    assert container["ports"] == [{"containerPort": 8080, "protocol": "TCP"}]
    assert container["readinessProbe"] == {
        "httpGet": {"port": 8080, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 2,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert container["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1"
    assert container["env"][1]["valueFrom"]["resourceFieldRef"]["divisor"] == "0"


def test_requests_follow_limits_in_pods_but_not_in_templates(
    find: Find, pod: dict[str, Any], deployment: dict[str, Any]
) -> None:
    limits = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}}
    pod["spec"]["containers"][0]["resources"] = limits
    deployment["spec"]["template"]["spec"]["containers"][0]["resources"] = limits
    resources = filled(find("pods"), pod)["spec"]["containers"][0]["resources"]
    assert resources["requests"] == {"cpu": "100m", "memory": "1Gi"}
    template = filled(find("deployments.apps"), deployment)["spec"]["template"]
    assert template["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "100m"}


def test_volumes_get_modes_and_an_empty_one_a_directory(find: Find, pod: dict[str, Any]) -> None:
    pod["spec"]["volumes"] = [
        {"name": "scratch"},
        {"name": "settings", "configMap": {"name": "c"}},
        {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
    ]
    scratch, settings, token = filled(find("pods"), pod)["spec"]["volumes"]
    assert scratch["emptyDir"] == {}
    assert settings["configMap"]["defaultMode"] == 0o644
    assert token["projected"]["sources"][0]["serviceAccountToken"]["expirationSeconds"] == 3600


def test_deployment_rolls_by_quarters(find: Find, deployment: dict[str, Any]) -> None:
    del deployment["spec"]["replicas"]
    spec = filled(find("deployments.apps"), deployment)["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
    }
    assert (spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (10, 600)
    assert "serviceAccountName" not in spec["template"]["spec"]  # admission adds it to pods only


def test_recreate_gets_no_rolling_update(find: Find, deployment: dict[str, Any]) -> None:
    deployment["spec"]["strategy"] = {"type": "Recreate"}
    assert filled(find("deployments.apps"), deployment)["spec"]["strategy"] == {"type": "Recreate"}


def test_service_points_at_its_own_port(find: Find) -> None:
    service = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], "sessionAffinity": "ClientIP"}}
    spec = filled(find("services"), service)["spec"]
    assert spec["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert spec["type"] == "ClusterIP"
    assert spec["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    assert not spec.keys() & {"clusterIP", "ipFamilies", "ipFamilyPolicy"}  # given by whoever stores it


def test_service_without_affinity_keeps_no_settings_of_one(find: Find) -> None:
    settings = {"clientIP": {"timeoutSeconds": 5}}
    service = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], "sessionAffinityConfig": settings}}
    assert "sessionAffinityConfig" not in filled(find("services"), service)["spec"]


def test_secret_texts_are_encoded_over_its_data(find: Find) -> None:
    secret = {"metadata": {"name": "s"}, "data": {"a": "eA==", "b": "eA=="}, "stringData": {"b": "y"}}
    assert filled(find("secrets"), secret) == {
        "metadata": {"name": "s"},
        "type": "Opaque",
        "data": {"a": "eA==", "b": "eQ=="},
    }


def test_autoscaler_aims_at_80_percent_cpu(find: Find) -> None:
    autoscaler = {"metadata": {"name": "h"}, "spec": {"maxReplicas": 5, "behavior": {"scaleDown": {"policies": []}}}}
    spec = filled(find("horizontalpodautoscalers.v2.autoscaling"), autoscaler)["spec"]
    assert spec["minReplicas"] == 1
    assert spec["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 80}
    assert spec["behavior"]["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert spec["behavior"]["scaleDown"] == {"policies": [], "selectPolicy": "Max"}


def test_default_scaling_rules_are_not_shared_between_objects(find: Find) -> None:
    resource = find("horizontalpodautoscalers.v2.autoscaling")
    first = filled(resource, {"metadata": {}, "spec": {"behavior": {}}})
    first["spec"]["behavior"]["scaleUp"]["policies"].clear()
    second = filled(resource, {"metadata": {}, "spec": {"behavior": {}}})
    assert len(second["spec"]["behavior"]["scaleUp"]["policies"]) == 2


def test_namespace_is_finalized_once(find: Find) -> None:
    namespaces = find("namespaces")
    new = filled(namespaces, {"metadata": {"name": "shop"}})
    assert new["spec"]["finalizers"] == ["kubernetes"]
    assert new["metadata"]["labels"] == {"kubernetes.io/metadata.name": "shop"}
    assert new["status"]["phase"] == "Active"
    going = filled(namespaces, {"metadata": {"name": "shop", "deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {}})
    assert "finalizers" not in going["spec"]


def test_binding_and_its_subjects_get_the_group_of_roles(find: Find) -> None:
    binding = {
        "metadata": {"name": "b"},
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}],
    }
    done = filled(find("rolebindings.rbac.authorization.k8s.io"), binding)
    group = "rbac.authorization.k8s.io"
    assert done["roleRef"]["apiGroup"] == group
    assert [subject.get("apiGroup") for subject in done["subjects"]] == [group, None]


def test_job_runs_once_unless_told_otherwise(find: Find) -> None:
    jobs = find("jobs.batch")
    assert filled(jobs, {"metadata": {}, "spec": {}})["spec"]["completions"] == 1
    assert "completions" not in filled(jobs, {"metadata": {}, "spec": {"parallelism": 2}})["spec"]


def test_custom_defaults_are_filled_in_at_every_depth(crd: dict[str, Any]) -> None:
    widgets = resources_of_definition(crd)[1]
    obj = {"metadata": {"name": "w"}, "spec": {"color": "red"}}
    first, second = filled(widgets, obj), filled(widgets, obj)
    assert first["spec"] == {"color": "red", "size": 3, "limits": {"cpu": "1"}}
    first["spec"]["limits"]["cpu"] = "2"
    assert second["spec"]["limits"] == {"cpu": "1"}


@pytest.mark.parametrize("resource", BUILTIN, ids=lambda resource: f"{resource.group_resource}.{resource.version}")
def test_defaults_are_the_same_when_applied_again(resource: Resource) -> None:
    once = filled(resource, {"metadata": {"name": "x"}})
    assert filled(resource, once) == once
