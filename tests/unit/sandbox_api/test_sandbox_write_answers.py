"""Which answer a write gets that is wrong in several ways, and what it may say about deletion, uid and nulls."""

import json
from typing import Any

import pytest

from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.store.objects import Object
from tests.contract.api import APPLY_PATCH, MERGE_PATCH, Answer
from tests.unit.sandbox_api.bodies import CONFIG_MAPS, DEFINITIONS, PODS, config_map, definition, pod, service, widget
from tests.unit.sandbox_api.conftest import Server

NS = "default"
MAPS = "/api/v1/namespaces/default/configmaps"
WIDGETS_PATH = "/apis/example.org/v1/namespaces/default/widgets"
WHEN: Object = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
OTHER_UID: Object = {"uid": "00000000-0000-4000-8000-000000000000"}


async def apply(server: Server, path: str, body: Object, manager: str = "one", **query: str) -> Answer:
    return await server.patch(path, json.dumps(body), APPLY_PATCH, fieldManager=manager, **query)


def owned(obj: Object) -> dict[str, Any]:
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"].get("managedFields", ())}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (config_map("other", {"a": "2"}), 409),
        (config_map("c", {"a": "2"}, namespace="other"), 409),
        (config_map("other", {"b": "2"}), 400),
        (config_map("c", {"b": "2"}, namespace="other"), 400),
        ({**config_map("c"), "kind": "Wrong", "bogus": 1}, 400),
        ({**config_map("c", managedFields=[]), "bogus": 1}, 400),
        ({**config_map("other"), "bogus": 1}, 500),
        (config_map("c", {"b": "2"}, **OTHER_UID), 422),
        (config_map("c", {"b": "2"}, resourceVersion="1"), 409),
    ],
)
async def test_an_application_is_told_of_conflicts_before_names(server: Server, body: Object, code: int) -> None:
    await server.post(MAPS, config_map("c", {"a": "1"}))

    assert (await apply(server, f"{MAPS}/c", body)).code == code


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ({"name": "other", **OTHER_UID}, 409),
        ({"name": "other"}, 400),
        ({}, 400),
        (OTHER_UID, 409),
        ({"name": "c", "namespace": "other"}, 400),
        ({"name": "c", "resourceVersion": "1"}, 201),
    ],
)
async def test_an_application_that_creates(server: Server, metadata: Object, code: int) -> None:
    answer = await apply(server, f"{MAPS}/c", {**config_map("c"), "metadata": metadata})

    assert answer.code == code, answer.json


async def test_an_application_that_changes_nothing_keeps_the_version(server: Server) -> None:
    await apply(server, f"{MAPS}/c", config_map("c", {"a": "1"}), "two")
    await apply(server, f"{MAPS}/c", config_map("c", {"b": "1"}), "one")
    changed = await server.patch(f"{MAPS}/c", {"data": {"x": "1"}}, MERGE_PATCH)
    again = await apply(server, f"{MAPS}/c", config_map("c", {"a": "1"}), "two")

    assert again.json["metadata"]["resourceVersion"] == changed.json["metadata"]["resourceVersion"]


async def test_a_name_is_missed_once_nobody_owns_any_metadata(server: Server) -> None:
    nameless = {**config_map("c"), "metadata": {}}
    await apply(server, f"{MAPS}/c", config_map("c", labels={"app": "a"}))

    assert (await apply(server, f"{MAPS}/c", nameless)).code == 400
    await server.patch(f"{MAPS}/c", {"metadata": {"annotations": {"a": "b"}}}, MERGE_PATCH)
    assert (await apply(server, f"{MAPS}/c", nameless)).code == 200


async def test_a_null_that_is_applied_owns_its_field_and_leaves_what_is_in_it(server: Server) -> None:
    path = "/apis/coordination.k8s.io/v1/namespaces/default/leases/a"
    lease: Object = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "a"}}
    await server.post(path.removesuffix("/a"), {**lease, "spec": {"holderIdentity": "x"}})
    answer = await apply(server, path, {**lease, "spec": None})
    conflict = await apply(server, path, {**lease, "spec": {"holderIdentity": None}})

    assert answer.json["spec"] == {"holderIdentity": "x"}
    assert owned(answer.json)["one"] == {"f:spec": {}}
    assert (conflict.code, conflict.json["details"]["causes"][0]["field"]) == (409, ".spec.holderIdentity")


