"""Whatever a client sends, the answer is a result or a Status, and never a defect of the server."""

import asyncio
import copy
import json
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfheal_sandbox.store.objects import Object
from tests.contract.api import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, TABLE
from tests.unit.sandbox_api.bodies import (
    DEFINITIONS,
    budget,
    config_map,
    definition,
    deployment,
    pod,
    service,
    widget,
)
from tests.unit.sandbox_api.conftest import Server, serving

EXAMPLES = int(os.environ.get("SANDBOX_FUZZ_EXAMPLES", "60"))
FUZZ = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
HONEST_5XX = {503, 504}  # nothing behind a proxy; a resource version in the future

AUTOSCALER = {
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "x", "annotations": {"autoscaling.alpha.kubernetes.io/metrics": "[]"}},
    "spec": {
        "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"},
        "minReplicas": 1,
        "maxReplicas": 4,
    },
}
METRIC = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}
OBJECTS: dict[str, Object] = {
    "/api/v1/namespaces/default/pods": pod(
        "x",
        {"app": "web"},
        containers=[
            {
                "name": "main",
                "image": "busybox:1",
                "ports": [{"name": "web", "containerPort": 80}],
                "env": [
                    {"name": "A", "value": "1"},
                    {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                ],
                "livenessProbe": {"httpGet": {"path": "/", "port": "web"}, "periodSeconds": 5},
                "resources": {"requests": {"cpu": "10m"}, "limits": {"memory": "1Gi"}},
                "volumeMounts": [{"name": "v", "mountPath": "/v"}],
            }
        ],
        volumes=[{"name": "v", "configMap": {"name": "c"}}],
        topologySpreadConstraints=[
            {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
        ],
    ),
    "/api/v1/namespaces/default/configmaps": config_map("x"),
    "/api/v1/namespaces/default/secrets": {"kind": "Secret", "metadata": {"name": "x"}, "stringData": {"a": "b"}},
    "/api/v1/namespaces/default/services": service("x", type="ClusterIP"),
    "/api/v1/namespaces": {"kind": "Namespace", "metadata": {"name": "x"}, "spec": {"finalizers": ["kubernetes"]}},
    "/api/v1/nodes": {
        "kind": "Node",
        "metadata": {"name": "x"},
        "spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]},
        "status": {"capacity": {"cpu": "2"}, "conditions": [{"type": "Ready", "status": "True"}]},
    },
    "/api/v1/namespaces/default/events": {
        "kind": "Event",
        "metadata": {"name": "x"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "count": 1,
        "source": {"component": "c"},
    },
    "/apis/events.k8s.io/v1/namespaces/default/events": {
        "kind": "Event",
        "metadata": {"name": "x"},
        "regarding": {"kind": "Pod", "name": "p", "namespace": "default"},
        "note": "n",
        "eventTime": "2026-03-01T12:00:00.000000Z",
        "reportingController": "c",
        "reportingInstance": "i",
        "action": "a",
        "reason": "r",
        "type": "Normal",
    },
    "/apis/apps/v1/namespaces/default/deployments": deployment("x"),
    "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers": AUTOSCALER,
    "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers": {
        **AUTOSCALER,
        "spec": {**AUTOSCALER["spec"], "metrics": [METRIC], "behavior": {"scaleDown": {"selectPolicy": "Min"}}},  # type: ignore[dict-item]
    },
    "/apis/policy/v1/namespaces/default/poddisruptionbudgets": budget("x", {"app": "web"}),
    "/apis/coordination.k8s.io/v1/namespaces/default/leases": {
        "kind": "Lease",
        "metadata": {"name": "x"},
        "spec": {"holderIdentity": "me", "leaseDurationSeconds": 5, "renewTime": "2026-03-01T12:00:00.000000Z"},
    },
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions": definition(
        additionalPrinterColumns=[{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}]
    ),
    "/apis/example.org/v1/namespaces/default/widgets": widget("x", size=3, note="n"),
    "/apis/batch/v1/namespaces/default/jobs": {
        "kind": "Job",
        "metadata": {"name": "x"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "m", "image": "i"}]}}},
    },
    "/apis/networking.k8s.io/v1/namespaces/default/ingresses": {
        "kind": "Ingress",
        "metadata": {"name": "x"},
        "spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}},
    },
    "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles": {
        "kind": "Role",
        "metadata": {"name": "x"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    },
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": {
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}},
    },
}
PATHS = sorted(OBJECTS)
SUBRESOURCES = ["status", "scale", "eviction", "binding", "log", "exec", "proxy", "proxy/x", "finalize", "attach", "x"]
CONTENT_TYPES = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_PATCH,
    APPLY_PATCH,
    "text/plain",
    "application/cbor",
    "",
]
ACCEPTS = [
    "application/json",
    TABLE,
    "*/*",
    "application/json;as=PartialObjectMetadata",
    ";;,;=",
    "application/json;as=X",
]
QUERY_NAMES = [
    "labelSelector",
    "fieldSelector",
    "limit",
    "continue",
    "resourceVersion",
    "resourceVersionMatch",
    "timeoutSeconds",
    "dryRun",
    "fieldManager",
    "fieldValidation",
    "force",
    "gracePeriodSeconds",
    "propagationPolicy",
    "orphanDependents",
    "includeObject",
    "pretty",
    "container",
    "tailLines",
    "sinceTime",
    "command",
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | st.sampled_from(["", "x", "5", "10m", "-1", "25%", "a/b", "metadata", "2026-03-01T12:00:00Z", "\u0000", "é"])
)
JSON = st.recursive(
    SCALARS,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=6,
)


