"""Bodies in Kubernetes protobuf: recorded ones of kubectl 1.32, and damaged ones."""

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal_sandbox.kinds.protobuf import MAGIC, ProtobufError, decode

DEPLOYMENT = (  # kubectl create deployment web --image=selfheal-service:1.0 --replicas=0 --port=8080
    "azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50EtQBCh8KA3dlYhIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEqIBCAASDAoKCgNhcHASA3dlYhqH"
    "AQocCgASABoAIgAqADIAOABCAFoKCgNhcHASA3dlYhJnEkkKEHNlbGZoZWFsLXNlcnZpY2USFHNlbGZoZWFsLXNlcnZpY2U6MS4wKgAyCwoAEAAY"
    "kD8iACoAQgBqAHIAgAEAiAEAkAEAogEAGgAyAEIASgBSAFgAYABoAIIBAIoBAJoBAMIBACICCgAoADgAGgwIABAAGAAgACgAOAAaACIA"
)
SECRET = (  # kubectl create secret generic s --from-literal=k=v --from-literal=empty=
    "azhzAAoMCgJ2MRIGU2VjcmV0EigKEQoBcxIAGgAiACoAMgA4AEIAEgkKBWVtcHR5EgASBgoBaxIBdhoAGgAiAA=="
)
BUDGET = (  # kubectl create pdb p --selector=app=web --max-unavailable=0
    "azhzAAogCglwb2xpY3kvdjESE1BvZERpc3J1cHRpb25CdWRnZXQSNwoRCgFwEgAaACIAKgAyADgAQgASFhIMCgoKA2FwcBIDd2ViGgYIABAAGgAa"
    "CggAGAAgACgAMAAaACIA"
)
INGRESS = (  # kubectl create ingress i --rule=foo.com/bar=svc:http,tls=sec --class=nginx
    "azhzAAofChRuZXR3b3JraW5nLms4cy5pby92MRIHSW5ncmVzcxJhChEKAWkSABoAIgAqADIAOABCABJIEg4KB2Zvby5jb20SA3NlYxovCgdmb28u"
    "Y29tEiQKIgogCgQvYmFyEhEiDwoDc3ZjEggKBGh0dHAQABoFRXhhY3QiBW5naW54GgIKABoAIgA="
)
QUOTA = (  # kubectl create quota q --hard=cpu=1500m,pods=2
    "azhzAAoTCgJ2MRINUmVzb3VyY2VRdW90YRI0ChEKAXESABoAIgAqADIAOABCABIdCg4KA2NwdRIHCgUxNTAwbQoLCgRwb2RzEgMKATIaABoAIgA="
)
REVIEW = (  # kubectl auth can-i get pods --subresource=log
    "azhzAAoyChdhdXRob3JpemF0aW9uLms4cy5pby92MRIXU2VsZlN1YmplY3RBY2Nlc3NSZXZpZXcSPwoQCgASABoAIgAqADIAOABCABIhCh8KB2Rl"
    "ZmF1bHQSA2dldBoAIgAqBHBvZHMyA2xvZzoAGggIABIAGgAgABoAIgA="
)
RECORDED = [base64.b64decode(body) for body in (DEPLOYMENT, SECRET, BUDGET, INGRESS, QUOTA, REVIEW)]


