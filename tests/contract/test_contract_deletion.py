import pytest

from selfheal_sandbox.store.objects import Object
from tests.contract.api import MERGE_PATCH, Api, eventually
from tests.contract.bodies import config_map, pod


@pytest.mark.probe("del.finalizers")
async def test_finalizers_hold_an_object(api: Api, core: str) -> None:
    path = f"{core}/configmaps/held"
    (await api.post(f"{core}/configmaps", config_map("held", finalizers=["example.org/f"]))).expect(201)
    (await api.delete(path)).expect(200)
    assert (await api.get(path)).expect(200)["metadata"]["deletionTimestamp"]

    (await api.patch(path, {"metadata": {"finalizers": None}}, MERGE_PATCH)).expect(200)
    assert (await api.get(path)).code == 404


@pytest.mark.probe("del.pod_grace")
async def test_a_pod_on_a_node_has_its_grace_period(api: Api, core: str, absent_node: str) -> None:
    (await api.post(f"{core}/pods", pod("grace", nodeName=absent_node))).expect(201)
    (await api.delete(f"{core}/pods/grace")).expect(200)
    metadata = (await api.get(f"{core}/pods/grace")).expect(200)["metadata"]
    assert (metadata["deletionGracePeriodSeconds"], bool(metadata["deletionTimestamp"])) == (30, True)

    (await api.delete(f"{core}/pods/grace", gracePeriodSeconds="0")).expect(200)
    assert (await api.get(f"{core}/pods/grace")).code == 404


@pytest.mark.probe("del.preconditions_uid")
async def test_deletion_may_name_the_object_it_means(api: Api, core: str) -> None:
    (await api.post(f"{core}/configmaps", config_map("precondition"))).expect(201)
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "another"}}

    assert (await api.delete(f"{core}/configmaps/precondition", options)).code == 409


async def owner(api: Api, core: str, name: str) -> list[Object]:
    """Create an object and return the references to it."""
    created = (await api.post(f"{core}/configmaps", config_map(name))).expect(201)
    return [{"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": created["metadata"]["uid"]}]


@pytest.mark.probe("gc.ownerReferences")
async def test_dependents_follow_their_owner(api: Api, core: str) -> None:
    references = await owner(api, core, "owner")
    (await api.post(f"{core}/configmaps", config_map("child", ownerReferences=references))).expect(201)
    (await api.delete(f"{core}/configmaps/owner")).expect(200)

    async def gone() -> bool:
        return (await api.get(f"{core}/configmaps/child")).code == 404

    await eventually(gone)


@pytest.mark.probe("gc.orphan")
async def test_orphans_stay(api: Api, core: str) -> None:
    references = await owner(api, core, "leaving")
    (await api.post(f"{core}/configmaps", config_map("orphan", ownerReferences=references))).expect(201)
    (await api.delete(f"{core}/configmaps/leaving", propagationPolicy="Orphan")).expect(200)

    async def orphaned() -> bool:
        left = (await api.get(f"{core}/configmaps/orphan")).expect(200)
        return not left["metadata"].get("ownerReferences")

    await eventually(orphaned)


@pytest.mark.probe("ns.delete_cascades")
async def test_a_namespace_takes_its_objects_along(api: Api, namespace: str) -> None:
    name = f"{namespace}-gone"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    (await api.post("/api/v1/namespaces", body)).expect(201)
    (await api.post(f"/api/v1/namespaces/{name}/configmaps", config_map("z"))).expect(201)
    (await api.delete(f"/api/v1/namespaces/{name}")).expect(200)

    async def gone() -> bool:
        return (await api.get(f"/api/v1/namespaces/{name}")).code == 404

    await eventually(gone, deadline_seconds=30)
    assert (await api.get(f"/api/v1/namespaces/{name}/configmaps/z")).code == 404
