"""Reading and writing over HTTP, as far as it is not a list, a watch or a subresource."""

import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from selfheal_sandbox.api.server import BODY_LIMIT_BYTES
from selfheal_sandbox.store.objects import name_of
from tests.contract.api import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, TABLE
from tests.unit.sandbox_api.bodies import DEFINITIONS, PODS, config_map, definition, deployment, pod, service, widget
from tests.unit.sandbox_api.conftest import HEALERD_TOKEN, Server, serving

CORE = "/api/v1/namespaces/default"
MAPS = f"{CORE}/configmaps"
APPS = "/apis/apps/v1/namespaces/default/deployments"


async def test_objects_are_created_read_replaced_and_deleted(server: Server) -> None:
    created = await server.post(MAPS, config_map("c"))
    assert (created.code, created.json["kind"], created.json["apiVersion"]) == (201, "ConfigMap", "v1")

    changed = {**created.json, "data": {"b": "2"}}
    replaced = await server.ask("PUT", f"{MAPS}/c", changed)
    assert (replaced.code, replaced.json["data"]) == (200, {"b": "2"})
    assert (await server.ask("PUT", f"{MAPS}/c", changed)).json["reason"] == "Conflict"

    gone = await server.ask("DELETE", f"{MAPS}/c")
    assert (gone.json["status"], gone.json["details"]["uid"]) == ("Success", created.json["metadata"]["uid"])
    assert (await server.get(f"{MAPS}/c")).code == 404


async def test_yaml_bodies_are_read_without_guessing_dates(server: Server) -> None:
    body = "kind: ConfigMap\nmetadata: {name: c, annotations: {day: '2026-01-01'}}\ndata: {day: 2026-01-01}\n"
    created = await server.post(MAPS, body, content_type="application/yaml")

    assert created.json["data"] == {"day": "2026-01-01"}


async def test_an_error_is_a_status(server: Server) -> None:
    answer = await server.get(f"{MAPS}/nope")

    assert answer.code == 404
    assert answer.json == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'configmaps "nope" not found',
        "reason": "NotFound",
        "details": {"name": "nope", "kind": "configmaps"},
        "code": 404,
    }


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/api/v2/pods", 404),
        ("GET", "/api/v1/nothings", 404),
        ("GET", "/apis/none/v1/things", 404),
        ("GET", "/apis/none", 404),
        ("GET", "/apis/apps/v9", 404),
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/pods/p", 404),
        ("GET", "/api/v1/namespaces/default/nodes", 404),
        ("GET", f"{CORE}/pods/p/nothing", 404),
        ("GET", f"{CORE}/configmaps/c/status", 404),
        ("GET", "/openapi/v3/apis/none/v1", 404),
        ("PUT", MAPS, 405),
        ("PATCH", MAPS, 405),
        ("POST", f"{MAPS}/c", 405),
        ("POST", "/api/v1/pods", 405),
        ("POST", "/version", 405),
        ("DELETE", "/apis/apps/v1", 405),
        ("PATCH", f"{CORE}/pods/p/eviction", 405),
    ],
)
async def test_what_is_not_there_or_not_allowed(server: Server, method: str, path: str, code: int) -> None:
    answer = await server.ask(method, path)

    assert (answer.code, answer.json["kind"]) == (code, "Status")


@pytest.mark.parametrize(
    ("path", "code"),
    [("/livez", 200), ("/readyz", 200), ("/readyz/ping", 403), ("/version", 200), ("/api", 401), (MAPS, 401)],
)
async def test_only_public_paths_need_no_token(server: Server, path: str, code: int) -> None:
    server.session.headers.pop("Authorization")

    assert (await server.get(path)).code == code


@pytest.mark.parametrize("authorization", ["Bearer wrong", "Bearer ", "Basic YTph", "Bearer \xff"])
async def test_wrong_tokens_are_refused_everywhere(server: Server, authorization: str) -> None:
    answer = await server.get("/version", headers={"Authorization": authorization})

    assert (answer.code, answer.json["reason"]) == (401, "Unauthorized")


@pytest.mark.parametrize(
    ("host", "code"), [("localhost:99", 200), ("[::1]:99", 200), ("evil.example", 403), ("[", 403)]
)
async def test_requests_under_another_host_name_are_refused(server: Server, host: str, code: int) -> None:
    assert (await server.get("/api", headers={"Host": host})).code == code


