import pytest

from tests.contract.api import TABLE, Api
from tests.contract.bodies import config_map, names, pod
from tests.contract.cluster import Cluster
from tests.contract.conftest import connected

LABELS = {"app": "listed"}


@pytest.fixture(autouse=True)
async def listed(cluster: Cluster, core: str, absent_node: str) -> None:
    """Five pods that nothing ever schedules; one of them names a node that is not there."""
    async with connected(cluster) as client:
        for number in range(5):
            labels = {**LABELS, "i": str(number), **({"odd": "1"} if number % 2 else {})}
            node = {"nodeName": absent_node} if number == 3 else {"schedulerName": "nobody"}
            answer = await client.post(f"{core}/pods", pod(f"l{number}", labels, **node))
            assert answer.code in (201, 409)


async def pods(api: Api, core: str, **query: str) -> list[str]:
    return names((await api.get(f"{core}/pods", **query)).expect(200))


@pytest.mark.probe("list.kind_and_rv")
async def test_a_list_names_its_kind_and_version(api: Api, core: str) -> None:
    listed = (await api.get(f"{core}/pods")).expect(200)

    assert listed["kind"] == "PodList"
    assert listed["metadata"]["resourceVersion"].isdigit()


@pytest.mark.probe("list.label_eq_ne")
async def test_labels_select_by_equality(api: Api, core: str) -> None:
    assert await pods(api, core, labelSelector="app=listed,i!=0,i!=3") == ["l1", "l2", "l4"]


@pytest.mark.probe("list.label_set_based")
async def test_labels_select_by_sets(api: Api, core: str) -> None:
    assert await pods(api, core, labelSelector="i in (1,2),app=listed") == ["l1", "l2"]
    assert await pods(api, core, labelSelector="app=listed,!odd") == ["l0", "l2", "l4"]
    assert await pods(api, core, labelSelector="i notin (0,2,3,4),odd") == ["l1"]


@pytest.mark.probe("list.field_selectors")
async def test_fields_select(api: Api, core: str, absent_node: str) -> None:
    assert await pods(api, core, fieldSelector="metadata.name=l2") == ["l2"]
    assert await pods(api, core, fieldSelector=f"spec.nodeName={absent_node}") == ["l3"]
    assert await pods(api, core, fieldSelector="status.phase=Failed", labelSelector="app=listed") == []


@pytest.mark.probe("list.field_selector_bad_400")
async def test_an_unknown_field_is_a_bad_request(api: Api, core: str) -> None:
    assert (await api.get(f"{core}/pods", fieldSelector="spec.bogus=1")).code == 400


@pytest.mark.probe("list.limit_continue")
async def test_pages_follow_each_other(api: Api, core: str) -> None:
    page = (await api.get(f"{core}/pods", labelSelector="app=listed,i!=3", limit="3")).expect(200)
    assert len(page["items"]) == 3
    rest = (
        await api.get(
            f"{core}/pods", labelSelector="app=listed,i!=3", limit="3", **{"continue": page["metadata"]["continue"]}
        )
    ).expect(200)

    assert names(page) + names(rest) == ["l0", "l1", "l2", "l4"]
    assert "continue" not in rest["metadata"]


@pytest.mark.probe("list.continue_expired_410")
async def test_a_made_up_page_is_refused(api: Api, core: str) -> None:
    assert (await api.get(f"{core}/pods", limit="1", **{"continue": "bogus"})).code in (400, 410)


@pytest.mark.probe("list.all_namespaces")
async def test_all_namespaces_are_listed_together(api: Api) -> None:
    assert {"l0", "l1", "l2", "l4"} <= set(
        names((await api.get("/api/v1/pods", labelSelector="app=listed")).expect(200))
    )


@pytest.mark.probe("table.pods")
async def test_a_table_of_pods(api: Api, core: str) -> None:
    table = (await api.get(f"{core}/pods", accept=f"{TABLE},application/json")).expect(200)

    assert table["kind"] == "Table"
    assert [column["name"] for column in table["columnDefinitions"]][:5] == [
        "Name",
        "Ready",
        "Status",
        "Restarts",
        "Age",
    ]


@pytest.mark.probe("table.watch")
async def test_a_watch_of_a_table(api: Api, core: str) -> None:
    async with api.watch(f"{core}/pods", accept=TABLE, timeoutSeconds="2") as watch:
        assert (await watch.next())["object"]["kind"] == "Table"


@pytest.mark.probe("partialmetadata.list")
async def test_metadata_alone(api: Api, core: str) -> None:
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    listed = (await api.get(f"{core}/pods", accept=accept)).expect(200)

    assert listed["kind"] == "PartialObjectMetadataList"
    assert "spec" not in listed["items"][0]


@pytest.mark.probe("deletecollection")
async def test_a_selection_is_deleted_together(api: Api, core: str) -> None:
    for number in range(3):
        await api.post(f"{core}/configmaps", config_map(f"dc{number}", labels={"dc": "1"}))
    (await api.delete(f"{core}/configmaps", labelSelector="dc=1")).expect(200)

    assert (await api.get(f"{core}/configmaps", labelSelector="dc=1")).expect(200)["items"] == []
