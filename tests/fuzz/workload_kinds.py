"""Pods, and the kinds around them, as they are fuzzed."""

from typing import Any

from tests.fuzz.fuzzed_kind import ABSENT, Body, Edit, Kind

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
