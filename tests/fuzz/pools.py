"""The kinds that are fuzzed, with small pools of specs, changes and flaws, so that calls meet on the same fields."""

from dataclasses import dataclass
from typing import Any, TypeAlias

Body: TypeAlias = dict[str, Any]
Edit: TypeAlias = tuple[tuple[str | int, ...], Any]
"""A path in a body, and what to put there; `ABSENT` takes the field away."""

ABSENT = "\0absent"
GROUP = "fuzz.selfheal.example"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind that is fuzzed.

    Attributes:
        name: the kind.
        api_version: group and version.
        plural: in paths.
        contents: what objects hold besides their metadata; the first one is the plainest.
        changes: merge patches; as strategic patches they merge lists.
        operations: JSON patches.
        statuses: what ``status`` may be set to; empty where there is no such subresource.
        edits: flaws and other odd things, put into an otherwise good body.
        scalable: whether it has a ``scale`` subresource.
        custom: whether it is defined by a CustomResourceDefinition.
        selectors: field selectors worth a try.
    """

    name: str
    api_version: str
    plural: str
    contents: tuple[Body, ...]
    changes: tuple[Body, ...]
    operations: tuple[list[Body], ...] = ()
    statuses: tuple[Body, ...] = ()
    edits: tuple[Edit, ...] = ()
    scalable: bool = False
    custom: bool = False
    selectors: tuple[str, ...] = ()

    @property
    def collection(self) -> str:
        """Path of the collection in the sequence's namespace."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        return f"{root}/namespaces/NS/{self.plural}"


EVERY_EDIT: tuple[Edit, ...] = (
    (("bogus",), 1),
    (("spec", "bogus"), "x"),
    (("metadata", "bogus"), True),
    (("metadata", "name"), "Bad_Name"),
    (("metadata", "name"), "a" * 254),
    (("metadata", "name"), "a" * 64),
    (("metadata", "name"), ABSENT),
    (("metadata", "name"), 5),
    (("metadata", "namespace"), "elsewhere"),
    (("metadata", "labels"), "text"),
    (("metadata", "labels"), {"app": 5}),
    (("metadata", "labels"), {"a b": "x"}),
    (("metadata", "labels"), {"app": "not good"}),
    (("metadata", "labels"), {"a" * 64: "x"}),
    (("metadata", "annotations"), {"a b": "x"}),
    (("metadata", "annotations"), {"note": 1}),
    (("metadata", "finalizers"), ["unqualified"]),
    (("metadata", "finalizers"), ["bad finalizer/x"]),
    (("metadata", "generation"), 7),
    (("metadata", "creationTimestamp"), None),
    (("metadata", "deletionTimestamp"), "2020-01-01T00:00:00Z"),
    (("metadata", "ownerReferences"), [{"kind": "Pod", "name": "x", "uid": "u"}]),
    (("metadata", "ownerReferences"), [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": ""}]),
    (("metadata", "managedFields"), []),
    (("apiVersion",), "v9"),
    (("apiVersion",), ABSENT),
    (("kind",), "Wrong"),
    (("kind",), ABSENT),
    (("metadata",), ABSENT),
    (("spec",), ABSENT),
    (("spec",), "text"),
    (("spec",), None),
    (("status",), {}),
)

_CONTAINER: Body = {"name": "c", "image": "busybox:1"}
_TEMPLATE: Body = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [_CONTAINER]}}


def _template(**spec: Any) -> Body:
    return {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [_CONTAINER], **spec}}