class Fuzzed:
    """A server that answers one request at a time."""

    def __init__(self, runner: asyncio.Runner, server: Server) -> None:
        self._runner = runner
        self._server = server

    def check(self, method: str, path: str, body: Any = None, **options: Any) -> int:
        """Send a request; return its code after checking that the answer is one."""
        answer = self._runner.run(self._server.ask(method, path, body, **options))
        if answer.code >= 500 and "reason" in answer.json:  # Kubernetes gives no reason with a 500 for bad requests
            assert answer.code in HONEST_5XX, (method, path, body, options, answer.body)
        if answer.code >= 400:
            status = answer.json
            assert (status["kind"], status["status"], status["code"]) == ("Status", "Failure", answer.code)
            assert status["message"]
        return answer.code

    def reset(self, path: str) -> None:
        """Make sure that an object called x is there."""
        if path.startswith("/apis/example.org") and not self._server.objects.store.list(DEFINITIONS):
            self._server.objects.create(DEFINITIONS, "", definition())
        self.check("POST", path, OBJECTS[path])


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Fuzzed]:
    with asyncio.Runner() as runner:
        context = serving()
        server = runner.run(context.__aenter__())
        yield Fuzzed(runner, server)
        runner.run(context.__aexit__(None, None, None))


@st.composite
def mutations(draw: st.DrawFn, obj: Object) -> Object:
    """An object with one to three places replaced, removed or added."""
    changed = copy.deepcopy(obj)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(changed))
        parent, key = draw(st.sampled_from(places))
        action = draw(st.sampled_from(["replace", "replace", "remove", "add"]))
        if action == "replace":
            parent[key] = draw(JSON)
        elif action == "add" and isinstance(parent, dict):
            parent[draw(st.text(max_size=4) | st.sampled_from(["$patch", "$retainKeys", "metadata", "status"]))] = draw(
                JSON
            )
        else:
            del parent[key]
        if not list(_places(changed)):
            break
    return changed


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(pairs):
        yield value, key
        yield from _places(item)


@given(data=st.data(), path=st.sampled_from(PATHS), strictness=st.sampled_from(["", "Strict"]))
@FUZZ
def test_malformed_objects(fuzzed: Fuzzed, data: st.DataObject, path: str, strictness: str) -> None:
    fuzzed.reset(path)
    body = data.draw(mutations(OBJECTS[path]))

    fuzzed.check("POST", path, body, fieldValidation=strictness)
    fuzzed.check("PUT", f"{path}/x", body)
    fuzzed.check("PUT", f"{path}/x/status", body, dryRun="All")
    for shown in (path, f"{path}/x"):
        fuzzed.check("GET", shown, accept=TABLE)


@given(data=st.data(), path=st.sampled_from(PATHS))
@FUZZ
def test_malformed_patches(fuzzed: Fuzzed, data: st.DataObject, path: str) -> None:
    fuzzed.reset(path)
    body = data.draw(mutations(OBJECTS[path]) | JSON)
    target = f"{path}/x" + data.draw(st.sampled_from(["", "", "/status", "/scale"]))

    for content_type in (MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH, JSON_PATCH):
        fuzzed.check("PATCH", target, body, content_type=content_type, fieldManager="fuzzer", force="true")
    operations = [{"op": "replace", "path": "/" + name, "value": data.draw(JSON)} for name in ("metadata", "spec")]
    fuzzed.check("PATCH", target, operations, content_type=JSON_PATCH)
    fuzzed.check("GET", path, accept=TABLE)


SEGMENTS = st.sampled_from(
    [
        "api",
        "apis",
        "v1",
        "apps",
        "namespaces",
        "default",
        "pods",
        "x",
        "deployments",
        "watch",
        "metrics.k8s.io",
        "v1beta1",
    ]
) | st.text(min_size=1, max_size=4)


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PURGE"]),
    path=st.lists(SEGMENTS, max_size=8).map(lambda parts: "/" + "/".join(quote(part, safe="") for part in parts))
    | st.tuples(st.sampled_from(PATHS), st.sampled_from(SUBRESOURCES)).map(lambda pair: f"{pair[0]}/x/{pair[1]}"),
    body=st.none() | st.binary(max_size=30) | JSON.map(json.dumps),
    content_type=st.sampled_from(CONTENT_TYPES),
    accept=st.sampled_from(ACCEPTS),
    query=st.dictionaries(st.sampled_from(QUERY_NAMES), st.text(max_size=8), max_size=3),
)
@FUZZ
def test_arbitrary_requests(
    fuzzed: Fuzzed, method: str, path: str, body: Any, content_type: str, accept: str, query: dict[str, Any]
) -> None:
    if method == "HEAD":
        return
    fuzzed.check(method, path, body, content_type=content_type, accept=accept, **query)


