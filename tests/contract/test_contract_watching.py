import asyncio
import time

import pytest

from tests.contract.api import MERGE_PATCH, Api, leave
from tests.contract.bodies import config_map, pod
from tests.contract.cluster import Cluster


async def version(api: Api, path: str) -> str:
    return str((await api.get(path)).expect(200)["metadata"]["resourceVersion"])


@pytest.mark.probe("watch.from_rv")
async def test_a_watch_tells_what_happened_since_a_version(api: Api, core: str) -> None:
    path = f"{core}/configmaps"
    since = await version(api, path)
    await api.post(path, config_map("w1"))
    async with api.watch(path, resourceVersion=since, timeoutSeconds="20") as watch:
        first = await watch.next()
        await api.patch(f"{path}/w1", {"data": {"a": "9"}}, MERGE_PATCH)
        second = await watch.next()
        await api.delete(f"{path}/w1")
        third = await watch.next()

    assert [(line["type"], line["object"]["metadata"]["name"]) for line in (first, second, third)] == [
        ("ADDED", "w1"),
        ("MODIFIED", "w1"),
        ("DELETED", "w1"),
    ]
    assert int(third["object"]["metadata"]["resourceVersion"]) > int(since)


@pytest.mark.probe("watch.selector_transition")
async def test_an_object_enters_and_leaves_the_sight_of_a_selector(api: Api, core: str) -> None:
    path = f"{core}/configmaps"
    await api.post(path, config_map("ws", labels={"k": "v"}))
    since = await version(api, path)
    async with api.watch(path, resourceVersion=since, labelSelector="k=v", timeoutSeconds="20") as watch:
        await api.patch(f"{path}/ws", {"metadata": {"labels": {"k": "other"}}}, MERGE_PATCH)
        assert (await watch.next())["type"] == "DELETED"
        await api.patch(f"{path}/ws", {"metadata": {"labels": {"k": "v"}}}, MERGE_PATCH)
        assert (await watch.next())["type"] == "ADDED"


@pytest.mark.probe("watch.410_gone")
async def test_a_forgotten_version_is_gone(api: Api, core: str, cluster: Cluster) -> None:
    query = {"watch": "true", "resourceVersion": "1", "timeoutSeconds": "2"}
    async with api.session.get(api.url + f"{core}/configmaps", params=query) as response:
        if response.status == 410:
            return
        async with asyncio.timeout(10):
            line = (await response.content.readline()).decode()
        leave(response)

    if cluster.forgets or '"ADDED"' not in line:
        assert '"ERROR"' in line
        assert '"code":410' in line


@pytest.mark.probe("watch.bookmarks")
async def test_bookmarks_come_to_those_who_allow_them(api: Api, core: str) -> None:
    path = f"{core}/configmaps"
    since = await version(api, path)
    # A server sends one about once a minute, and one shortly before a watch ends, of what has happened since it began.
    query = {"resourceVersion": since, "allowWatchBookmarks": "true", "timeoutSeconds": "5"}
    async with api.watch(path, **query) as watch:
        added = (await api.post(path, config_map("bookmarked"))).expect(201)
        line = await watch.until("BOOKMARK")

    assert line["object"]["kind"] == "ConfigMap"
    assert int(line["object"]["metadata"]["resourceVersion"]) >= int(added["metadata"]["resourceVersion"])


@pytest.mark.probe("watch.sendInitialEvents")
async def test_initial_events_end_with_a_marked_bookmark(api: Api, core: str) -> None:
    await api.post(f"{core}/pods", pod("initial", {"app": "initial"}, schedulerName="nobody"))
    query = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
        "labelSelector": "app=initial",
        "timeoutSeconds": "20",
    }
    async with api.watch(f"{core}/pods", **query) as watch:
        first, second = await watch.next(), await watch.next()

    assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "initial")
    assert second["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"


@pytest.mark.probe("watch.timeoutSeconds")
async def test_a_watch_ends_after_its_time(api: Api, core: str) -> None:
    path = f"{core}/configmaps"
    began = time.monotonic()
    async with api.watch(path, resourceVersion=await version(api, path), timeoutSeconds="1") as watch:
        await watch.rest(deadline_seconds=6)

    assert 0.9 < time.monotonic() - began < 5


@pytest.mark.probe("watch.single_name_field")
async def test_one_object_is_watched_by_name(api: Api, core: str) -> None:
    path = f"{core}/configmaps"
    query = {"resourceVersion": await version(api, path), "fieldSelector": "metadata.name=wz", "timeoutSeconds": "20"}
    async with api.watch(path, **query) as watch:
        await api.post(path, config_map("wy"))
        await api.post(path, config_map("wz"))
        line = await watch.until("ADDED")

    assert line["object"]["metadata"]["name"] == "wz"
