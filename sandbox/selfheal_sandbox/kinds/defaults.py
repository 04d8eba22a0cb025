"""Defaults, as the API server fills them in when it reads an object (pkg/apis/*/defaults.go upstream).

What needs the rest of the cluster is not here: addresses of services and node ports are given by whoever stores them.
"""

import base64
import copy
from collections.abc import Callable
from typing import Any

from selfheal_sandbox.kinds.filling import canonicalize, fill, fill_zero, part, parts
from selfheal_sandbox.kinds.pod_defaults import pod_defaults, template_defaults
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.kinds.schema_node import SchemaNode, root
from selfheal_sandbox.store.objects import Object

RBAC_GROUP = "rbac.authorization.k8s.io"

SCALE_UP_RULES: Object = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
"""What a HorizontalPodAutoscaler does upwards when nothing else is said (pkg/apis/autoscaling/v2/defaults.go)."""

SCALE_DOWN_RULES: Object = {
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}
"""What it does downwards; the stabilisation window is then the controller's own (300 s)."""


def apply_defaults(resource: Resource, obj: Object) -> None:
    """Fill in what a client left out, in place. The object must have passed `schema.check` without type errors."""
    if resource.is_custom:
        _fill_from_schema(obj, root(resource))
        return
    defaults = _DEFAULTS.get((resource.group, resource.version, resource.kind))
    if defaults is not None:
        defaults(obj)


def _fill_from_schema(value: Any, node: SchemaNode) -> None:
    """Fill in the `default`s of a custom schema, outermost first, so that a default object gets its own defaults."""
    if isinstance(value, list):
        for item in value:
            _fill_from_schema(item, node.items)
    elif isinstance(value, dict):
        for name, schema in node.fields.items():
            if value.get(name) is None and "default" in schema:
                value[name] = copy.deepcopy(schema["default"])
        for name, item in value.items():
            known = node.field(name) or node.values
            if known is not None:
                _fill_from_schema(item, known)


def _namespace(obj: Object) -> None:
    metadata = part(obj, "metadata")
    if metadata.get("name"):
        part(metadata, "labels")["kubernetes.io/metadata.name"] = metadata["name"]
    if not metadata.get("deletionTimestamp"):  # while it is deleted, an absent list means that it was finalized
        fill(part(obj, "spec"), finalizers=["kubernetes"])
    fill_zero(part(obj, "status"), phase="Active")


def _node(obj: Object) -> None:
    part(obj, "spec")
    status = obj.get("status") or {}
    if status.get("capacity") is not None:
        fill(status, allocatable=dict(status["capacity"]))


def _service(obj: Object) -> None:
    spec = part(obj, "spec")
    for name in ("clusterIP", "externalName", "loadBalancerIP"):
        if spec.get(name) == "":  # as many charts have it, and as good as nothing
            del spec[name]
    fill_zero(spec, type="ClusterIP", sessionAffinity="None")
    for port in parts(spec, "ports"):
        fill_zero(port, protocol="TCP", targetPort=port.get("port"))
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    if spec["sessionAffinity"] == "ClientIP":
        fill(part(part(spec, "sessionAffinityConfig"), "clientIP"), timeoutSeconds=10800)
    if spec["type"] != "ExternalName":
        fill_zero(spec, internalTrafficPolicy="Cluster")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        fill_zero(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        fill(spec, allocateLoadBalancerNodePorts=True)


def _secret(obj: Object) -> None:
    fill_zero(obj, type="Opaque")
    texts = obj.pop("stringData", None) or {}
    if texts:
        encoded = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}


def _endpoints(obj: Object) -> None:
    for subset in parts(obj, "subsets"):
        for port in parts(subset, "ports"):
            fill_zero(port, protocol="TCP")


def _endpoint_slice(obj: Object) -> None:
    for port in parts(obj, "ports"):
        fill(port, name="", protocol="TCP")