@pytest.mark.parametrize(
    ("spec", "code"), [(None, 422), ({"size": None}, 201), ({"note": None}, 422), ({"size": 2}, 201)]
)
async def test_a_custom_object_is_applied_without_nulls_but_those_a_default_replaces(
    server: Server, spec: Any, code: int
) -> None:
    server.objects.create(DEFINITIONS, "", definition())

    assert (await apply(server, f"{WIDGETS_PATH}/w", {**widget("w"), "spec": spec})).code == code


@pytest.mark.parametrize(
    ("spec", "code"), [("text", 500), ({"size": "x"}, 500), ({"size": 1.5}, 422), ({"note": 5}, 500), ([], 500)]
)
async def test_a_custom_object_of_another_shape_cannot_be_applied(server: Server, spec: Any, code: int) -> None:
    server.objects.create(DEFINITIONS, "", definition())

    assert (await apply(server, f"{WIDGETS_PATH}/w", {**widget("w"), "spec": spec})).code == code


async def test_who_owned_what_before_owners_were_told_is_a_manager_of_its_own(server: Server) -> None:
    server.objects.create(CONFIG_MAPS, NS, config_map("c", {"a": "1"}))
    patched = await server.patch(f"{MAPS}/c", {"data": {"b": "1"}}, MERGE_PATCH)
    applied = await apply(server, f"{MAPS}/c", config_map("c", {"c": "1"}))

    assert owned(patched.json) == {}
    assert owned(applied.json) == {
        "before-first-apply": {"f:data": {".": {}, "f:a": {}, "f:b": {}}},
        "one": {"f:data": {"f:c": {}}},
    }


@pytest.mark.parametrize("metadata", [WHEN, {"deletionGracePeriodSeconds": 5}])
async def test_only_a_deletion_says_when_an_object_goes(server: Server, metadata: Object) -> None:
    await server.post(MAPS, config_map("c"))
    answers = [
        await server.ask("PUT", f"{MAPS}/c", config_map("c", **metadata)),
        await server.patch(f"{MAPS}/c", {"metadata": metadata}, MERGE_PATCH),
        await apply(server, f"{MAPS}/c", config_map("c", **metadata), force="true"),
    ]

    assert [answer.code for answer in answers] == [422] * 3
    assert {answer.json["details"]["causes"][0]["field"] for answer in answers} == {f"metadata.{next(iter(metadata))}"}
    assert "deletionTimestamp" not in (await server.post(MAPS, config_map("d", **WHEN))).json["metadata"]


async def test_a_finalizer_is_not_added_to_what_is_being_deleted(server: Server) -> None:
    await server.post(MAPS, config_map("c", finalizers=["example.org/hold"]))
    await server.ask("DELETE", f"{MAPS}/c")
    change = {"finalizers": ["example.org/hold", "example.org/other"], "labels": {"a b": "c"}}
    answer = await server.patch(f"{MAPS}/c", {"metadata": change}, MERGE_PATCH)

    assert answer.code == 422
    assert {each["field"] for each in answer.json["details"]["causes"]} == {"metadata.finalizers", "metadata.labels"}


async def test_an_update_cannot_take_a_deletion_back(server: Server) -> None:
    await server.post(MAPS, config_map("c", finalizers=["example.org/hold"]))
    await server.ask("DELETE", f"{MAPS}/c")
    replaced = await server.ask("PUT", f"{MAPS}/c", config_map("c", finalizers=["example.org/hold"], **WHEN))

    assert replaced.code == 200
    assert replaced.json["metadata"]["deletionTimestamp"] not in ("", WHEN["deletionTimestamp"])


async def test_an_object_may_be_applied_as_one_that_is_being_deleted(server: Server) -> None:
    """As Kubernetes has it: the object goes with the next write that leaves it without finalizers."""
    body = config_map("c", finalizers=["example.org/hold"], **WHEN)
    applied = await apply(server, f"{MAPS}/c", body)
    deleted = await server.ask("DELETE", f"{MAPS}/c")
    await server.patch(f"{MAPS}/c", {"metadata": {"finalizers": None}}, MERGE_PATCH)

    assert applied.json["metadata"]["deletionTimestamp"] == WHEN["deletionTimestamp"]
    assert owned(applied.json)["one"]["f:metadata"]["f:deletionTimestamp"] == {}
    assert deleted.json["metadata"]["deletionGracePeriodSeconds"] == 0
    assert (await server.get(f"{MAPS}/c")).code == 404


