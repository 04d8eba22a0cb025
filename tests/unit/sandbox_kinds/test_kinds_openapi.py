"""OpenAPI documents, as kubectl and Helm read them."""

import json
from typing import Any

import pytest

from selfheal_sandbox.kinds import openapi
from selfheal_sandbox.kinds.registry import Registry, resources_of_definition

Object = dict[str, Any]
GROUPS = sorted({(resource.group, resource.version) for resource in Registry()})


def document(registry: Registry, group: str, version: str) -> Object:
    found: Object = json.loads(openapi.document(registry, group, version))
    return found


def references(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*(references(item) for item in node))
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
    return own.union(*(references(item) for item in node.values()))


def test_index_leads_to_each_group_and_version(registry: Registry) -> None:
    paths = openapi.index(registry)["paths"]
    assert {"api/v1", "apis/apps/v1", "apis/autoscaling/v1", "apis/autoscaling/v2"} <= paths.keys()
    assert len(paths) == len(GROUPS)
    assert paths["apis/apps/v1"]["serverRelativeURL"].startswith("/openapi/v3/apis/apps/v1?hash=")


@pytest.mark.parametrize(("group", "version"), GROUPS)
def test_document_is_whole(registry: Registry, group: str, version: str) -> None:
    found = document(registry, group, version)
    known = {f"#/components/schemas/{name}" for name in found["components"]["schemas"]}
    assert references(found) <= known
    assert found["openapi"].startswith("3.")


def test_patch_names_its_kind_and_takes_dry_run_and_field_validation(registry: Registry) -> None:
    found = document(registry, "apps", "v1")
    patch = found["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    kind = {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert patch["x-kubernetes-group-version-kind"] == kind
    names = {parameter["name"] for parameter in patch["parameters"] if parameter["in"] == "query"}
    assert {"dryRun", "fieldValidation", "fieldManager", "force"} <= names
    schema = found["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"]
    assert kind in schema["x-kubernetes-group-version-kind"]


def test_cluster_resources_have_no_namespace_in_their_path(registry: Registry) -> None:
    paths = document(registry, "", "v1")["paths"]
    assert "/api/v1/nodes/{name}" in paths
    assert "/api/v1/namespaces/{namespace}/nodes" not in paths
    parameters = {parameter["name"] for parameter in paths["/api/v1/nodes/{name}"]["parameters"]}
    assert parameters == {"name"}


def test_scale_is_of_its_own_kind(registry: Registry) -> None:
    found = document(registry, "apps", "v1")
    scale = found["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"]["patch"]
    kind = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert scale["x-kubernetes-group-version-kind"] == kind


def test_fields_are_described(registry: Registry) -> None:
    schemas = document(registry, "apps", "v1")["components"]["schemas"]
    strategy = schemas["io.k8s.api.apps.v1.DeploymentSpec"]["properties"]["strategy"]
    assert strategy["description"] == ("The deployment strategy to use to replace existing pods with new ones.")
    assert strategy["allOf"] == [{"$ref": "#/components/schemas/io.k8s.api.apps.v1.DeploymentStrategy"}]


def test_custom_resource_appears_with_its_own_schema(registry: Registry, crd: Object) -> None:
    before = openapi.index(registry)["paths"]
    (stable,) = [item for item in resources_of_definition(crd) if item.version == "v1"]
    registry.add(stable)
    assert "apis/example.io/v1" in openapi.index(registry)["paths"]
    schema = document(registry, "example.io", "v1")["components"]["schemas"]["io.example.v1.Widget"]
    assert schema["properties"]["spec"]["properties"]["size"]["default"] == 3
    assert schema["x-kubernetes-group-version-kind"] == [{"group": "example.io", "version": "v1", "kind": "Widget"}]
    assert schema["properties"]["metadata"]["allOf"][0]["$ref"].endswith("ObjectMeta")
    registry.remove(stable)
    assert openapi.index(registry)["paths"] == before


def test_address_changes_with_the_content_and_only_then(registry: Registry, crd: Object) -> None:
    registry.add(resources_of_definition(crd)[1])
    first = openapi.index(registry)["paths"]
    crd["spec"]["versions"][1]["schema"]["openAPIV3Schema"]["description"] = "Another widget."
    registry.add(resources_of_definition(crd)[1])
    second = openapi.index(registry)["paths"]
    assert first["apis/example.io/v1"] != second["apis/example.io/v1"]
    assert first["apis/apps/v1"] == second["apis/apps/v1"]
    assert b"Another widget." in openapi.document(registry, "example.io", "v1")


def test_document_is_made_once_until_the_registry_changes(registry: Registry, crd: Object) -> None:
    first = openapi.document(registry, "apps", "v1")
    assert openapi.document(registry, "apps", "v1") is first
    registry.add(resources_of_definition(crd)[1])
    assert openapi.document(registry, "apps", "v1") == first


def test_unknown_group_has_an_empty_document(registry: Registry) -> None:
    found = document(registry, "nothing.io", "v1")
    assert found["paths"] == {}
    assert found["components"]["schemas"] == {}


def test_old_document_has_definitions_and_knows_no_alternatives(registry: Registry) -> None:
    found = json.loads(openapi.swagger(registry))
    assert found["swagger"] == "2.0"
    assert "io.k8s.api.core.v1.Pod" in found["definitions"]
    known = {f"#/definitions/{name}" for name in found["definitions"]}
    assert references(found["definitions"]) <= known
    assert "oneOf" not in found["definitions"]["io.k8s.apimachinery.pkg.api.resource.Quantity"]