_RICH_CONTAINER: Body = {
    "name": "c",
    "image": "registry.lab/web",
    "ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 81}],
    "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    "resources": {"requests": {"cpu": "0.1", "memory": "64Mi"}, "limits": {"cpu": "100m", "memory": "64Mi"}},
    "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 3},
}
_POD_SPEC_CHANGES: tuple[Body, ...] = (
    {"containers": [{"name": "c", "image": "busybox:2"}]},
    {"containers": [{"name": "d", "image": "busybox:1"}]},
    {"containers": [{"name": "c", "env": [{"name": "A", "value": "2"}]}]},
    {"containers": [{"name": "c", "env": [{"name": "C", "value": "3"}]}]},
    {"containers": [{"name": "c", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]},
    {"containers": [{"name": "d", "$patch": "delete"}]},
    {"terminationGracePeriodSeconds": 1},
    {"activeDeadlineSeconds": 60},
    {"tolerations": [{"key": "x", "operator": "Exists"}]},
    {"nodeSelector": {"disk": "ssd"}},
    {"volumes": [{"name": "v", "emptyDir": {}}]},
)
_CONTAINER_EDITS: tuple[Edit, ...] = (
    (("containers",), []),
    (("containers",), ABSENT),
    (("containers",), "text"),
    (("containers", 0, "name"), ABSENT),
    (("containers", 0, "name"), "Bad Name"),
    (("containers", 0, "image"), ABSENT),
    (("containers", 0, "image"), 5),
    (("containers", 0, "bogus"), 1),
    (("containers", 0, "imagePullPolicy"), "Sometimes"),
    (("containers", 0, "ports"), [{"containerPort": 0}]),
    (("containers", 0, "ports"), [{"containerPort": 70000}]),
    (("containers", 0, "ports"), [{"containerPort": "80"}]),
    (("containers", 0, "resources"), {"requests": {"cpu": "x"}}),
    (("containers", 0, "resources"), {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
    (("containers", 0, "env"), [{"name": "A", "value": 1}]),
    (("containers", 0, "env"), [{"value": "x"}]),
    (("containers", 0, "livenessProbe"), {"tcpSocket": {"port": 0}}),
    (("containers", 0, "livenessProbe"), {"periodSeconds": -1, "httpGet": {"port": 80}}),
    (("containers", 0, "volumeMounts"), [{"name": "missing", "mountPath": "/x"}]),
    (("containers", 1), _CONTAINER),
    (("restartPolicy",), "Sometimes"),
    (("dnsPolicy",), ""),
    (("terminationGracePeriodSeconds",), -1),
    (("activeDeadlineSeconds",), 0),
)


def _inside(path: tuple[str, ...], edits: tuple[Edit, ...]) -> tuple[Edit, ...]:
    return tuple(((*path, *inner), value) for inner, value in edits)


_TIME = "2026-01-01T00:00:00Z"
_READY: Body = {"type": "Ready", "status": "True", "lastProbeTime": _TIME, "lastTransitionTime": _TIME}
_RUNNING: Body = {"phase": "Running", "conditions": [_READY]}

CONFIG_MAP = Kind(
    "ConfigMap",
    "v1",
    "configmaps",
    contents=(
        {"data": {"a": "1"}},
        {},
        {"data": {"a": "1", "b": "2"}, "immutable": True},
        {"binaryData": {"x": "YQ=="}},
    ),
    changes=(
        {"data": {"a": "2"}},
        {"data": {"b": "2"}},
        {"data": {"a": None}},
        {"data": None},
        {"immutable": True},
        {"data": {"a": 5}},
        {"data": {"not a key": "x"}},
        {"bogus": 1},
    ),
    operations=(
        [{"op": "replace", "path": "/data/a", "value": "3"}],
        [{"op": "test", "path": "/data/a", "value": "1"}, {"op": "remove", "path": "/data/a"}],
        [{"op": "add", "path": "/data/c", "value": "9"}],
        [{"op": "move", "from": "/data/a", "path": "/data/z"}],
        [{"op": "copy", "from": "/data/a", "path": "/data/y"}],
        [{"op": "add", "path": "/missing/deep", "value": "9"}],
        [{"op": "replace", "path": "/data", "value": "text"}],
        [{"op": "bogus", "path": "/data"}],
    ),
    edits=(
        (("data",), {"not a key": "x"}),
        (("data",), {"a": 1}),
        (("data",), ["a"]),
        (("binaryData",), {"a": "!!"}),
        (("binaryData",), {"a": "YQ=="}),
        (("immutable",), "yes"),
    ),
)
SECRET = Kind(
    "Secret",
    "v1",
    "secrets",
    contents=(
        {"data": {"a": "MQ=="}},
        {"stringData": {"a": "1", "b": "2"}},
        {"type": "kubernetes.io/basic-auth", "stringData": {"username": "u"}},
        {"type": "kubernetes.io/tls", "data": {"tls.crt": "", "tls.key": ""}},
        {"data": {"a": "MQ=="}, "immutable": True},
    ),
    changes=(
        {"data": {"b": "Mg=="}},
        {"stringData": {"a": "x"}},
        {"data": {"a": None}},
        {"type": "other"},
        {"data": {"a": "no base 64"}},
        {"immutable": True},
    ),
    operations=([{"op": "add", "path": "/data/c", "value": "Mw=="}], [{"op": "remove", "path": "/data/a"}]),
    edits=(
        (("data",), {"a": "no base 64"}),
        (("type",), "kubernetes.io/tls"),
        (("type",), "kubernetes.io/dockerconfigjson"),
        (("type",), 5),
        (("data",), {"not a key": "MQ=="}),
    ),
    selectors=("type=Opaque", "type!=Opaque"),
)
POD = Kind(
    "Pod",
    "v1",
    "pods",
    contents=(
        {"spec": {"containers": [_CONTAINER]}},
        {"spec": {"containers": [_RICH_CONTAINER], "restartPolicy": "Never"}},
        {"spec": {"containers": [_CONTAINER], "nodeName": "node-1"}},
        {"spec": {"containers": [_CONTAINER], "nodeName": "node-1", "terminationGracePeriodSeconds": 0}},
        {
            "spec": {
                "initContainers": [{"name": "i", "image": "busybox"}],
                "containers": [{**_CONTAINER, "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
                "volumes": [{"name": "v", "configMap": {"name": "a"}}],
                "securityContext": {"runAsUser": 5},
            }
        },
    ),
    changes=tuple({"spec": change} for change in _POD_SPEC_CHANGES),
    operations=(
        [{"op": "replace", "path": "/spec/containers/0/image", "value": "busybox:3"}],
        [{"op": "add", "path": "/spec/containers/-", "value": {"name": "x", "image": "y"}}],
        [{"op": "add", "path": "/spec/nodeName", "value": "node-2"}],
        [{"op": "remove", "path": "/spec/containers/0"}],
    ),
    statuses=(
        _RUNNING,
        {"phase": "Running"},
        {"phase": "Succeeded"},
        {"phase": "Failed", "reason": "Evicted", "message": "x"},
        {"podIP": "10.1.2.3", "podIPs": [{"ip": "10.1.2.3"}]},
        {"phase": "Bogus"},
    ),
    edits=_inside(("spec",), _CONTAINER_EDITS),
    selectors=("status.phase=Running", "status.phase=Pending", "spec.nodeName=node-1", "spec.restartPolicy!=Always"),
)
SERVICE = Kind(
    "Service",
    "v1",
    "services",
    contents=(
        {"spec": {"selector": {"app": "a"}, "ports": [{"port": 80}]}},
        {"spec": {"clusterIP": "None", "selector": {"app": "a"}}},
        {"spec": {"type": "ExternalName", "externalName": "example.com"}},
        {"spec": {"ports": [{"name": "a", "port": 80, "targetPort": "http"}, {"name": "b", "port": 81}]}},
        {"spec": {"sessionAffinity": "ClientIP", "ports": [{"port": 53, "protocol": "UDP"}]}},
    ),
    changes=(
        {"spec": {"selector": {"app": "b"}}},
        {"spec": {"ports": [{"port": 81, "name": "x"}]}},
        {"spec": {"ports": [{"port": 80, "targetPort": 8080}]}},
        {"spec": {"ports": None}},
        {"spec": {"clusterIP": "None"}},
        {"spec": {"clusterIP": None}},
        {"spec": {"type": "ExternalName", "externalName": "x.y"}},
        {"spec": {"sessionAffinity": "ClientIP"}},
        {"spec": {"publishNotReadyAddresses": True}},
    ),
    operations=(
        [{"op": "replace", "path": "/spec/ports/0/port", "value": 82}],
        [{"op": "add", "path": "/spec/selector", "value": {"x": "y"}}],
    ),
    statuses=({"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}, {}),
    edits=(
        (("spec", "ports"), []),
        (("spec", "ports"), [{"port": 0}]),
        (("spec", "ports"), [{"port": 70000}]),
        (("spec", "ports"), [{"port": "80"}]),
        (("spec", "ports"), [{"port": 80}, {"port": 81}]),
        (("spec", "ports"), [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]),
        (("spec", "ports"), [{"port": 80, "targetPort": "Not A Port"}]),
        (("spec", "ports"), [{"port": 80, "protocol": "XYZ"}]),
        (("spec", "type"), "Bogus"),
        (("spec", "clusterIP"), "not an ip"),
        (("spec", "sessionAffinity"), "Sometimes"),
        (("spec", "selector"), {"a b": "c"}),
        (("metadata", "name"), "1a"),
    ),
)
DEPLOYMENT = Kind(
    "Deployment",
    "apps/v1",
    "deployments",
    contents=(
        {"spec": {"replicas": 1, "selector": {"matchLabels": {"app": "a"}}, "template": _TEMPLATE}},
        {
            "spec": {
                "selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]},
                "strategy": {"type": "Recreate"},
                "template": {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [_RICH_CONTAINER]}},
            }
        },
        {
            "spec": {
                "replicas": 0,
                "paused": True,
                "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
                "selector": {"matchLabels": {"app": "a"}},
                "template": _template(terminationGracePeriodSeconds=5),
            }
        },
    ),
    changes=(
        {"spec": {"replicas": 3}},
        {"spec": {"replicas": None}},
        {"spec": {"paused": True}},
        {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}},
        {"spec": {"strategy": {"type": "Recreate"}}},
        {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}},
        {"spec": {"selector": {"matchLabels": {"app": "b"}}}},
        {"spec": {"template": {"metadata": {"annotations": {"restarted": "1"}}}}},
        *({"spec": {"template": {"spec": change}}} for change in _POD_SPEC_CHANGES),
    ),
    operations=(
        [{"op": "replace", "path": "/spec/replicas", "value": 4}],
        [{"op": "replace", "path": "/spec/replicas", "value": "4"}],
        [{"op": "add", "path": "/spec/template/spec/containers/0/env", "value": [{"name": "A", "value": "9"}]}],
        [{"op": "remove", "path": "/spec/template"}],
    ),
    statuses=({"replicas": 1, "observedGeneration": 1}, {"replicas": -1}, {"availableReplicas": 5}),
    edits=(
        (("spec", "replicas"), -1),
        (("spec", "replicas"), "3"),
        (("spec", "replicas"), 1.5),
        (("spec", "selector"), ABSENT),
        (("spec", "selector"), {}),
        (("spec", "selector"), {"matchLabels": {"app": "other"}}),
        (("spec", "selector"), {"matchExpressions": [{"key": "app", "operator": "Is"}]}),
        (("spec", "selector"), {"matchExpressions": [{"key": "app", "operator": "In"}]}),
        (("spec", "template"), ABSENT),
        (("spec", "template", "metadata"), ABSENT),
        (("spec", "strategy"), {"type": "Bogus"}),
        (("spec", "strategy"), {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
        (("spec", "strategy"), {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}),
        (("spec", "strategy"), {"rollingUpdate": {"maxUnavailable": "200%"}}),
        (("spec", "minReadySeconds"), -1),
        (("spec", "progressDeadlineSeconds"), 0),
        (("spec", "revisionHistoryLimit"), -1),
        (("spec", "template", "spec", "restartPolicy"), "Never"),
        (("spec", "template", "spec", "activeDeadlineSeconds"), 5),
        *_inside(("spec", "template", "spec"), _CONTAINER_EDITS),
    ),
    scalable=True,
)
REPLICA_SET = Kind(
    "ReplicaSet",
    "apps/v1",
    "replicasets",
    contents=(
        {"spec": {"replicas": 1, "selector": {"matchLabels": {"app": "a"}}, "template": _TEMPLATE}},
        {"spec": {"selector": {"matchLabels": {"app": "a"}}, "template": _TEMPLATE, "minReadySeconds": 1}},
    ),
    changes=(
        {"spec": {"replicas": 3}},
        {"spec": {"selector": {"matchLabels": {"app": "b"}}}},
        {"spec": {"template": {"metadata": {"labels": {"tier": "x"}}}}},
        *({"spec": {"template": {"spec": change}}} for change in _POD_SPEC_CHANGES[:4]),
    ),
    operations=([{"op": "replace", "path": "/spec/replicas", "value": 4}],),
    statuses=({"replicas": 1, "observedGeneration": 1}, {"replicas": 1, "readyReplicas": 2}, {"replicas": -1}),
    edits=(
        (("spec", "replicas"), -1),
        (("spec", "selector"), ABSENT),
        (("spec", "selector"), {"matchLabels": {"app": "other"}}),
        (("spec", "template"), ABSENT),
        (("spec", "minReadySeconds"), -1),
        (("spec", "template", "spec", "restartPolicy"), "Never"),
    ),
    scalable=True,
    selectors=("status.replicas=1", "status.replicas=0"),
)
BUDGET = Kind(
    "PodDisruptionBudget",
    "policy/v1",
    "poddisruptionbudgets",
    contents=(
        {"spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "a"}}}},
        {"spec": {"maxUnavailable": "50%", "selector": {"matchLabels": {"app": "a"}}}},
        {"spec": {"minAvailable": 0, "selector": {}, "unhealthyPodEvictionPolicy": "AlwaysAllow"}},
        {"spec": {"minAvailable": 1}},
    ),
    changes=(
        {"spec": {"minAvailable": 2}},
        {"spec": {"maxUnavailable": 1}},
        {"spec": {"minAvailable": None, "maxUnavailable": 1}},
        {"spec": {"selector": {"matchLabels": {"app": "b"}}}},
        {"spec": {"unhealthyPodEvictionPolicy": "IfHealthyBudget"}},
    ),
    operations=([{"op": "replace", "path": "/spec/minAvailable", "value": 3}],),
    statuses=(
        {"disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1, "observedGeneration": 1},
        {"disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1, "expectedPods": 2, "observedGeneration": 1},
        {"disruptionsAllowed": -1, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0},
    ),
    edits=(
        (("spec", "maxUnavailable"), 1),
        (("spec", "minAvailable"), -1),
        (("spec", "minAvailable"), "150%"),
        (("spec", "minAvailable"), "x"),
        (("spec", "minAvailable"), {}),
        (("spec", "selector"), {"matchLabels": {"a b": "c"}}),
        (("spec", "unhealthyPodEvictionPolicy"), "Bogus"),
    ),
)
AUTOSCALER = Kind(
    "HorizontalPodAutoscaler",
    "autoscaling/v2",
    "horizontalpodautoscalers",
    contents=(
        {"spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "a", "apiVersion": "apps/v1"}}},
        {
            "spec": {
                "minReplicas": 2,
                "maxReplicas": 5,
                "scaleTargetRef": {"kind": "Deployment", "name": "a"},
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1000Mi"}},
                    }
                ],
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 5}},
            }
        },
    ),
    changes=(
        {"spec": {"maxReplicas": 4}},
        {"spec": {"minReplicas": 9}},
        {"spec": {"minReplicas": None}},
        {"spec": {"behavior": {"scaleUp": {"selectPolicy": "Min"}}}},
        {"spec": {"metrics": None}},
    ),
    operations=([{"op": "replace", "path": "/spec/maxReplicas", "value": 7}],),
    statuses=({"currentReplicas": 1, "desiredReplicas": 2}, {"currentReplicas": -1, "desiredReplicas": 2}),
    edits=(
        (("spec", "maxReplicas"), 0),
        (("spec", "maxReplicas"), ABSENT),
        (("spec", "minReplicas"), 0),
        (("spec", "minReplicas"), 9),
        (("spec", "scaleTargetRef"), ABSENT),
        (("spec", "scaleTargetRef"), {"kind": "Deployment"}),
        (("spec", "metrics"), [{"type": "Bogus"}]),
        (("spec", "metrics"), [{"type": "Resource"}]),
        (("spec", "behavior"), {"scaleUp": {"policies": []}}),
        (("spec", "behavior"), {"scaleDown": {"stabilizationWindowSeconds": 4000}}),
    ),
)
LEASE = Kind(
    "Lease",
    "coordination.k8s.io/v1",
    "leases",
    contents=(
        {"spec": {"holderIdentity": "x", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}},
        {"spec": {}},
        {},
    ),
    changes=(
        {"spec": {"holderIdentity": "y", "leaseTransitions": 1}},
        {"spec": {"renewTime": "2026-01-01T00:00:01.500000Z"}},
        {"spec": {"holderIdentity": None}},
        {"spec": {"leaseDurationSeconds": 0}},
    ),
    operations=([{"op": "add", "path": "/spec/leaseTransitions", "value": 2}],),
    edits=(
        (("spec", "leaseDurationSeconds"), -1),
        (("spec", "leaseTransitions"), -1),
        (("spec", "renewTime"), "yesterday"),
        (("spec", "renewTime"), "2026-01-01T00:00:00Z"),
        (("spec", "holderIdentity"), ""),
    ),
)
EVENT = Kind(
    "Event",
    "v1",
    "events",
    contents=(
        {
            "involvedObject": {"kind": "Pod", "name": "a", "namespace": "NS"},
            "reason": "Started",
            "message": "x",
            "type": "Normal",
            "firstTimestamp": "2026-01-01T00:00:00Z",
            "count": 1,
            "source": {"component": "kubelet"},
        },
        {"involvedObject": {"kind": "Pod", "name": "b", "namespace": "NS"}, "reason": "Failed", "type": "Warning"},
    ),
    changes=({"count": 2}, {"message": "y", "lastTimestamp": "2026-01-01T00:00:05Z"}, {"reason": None}),
    operations=([{"op": "replace", "path": "/count", "value": 5}],),
    edits=(
        (("involvedObject",), ABSENT),
        (("involvedObject", "namespace"), "elsewhere"),
        (("count",), "x"),
        (("type",), "Odd"),
        (("firstTimestamp",), "never"),
    ),
    selectors=("involvedObject.name=a", "type=Warning", "reason=Started,involvedObject.kind=Pod"),
)
WIDGET = Kind(
    "Widget",
    f"{GROUP}/v1",
    "widgets",
    contents=(
        {"spec": {"size": 1, "parts": [{"name": "a", "weight": 1}]}},
        {"spec": {"size": 2, "color": "red", "tags": ["x", "y"]}},
        {"spec": {"size": 1, "free": {"anything": [1, {"a": None}]}}},
    ),
    changes=(
        {"spec": {"size": 3}},
        {"spec": {"size": "three"}},
        {"spec": {"parts": [{"name": "b"}]}},
        {"spec": {"color": None}},
        {"spec": {"color": "green"}},
        {"spec": {"unknown": 1}},
        {"spec": {"tags": ["z"]}},
        {"spec": {"free": {"more": True}}},
    ),
    operations=(
        [{"op": "replace", "path": "/spec/size", "value": 4}],
        [{"op": "add", "path": "/spec/parts/-", "value": {"name": "c"}}],
    ),
    statuses=({"ready": True}, {"ready": "yes"}, {"ready": False, "bogus": 1}),
    edits=(
        (("spec", "size"), ABSENT),
        (("spec", "size"), 1000),
        (("spec", "size"), 1.5),
        (("spec", "color"), "mauve"),
        (("spec", "tags"), ["x", "x"]),
        (("spec", "parts"), [{"name": "a"}, {"name": "a"}]),
        (("spec", "parts"), [{"weight": 1}]),
        (("spec", "parts"), [{"name": "a", "bogus": 1}]),
    ),
    scalable=True,
    custom=True,
)
KINDS: tuple[Kind, ...] = (
    CONFIG_MAP,
    POD,
    DEPLOYMENT,
    SECRET,
    SERVICE,
    WIDGET,
    BUDGET,
    REPLICA_SET,
    AUTOSCALER,
    LEASE,
    EVENT,
)

DEFINITION: Body = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"widgets.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.replicas"},
                },
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["size"],
                                "properties": {
                                    "size": {"type": "integer", "minimum": 0, "maximum": 100},
                                    "color": {"type": "string", "enum": ["red", "green"], "default": "red"},
                                    "tags": {
                                        "type": "array",
                                        "items": {"type": "string"},
                                        "x-kubernetes-list-type": "set",
                                    },
                                    "parts": {
                                        "type": "array",
                                        "x-kubernetes-list-type": "map",
                                        "x-kubernetes-list-map-keys": ["name"],
                                        "items": {
                                            "type": "object",
                                            "required": ["name"],
                                            "properties": {
                                                "name": {"type": "string"},
                                                "weight": {"type": "integer", "default": 10},
                                            },
                                        },
                                    },
                                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                                },
                            },
                            "status": {
                                "type": "object",
                                "properties": {"ready": {"type": "boolean"}, "replicas": {"type": "integer"}},
                            },
                        },
                    }
                },
            }
        ],
    },
}
"""What defines `WIDGET`."""
