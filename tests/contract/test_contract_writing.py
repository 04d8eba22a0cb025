import copy
import re

import pytest

from tests.contract.api import MERGE_PATCH, Api
from tests.contract.bodies import config_map, deployment, pod


@pytest.mark.probe("create.server_metadata")
async def test_the_server_sets_identity_and_version(api: Api, core: str, namespace: str) -> None:
    metadata = (await api.post(f"{core}/configmaps", config_map("server-metadata"))).expect(201)["metadata"]

    assert metadata["uid"]
    assert metadata["creationTimestamp"]
    assert metadata["resourceVersion"].isdigit()
    assert metadata["namespace"] == namespace


@pytest.mark.probe("create.generateName")
async def test_names_are_generated(api: Api, core: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "gen-"}}
    created = (await api.post(f"{core}/configmaps", body)).expect(201)

    assert re.fullmatch(r"gen-[a-z0-9]{5}", created["metadata"]["name"])


@pytest.mark.probe("create.conflict_409_status")
async def test_a_taken_name_is_a_conflict(api: Api, core: str) -> None:
    (await api.post(f"{core}/configmaps", config_map("taken"))).expect(201)
    status = (await api.post(f"{core}/configmaps", config_map("taken"))).expect(409)

    assert (status["kind"], status["reason"]) == ("Status", "AlreadyExists")


@pytest.mark.probe("get.404_status")
async def test_an_object_that_is_not_there_is_named_in_the_status(api: Api, core: str) -> None:
    status = (await api.get(f"{core}/configmaps/nope")).expect(404)

    assert (status["reason"], status["details"]["name"]) == ("NotFound", "nope")
    assert status["message"] == 'configmaps "nope" not found'


@pytest.mark.probe("create.ns_missing_404")
async def test_nothing_is_created_in_a_namespace_that_is_not_there(api: Api) -> None:
    assert (await api.post("/api/v1/namespaces/no-such-one/configmaps", config_map("x"))).code == 404


@pytest.mark.probe("put.optimistic_409")
async def test_put_needs_the_version_that_was_read(api: Api, core: str) -> None:
    read = (await api.post(f"{core}/configmaps", config_map("optimistic"))).expect(201)
    (await api.put(f"{core}/configmaps/optimistic", {**read, "data": {"a": "2"}})).expect(200)
    status = (await api.put(f"{core}/configmaps/optimistic", {**read, "data": {"a": "3"}})).expect(409)

    assert status["reason"] == "Conflict"
    assert "the object has been modified" in status["message"]


@pytest.mark.probe("put.replaces_whole_object")
async def test_put_replaces_the_whole_object(api: Api, core: str) -> None:
    read = (await api.post(f"{core}/configmaps", config_map("whole", {"a": "1", "b": "2"}))).expect(201)
    replaced = (await api.put(f"{core}/configmaps/whole", {**read, "data": {"b": "2"}})).expect(200)

    assert replaced["data"] == {"b": "2"}


@pytest.mark.probe("put.noop_keeps_rv")
async def test_put_of_the_same_changes_nothing(api: Api, core: str) -> None:
    read = (await api.post(f"{core}/configmaps", config_map("same"))).expect(201)
    again = (await api.put(f"{core}/configmaps/same", read)).expect(200)

    assert again["metadata"]["resourceVersion"] == read["metadata"]["resourceVersion"]


@pytest.mark.probe("default.pod")
async def test_defaults_of_a_pod(api: Api, core: str) -> None:
    created = (await api.post(f"{core}/pods", pod("defaults"))).expect(201)
    spec = created["spec"]

    assert (spec["restartPolicy"], spec["terminationGracePeriodSeconds"], spec["dnsPolicy"]) == (
        "Always",
        30,
        "ClusterFirst",
    )
    assert spec["containers"][0]["imagePullPolicy"] == "Always"
    assert created["status"]["phase"] == "Pending"