async def test_each_token_has_its_identity(server: Server) -> None:
    review = {"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"

    admin = (await server.post(path, review)).json
    healerd = (await server.post(path, review, headers={"Authorization": f"Bearer {HEALERD_TOKEN}"})).json
    assert admin["status"]["userInfo"]["username"] == "admin"
    assert healerd["status"]["userInfo"]["username"] == "system:serviceaccount:shop:healerd"


async def test_a_token_review_tells_whose_token_it_is(server: Server) -> None:
    path = "/apis/authentication.k8s.io/v1/tokenreviews"

    known = (await server.post(path, {"spec": {"token": HEALERD_TOKEN}})).json["status"]
    unknown = (await server.post(path, {"spec": {"token": "x"}})).json["status"]
    assert (known["authenticated"], known["user"]["username"]) == (True, "system:serviceaccount:shop:healerd")
    assert unknown == {"authenticated": False}


async def test_unknown_fields_are_told_in_a_warning_header(server: Server) -> None:
    answer = await server.post(MAPS, {**config_map("c"), "dta": {"x": "ü"}})

    assert answer.headers.getall("Warning") == ['299 - "unknown field \\"dta\\""']
    strict = await server.post(MAPS, {**config_map("d"), "dta": {}}, fieldValidation="Strict")
    assert (strict.code, "dta" in strict.json["message"]) == (400, True)


async def test_the_manager_is_the_clients_choice_or_its_name(server: Server) -> None:
    named = await server.post(MAPS, config_map("a"), fieldManager="me")
    unnamed = await server.post(MAPS, config_map("b"))

    assert named.json["metadata"]["managedFields"][0]["manager"] == "me"
    assert unnamed.json["metadata"]["managedFields"][0]["manager"] == "tester"


@pytest.mark.parametrize(
    "query", [{"dryRun": "Some"}, {"fieldValidation": "Maybe"}, {"fieldManager": "x" * 129}, {"includeObject": "All"}]
)
async def test_unknown_options_are_refused(server: Server, query: dict[str, Any]) -> None:
    answer = await server.ask("POST", MAPS, config_map("c"), **query)

    assert (answer.code, answer.json["reason"]) == (422, "Invalid")
    assert (await server.get(f"{MAPS}/c")).code == 404


async def test_bodies_in_other_forms_are_refused(server: Server) -> None:
    cbor = await server.post(MAPS, b"\xa0", content_type="application/cbor")
    assert (cbor.code, cbor.json["reason"]) == (415, "UnsupportedMediaType")

    huge = await server.post(MAPS, io.BytesIO(b"x" * (BODY_LIMIT_BYTES + 1)))
    assert (huge.code, huge.json["reason"]) == (413, "RequestEntityTooLarge")

    other = await server.post(MAPS, deployment("d"))
    assert (other.code, "cannot be handled as a ConfigMap" in other.json["message"]) == (400, True)

    html = await server.get(MAPS, accept="text/html")
    assert (html.code, html.json["reason"]) == (406, "NotAcceptable")


async def test_each_kind_of_patch(server: Server) -> None:
    await server.post(APPS, deployment("d"))
    path = f"{APPS}/d"

    merged = await server.patch(path, {"spec": {"replicas": 5}}, MERGE_PATCH)
    assert merged.json["spec"]["replicas"] == 5
    patched = await server.patch(path, [{"op": "replace", "path": "/spec/replicas", "value": 6}], JSON_PATCH)
    assert patched.json["spec"]["replicas"] == 6
    side = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "s:1"}]}}}}
    strategic = await server.patch(path, side, STRATEGIC_PATCH)
    assert len(strategic.json["spec"]["template"]["spec"]["containers"]) == 2
    assert (await server.patch(path, {}, "application/unknown")).code == 415