@given(
    path=st.sampled_from(PATHS),
    query=st.dictionaries(
        st.sampled_from(QUERY_NAMES),
        st.text(max_size=8) | st.sampled_from(["a=b", "a in (b)", "metadata.name=x", "1", "0", "All", "Exact", "-5"]),
        min_size=1,
        max_size=3,
    ),
    method=st.sampled_from(["GET", "DELETE", "POST"]),
)
@FUZZ
def test_arbitrary_queries(fuzzed: Fuzzed, path: str, query: dict[str, Any], method: str) -> None:
    fuzzed.check(method, path, OBJECTS[path] if method == "POST" else None, **query)


NESTED = b'{"a":' * 5000 + b"1" + b"}" * 5000
BOMB = b"a: &a [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (letter, letter, b",".join([b"*" + bytes([letter - 1])] * 10)) for letter in range(98, 107)
)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(b"", "application/json", id="nothing"),
        pytest.param(b"{", "application/json", id="cut-off"),
        pytest.param(b"[]", "application/json", id="list"),
        pytest.param(b"null", "application/json", id="null"),
        pytest.param(b'{"a":NaN}', "application/json", id="nan"),
        pytest.param(b'{"metadata":{"name":"\\ud800"}}', "application/json", id="surrogate"),
        pytest.param(b'{"metadata":{"name":"\xff"}}', "application/json", id="not-utf-8"),
        pytest.param(b'{"metadata":{"name":1e999}}', "application/json", id="infinity"),
        pytest.param(NESTED, "application/json", id="deep"),
        pytest.param(NESTED, "application/yaml", id="deep-yaml"),
        pytest.param(BOMB, "application/yaml", id="bomb"),
        pytest.param(b"a: [", "application/yaml", id="cut-off-yaml"),
        pytest.param(b"? [1, 2]\n: x", "application/yaml", id="complex-key"),
        pytest.param(b"a: !!python/object/apply:os.system [ls]", "application/yaml", id="python-tag"),
        pytest.param(b"a: !!binary aGVsbG8=", "application/yaml", id="binary"),
        pytest.param(b"a: !!set {x}", "application/yaml", id="set"),
        pytest.param(b"a: .nan", "application/yaml", id="nan-yaml"),
        pytest.param(b"&a [*a]", "application/yaml", id="cycle"),
        pytest.param(b"a: 1" + b"0" * 5000, "application/yaml", id="huge-number"),
        pytest.param(b"\x00", "application/yaml", id="nul"),
        pytest.param(b"k8s\x00", "application/vnd.kubernetes.protobuf", id="empty-message"),
        pytest.param(b"k8s\x00\xff\xff\xff", "application/vnd.kubernetes.protobuf", id="cut-off-message"),
        pytest.param(b"garbage", "application/vnd.kubernetes.protobuf", id="no-message"),
        pytest.param(b"\x1f\x8b garbage", "application/json", id="compressed"),
    ],
)
def test_bodies_that_are_no_objects(fuzzed: Fuzzed, body: bytes, content_type: str) -> None:
    assert fuzzed.check("POST", "/api/v1/namespaces/default/configmaps", body, content_type=content_type) in (400, 422)
    patch = {"application/json": MERGE_PATCH, "application/yaml": APPLY_PATCH}.get(content_type)
    if patch:
        fuzzed.reset("/api/v1/namespaces/default/configmaps")
        target = "/api/v1/namespaces/default/configmaps/x"
        assert fuzzed.check("PATCH", target, body, content_type=patch, fieldManager="m") in (400, 422)


@pytest.mark.parametrize(
    "body", [b"{kind: ConfigMap, metadata: {name: flow}}", b"{1: x, true: y, metadata: {name: keys}}"]
)
def test_yaml_may_look_like_json(fuzzed: Fuzzed, body: bytes) -> None:
    assert fuzzed.check("POST", "/api/v1/namespaces/default/configmaps", body, content_type="application/yaml") == 201


def test_a_body_that_is_not_what_its_encoding_says(fuzzed: Fuzzed) -> None:
    encoded = {"Content-Encoding": "gzip"}

    assert fuzzed.check("POST", "/api/v1/namespaces/default/configmaps", b"no gzip", headers=encoded) == 400


def test_a_handshake_that_is_none(fuzzed: Fuzzed) -> None:
    fuzzed.reset("/api/v1/namespaces/default/pods")
    headers = {"Upgrade": "websocket", "Sec-WebSocket-Protocol": "v5.channel.k8s.io"}

    assert fuzzed.check("GET", "/api/v1/namespaces/default/pods/x/exec", headers=headers, command="ls") == 400


def test_it_still_works_after_all_that(fuzzed: Fuzzed) -> None:
    assert fuzzed.check("GET", "/api/v1/pods") == 200