async def test_what_is_being_deleted_without_finalizers_goes_with_a_write_that_changes_nothing(server: Server) -> None:
    await apply(server, f"{MAPS}/c", config_map("c", **WHEN))
    again = await apply(server, f"{MAPS}/c", config_map("c", **WHEN))

    assert again.code == 200
    assert (await server.get(f"{MAPS}/c")).code == 404


async def test_another_uid_is_told_before_a_missing_version(server: Server) -> None:
    server.objects.create(DEFINITIONS, "", definition())
    await server.post(WIDGETS_PATH, widget("w"))
    other = {**widget("w"), "metadata": {"name": "w", **OTHER_UID}}

    assert (await server.ask("PUT", f"{WIDGETS_PATH}/w", other)).json["reason"] == "Conflict"
    assert (await server.ask("PUT", f"{WIDGETS_PATH}/w", widget("w"))).json["reason"] == "Invalid"


async def test_a_custom_object_of_another_kind_is_invalid(server: Server) -> None:
    server.objects.create(DEFINITIONS, "", definition())
    wrong = {**widget("w"), "kind": "Wrong"}
    created = await server.post(WIDGETS_PATH, wrong)
    await server.post(WIDGETS_PATH, widget("w"))
    answers = [created, await server.patch(f"{WIDGETS_PATH}/w", {"kind": "Wrong"}, MERGE_PATCH)]

    assert [(each.code, each.json["details"]["causes"][0]["field"]) for each in answers] == [(422, "kind")] * 2
    assert (await server.ask("PUT", f"{WIDGETS_PATH}/w", wrong)).json["details"]["causes"][0]["field"] == (
        "metadata.resourceVersion"
    )
    assert (await apply(server, f"{WIDGETS_PATH}/w", wrong)).code == 400


async def test_no_managed_fields_forget_the_owners_of_built_in_objects_alone(server: Server) -> None:
    server.objects.create(DEFINITIONS, "", definition())
    paths = {WIDGETS_PATH: widget("w", size=2), MAPS: config_map("w")}
    left = []
    for path, body in paths.items():
        await server.post(path, body)
        change: Object = {"metadata": {"managedFields": []}}
        left.append(owned((await server.patch(f"{path}/w", change, MERGE_PATCH)).json))

    assert left == [{"tester": {"f:spec": {".": {}, "f:size": {}}}}, {}]


async def test_an_applied_status_of_a_custom_object_owns_nothing_else(server: Server) -> None:
    server.objects.create(DEFINITIONS, "", definition())
    await server.post(WIDGETS_PATH, widget("w", size=2))
    wanted = {**widget("w", size=2), "status": {"size": 1}}
    wanted["metadata"]["labels"] = {"app": "a"}
    answer = await apply(server, f"{WIDGETS_PATH}/w/status", wanted)

    assert owned(answer.json)["one"] == {"f:status": {"f:size": {}}}


@pytest.mark.parametrize("field", ["kind", "apiVersion"])
async def test_only_objects_of_built_in_kinds_may_leave_their_kind_out(server: Server, field: str) -> None:
    server.objects.create(DEFINITIONS, "", definition())
    custom = {name: value for name, value in widget("w").items() if name != field}
    built_in = {name: value for name, value in service("s").items() if name != field}

    assert (await server.post(WIDGETS_PATH, custom)).code == 400
    assert (await server.post("/api/v1/namespaces/default/services", built_in)).code == 201


def test_a_pod_that_goes_at_once_is_answered_in_the_version_of_its_end(objects: Objects) -> None:
    objects.create(PODS, NS, pod("p"))
    gone = objects.delete(PODS, NS, "p")

    assert gone["metadata"]["resourceVersion"] == str(objects.store.revision)
    assert "deletionTimestamp" in gone["metadata"]
