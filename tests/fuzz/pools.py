"""Every kind that is fuzzed."""

from tests.fuzz.fuzzed_kind import ABSENT, Body, Kind
from tests.fuzz.workload_kinds import AUTOSCALER, BUDGET, DEPLOYMENT, POD, REPLICA_SET

GROUP = "fuzz.selfheal.example"

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