def _persistent_volume(obj: Object) -> None:
    fill(part(obj, "spec"), volumeMode="Filesystem", persistentVolumeReclaimPolicy="Retain")
    fill_zero(part(obj, "status"), phase="Pending")


def _persistent_volume_claim(obj: Object) -> None:
    fill(part(obj, "spec"), volumeMode="Filesystem")
    fill_zero(part(obj, "status"), phase="Pending")


def _replication_controller(obj: Object) -> None:
    spec = part(obj, "spec")
    fill(spec, replicas=1)
    template_defaults(spec)
    labels = spec["template"]["metadata"].get("labels")
    if labels:
        fill_zero(spec, selector=dict(labels))
        fill_zero(part(obj, "metadata"), labels=dict(labels))


def _deployment(obj: Object) -> None:
    spec = part(obj, "spec")
    fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = part(spec, "strategy")
    fill_zero(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        fill(part(strategy, "rollingUpdate"), maxSurge="25%", maxUnavailable="25%")
    template_defaults(spec)


def _replica_set(obj: Object) -> None:
    spec = part(obj, "spec")
    fill(spec, replicas=1)
    template_defaults(spec)


def _stateful_set(obj: Object) -> None:
    spec = part(obj, "spec")
    fill(spec, replicas=1, revisionHistoryLimit=10)
    fill_zero(spec, podManagementPolicy="OrderedReady")
    strategy = part(spec, "updateStrategy")
    fill_zero(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        fill(part(strategy, "rollingUpdate"), partition=0)
    fill_zero(part(spec, "persistentVolumeClaimRetentionPolicy"), whenDeleted="Retain", whenScaled="Retain")
    for claim in parts(spec, "volumeClaimTemplates"):
        _persistent_volume_claim(claim)
    template_defaults(spec)


def _daemon_set(obj: Object) -> None:
    spec = part(obj, "spec")
    fill(spec, revisionHistoryLimit=10)
    strategy = part(spec, "updateStrategy")
    fill_zero(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        fill(part(strategy, "rollingUpdate"), maxUnavailable=1, maxSurge=0)
    template_defaults(spec)


def _job(obj: Object) -> None:
    spec = part(obj, "spec")
    if spec.get("parallelism") is None:
        fill(spec, completions=1)
    replacement = "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed"
    fill(
        spec,
        parallelism=1,
        backoffLimit=6,
        completionMode="NonIndexed",
        suspend=False,
        manualSelector=False,
        podReplacementPolicy=replacement,
    )
    template_defaults(spec)
    labels = spec["template"]["metadata"].get("labels")
    if labels:
        fill_zero(part(obj, "metadata"), labels=dict(labels))


def _cron_job(obj: Object) -> None:
    spec = part(obj, "spec")
    fill_zero(spec, concurrencyPolicy="Allow")
    fill(spec, suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    template = part(spec, "jobTemplate")
    part(template, "metadata")
    template_defaults(part(template, "spec"))


def _empty_spec(obj: Object) -> None:
    """Where the spec is a struct that may be left out: it is written all the same."""
    part(obj, "spec")


def _event(obj: Object) -> None:
    part(obj, "source")
    fill(obj, reportingComponent="", reportingInstance="")


def _autoscaler_v1(obj: Object) -> None:
    fill(part(obj, "spec"), minReplicas=1)


def _autoscaler_v2(obj: Object) -> None:
    spec = part(obj, "spec")
    fill(spec, minReplicas=1)
    target = {"type": "Utilization", "averageUtilization": 80}
    fill_zero(spec, metrics=[{"type": "Resource", "resource": {"name": "cpu", "target": target}}])
    for metric in parts(spec, "metrics"):
        for source in metric.values():
            if isinstance(source, dict):
                canonicalize(source.get("target"), "value", "averageValue")
    behavior = spec.get("behavior")
    if behavior is not None:
        fill(part(behavior, "scaleUp"), **copy.deepcopy(SCALE_UP_RULES))
        fill(part(behavior, "scaleDown"), **copy.deepcopy(SCALE_DOWN_RULES))


def _network_policy(obj: Object) -> None:
    spec = part(obj, "spec")
    part(spec, "podSelector")
    for rule in parts(spec, "ingress", "egress"):
        for port in parts(rule, "ports"):
            fill(port, protocol="TCP")
    fill_zero(spec, policyTypes=["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])


def _role_binding(obj: Object) -> None:
    fill_zero(part(obj, "roleRef"), apiGroup=RBAC_GROUP)
    for subject in parts(obj, "subjects"):
        if subject.get("kind") in ("User", "Group"):
            fill_zero(subject, apiGroup=RBAC_GROUP)


def _priority_class(obj: Object) -> None:
    fill(obj, value=0, preemptionPolicy="PreemptLowerPriority")


def _storage_class(obj: Object) -> None:
    fill(obj, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def _admission_policy(obj: Object) -> None:
    spec = part(obj, "spec")
    fill(spec, failurePolicy="Fail")
    if spec.get("matchConstraints") is not None:
        _match_resources(spec["matchConstraints"])


def _admission_policy_binding(obj: Object) -> None:
    matched = part(obj, "spec").get("matchResources")
    if matched is not None:
        _match_resources(matched)


def _match_resources(matched: Object) -> None:
    fill(matched, matchPolicy="Equivalent", namespaceSelector={}, objectSelector={})
    for rule in parts(matched, "resourceRules", "excludeResourceRules"):
        fill(rule, scope="*")


def _custom_resource_definition(obj: Object) -> None:
    spec = part(obj, "spec")
    names = part(spec, "names")
    kind = names.get("kind") or ""
    fill_zero(names, singular=kind.lower(), listKind=f"{kind}List")
    fill_zero(part(spec, "conversion"), strategy="None")


_DEFAULTS: dict[tuple[str, str, str], Callable[[Object], None]] = {
    ("", "v1", "Endpoints"): _endpoints,
    ("", "v1", "Namespace"): _namespace,
    ("", "v1", "Node"): _node,
    ("", "v1", "PersistentVolume"): _persistent_volume,
    ("", "v1", "PersistentVolumeClaim"): _persistent_volume_claim,
    ("", "v1", "Pod"): pod_defaults,
    ("", "v1", "PodTemplate"): template_defaults,
    ("", "v1", "ReplicationController"): _replication_controller,
    ("", "v1", "Secret"): _secret,
    ("", "v1", "Service"): _service,
    ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy"): _admission_policy,
    ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding"): _admission_policy_binding,
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition"): _custom_resource_definition,
    ("apps", "v1", "DaemonSet"): _daemon_set,
    ("apps", "v1", "Deployment"): _deployment,
    ("apps", "v1", "ReplicaSet"): _replica_set,
    ("apps", "v1", "StatefulSet"): _stateful_set,
    ("autoscaling", "v1", "HorizontalPodAutoscaler"): _autoscaler_v1,
    ("autoscaling", "v2", "HorizontalPodAutoscaler"): _autoscaler_v2,
    ("batch", "v1", "CronJob"): _cron_job,
    ("batch", "v1", "Job"): _job,
    ("", "v1", "Event"): _event,
    ("coordination.k8s.io", "v1", "Lease"): _empty_spec,
    ("discovery.k8s.io", "v1", "EndpointSlice"): _endpoint_slice,
    ("networking.k8s.io", "v1", "NetworkPolicy"): _network_policy,
    ("policy", "v1", "PodDisruptionBudget"): _empty_spec,
    (RBAC_GROUP, "v1", "ClusterRoleBinding"): _role_binding,
    (RBAC_GROUP, "v1", "RoleBinding"): _role_binding,
    ("scheduling.k8s.io", "v1", "PriorityClass"): _priority_class,
    ("storage.k8s.io", "v1", "StorageClass"): _storage_class,
}
