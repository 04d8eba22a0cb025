"""Rules of kinds, names and changes, with the wording of the API server."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from selfheal_sandbox.kinds import schema
from selfheal_sandbox.kinds.defaults import apply_defaults
from selfheal_sandbox.kinds.registry import BUILTIN, Resource, resources_of_definition
from selfheal_sandbox.kinds.validation import Cause, causes

Find = Callable[[str], Resource]
Object = dict[str, Any]


def check(resource: Resource, obj: Object, old: Object | None = None) -> list[Cause]:
    """Causes of an object after its defaults are filled in, as the API server checks it."""
    obj = copy.deepcopy(obj)
    apply_defaults(resource, obj)
    return causes(resource, obj, old)


def stored(resource: Resource, obj: Object) -> Object:
    """What the store would hold."""
    obj = copy.deepcopy(obj)
    apply_defaults(resource, obj)
    assert causes(resource, obj, None) == []
    return obj


def fields(found: list[Cause]) -> list[str]:
    return [cause.field for cause in found]


def with_spec(obj: Object, **fields: Any) -> Object:
    return {**obj, "spec": {**obj["spec"], **fields}}


def with_container(pod: Object, **container: Any) -> Object:
    pod["spec"]["containers"][0] |= container
    return pod


@pytest.mark.parametrize(
    ("resource", "name", "allowed"),
    [
        ("configmaps", "a.b-c", True),
        ("configmaps", "Bad_Name", False),
        ("configmaps", "x" * 254, False),
        ("namespaces", "a.b", False),
        ("services", "1st", True),
        ("services", "a.b", False),
        ("services", "web", True),
        ("poddisruptionbudgets.policy", "Bad_Name", True),
        ("poddisruptionbudgets.policy", "a/b", False),
        ("roles.rbac.authorization.k8s.io", "system:any:Thing", True),
        ("roles.rbac.authorization.k8s.io", "a/b", False),
    ],
)
def test_names_follow_the_rule_of_their_kind(find: Find, resource: str, name: str, allowed: bool) -> None:
    found = [cause for cause in check(find(resource), {"metadata": {"name": name}}) if cause.field == "metadata.name"]
    assert (not found) is allowed


def test_bad_name_is_explained(find: Find) -> None:
    (found,) = check(find("configmaps"), {"metadata": {"name": "Bad_Name"}})
    assert found.reason == "FieldValueInvalid"
    assert found.message == (
        'Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric '
        "characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex "
        r"used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    )


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"labels": {"app": "not valid"}}, "metadata.labels"),
        ({"labels": {"bad key": "x"}}, "metadata.labels"),
        ({"labels": {"/x": "x"}}, "metadata.labels"),
        ({"labels": {"app": "x" * 64}}, "metadata.labels"),
        ({"annotations": {"bad key": "x"}}, "metadata.annotations"),
        ({"annotations": {"big": "x" * 300_000}}, "metadata.annotations"),
        ({"finalizers": ["example.org/a b"]}, "metadata.finalizers"),
        ({"finalizers": ["no-slash"]}, "metadata.finalizers[0]"),
        (
            {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": ""}]},
            "metadata.ownerReferences.uid",
        ),
        (
            {
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": name, "controller": True}
                    for name in ("a", "b")
                ]
            },
            "metadata.ownerReferences",
        ),
    ],
)
def test_metadata_rules(find: Find, metadata: Object, field: str) -> None:
    assert fields(check(find("configmaps"), {"metadata": {"name": "c", **metadata}})) == [field]


def test_usual_labels_and_annotations_pass(find: Find) -> None:
    metadata = {
        "name": "c",
        "labels": {"app.kubernetes.io/name": "web", "empty": ""},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "UpperCase.io/Key": "any text: !"},
        "finalizers": ["foregroundDeletion", "example.io/clean"],
    }
    assert check(find("configmaps"), {"metadata": metadata}) == []


def test_good_objects_have_no_causes(find: Find, deployment: Object, pod: Object) -> None:
    assert check(find("deployments.apps"), deployment) == []
    assert check(find("pods"), pod) == []


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"replicas": -1}, "spec.replicas", "must be greater than or equal to 0"),
        ({"selector": {}}, "spec.selector", "empty selector is invalid for deployment"),
        (
            {"selector": {"matchLabels": {"app": "other"}}},
            "spec.template.metadata.labels",
            "`selector` does not match template `labels`",
        ),
        (
            {"selector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}},
            "spec.template.metadata.labels",
            "does not match",
        ),
        (
            {"progressDeadlineSeconds": 5, "minReadySeconds": 5},
            "spec.progressDeadlineSeconds",
            "must be greater than minReadySeconds",
        ),
        (
            {"strategy": {"type": "Recreate", "rollingUpdate": {}}},
            "spec.strategy.rollingUpdate",
            "may not be specified when strategy `type` is 'Recreate'",
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}},
            "spec.strategy.rollingUpdate.maxUnavailable",
            "may not be 0 when `maxSurge` is 0",
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": "200%", "maxUnavailable": "101%"}}},
            "spec.strategy.rollingUpdate.maxUnavailable",
            "must not be greater than 100%",
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": "half"}}},
            "spec.strategy.rollingUpdate.maxSurge",
            "a valid percent string must be",
        ),
    ],
)
def test_deployment_rules(find: Find, deployment: Object, change: Object, field: str, message: str) -> None:
    deployment["spec"] |= change
    (found,) = check(find("deployments.apps"), deployment)
    assert found.field == field
    assert message in found.message


def test_image_with_a_blank_is_refused_where_it_is_to_be_pulled(find: Find, deployment: Object, pod: Object) -> None:
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "busybox "
    assert check(find("deployments.apps"), deployment) == []
    pod["spec"]["containers"][0]["image"] = "busybox "
    assert fields(check(find("pods"), pod)) == ["spec.containers[0].image"]


def test_labels_and_annotations_of_a_template_follow_the_rules(find: Find, deployment: Object) -> None:
    deployment["spec"]["template"]["metadata"]["labels"]["tier"] = "bad value"
    deployment["spec"]["template"]["metadata"]["annotations"] = {"bad key": "x"}
    assert fields(check(find("deployments.apps"), deployment)) == ["spec.template.labels", "spec.template.annotations"]


def test_template_must_restart_always(find: Find, deployment: Object) -> None:
    deployment["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    (found,) = check(find("deployments.apps"), deployment)
    assert found.message == 'Unsupported value: "Never": supported values: "Always"'


@pytest.mark.parametrize(
    ("selector", "field"),
    [
        ({"matchLabels": {"bad key": "x"}}, "spec.selector.matchLabels"),
        ({"matchLabels": {"app": "bad value!"}}, "spec.selector.matchLabels"),
        ({"matchExpressions": [{"key": "", "operator": "Exists"}]}, "spec.selector.matchExpressions[0].key"),
        ({"matchExpressions": [{"key": "a", "operator": "In"}]}, "spec.selector.matchExpressions[0].values"),
        (
            {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]},
            "spec.selector.matchExpressions[0].values",
        ),
        (
            {"matchExpressions": [{"key": "a", "operator": "In", "values": ["x", "bad value!"]}]},
            "spec.selector.matchExpressions[0].values[1]",
        ),
    ],
)
def test_selector_rules(find: Find, deployment: Object, selector: Object, field: str) -> None:
    deployment["spec"]["selector"] = selector
    assert fields(check(find("deployments.apps"), deployment)) == [field, "spec.selector"]


def test_template_is_not_looked_at_when_the_selector_cannot_be_used(find: Find, deployment: Object) -> None:
    deployment["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    assert fields(check(find("deployments.apps"), deployment)) == ["spec.template.spec.restartPolicy"]
    deployment["spec"]["selector"] = {"matchExpressions": [{"key": "app", "operator": "In"}]}
    found = check(find("deployments.apps"), deployment)
    assert fields(found) == ["spec.selector.matchExpressions[0].values", "spec.selector"]
    assert found[1].message.endswith("invalid label selector")


def test_template_of_a_daemon_set_is_looked_at_whatever_its_selector_is(find: Find, deployment: Object) -> None:
    deployment["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    deployment["spec"]["selector"] = {"matchExpressions": [{"key": "app", "operator": "In"}]}
    found = check(find("daemonsets.apps"), {**deployment, "kind": "DaemonSet"})
    assert fields(found) == ["spec.selector.matchExpressions[0].values", "spec.template.spec.restartPolicy"]


def test_names_in_the_template_of_a_stateful_set_are_not_looked_at(find: Find, deployment: Object) -> None:
    deployment["spec"]["template"]["spec"] |= {"hostname": "A_b", "subdomain": "X_"}
    named = ["spec.template.spec.hostname", "spec.template.spec.subdomain"]
    assert fields(check(find("deployments.apps"), deployment)) == named
    assert check(find("statefulsets.apps"), {**deployment, "kind": "StatefulSet"}) == []


@pytest.mark.parametrize(
    ("kind", "told"), [("Deployment", "ReplicaSet"), ("DaemonSet", "DaemonSet"), ("StatefulSet", "StatefulSet")]
)
def test_pods_of_a_workload_have_no_deadline(find: Find, deployment: Object, kind: str, told: str) -> None:
    deployment["spec"]["template"]["spec"]["activeDeadlineSeconds"] = 5
    (found,) = check(find(f"{kind.lower()}s.apps"), {**deployment, "kind": kind})
    assert found.message == f"Forbidden: activeDeadlineSeconds in {told} is not Supported"


def test_selector_that_the_schema_refuses_is_not_evaluated(find: Find, deployment: Object) -> None:
    for term in ({"key": "app", "operator": ""}, {"key": "app", "operator": "Like"}, {"operator": "In"}):
        deployment["spec"]["selector"] = {"matchExpressions": [term]}
        assert schema.check(find("deployments.apps"), deployment).causes != []
        found = fields(check(find("deployments.apps"), deployment))
        assert "spec.template.metadata.labels" not in found


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"selector": {"app": "other"}}, "spec.template.metadata.labels"),
        ({"selector": {"app": "web"}, "replicas": -1}, "spec.replicas"),
    ],
)
def test_replication_controller_selects_by_plain_labels(
    find: Find, deployment: Object, spec: Object, field: str
) -> None:
    controllers = find("replicationcontrollers")
    deployment["spec"]["selector"] = {"app": "web"}
    assert check(controllers, deployment) == []
    deployment["spec"] |= spec
    assert fields(check(controllers, deployment)) == [field]


@pytest.mark.parametrize("kind", ["deployments", "replicasets", "daemonsets"])
def test_selector_is_immutable(find: Find, deployment: Object, kind: str) -> None:
    resource = find(f"{kind}.apps")
    old = stored(resource, deployment)
    new = copy.deepcopy(old)
    new["spec"]["selector"] = {"matchLabels": {"app": "web", "tier": "front"}}
    new["spec"]["template"]["metadata"]["labels"]["tier"] = "front"
    (found,) = check(resource, new, old)
    assert (found.field, found.reason) == ("spec.selector", "FieldValueInvalid")
    assert found.message.endswith(": field is immutable")


def test_stateful_set_allows_its_documented_changes_only(find: Find, deployment: Object) -> None:
    sets = find("statefulsets.apps")
    old = stored(sets, deployment)
    assert check(sets, {**old, "spec": {**old["spec"], "replicas": 9}}, old) == []
    (found,) = check(sets, {**old, "spec": {**old["spec"], "serviceName": "other"}}, old)
    assert (found.reason, found.field) == ("FieldValueForbidden", "spec")


@pytest.mark.parametrize(
    ("container", "field"),
    [
        ({"name": "Web"}, "spec.containers[0].name"),
        ({"name": ""}, "spec.containers[0].name"),
        ({"image": ""}, "spec.containers[0].image"),
        ({"ports": [{"containerPort": 0}]}, "spec.containers[0].ports[0].containerPort"),
        ({"ports": [{"containerPort": 1, "name": "Bad_Port"}]}, "spec.containers[0].ports[0].name"),
        (
            {"ports": [{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}]},
            "spec.containers[0].ports[1].name",
        ),
        ({"env": [{"name": "A=B"}]}, "spec.containers[0].env[0].name"),
        ({"env": [{"name": "A", "valueFrom": {}}]}, "spec.containers[0].env[0].valueFrom"),
        (
            {"env": [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]},
            "spec.containers[0].env[0].valueFrom",
        ),
        ({"volumeMounts": [{"name": "gone", "mountPath": "/x"}]}, "spec.containers[0].volumeMounts[0].name"),
        (
            {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}}},
            "spec.containers[0].resources.requests",
        ),
        ({"livenessProbe": {}}, "spec.containers[0].livenessProbe"),
        (
            {"livenessProbe": {"exec": {"command": ["x"]}, "httpGet": {"port": 1}}},
            "spec.containers[0].livenessProbe.httpGet",
        ),
        (
            {"livenessProbe": {"exec": {"command": ["x"]}, "successThreshold": 2}},
            "spec.containers[0].livenessProbe.successThreshold",
        ),
        (
            {"readinessProbe": {"tcpSocket": {"port": 1}, "periodSeconds": -1}},
            "spec.containers[0].readinessProbe.periodSeconds",
        ),
        (
            {"startupProbe": {"tcpSocket": {"port": 1}, "failureThreshold": -1}},
            "spec.containers[0].startupProbe.failureThreshold",
        ),
        ({"livenessProbe": {"exec": {}}}, "spec.containers[0].livenessProbe.exec.command"),
        ({"livenessProbe": {"httpGet": {"port": "a name"}}}, "spec.containers[0].livenessProbe.httpGet.port"),
        (
            {"livenessProbe": {"tcpSocket": {"port": 1}, "terminationGracePeriodSeconds": 0}},
            "spec.containers[0].livenessProbe.terminationGracePeriodSeconds",
        ),
        (
            {"readinessProbe": {"tcpSocket": {"port": 1}, "terminationGracePeriodSeconds": 1}},
            "spec.containers[0].readinessProbe.terminationGracePeriodSeconds",
        ),
        ({"lifecycle": {"preStop": {}}}, "spec.containers[0].lifecycle.preStop"),
        ({"image": " busybox"}, "spec.containers[0].image"),
        ({"envFrom": [{}]}, "spec.containers[0].envFrom"),
        ({"envFrom": [{"configMapRef": {}}]}, "spec.containers[0].envFrom[0].configMapRef.name"),
        (
            {"envFrom": [{"configMapRef": {"name": "a"}, "secretRef": {"name": "a"}}]},
            "spec.containers[0].envFrom",
        ),
    ],
)
def test_container_rules(find: Find, pod: Object, container: Object, field: str) -> None:
    assert fields(check(find("pods"), with_container(pod, **container))) == [field]


def test_pod_needs_containers_with_names_of_their_own(find: Find, pod: Object) -> None:
    empty: list[Object] = [{}, {"containers": []}]
    for spec in empty:
        assert fields(check(find("pods"), {**pod, "spec": spec})) == ["spec.containers"]
    pod["spec"]["containers"] *= 2
    (found,) = check(find("pods"), pod)
    assert found == Cause("FieldValueDuplicate", "spec.containers[1].name", 'Duplicate value: "web"')


def test_only_an_init_container_that_lives_on_has_probes_and_hooks(find: Find, pod: Object) -> None:
    probed = {"name": "first", "image": "busybox:1", "livenessProbe": {"exec": {"command": ["true"]}}}
    pod["spec"]["initContainers"] = [{**probed, "lifecycle": {"preStop": {"exec": {"command": ["true"]}}}}]
    assert fields(check(find("pods"), pod)) == [
        "spec.initContainers[0].lifecycle",
        "spec.initContainers[0].livenessProbe",
    ]

    pod["spec"]["initContainers"][0]["restartPolicy"] = "Always"
    assert check(find("pods"), pod) == []


def test_volume_has_one_source(find: Find, pod: Object) -> None:
    pod["spec"]["volumes"] = [{"name": "v", "emptyDir": {}, "configMap": {"name": "c"}}]
    assert fields(check(find("pods"), pod)) == ["spec.volumes[0].configMap"]
    pod["spec"]["volumes"] = [{"name": "v", "secret": {}}]
    assert fields(check(find("pods"), pod)) == ["spec.volumes[0].secret.secretName"]


def test_pod_may_change_its_image_but_little_else(find: Find, pod: Object) -> None:
    pods = find("pods")
    old = stored(pods, pod)
    new = copy.deepcopy(old)
    new["spec"]["containers"][0]["image"] = "selfheal-service:2.0"
    assert check(pods, new, old) == []
    changes: tuple[Object, ...] = (
        {"nodeName": "node-1"},
        {"terminationGracePeriodSeconds": 1},
        {"ephemeralContainers": [{}]},
    )
    for change in changes:
        assert fields(check(pods, {**new, "spec": {**new["spec"], **change}}, old)) == ["spec"]
    renamed = copy.deepcopy(old)
    renamed["spec"]["containers"][0]["command"] = ["sh"]
    (found,) = check(pods, renamed, old)
    assert found.reason == "FieldValueForbidden"
    assert found.message.startswith("Forbidden: pod updates may not change fields other than")


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"hostname": "Bad_Name"}, "spec.hostname"),
        ({"subdomain": "a.b"}, "spec.subdomain"),
        ({"nodeName": "Bad Name"}, "spec.nodeName"),
        ({"nodeSelector": {"bad key": "x"}}, "spec.nodeSelector"),
        ({"nodeSelector": {"disk": "bad value"}}, "spec.nodeSelector"),
        ({"tolerations": [{}]}, "spec.tolerations[0].operator"),
        ({"tolerations": [{"key": "bad key", "operator": "Exists"}]}, "spec.tolerations[0].key"),
        ({"tolerations": [{"key": "x", "operator": "Exists", "value": "y"}]}, "spec.tolerations[0].operator"),
        ({"tolerations": [{"key": "x", "value": "bad value"}]}, "spec.tolerations[0].operator"),
        (
            {"tolerations": [{"key": "x", "effect": "NoSchedule", "tolerationSeconds": 5}]},
            "spec.tolerations[0].effect",
        ),
        ({"dnsPolicy": "None"}, "spec.dnsConfig"),
        ({"ephemeralContainers": [{"name": "e", "image": "busybox"}]}, "spec.ephemeralContainers"),
        ({"initContainers": [{"name": "web", "image": "busybox"}]}, "spec.initContainers[0].name"),
    ],
)
def test_pod_rules(find: Find, pod: Object, spec: Object, field: str) -> None:
    pod["spec"]["containers"][0]["name"] = "web"
    assert fields(check(find("pods"), with_spec(pod, **spec))) == [field]


def test_deadline_of_a_pod_may_only_come_nearer(find: Find, pod: Object) -> None:
    pods = find("pods")
    old = stored(pods, pod)
    assert fields(check(pods, with_spec(old, activeDeadlineSeconds=0))) == ["spec.activeDeadlineSeconds"]
    assert check(pods, with_spec(old, activeDeadlineSeconds=60), old) == []
    limited = with_spec(old, activeDeadlineSeconds=60)
    assert check(pods, with_spec(old, activeDeadlineSeconds=50), limited) == []
    (later,) = check(pods, with_spec(old, activeDeadlineSeconds=61), limited)
    assert later.message == "Invalid value: 61: must be less than or equal to previous value"
    (none,) = check(pods, old, limited)
    assert none.message == "Invalid value: null: must not update from a positive integer to nil value"


def test_tolerations_of_a_pod_are_only_added_to(find: Find, pod: Object) -> None:
    pods = find("pods")
    tolerated = {"key": "x", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}
    old = stored(pods, with_spec(pod, tolerations=[tolerated]))
    longer, other = {**tolerated, "tolerationSeconds": 9}, {"key": "y", "operator": "Exists"}
    assert check(pods, with_spec(old, tolerations=[other, longer]), old) == []
    (found,) = check(pods, with_spec(old, tolerations=[{**tolerated, "key": "z"}]), old)
    assert (found.reason, found.field) == ("FieldValueForbidden", "spec.tolerations")


def test_scheduling_gates_of_a_pod_are_only_taken_away(find: Find, pod: Object) -> None:
    pods = find("pods")
    gated = stored(pods, with_spec(pod, schedulingGates=[{"name": "a.b/c"}]))
    assert check(pods, stored(pods, pod), gated) == []
    (found,) = check(pods, with_spec(gated, schedulingGates=[{"name": "a.b/c"}, {"name": "x.y/z"}]), gated)
    assert found.field == "spec.schedulingGates[1].name"
    assert found.message == "Forbidden: only deletion is allowed, but found new scheduling gate 'x.y/z'"
    assert fields(check(pods, with_spec(gated, nodeName="node-1"))) == ["spec.nodeName"]


def test_volume_of_two_sources_is_none_and_cannot_be_mounted(find: Find, pod: Object) -> None:
    volume = {"name": "v", "configMap": {"name": "a"}, "emptyDir": {}}
    pod["spec"]["volumes"] = [volume]
    pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "v", "mountPath": "/v"}]
    assert fields(check(find("pods"), pod)) == [
        "spec.volumes[0].configMap",
        "spec.containers[0].volumeMounts[0].name",
    ]


def test_port_0_of_a_container_is_none(find: Find, pod: Object) -> None:
    pod["spec"]["containers"][0]["ports"] = [{"containerPort": 0}, {"containerPort": 70000}]
    found = check(find("pods"), pod)
    assert [(each.reason, each.field) for each in found] == [
        ("FieldValueRequired", "spec.containers[0].ports[0].containerPort"),
        ("FieldValueInvalid", "spec.containers[0].ports[1].containerPort"),
    ]


def test_grace_period_below_0_is_1_for_a_pod_and_stays_in_a_template(
    find: Find, pod: Object, deployment: Object
) -> None:
    deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = -1
    assert check(find("deployments.apps"), deployment) == []
    kept = stored(find("deployments.apps"), deployment)["spec"]["template"]["spec"]
    forced = stored(find("pods"), with_spec(pod, terminationGracePeriodSeconds=-1))["spec"]
    assert (kept["terminationGracePeriodSeconds"], forced["terminationGracePeriodSeconds"]) == (-1, 1)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"ports": []}, "spec.ports"),
        ({"ports": [{"port": 0}]}, "spec.ports[0].port"),
        ({"ports": [{"port": 1}, {"port": 2, "name": "b"}]}, "spec.ports[0].name"),
        ({"ports": [{"port": 1, "name": "a"}, {"port": 2, "name": "a"}]}, "spec.ports[1].name"),
        ({"ports": [{"port": 1, "name": "a"}, {"port": 1, "name": "b"}]}, "spec.ports[1]"),
        ({"ports": [{"port": 1, "nodePort": 80}], "type": "NodePort"}, "spec.ports[0].nodePort"),
        ({"type": "ExternalName"}, "spec.externalName"),
    ],
)
def test_service_rules(find: Find, spec: Object, field: str) -> None:
    found = check(find("services"), {"metadata": {"name": "s"}, "spec": spec})
    assert field in fields(found)
    assert len(found) == 1 or spec["ports"][0]["port"] == 0


def test_headless_service_needs_no_ports(find: Find) -> None:
    assert check(find("services"), {"metadata": {"name": "s"}, "spec": {"clusterIP": "None"}}) == []


def test_cluster_ip_stays(find: Find) -> None:
    services = find("services")
    old: Object = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], "clusterIP": "127.64.255.1"}}
    new = {**old, "spec": {**old["spec"], "clusterIP": "127.64.255.2"}}
    (found,) = check(services, new, old)
    assert (found.field, found.message) == (
        "spec.clusterIPs[0]",
        'Invalid value: ["127.64.255.2"]: may not change once set',
    )


def test_config_map_rules(find: Find) -> None:
    config_maps = find("configmaps")
    assert fields(check(config_maps, {"metadata": {"name": "c"}, "data": {"a/b": ""}})) == ["data[a/b]"]
    both = {"metadata": {"name": "c"}, "data": {"a": ""}, "binaryData": {"a": ""}}
    assert fields(check(config_maps, both)) == ["data[a]"]
    (found,) = check(config_maps, {"metadata": {"name": "c"}, "data": {"a": "x" * (1 << 20), "b": "x"}})
    assert found.reason == "FieldValueTooLong"


@pytest.mark.parametrize("kind", ["configmaps", "secrets"])
def test_immutable_data_stays(find: Find, kind: str) -> None:
    old = stored(find(kind), {"metadata": {"name": "c"}, "data": {"a": "eA=="}, "immutable": True})
    assert check(find(kind), {**old, "metadata": {"name": "c", "labels": {"x": "y"}}}, old) == []
    assert fields(check(find(kind), {**old, "data": {"a": "eQ=="}}, old)) == ["data"]
    assert fields(check(find(kind), {**old, "immutable": False}, old)) == ["immutable"]


def test_secret_type_asks_for_keys_and_stays(find: Find) -> None:
    secrets = find("secrets")
    assert fields(check(secrets, {"metadata": {"name": "s"}, "type": "kubernetes.io/tls"})) == [
        "data[tls.crt]",
        "data[tls.key]",
    ]
    old = stored(secrets, {"metadata": {"name": "s"}})
    assert fields(check(secrets, {**old, "type": "custom"}, old)) == ["type"]


def test_autoscaler_scales_to_zero_on_no_metric_of_pods(find: Find) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": target, "maxReplicas": 5, "minReplicas": 0}
    found = check(find("horizontalpodautoscalers.v2.autoscaling"), {"metadata": {"name": "h"}, "spec": spec})
    assert [(each.reason, each.field) for each in found] == [
        ("FieldValueInvalid", "spec.minReplicas"),
        ("FieldValueForbidden", "spec.metrics"),
    ]


def test_autoscaler_without_a_group_is_left_alone_until_its_target_changes(find: Find) -> None:
    autoscalers = find("horizontalpodautoscalers.v2.autoscaling")
    target = {"kind": "Deployment", "name": "web"}
    old = {"metadata": {"name": "h"}, "spec": {"scaleTargetRef": target, "maxReplicas": 5}}
    assert fields(check(autoscalers, old)) == ["spec.scaleTargetRef.apiVersion"]
    assert check(autoscalers, with_spec(old, maxReplicas=6), old) == []
    other = {"kind": "ReplicaSet", "name": "web"}
    assert fields(check(autoscalers, with_spec(old, scaleTargetRef=other), old)) == ["spec.scaleTargetRef.apiVersion"]


def test_source_of_a_metric_of_no_known_type_is_not_asked_for(find: Find) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": target, "maxReplicas": 5, "metrics": [{"type": "Bogus"}]}
    assert check(find("horizontalpodautoscalers.v2.autoscaling"), {"metadata": {"name": "h"}, "spec": spec}) == []


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"maxReplicas": 1, "minReplicas": 2}, "spec.maxReplicas", "greater than or equal to `minReplicas`"),
        ({"metrics": [{"type": "Pods"}]}, "spec.metrics[0].pods", "must populate information"),
        (
            {"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}]},
            "spec.metrics[0].resource.target.averageUtilization",
            "must set either a target raw value or a target utilization",
        ),
        (
            {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 3601}}},
            "spec.behavior.scaleDown.stabilizationWindowSeconds",
            "must be less than or equal to 3600",
        ),
        (
            {"behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 0, "periodSeconds": 15}]}}},
            "spec.behavior.scaleUp.policies[0].value",
            "must be greater than zero",
        ),
    ],
)
def test_autoscaler_rules(find: Find, change: Object, field: str, message: str) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": target, "maxReplicas": 5, **change}
    (found,) = check(find("horizontalpodautoscalers.v2.autoscaling"), {"metadata": {"name": "h"}, "spec": spec})
    assert found.field == field
    assert message in found.message


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"minAvailable": 1, "maxUnavailable": 1}, "spec"),
        ({"minAvailable": -1}, "spec.minAvailable"),
        ({"maxUnavailable": "most"}, "spec.maxUnavailable"),
        ({"minAvailable": "150%"}, "spec.minAvailable"),
        (
            {"selector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
            "spec.selector.matchExpressions[0].values",
        ),
    ],
)
def test_budget_rules(find: Find, spec: Object, field: str) -> None:
    found = check(find("poddisruptionbudgets.policy"), {"metadata": {"name": "b"}, "spec": spec})
    assert fields(found) == [field]


def test_job_template_may_not_restart_always_nor_change(find: Find, pod: Object) -> None:
    jobs = find("jobs.batch")
    job: Object = {"metadata": {"name": "j"}, "spec": {"template": {"spec": {**pod["spec"], "restartPolicy": "Never"}}}}
    old = stored(jobs, job)
    new = copy.deepcopy(old)
    new["spec"]["template"]["spec"]["containers"][0]["image"] = "x:2"
    assert fields(check(jobs, new, old)) == ["spec.template"]
    job["spec"]["template"]["spec"]["restartPolicy"] = "Always"
    (found,) = check(jobs, job)
    assert found.message == 'Unsupported value: "Always": supported values: "OnFailure", "Never"'


def test_role_reference_is_fixed(find: Find) -> None:
    bindings = find("rolebindings.rbac.authorization.k8s.io")
    old = stored(bindings, {"metadata": {"name": "b"}, "roleRef": {"kind": "Role", "name": "r"}, "subjects": []})
    new = {**old, "roleRef": {**old["roleRef"], "name": "other"}}
    (found,) = check(bindings, new, old)
    assert (found.field, found.message.rpartition(": ")[2]) == ("roleRef", "cannot change roleRef")


def test_role_rules_name_groups_and_resources(find: Find) -> None:
    roles = find("clusterroles.rbac.authorization.k8s.io")
    bad = {"metadata": {"name": "r"}, "rules": [{"verbs": []}]}
    assert fields(check(roles, bad)) == ["rules[0].verbs", "rules[0].apiGroups", "rules[0].resources"]
    assert check(roles, {"metadata": {"name": "r"}, "rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]}) == []


def test_lease_lasts_a_while(find: Find) -> None:
    lease = {"metadata": {"name": "l"}, "spec": {"leaseDurationSeconds": 0, "leaseTransitions": -1}}
    assert fields(check(find("leases.coordination.k8s.io"), lease)) == [
        "spec.leaseDurationSeconds",
        "spec.leaseTransitions",
    ]


def test_definition_is_named_after_what_it_defines(find: Find, crd: Object) -> None:
    definitions = find("customresourcedefinitions.apiextensions.k8s.io")
    assert check(definitions, crd) == []
    crd["metadata"]["name"] = "gadgets.example.io"
    assert fields(check(definitions, crd)) == ["metadata.name"]


def test_definition_stores_exactly_one_version_with_a_schema(find: Find, crd: Object) -> None:
    definitions = find("customresourcedefinitions.apiextensions.k8s.io")
    crd["spec"]["versions"][0]["storage"] = True
    del crd["spec"]["versions"][1]["schema"]
    assert fields(check(definitions, crd)) == ["spec.versions", "spec.versions[1].schema.openAPIV3Schema"]


def test_custom_field_declared_immutable_stays(crd: Object) -> None:
    widgets = resources_of_definition(crd)[1]
    old: Object = {"metadata": {"name": "w"}, "spec": {"color": "red", "owner": "ann"}}
    assert check(widgets, {**old, "spec": {**old["spec"], "color": "blue"}}, old) == []
    (found,) = check(widgets, {**old, "spec": {**old["spec"], "owner": "bob"}}, old)
    assert found == Cause("FieldValueInvalid", "spec.owner", 'Invalid value: "bob": owner is immutable')


@pytest.mark.parametrize("resource", BUILTIN, ids=lambda resource: f"{resource.group_resource}.{resource.version}")
def test_rules_report_rather_than_fail_on_an_empty_object(resource: Resource) -> None:
    assert "metadata.name" in fields(check(resource, {"metadata": {}}))
    assert "metadata.name" in fields(check(resource, {"metadata": {}, "spec": {}}, {"metadata": {}, "spec": {}}))
