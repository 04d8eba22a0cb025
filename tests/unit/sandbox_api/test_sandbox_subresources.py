"""Scale, eviction, binding, and what is refused with a reason."""

import json
from typing import Any

import pytest

from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.store.objects import Object, condition, status_of
from tests.contract.api import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, Answer
from tests.unit.sandbox_api.bodies import (
    BUDGETS,
    DEFINITIONS,
    DEPLOYMENTS,
    PODS,
    WIDGETS,
    budget,
    definition,
    deployment,
    pod,
    widget,
)
from tests.unit.sandbox_api.conftest import Server

NS = "default"
PODS_PATH = "/api/v1/namespaces/default/pods"
APPS = "/apis/apps/v1/namespaces/default/deployments"
LABELS = {"app": "web"}
REPLICAS: Object = {"f:spec": {"f:replicas": {}}}


async def test_a_scale_is_read_and_written(server: Server) -> None:
    server.objects.create(DEPLOYMENTS, NS, deployment("d", replicas=2), manager="kubectl")
    path = f"{APPS}/d/scale"
    scale = (await server.get(path)).json

    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert (scale["spec"], scale["status"]) == ({"replicas": 2}, {"replicas": 0, "selector": "app=d"})
    assert (await server.ask("PUT", path, {**scale, "spec": {"replicas": 3}})).json["spec"] == {"replicas": 3}
    assert (await server.patch(path, {"spec": {"replicas": 4}}, MERGE_PATCH)).json["spec"] == {"replicas": 4}
    replace = [{"op": "replace", "path": "/spec/replicas", "value": 5}]
    assert (await server.patch(path, replace, JSON_PATCH)).json["spec"] == {"replicas": 5}
    assert (await server.ask("PUT", path, {**scale, "spec": {"replicas": 9}})).json["reason"] == "Conflict"
    entries = server.objects.get(DEPLOYMENTS, NS, "d")["metadata"]["managedFields"]
    assert [entry["fieldsV1"] for entry in entries if entry.get("subresource") == "scale"] == [REPLICAS]
    assert [entry for entry in entries if "f:replicas" in entry["fieldsV1"]["f:spec"]] == entries[:1]


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        ({"spec": {"replicas": "many"}}, MERGE_PATCH, 422),
        ({"spec": {"replicas": -1}}, MERGE_PATCH, 422),
        ({"spec": {"replicas": 2**40}}, MERGE_PATCH, 422),
        ({"spec": []}, MERGE_PATCH, 422),
        ([{"op": "remove", "path": ""}], JSON_PATCH, 400),
        ({"spec": {"replicas": 1}}, APPLY_PATCH, 415),
        ({"metadata": {"resourceVersion": 5}}, MERGE_PATCH, 422),
    ],
)
async def test_a_malformed_scale_is_refused(server: Server, body: Any, content_type: str, code: int) -> None:
    server.objects.create(DEPLOYMENTS, NS, deployment("d"))

    assert (await server.patch(f"{APPS}/d/scale", body, content_type)).code == code
    assert server.objects.get(DEPLOYMENTS, NS, "d")["spec"]["replicas"] == 2


@pytest.mark.parametrize("body", [{}, {"spec": {"replicas": 0}}, {"metadata": {"name": "e"}, "spec": {"replicas": 0}}])
async def test_a_scale_that_is_put_says_whose_it_is(server: Server, body: Object) -> None:
    server.objects.create(DEPLOYMENTS, NS, deployment("d"))

    assert (await server.ask("PUT", f"{APPS}/d/scale", body)).code == 400
    assert server.objects.get(DEPLOYMENTS, NS, "d")["spec"]["replicas"] == 2


async def test_a_custom_resource_scales_by_the_paths_of_its_definition(server: Server) -> None:
    server.objects.create(DEFINITIONS, "", definition())
    server.objects.create(WIDGETS, NS, widget("w", size=2))
    path = "/apis/example.org/v1/namespaces/default/widgets/w"
    await server.patch(f"{path}/status", {"status": {"size": 1, "selector": "a=b"}}, MERGE_PATCH)
    await server.patch(f"{path}/scale", {"spec": {"replicas": 7}}, MERGE_PATCH)
    scale = (await server.get(f"{path}/scale")).json

    assert (scale["spec"], scale["status"]) == ({"replicas": 7}, {"replicas": 1, "selector": "a=b"})
    assert server.objects.get(WIDGETS, NS, "w")["spec"]["size"] == 7


