from selfheal_sandbox.api.discovery import Discovery
from selfheal_sandbox.kinds.registry import Registry
from tests.unit.sandbox_api.bodies import DEFINITIONS, definition
from tests.unit.sandbox_api.conftest import Server

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


async def test_groups_and_versions_are_listed_in_both_forms(server: Server) -> None:
    core = (await server.get("/api")).json
    groups = {group["name"]: group for group in (await server.get("/apis")).json["groups"]}
    aggregated = await server.get("/apis", accept=AGGREGATED)

    assert core["versions"] == ["v1"]
    assert groups["autoscaling"]["preferredVersion"] == {"groupVersion": "autoscaling/v2", "version": "v2"}
    assert {"apps", "metrics.k8s.io", "authorization.k8s.io"} <= groups.keys()
    assert aggregated.headers["Content-Type"].endswith("as=APIGroupDiscoveryList")
    assert {item["metadata"]["name"] for item in aggregated.json["items"]} == groups.keys()
    assert (await server.get("/apis/apps")).json["versions"] == [{"groupVersion": "apps/v1", "version": "v1"}]


async def test_subresources_name_their_own_kinds(server: Server) -> None:
    listed = {entry["name"]: entry for entry in (await server.get("/api/v1")).json["resources"]}
    apps = {entry["name"]: entry for entry in (await server.get("/apis/apps/v1")).json["resources"]}

    assert listed["pods"]["shortNames"] == ["po"]
    assert (listed["pods/eviction"]["kind"], listed["pods/eviction"]["group"]) == ("Eviction", "policy")
    assert listed["pods/exec"]["kind"] == "PodExecOptions"
    assert listed["services/proxy"]["kind"] == "ServiceProxyOptions"
    assert (apps["deployments/scale"]["kind"], apps["deployments/scale"]["version"]) == ("Scale", "v1")
    assert apps["deployments/status"]["kind"] == "Deployment"


async def test_what_cannot_be_written_says_so(server: Server) -> None:
    metrics = (await server.get("/apis/metrics.k8s.io/v1beta1")).json["resources"]
    reviews = (await server.get("/apis/authorization.k8s.io/v1")).json["resources"]

    assert {tuple(entry["verbs"]) for entry in metrics} == {("get", "list")}
    assert {tuple(entry["verbs"]) for entry in reviews} == {("create",)}


async def test_custom_resources_appear_and_disappear(server: Server) -> None:
    assert (await server.get("/apis/example.org")).code == 404
    server.objects.create(DEFINITIONS, "", definition())
    group = (await server.get("/apis/example.org/v1")).json
    document = (await server.get("/openapi/v3/apis/example.org/v1")).json
    index = (await server.get("/openapi/v3")).json

    assert [entry["name"] for entry in group["resources"]] == ["widgets", "widgets/scale", "widgets/status"]
    assert "/apis/example.org/v1/namespaces/{namespace}/widgets" in document["paths"]
    assert "apis/example.org/v1" in index["paths"]

    server.objects.delete(DEFINITIONS, "", "widgets.example.org")
    assert (await server.get("/apis/example.org/v1")).code == 404
    assert (await server.get("/apis/example.org/v1/namespaces/default/widgets")).code == 404


async def test_openapi_v2_is_json_or_protobuf(server: Server) -> None:
    assert (await server.get("/openapi/v2")).json["swagger"] == "2.0"
    protobuf = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    assert (await server.get("/openapi/v2", accept=protobuf)).code == 200
    assert (await server.get("/openapi/v2", accept="application/yaml")).code == 406


async def test_the_version_is_told_in_parts(server: Server) -> None:
    version = (await server.get("/version")).json

    assert (version["major"], version["minor"]) == ("1", "37")
    assert version["gitVersion"].startswith("v1.37.")


def test_documents_are_made_once_for_each_state_of_the_registry() -> None:
    registry = Registry()
    discovery = Discovery(registry)
    first = discovery.resource_list("apps", "v1")

    assert discovery.resource_list("apps", "v1") is first
    removed = registry.find("apps", "v1", "daemonsets")
    assert removed is not None
    registry.remove(removed)
    assert b"daemonsets" not in discovery.resource_list("apps", "v1")
