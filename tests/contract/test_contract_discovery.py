import pytest

from tests.contract.api import Api

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


@pytest.mark.probe("disc.api")
async def test_the_core_version_is_listed(api: Api) -> None:
    listed = (await api.get("/api")).expect(200)

    assert (listed["kind"], listed["versions"]) == ("APIVersions", ["v1"])


@pytest.mark.probe("disc.apis")
async def test_the_groups_that_the_platform_needs_are_listed(api: Api) -> None:
    groups = {group["name"] for group in (await api.get("/apis")).expect(200)["groups"]}

    assert {"apps", "autoscaling", "policy", "coordination.k8s.io", "discovery.k8s.io"} <= groups


@pytest.mark.probe("disc.aggregated")
async def test_everything_is_told_in_one_document(api: Api) -> None:
    answer = await api.get("/apis", accept=AGGREGATED)

    assert answer.expect(200)["kind"] == "APIGroupDiscoveryList"
    assert "as=APIGroupDiscoveryList" in answer.headers["Content-Type"]


@pytest.mark.probe("disc.openapi_v2")
async def test_openapi_v2_has_definitions(api: Api) -> None:
    document = (await api.get("/openapi/v2")).expect(200)

    assert document["swagger"] == "2.0"
    assert "io.k8s.api.apps.v1.Deployment" in document["definitions"]


@pytest.mark.probe("disc.openapi_v3")
async def test_openapi_v3_has_a_document_for_each_version(api: Api) -> None:
    paths = (await api.get("/openapi/v3")).expect(200)["paths"]
    assert {"api/v1", "apis/apps/v1"} <= paths.keys()

    document = (await api.get(paths["apis/apps/v1"]["serverRelativeURL"])).expect(200)
    assert document["openapi"].startswith("3.")


@pytest.mark.probe("disc.version")
async def test_the_version_is_told(api: Api) -> None:
    version = (await api.get("/version")).expect(200)

    assert version["gitVersion"].startswith(f"v{version['major']}.")


@pytest.mark.probe("disc.healthz_readyz")
@pytest.mark.parametrize("paths", [("/healthz", "/readyz", "/livez")])
async def test_it_says_that_it_is_healthy(api: Api, paths: tuple[str, ...]) -> None:
    for path in paths:
        assert (await api.get(path, accept="*/*")).code == 200