@pytest.mark.parametrize("replicas", [-1, 2**31 - 1])
async def test_a_custom_resource_is_scaled_within_the_rules_of_its_schema(server: Server, replicas: int) -> None:
    bounded = {"type": "object", "properties": {"size": {"type": "integer", "minimum": 0, "maximum": 100}}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": bounded}}}
    server.objects.create(DEFINITIONS, "", definition(schema=schema))
    server.objects.create(WIDGETS, NS, widget("w", size=2))
    path = "/apis/example.org/v1/namespaces/default/widgets/w/scale"
    answer = await server.patch(path, {"spec": {"replicas": replicas}}, MERGE_PATCH)
    fields = {each["field"] for each in answer.json["details"]["causes"]}

    assert (answer.code, answer.json["details"]["kind"]) == (422, "Widget")
    assert fields == ({"spec.size", ".spec.size"} if replicas < 0 else {"spec.size"})


@pytest.mark.parametrize(
    ("size", "fields"),
    [
        (1.5, {"spec.size", "<nil>", ".spec.size"}),
        ("x", {"spec.size", ".spec.size"}),
        (2**40, {".spec.size"}),
        (-1, {".spec.size"}),
        (2.0, set()),
    ],
)
async def test_what_a_scale_is_of_must_be_a_count(server: Server, size: Any, fields: set[str]) -> None:
    server.objects.create(DEFINITIONS, "", definition())
    answer = await server.post("/apis/example.org/v1/namespaces/default/widgets", widget("w", size=size))

    assert {each["field"] for each in answer.json.get("details", {}).get("causes", ())} == fields


async def test_a_scale_of_what_nobody_owns_adds_no_owner(server: Server) -> None:
    unsized = deployment("d")
    del unsized["spec"]["replicas"]
    await server.patch(f"{APPS}/d", json.dumps(unsized), APPLY_PATCH, fieldManager="one")
    await server.patch(f"{APPS}/d/scale", {"spec": {"replicas": 5}}, MERGE_PATCH)
    stored = server.objects.get(DEPLOYMENTS, NS, "d")

    assert stored["spec"]["replicas"] == 5
    assert [entry["manager"] for entry in stored["metadata"]["managedFields"]] == ["one"]


async def test_a_scale_to_the_same_number_gives_its_owner_another_entry(server: Server) -> None:
    """As the API server does; the next write then finds two entries of one manager and keeps the last."""
    server.objects.create(DEPLOYMENTS, NS, deployment("d", replicas=2), manager="tester")
    await server.patch(f"{APPS}/d/scale", {"spec": {"replicas": 2}}, MERGE_PATCH)
    first, second = server.objects.get(DEPLOYMENTS, NS, "d")["metadata"]["managedFields"]

    assert (first["fieldsV1"], first.get("time"), first.get("subresource")) == (REPLICAS, None, None)
    assert (second["manager"], "f:replicas" in second["fieldsV1"]["f:spec"]) == ("tester", False)
    await server.patch(f"{APPS}/d", {"metadata": {"labels": {"a": "b"}}}, MERGE_PATCH)
    (left,) = server.objects.get(DEPLOYMENTS, NS, "d")["metadata"]["managedFields"]
    assert "f:replicas" not in left["fieldsV1"]["f:spec"]


async def test_a_scale_after_one_to_the_same_number_has_no_owner(server: Server) -> None:
    """The entry of the count is lost when the API server reads two entries of one manager."""
    server.objects.create(DEPLOYMENTS, NS, deployment("d", replicas=2), manager="tester")
    for replicas in (2, 7):
        await server.patch(f"{APPS}/d/scale", {"spec": {"replicas": replicas}}, MERGE_PATCH)
    (left,) = server.objects.get(DEPLOYMENTS, NS, "d")["metadata"]["managedFields"]

    assert "f:replicas" not in left["fieldsV1"]["f:spec"]


async def test_a_status_request_takes_no_owners_away(server: Server) -> None:
    created = server.objects.create(PODS, NS, pod("p"), manager="one")
    change = {"metadata": {"managedFields": [{}]}, "status": {"reason": "x"}}
    await server.patch(f"{PODS_PATH}/p/status", change, MERGE_PATCH)
    entries = server.objects.get(PODS, NS, "p")["metadata"]["managedFields"]

    assert created["metadata"]["managedFields"][0] in entries
    assert len(entries) == 2


def running(objects: Objects, name: str, *, ready: bool = True, **spec: Any) -> Object:
    created = objects.create(PODS, NS, pod(name, LABELS, **spec))
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    stored = objects.set_status(PODS, created, {"phase": "Running", "conditions": conditions})
    assert stored is not None
    return stored


def guarded(objects: Objects, *, allowed: int, healthy: int = 2, desired: int = 1, **spec: Any) -> None:
    """A budget that its controller has looked at."""
    created = objects.create(BUDGETS, NS, budget("b", LABELS, **spec))
    status = {
        "observedGeneration": 1,
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": 2,
    }
    objects.set_status(BUDGETS, created, status)


async def evict(server: Server, name: str, body: Object | None = None, **query: str) -> Answer:
    eviction = {"kind": "Eviction", "apiVersion": "policy/v1", "metadata": {"name": name}}
    return await server.post(f"{PODS_PATH}/{name}/eviction", eviction if body is None else body, **query)


async def test_an_eviction_is_charged_to_the_budget_until_nothing_is_left(server: Server) -> None:
    running(server.objects, "a")
    running(server.objects, "b")
    guarded(server.objects, allowed=1)
    first = await evict(server, "a")
    second = await evict(server, "b")

    assert (first.code, first.json["status"]) == (201, "Success")
    assert (second.code, second.json["reason"]) == (429, "TooManyRequests")
    assert "Retry-After" not in second.headers, "kubectl says that it waits only where no time is named"
    assert second.json["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    assert second.json["details"]["causes"][0]["message"] == (
        "The disruption budget b needs 1 healthy pods and has 2 currently"
    )
    status = status_of(server.objects.get(BUDGETS, NS, "b"))
    assert (status["disruptionsAllowed"], status["disruptedPods"]) == (0, {"a": "2026-03-01T12:00:00Z"})


async def test_a_budget_that_nobody_looked_at_since_its_change_allows_nothing(server: Server) -> None:
    running(server.objects, "a")
    server.objects.create(BUDGETS, NS, budget("b", LABELS))
    answer = await evict(server, "a")

    assert answer.code == 429
    assert "still being processed" in answer.json["details"]["causes"][0]["message"]


@pytest.mark.parametrize(
    ("policy", "healthy", "code"),
    [("AlwaysAllow", 0, 201), ("IfHealthyBudget", 0, 429), ("IfHealthyBudget", 1, 201), (None, 1, 201)],
)
async def test_a_pod_that_is_not_ready_may_go_as_the_policy_says(
    server: Server, policy: str | None, healthy: int, code: int
) -> None:
    running(server.objects, "a", ready=False)
    spec: Object = {"unhealthyPodEvictionPolicy": policy} if policy else {}
    guarded(server.objects, allowed=0, healthy=healthy, **spec)

    assert (await evict(server, "a")).code == code


async def test_a_pod_that_never_started_needs_no_budget(server: Server) -> None:
    server.objects.create(PODS, NS, pod("a", LABELS))
    guarded(server.objects, allowed=0)

    assert (await evict(server, "a")).code == 201
    assert server.objects.store.get(PODS, NS, "a") is None


async def test_an_eviction_is_told_once_and_also_of_a_pod_that_is_going(server: Server) -> None:
    server.objects.create(PODS, NS, pod("a", nodeName="node-1"))
    server.objects.delete(PODS, NS, "a")
    assert (await evict(server, "a")).code == 201
    evicted = server.objects.get(PODS, NS, "a")
    assert [each["type"] for each in status_of(evicted)["conditions"]] == ["DisruptionTarget"]
    assert (await evict(server, "a")).code == 201
    assert server.objects.get(PODS, NS, "a") is evicted


async def test_an_eviction_that_is_refused_for_another_reason_charges_nothing(server: Server) -> None:
    running(server.objects, "a")
    guarded(server.objects, allowed=1)
    body = {"kind": "Eviction", "apiVersion": "policy/v1", "metadata": {"name": "a"}}

    refused = await evict(server, "a", {**body, "deleteOptions": {"preconditions": {"uid": "of-another-pod"}}})

    assert refused.code == 409
    assert status_of(server.objects.get(BUDGETS, NS, "b"))["disruptionsAllowed"] == 1
    assert (await evict(server, "a")).code == 201


async def test_an_eviction_of_the_version_that_was_read_goes_through(server: Server) -> None:
    running(server.objects, "a")
    version = server.objects.get(PODS, NS, "a")["metadata"]["resourceVersion"]
    body = {"kind": "Eviction", "apiVersion": "policy/v1", "metadata": {"name": "a"}}

    stale = await evict(server, "a", {**body, "deleteOptions": {"preconditions": {"resourceVersion": "1"}}})
    answer = await evict(server, "a", {**body, "deleteOptions": {"preconditions": {"resourceVersion": version}}})

    assert (stale.code, answer.code) == (409, 201)
    assert server.objects.store.get(PODS, NS, "a") is None


async def test_a_dry_run_of_an_eviction_asks_the_budget_and_charges_nothing(server: Server) -> None:
    running(server.objects, "a")
    guarded(server.objects, allowed=1)

    assert (await evict(server, "a", dryRun="All")).code == 201
    assert status_of(server.objects.get(BUDGETS, NS, "b"))["disruptionsAllowed"] == 1
    assert server.objects.store.get(PODS, NS, "a") is not None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"kind": "Pod"}, 400),
        ({"metadata": {"name": "other"}}, 400),
        ({"metadata": []}, 400),
        ({"deleteOptions": "now"}, 400),
        ({"deleteOptions": {"preconditions": {"uid": "another"}}}, 409),
        ({}, 201),
    ],
)
async def test_malformed_evictions_are_refused(server: Server, body: Object, code: int) -> None:
    running(server.objects, "a")

    assert (await evict(server, "a", body)).code == code