async def test_apply_creates_then_merges_then_conflicts(server: Server) -> None:
    async def apply(data: dict[str, str], manager: str, **query: str) -> Any:
        body = json.dumps(config_map("c", data))
        return await server.patch(f"{MAPS}/c", body, APPLY_PATCH, fieldManager=manager, **query)

    assert (await apply({"a": "1"}, "one")).code == 201
    assert (await apply({"b": "1"}, "two")).json["data"] == {"a": "1", "b": "1"}
    conflict = await apply({"a": "2"}, "two")
    assert (conflict.code, conflict.json["details"]["causes"][0]["field"]) == (409, ".data.a")
    assert (await apply({"a": "2"}, "two", force="true")).json["data"] == {"a": "2"}
    assert (await apply({"a": "3"}, "two", dryRun="All")).json["data"] == {"a": "3"}
    assert (await server.get(f"{MAPS}/c")).json["data"] == {"a": "2"}


@pytest.mark.parametrize(
    ("body", "query", "code"),
    [
        ({"kind": "ConfigMap", "apiVersion": "v1"}, {}, 422),
        ({"metadata": {"name": "c"}}, {"fieldManager": "m"}, 400),
        (config_map("other"), {"fieldManager": "m"}, 400),
        (config_map("c", namespace="other"), {"fieldManager": "m"}, 400),
        (config_map("c", managedFields=[{"manager": "x"}]), {"fieldManager": "m"}, 400),
        (config_map("c", uid="no-such-object"), {"fieldManager": "m"}, 409),
        ({**config_map("c"), "data": ["x"]}, {"fieldManager": "m"}, 500),
        ({**config_map("c"), "metadata": "x"}, {"fieldManager": "m"}, 400),
        ([], {"fieldManager": "m"}, 400),
    ],
)
async def test_apply_refuses(server: Server, body: Any, query: dict[str, str], code: int) -> None:
    assert (await server.patch(f"{MAPS}/c", json.dumps(body), APPLY_PATCH, **query)).code == code


@pytest.mark.parametrize(("requests", "code"), [({"cpu": "x"}, 409), ("text", 500)])
async def test_conflicts_are_told_before_quantities_that_cannot_be_read(
    server: Server, requests: Any, code: int
) -> None:
    server.objects.create(("apps", "deployments"), "default", deployment("d"), manager="kubectl")
    wanted = deployment("d", replicas=9)
    wanted["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": requests}
    body = json.dumps(wanted)
    assert (await server.patch(f"{APPS}/d", body, APPLY_PATCH, fieldManager="argo")).code == code
    assert (await server.patch(f"{APPS}/d", body, APPLY_PATCH, fieldManager="argo", force="true")).code == 500


@pytest.mark.parametrize(("replicas", "code"), [(1.5, 409), ("x", 500)], ids=["a number", "no number"])
async def test_conflicts_are_told_before_numbers_that_are_no_integers(server: Server, replicas: Any, code: int) -> None:
    server.objects.create(("apps", "deployments"), "default", deployment("d"), manager="kubectl")
    body = json.dumps(deployment("d", replicas=replicas))
    assert (await server.patch(f"{APPS}/d", body, APPLY_PATCH, fieldManager="argo")).code == code
    assert (await server.patch(f"{APPS}/d", body, APPLY_PATCH, fieldManager="argo", force="true")).code == 500


async def test_applying_over_an_object_that_is_not_there_needs_no_subresource(server: Server) -> None:
    answer = await server.patch(f"{APPS}/d/status", deployment("d"), APPLY_PATCH, fieldManager="m")

    assert answer.code == 404


async def test_custom_resources_are_served_in_all_ways_but_strategic(server: Server) -> None:
    server.objects.create(DEFINITIONS, "", definition())
    path = "/apis/example.org/v1/namespaces/default/widgets"
    created = await server.post(path, widget("w", note="x"))
    assert created.json["spec"] == {"size": 3, "note": "x"}

    unversioned = await server.ask("PUT", f"{path}/w", widget("w", size=4))
    assert (unversioned.code, unversioned.json["details"]["causes"][0]["field"]) == (422, "metadata.resourceVersion")
    assert (await server.ask("PUT", f"{path}/w", widget("other", size=4))).code == 400  # the name is looked at first
    assert (await server.patch(f"{path}/w", {"spec": {"size": 4}}, STRATEGIC_PATCH)).code == 415
    assert (await server.patch(f"{path}/w", {"spec": {"size": 4}}, MERGE_PATCH)).json["spec"]["size"] == 4
    assert (await server.patch(f"{path}/w", {"spec": {"size": "x"}}, MERGE_PATCH)).code == 422
    status = await server.patch(f"{path}/w/status", {"status": {"size": 1}, "spec": {"size": 9}}, MERGE_PATCH)
    assert (status.json["status"], status.json["spec"]["size"]) == ({"size": 1}, 4)


