import pytest

from selfheal_sandbox.store.objects import Object
from tests.contract.api import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Api
from tests.contract.bodies import config_map, deployment


@pytest.mark.probe("patch.json")
async def test_a_json_patch_changes_fields(api: Api, core: str) -> None:
    await api.post(f"{core}/configmaps", config_map("json", {"a": "1", "b": "2"}))
    patch = [{"op": "replace", "path": "/data/a", "value": "z"}, {"op": "remove", "path": "/data/b"}]
    changed = (await api.patch(f"{core}/configmaps/json", patch, JSON_PATCH)).expect(200)

    assert changed["data"] == {"a": "z"}


@pytest.mark.probe("patch.json_test_fails")
async def test_a_json_patch_whose_test_fails_is_refused(api: Api, core: str) -> None:
    await api.post(f"{core}/configmaps", config_map("json-test"))
    patch = [{"op": "test", "path": "/data/a", "value": "no"}]

    assert (await api.patch(f"{core}/configmaps/json-test", patch, JSON_PATCH)).code == 422


@pytest.mark.probe("patch.merge_null_deletes")
async def test_null_removes_in_a_merge_patch(api: Api, core: str) -> None:
    await api.post(f"{core}/configmaps", config_map("merge", {"a": "1", "b": "2"}))
    changed = await api.patch(f"{core}/configmaps/merge", {"data": {"a": None, "c": "3"}}, MERGE_PATCH)

    assert changed.expect(200)["data"] == {"b": "2", "c": "3"}


def containers(*items: Object) -> Object:
    return {"spec": {"template": {"spec": {"containers": list(items)}}}}


def images(obj: Object) -> dict[str, str]:
    return {item["name"]: item["image"] for item in obj["spec"]["template"]["spec"]["containers"]}


@pytest.mark.probe("patch.strategic_merge_by_name")
async def test_a_strategic_patch_finds_containers_by_name(api: Api, deployments: str) -> None:
    body = deployment("strategic")
    body["spec"]["template"]["spec"]["containers"].append({"name": "d", "image": "d:1"})
    (await api.post(deployments, body)).expect(201)
    patch = containers({"name": "c", "image": "busybox:2"})
    changed = (await api.patch(f"{deployments}/strategic", patch, STRATEGIC_PATCH)).expect(200)

    assert images(changed) == {"c": "busybox:2", "d": "d:1"}


@pytest.mark.probe("patch.strategic_delete")
async def test_a_strategic_patch_deletes_by_directive(api: Api, deployments: str) -> None:
    body = deployment("directive")
    body["spec"]["template"]["spec"]["containers"].append({"name": "d", "image": "d:1"})
    (await api.post(deployments, body)).expect(201)
    patch = containers({"name": "d", "$patch": "delete"})
    changed = (await api.patch(f"{deployments}/directive", patch, STRATEGIC_PATCH)).expect(200)

    assert images(changed) == {"c": "busybox"}


@pytest.mark.probe("patch.rv_conflict")
async def test_a_patch_may_name_the_version_it_is_for(api: Api, core: str) -> None:
    await api.post(f"{core}/configmaps", config_map("versioned"))
    patch = {"metadata": {"resourceVersion": "1"}, "data": {"q": "1"}}

    assert (await api.patch(f"{core}/configmaps/versioned", patch, MERGE_PATCH)).code == 409


@pytest.mark.probe("ssa.create_and_managedFields")
async def test_apply_creates_and_owns(api: Api, core: str) -> None:
    created = (await api.apply(f"{core}/configmaps/owned", config_map("owned"), "m1")).expect(201)
    (entry,) = created["metadata"]["managedFields"]

    assert (entry["manager"], entry["operation"]) == ("m1", "Apply")
    assert entry["fieldsV1"]["f:data"]["f:a"] == {}


@pytest.mark.probe("ssa.removes_dropped_field")
async def test_apply_removes_what_is_no_longer_said(api: Api, core: str) -> None:
    path = f"{core}/configmaps/dropped"
    (await api.apply(path, config_map("dropped", {"a": "1", "b": "1"}), "m1")).expect(201)
    changed = (await api.apply(path, config_map("dropped", {"a": "1"}), "m1")).expect(200)

    assert changed["data"] == {"a": "1"}


@pytest.mark.probe("ssa.conflict_and_force")
async def test_apply_of_anothers_field_conflicts_unless_forced(api: Api, core: str) -> None:
    path = f"{core}/configmaps/conflict"
    (await api.apply(path, config_map("conflict"), "m1")).expect(201)
    status = (await api.apply(path, config_map("conflict", {"a": "2"}), "m2")).expect(409)
    forced = (await api.apply(path, config_map("conflict", {"a": "2"}), "m2", force="true")).expect(200)

    assert status["message"] == 'Apply failed with 1 conflict: conflict with "m1": .data.a'
    assert forced["data"]["a"] == "2"


@pytest.mark.probe("ssa.list_map_merge")
async def test_apply_merges_containers_by_name(api: Api, deployments: str) -> None:
    (await api.apply(f"{deployments}/merged", deployment("merged"), "m1")).expect(201)
    side = {**deployment("merged"), **containers({"name": "side", "image": "s:1"})}
    changed = (await api.apply(f"{deployments}/merged", side, "m2")).expect(200)

    assert images(changed) == {"c": "busybox", "side": "s:1"}