async def test_two_budgets_over_one_pod_are_a_defect_of_the_cluster(server: Server) -> None:
    running(server.objects, "a")
    guarded(server.objects, allowed=1)
    server.objects.create(BUDGETS, NS, budget("second", LABELS))
    answer = await evict(server, "a")

    assert (answer.code, "more than one PodDisruptionBudget" in answer.json["message"]) == (500, True)


async def test_a_binding_puts_a_pod_on_a_node_once(server: Server) -> None:
    server.objects.create(PODS, NS, pod("p"))
    body = {"kind": "Binding", "apiVersion": "v1", "target": {"kind": "Node", "name": "node-1"}}
    first = await server.post(f"{PODS_PATH}/p/binding", body)
    second = await server.post(f"{PODS_PATH}/p/binding", body)
    stored = server.objects.get(PODS, NS, "p")
    scheduled = condition(stored, "PodScheduled")

    assert (first.code, second.code) == (201, 409)
    assert stored["spec"]["nodeName"] == "node-1"
    assert scheduled is not None
    assert scheduled["status"] == "True"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 422),
        ({"target": []}, 400),
        ({"target": {"name": 3}}, 400),
        ({"target": {"kind": "Rack", "name": "r"}}, 422),
        ({"target": {"name": "node-1"}, "metadata": {"uid": "another"}}, 409),
    ],
)
async def test_malformed_bindings_are_refused(server: Server, body: Object, code: int) -> None:
    server.objects.create(PODS, NS, pod("p"))

    assert (await server.post(f"{PODS_PATH}/p/binding", body)).code == code
    assert "nodeName" not in server.objects.get(PODS, NS, "p")["spec"]


@pytest.mark.parametrize("name", ["attach", "ephemeralcontainers"])
async def test_what_the_sandbox_does_not_serve_is_refused_with_a_reason(server: Server, name: str) -> None:
    server.objects.create(PODS, NS, pod("p"))
    answer = await server.post(f"{PODS_PATH}/p/{name}", {})

    assert (answer.code, answer.json["message"].startswith("the sandbox does not serve")) == (400, True)


async def test_a_namespace_is_finalized_by_put(server: Server) -> None:
    created = await server.post("/api/v1/namespaces", {"kind": "Namespace", "metadata": {"name": "shop"}})
    await server.ask("DELETE", "/api/v1/namespaces/shop")
    assert (await server.get("/api/v1/namespaces/shop/status")).json["status"]["phase"] == "Terminating"
    finalized = await server.ask("PUT", "/api/v1/namespaces/shop/finalize", {"kind": "Namespace", "spec": {}})

    assert (created.code, finalized.code) == (201, 200)
    assert (await server.get("/api/v1/namespaces/shop")).code == 404