def number(value: int) -> bytes:
    """A varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(index: int, value: int | bytes | str) -> bytes:
    """One field of a message: a number, a text or a message."""
    if isinstance(value, int):
        return number(index << 3) + number(value & (1 << 64) - 1)
    data = value.encode() if isinstance(value, str) else value
    return number(index << 3 | 2) + number(len(data)) + data


def body(api_version: str, kind: str, message: bytes) -> bytes:
    return MAGIC + field(1, field(1, api_version) + field(2, kind)) + field(2, message)


def read(text: str) -> dict[str, Any]:
    return decode(base64.b64decode(text))


def test_deployment_of_kubectl() -> None:
    container = {
        "name": "selfheal-service",
        "image": "selfheal-service:1.0",
        "ports": [{"containerPort": 8080}],
        "resources": {},
    }
    assert read(DEPLOYMENT) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}},
            "strategy": {},
        },
    }


def test_empty_values_of_data_are_kept() -> None:
    assert read(SECRET)["data"] == {"empty": "", "k": "dg=="}


def test_zero_is_kept_where_it_means_something() -> None:
    assert read(BUDGET)["spec"] == {"selector": {"matchLabels": {"app": "web"}}, "maxUnavailable": 0}


def test_embedded_messages_stand_where_json_has_them() -> None:
    path = {"path": "/bar", "pathType": "Exact", "backend": {"service": {"name": "svc", "port": {"name": "http"}}}}
    assert read(INGRESS)["spec"] == {
        "ingressClassName": "nginx",
        "rules": [{"host": "foo.com", "http": {"paths": [path]}}],
        "tls": [{"hosts": ["foo.com"], "secretName": "sec"}],
    }


def test_quantities_are_texts() -> None:
    assert read(QUOTA)["spec"] == {"hard": {"cpu": "1500m", "pods": "2"}}


def test_question_about_permissions() -> None:
    review = read(REVIEW)
    assert (review["apiVersion"], review["kind"]) == ("authorization.k8s.io/v1", "SelfSubjectAccessReview")
    attributes = {"namespace": "default", "verb": "get", "resource": "pods", "subresource": "log"}
    assert review["spec"] == {"resourceAttributes": attributes}


def test_delete_options_of_any_group() -> None:
    message = field(1, 0) + field(2, field(1, "uid-1") + field(2, "7")) + field(4, "Foreground") + field(5, "All")
    for api_version in ("v1", "policy/v1", "meta.k8s.io/v1"):
        options = decode(body(api_version, "DeleteOptions", message))
        assert options["gracePeriodSeconds"] == 0
        assert options["preconditions"] == {"uid": "uid-1", "resourceVersion": "7"}
        assert (options["propagationPolicy"], options["dryRun"]) == ("Foreground", ["All"])


def test_times_and_owners_and_managed_fields() -> None:
    owner = field(1, "ReplicaSet") + field(3, "web") + field(4, "uid-1") + field(5, "apps/v1") + field(6, 1)
    fields = field(1, b'{"f:data":{}}')
    managed = field(1, "kubectl") + field(2, "Update") + field(6, "FieldsV1") + field(7, fields)
    message = field(8, field(1, 1767225600) + field(2, 0)) + field(13, owner) + field(17, managed)
    metadata = decode(body("v1", "ConfigMap", field(1, message)))["metadata"]
    assert metadata["creationTimestamp"] == "2026-01-01T00:00:00Z"
    assert metadata["ownerReferences"] == [
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "uid-1", "controller": True}
    ]
    assert metadata["managedFields"] == [
        {"manager": "kubectl", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {}}}
    ]


def test_lease_times_have_microseconds() -> None:
    spec = field(1, "me") + field(2, 15) + field(4, field(1, 1767225600) + field(2, 123456000)) + field(5, 0)
    assert decode(body("coordination.k8s.io/v1", "Lease", field(2, spec)))["spec"] == {
        "holderIdentity": "me",
        "leaseDurationSeconds": 15,
        "renewTime": "2026-01-01T00:00:00.123456Z",
        "leaseTransitions": 0,
    }


def test_negative_numbers_and_named_ports() -> None:
    target = field(1, 1) + field(2, 0) + field(3, "http")
    port = field(1, "web") + field(2, "TCP") + field(3, 80) + field(4, target)
    spec = field(1, port)
    service = decode(body("v1", "Service", field(2, spec)))
    assert service["spec"]["ports"] == [{"name": "web", "protocol": "TCP", "port": 80, "targetPort": "http"}]
    priority = decode(body("scheduling.k8s.io/v1", "PriorityClass", field(2, -5)))
    assert priority["value"] == -5


def test_fields_from_the_future_are_skipped() -> None:
    message = field(1, field(1, "c")) + field(99, "new") + field(98, 7)
    fixed = number(97 << 3 | 5) + b"1234" + number(96 << 3 | 1) + b"12345678"
    assert decode(body("v1", "ConfigMap", message + fixed))["metadata"] == {"name": "c"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "does not begin like Kubernetes protobuf"),
        (b'{"kind":"Pod"}', "does not begin like Kubernetes protobuf"),
        (MAGIC, "no protobuf decoder for"),
        (body("example.io/v1", "Widget", b""), "no protobuf decoder for example.io/v1, Kind=Widget"),
        (body("v1", "Pod", field(1, "x")[:-1]), "ends within field"),
        (body("v1", "Pod", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "ends within a number"),
        (body("v1", "Pod", number(1 << 3 | 3)), "wire type 3"),
        (body("v1", "Pod", field(1, 7)), "a number stands where"),
        (body("v1", "Pod", field(1, field(1, b"\xff"))), "not UTF-8"),
        (body("v1", "Pod", field(2, field(4, "x"))), "a text stands where a number should"),
        (
            body("apps/v1", "Deployment", field(1, field(8, field(1, 1 << 62)))),
            "a time is out of range",
        ),
        (
            body("v1", "ConfigMap", field(1, field(17, field(7, field(1, "{oops"))))),
            "embedded JSON cannot be read",
        ),
    ],
)
def test_damage_is_named(data: bytes, message: str) -> None:
    with pytest.raises(ProtobufError, match=message):
        decode(data)


@pytest.mark.parametrize("recorded", RECORDED)
def test_cut_bodies_fail_in_one_way_only(recorded: bytes) -> None:
    for length in range(len(recorded)):
        try:
            decode(recorded[:length])
        except ProtobufError:
            continue


@settings(derandomize=True)
@given(st.sampled_from(RECORDED), st.data())
def test_changed_bytes_fail_in_one_way_only(recorded: bytes, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(recorded) - 1))
    byte = data.draw(st.integers(0, 255))
    try:
        decode(recorded[:position] + bytes([byte]) + recorded[position + 1 :])
    except ProtobufError:
        return