@pytest.mark.probe("default.deployment")
async def test_defaults_of_a_deployment(api: Api, deployments: str) -> None:
    body = deployment("defaults")
    del body["spec"]["replicas"]
    created = (await api.post(deployments, body)).expect(201)
    await api.delete(f"{deployments}/defaults")

    assert (created["spec"]["replicas"], created["spec"]["revisionHistoryLimit"]) == (1, 10)
    assert created["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == "25%"
    assert created["metadata"]["generation"] == 1


@pytest.mark.probe("valid.422_required")
async def test_a_missing_field_is_a_cause(api: Api, deployments: str) -> None:
    body = deployment("bad")
    del body["spec"]["selector"]
    status = (await api.post(deployments, body)).expect(422)

    assert status["reason"] == "Invalid"
    assert "spec.selector" in [cause["field"] for cause in status["details"]["causes"]]


@pytest.mark.probe("valid.422_bad_name")
async def test_a_bad_name_is_invalid(api: Api, core: str) -> None:
    assert (await api.post(f"{core}/configmaps", config_map("Bad_Name"))).code == 422


@pytest.mark.probe("valid.400_bad_type")
async def test_a_wrong_type_is_a_bad_request(api: Api, deployments: str) -> None:
    body = deployment("bad")
    body["spec"]["replicas"] = "three"
    status = (await api.post(deployments, body)).expect(400)

    assert "cannot be handled as a Deployment" in status["message"]


@pytest.mark.probe("valid.fieldValidation_strict")
async def test_an_unknown_field_is_refused_when_asked_to_be_strict(api: Api, deployments: str) -> None:
    body = deployment("bad")
    body["spec"]["replicaz"] = 3
    status = (await api.post(deployments, body, fieldValidation="Strict")).expect(400)

    assert 'unknown field "spec.replicaz"' in status["message"]


@pytest.mark.probe("valid.immutable_selector")
async def test_a_selector_cannot_be_changed(api: Api, deployments: str) -> None:
    (await api.post(deployments, deployment("immutable"))).expect(201)
    changed = deployment("immutable")
    changed["spec"]["selector"]["matchLabels"] = {"app": "other"}
    changed["spec"]["template"]["metadata"]["labels"] = {"app": "other"}

    assert (await api.put(f"{deployments}/immutable", changed)).code == 422


@pytest.mark.probe("dryrun.all")
async def test_a_dry_run_stores_nothing(api: Api, core: str) -> None:
    (await api.post(f"{core}/configmaps", config_map("dry"), dryRun="All")).expect(201)

    assert (await api.get(f"{core}/configmaps/dry")).code == 404


@pytest.mark.probe("generation.bumps")
async def test_the_generation_counts_changes_of_the_spec(api: Api, deployments: str) -> None:
    (await api.post(deployments, deployment("generation"))).expect(201)

    async def generation(patch: object) -> int:
        changed = (await api.patch(f"{deployments}/generation", patch, MERGE_PATCH)).expect(200)
        return int(changed["metadata"]["generation"])

    assert await generation({"spec": {"minReadySeconds": 3}}) == 2
    assert await generation({"metadata": {"labels": {"x": "y"}}}) == 2


@pytest.mark.probe("ns.create")
async def test_a_namespace_is_active_and_has_a_finalizer(api: Api, namespace: str) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{namespace}-new"}}
    created = (await api.post("/api/v1/namespaces", copy.deepcopy(body))).expect(201)
    await api.delete(f"/api/v1/namespaces/{namespace}-new")

    assert created["status"]["phase"] == "Active"
    assert "kubernetes" in created["spec"]["finalizers"]


@pytest.mark.probe("ns.default_exists")
@pytest.mark.parametrize("expected", [("default", "kube-system")])
async def test_every_cluster_has_some_namespaces(api: Api, expected: tuple[str, ...]) -> None:
    for name in expected:
        (await api.get(f"/api/v1/namespaces/{name}")).expect(200)