async def test_deletecollection_takes_what_the_selector_means(server: Server) -> None:
    for name, color in (("a", "red"), ("b", "blue"), ("c", "red")):
        await server.post(MAPS, config_map(name, labels={"color": color}))
    answer = await server.ask("DELETE", MAPS, labelSelector="color=red")

    assert [item["metadata"]["name"] for item in answer.json["items"]] == ["a", "c"]
    assert [item["metadata"]["name"] for item in (await server.get(MAPS)).json["items"]] == ["b"]


async def test_deletion_of_a_running_pod_answers_the_pod(server: Server) -> None:
    await server.post(f"{CORE}/pods", pod("p", nodeName="node-1"))
    answer = await server.ask("DELETE", f"{CORE}/pods/p", gracePeriodSeconds="7")

    assert answer.json["metadata"]["deletionGracePeriodSeconds"] == 7


async def test_two_versions_of_a_kind_are_one_store(server: Server) -> None:
    older = {
        "kind": "HorizontalPodAutoscaler",
        "apiVersion": "autoscaling/v1",
        "metadata": {"name": "h"},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"},
            "maxReplicas": 4,
            "targetCPUUtilizationPercentage": 70,
        },
    }
    path = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers"
    created = await server.post(path.format("v1"), older)
    newer = await server.get(f"{path.format('v2')}/h")

    assert (created.code, created.json["spec"]["targetCPUUtilizationPercentage"]) == (201, 70)
    assert newer.json["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 70
    changed = await server.patch(
        f"{path.format('v1')}/h", {"spec": {"targetCPUUtilizationPercentage": 80}}, MERGE_PATCH
    )
    assert changed.json["apiVersion"] == "autoscaling/v1"
    newer = await server.get(f"{path.format('v2')}/h")
    assert newer.json["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 80


async def test_one_object_as_a_table_and_as_metadata(server: Server) -> None:
    await server.post(f"{CORE}/services", service("s"))
    table = (await server.get(f"{CORE}/services/s", accept=TABLE, includeObject="None")).json
    partial = (await server.get(f"{CORE}/services/s", accept="application/json;as=PartialObjectMetadata;v=v1")).json

    assert (table["kind"], table["rows"][0]["cells"][0], table["rows"][0]["object"]) == ("Table", "s", None)
    assert (partial["kind"], sorted(partial)) == ("PartialObjectMetadata", ["apiVersion", "kind", "metadata"])


async def test_the_request_log_tells_who_asked_for_what(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    async with serving(request_log=path) as server:
        await server.post(MAPS, config_map("c"))
        await server.get(f"{MAPS}/c", headers={"Authorization": f"Bearer {HEALERD_TOKEN}"}, pretty="secret")
        await server.ask("DELETE", MAPS)
        async with server.watch(MAPS, timeoutSeconds="1"):
            pass
        await server.get("/api", headers={"Authorization": "Bearer nobody"})
    lines = [json.loads(line) for line in path.read_text().splitlines()]

    assert [(line["verb"], line["code"], line["user"]) for line in lines] == [
        ("create", 201, "admin"),
        ("get", 403, "system:serviceaccount:shop:healerd"),
        ("deletecollection", 200, "admin"),
        ("watch", 200, "admin"),
        ("get", 401, "system:anonymous"),
    ]
    assert lines[0]["userAgent"] == "tester/1.0 (test)"
    assert lines[0]["path"] == MAPS
    assert "secret" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_defect_answers_500_and_the_server_goes_on(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.objects.create(PODS, "default", pod("p"))
    server.runtime.error = RuntimeError("broken")
    answer = await server.get(f"{CORE}/pods/p/log")

    assert (answer.code, answer.json["message"]) == (500, "Internal error occurred: RuntimeError: broken")
    assert "failed" in caplog.text
    assert name_of((await server.get(f"{CORE}/pods/p")).json) == "p"
