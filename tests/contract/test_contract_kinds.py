import base64
import uuid

import pytest

from selfheal_sandbox.store.objects import Object
from tests.contract.api import Answer, Api, eventually
from tests.contract.bodies import names, pod


async def round_trip(api: Api, path: str, body: Object) -> Object:
    """Create an object and read it back."""
    created: Object = (await api.post(path, body)).expect(201)
    read = (await api.get(f"{path}/{created['metadata']['name']}")).expect(200)
    assert read["metadata"]["uid"] == created["metadata"]["uid"]
    return created


@pytest.mark.probe("kind.lease")
async def test_lease(api: Api, namespace: str) -> None:
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "lease"},
        "spec": {"holderIdentity": "me", "leaseDurationSeconds": 5, "renewTime": "2026-01-01T00:00:00.000000Z"},
    }
    created = await round_trip(api, f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases", body)

    assert created["spec"]["renewTime"] == "2026-01-01T00:00:00.000000Z"


def event(namespace: str, name: str, subject: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name},
        "involvedObject": {"kind": "Pod", "name": subject, "namespace": namespace},
        "reason": "Test",
        "message": "hello",
        "type": "Warning",
        "count": 1,
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }


@pytest.mark.probe("kind.event")
async def test_events_are_found_by_their_object(api: Api, core: str, namespace: str) -> None:
    (await api.post(f"{core}/pods", pod("subject", schedulerName="nobody"))).expect(201)
    await round_trip(api, f"{core}/events", event(namespace, "e1", "subject"))
    found = (await api.get(f"{core}/events", fieldSelector="involvedObject.name=subject,reason=Test")).expect(200)

    assert names(found) == ["e1"]


@pytest.mark.probe("kind.event_v1_same_store")
async def test_both_versions_of_events_are_one_store(api: Api, core: str, namespace: str) -> None:
    (await api.post(f"{core}/events", event(namespace, "e2", "other"))).expect(201)
    listed = (await api.get(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")).expect(200)

    assert {"e2": "hello"}.items() <= {item["metadata"]["name"]: item.get("note") for item in listed["items"]}.items()


@pytest.mark.probe("kind.hpa_v2")
async def test_horizontal_pod_autoscaler(api: Api, namespace: str) -> None:
    target = {"type": "Utilization", "averageUtilization": 50}
    body = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "autoscaler"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"},
            "maxReplicas": 4,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    }
    path = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers"

    assert (await round_trip(api, path, body))["spec"]["minReplicas"] == 1


@pytest.mark.probe("kind.pdb_v1")
async def test_pod_disruption_budget(api: Api, namespace: str) -> None:
    body = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "budget"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"a": "b"}}},
    }
    created = await round_trip(api, f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets", body)

    assert created["spec"]["maxUnavailable"] == 1


@pytest.mark.probe("kind.service_clusterip")
async def test_a_service_gets_an_address(api: Api, core: str) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "service"},
        "spec": {"selector": {"app": "none"}, "ports": [{"port": 80}]},
    }
    created = await round_trip(api, f"{core}/services", body)

    assert created["spec"]["clusterIP"]
    assert created["spec"]["ports"][0]["targetPort"] == 80


@pytest.mark.probe("kind.secret_stringData")
async def test_text_of_a_secret_is_encoded(api: Api, core: str) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "secret"}, "stringData": {"k": "v"}}
    created = await round_trip(api, f"{core}/secrets", body)

    assert (created["data"], created["type"]) == ({"k": base64.b64encode(b"v").decode()}, "Opaque")
    assert "stringData" not in created


@pytest.mark.probe("kind.crd")
async def test_a_custom_resource_is_served_with_its_defaults(api: Api, namespace: str) -> None:
    group = f"x{uuid.uuid4().hex[:8]}.example.org"
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"n": {"type": "integer", "default": 3}}}},
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"foos.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "foos", "singular": "foo", "kind": "Foo", "listKind": "FooList"},
            "versions": [version],
        },
    }
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    (await api.post(path, definition)).expect(201)

    async def created() -> Answer | None:
        body = {"apiVersion": f"{group}/v1", "kind": "Foo", "metadata": {"name": "f"}, "spec": {}}
        answer = await api.post(f"/apis/{group}/v1/namespaces/{namespace}/foos", body)
        return answer if answer.code == 201 else None

    foo = (await eventually(created)).json
    (await api.delete(f"{path}/foos.{group}")).expect(200)
    assert foo["spec"]["n"] == 3
