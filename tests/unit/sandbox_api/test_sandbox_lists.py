"""Lists and watches over HTTP."""

import asyncio
import base64
from typing import Any

import aiohttp
import pytest

from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.api.watching import next_bookmark
from selfheal_sandbox.store.objects import Object
from tests.contract.api import TABLE
from tests.unit.sandbox_api.bodies import CONFIG_MAPS, PODS, config_map, pod
from tests.unit.sandbox_api.conftest import DEADLINE_SECONDS, Server, serving
from tests.unit.sandbox_api.fakes import make_objects

CORE = "/api/v1/namespaces/default"
MAPS = f"{CORE}/configmaps"
QUEUE_LIMIT = 8


def fill(objects: Objects, *names: str, namespace: str = "default", **metadata: Any) -> None:
    for name in names:
        objects.create(CONFIG_MAPS, namespace, config_map(name, **metadata))


def change(objects: Objects, name: str, value: str = "2", **labels: str) -> None:
    def mutate(old: Object) -> Object:
        return {**old, "metadata": {**old["metadata"], "labels": labels}, "data": {"a": value}}

    objects.update(CONFIG_MAPS, "default", name, mutate)


def names(body: Object) -> list[str]:
    return [item["metadata"]["name"] for item in body["items"]]


def seen(line: Object) -> tuple[str, str]:
    return line["type"], line["object"]["metadata"].get("name", "")


async def test_a_list_names_its_kind_and_its_revision(server: Server) -> None:
    fill(server.objects, "a", "b")
    body = (await server.get(MAPS)).json

    assert (body["kind"], body["apiVersion"], names(body)) == ("ConfigMapList", "v1", ["a", "b"])
    assert body["metadata"] == {"resourceVersion": str(server.objects.store.revision)}


async def test_lists_cover_one_namespace_or_all(server: Server) -> None:
    fill(server.objects, "a")
    fill(server.objects, "b", namespace="kube-system")

    assert names((await server.get(MAPS)).json) == ["a"]
    assert names((await server.get("/api/v1/configmaps")).json) == ["a", "b"]
    assert names((await server.get("/api/v1/configmaps", fieldSelector="metadata.namespace=kube-system")).json) == ["b"]


async def test_pages_show_the_state_at_the_first_page(server: Server) -> None:
    fill(server.objects, "a", "b", "c", "d", "e")
    first = (await server.get(MAPS, limit="2")).json
    assert (names(first), first["metadata"]["remainingItemCount"]) == (["a", "b"], 3)

    fill(server.objects, "bb")
    server.objects.delete(CONFIG_MAPS, "default", "d")
    second = (await server.get(MAPS, limit="2", **{"continue": first["metadata"]["continue"]})).json
    third = (await server.get(MAPS, limit="2", **{"continue": second["metadata"]["continue"]})).json

    assert (names(second), names(third)) == (["c", "d"], ["e"])
    assert third["metadata"] == {"resourceVersion": first["metadata"]["resourceVersion"]}


async def test_a_page_that_goes_on_is_of_no_other_version(server: Server) -> None:
    fill(server.objects, "a", "b")
    metadata = (await server.get(MAPS, limit="1")).json["metadata"]
    query = {"limit": "1", "continue": metadata["continue"]}
    answer = await server.get(MAPS, resourceVersion=metadata["resourceVersion"], **query)

    assert (answer.code, answer.json["message"]) == (
        400,
        "specifying resource version is not allowed when using continue",
    )
    assert names((await server.get(MAPS, resourceVersion="0", **query)).json) == ["b"]


async def test_every_problem_of_the_options_is_told(server: Server) -> None:
    answer = await server.get(MAPS, resourceVersionMatch="Odd", sendInitialEvents="true", **{"continue": "x"})

    assert [(each["field"], each["reason"]) for each in answer.json["details"]["causes"]] == [
        ("resourceVersionMatch", "FieldValueForbidden"),
        ("resourceVersionMatch", "FieldValueForbidden"),
        ("resourceVersionMatch", "FieldValueNotSupported"),
        ("sendInitialEvents", "FieldValueForbidden"),
    ]


@pytest.mark.parametrize(
    ("query", "shown", "goes_on"),
    [
        ({"labelSelector": "app=a", "limit": "2"}, ["a", "b"], True),
        ({"labelSelector": "app=a", "limit": "3"}, ["a", "b"], False),
        ({"labelSelector": "app=b", "limit": "1"}, ["c"], False),
        ({"fieldSelector": "metadata.name=b", "limit": "1"}, ["b"], False),
        ({"fieldSelector": "metadata.name!=b", "limit": "1"}, ["a"], True),
        ({"limit": "2", "resourceVersion": "0"}, ["a", "b", "c"], False),
    ],
)
async def test_a_full_page_goes_on_while_anything_is_stored_after_it(
    server: Server, query: dict[str, str], shown: list[str], goes_on: bool
) -> None:
    fill(server.objects, "a", "b", labels={"app": "a"})
    fill(server.objects, "c", labels={"app": "b"})
    body = (await server.get(MAPS, **query)).json

    assert (names(body), "continue" in body["metadata"]) == (shown, goes_on)


async def test_a_page_of_a_forgotten_state_is_410() -> None:
    async with serving(make_objects(history_limit=5, watch_queue_limit=QUEUE_LIMIT)) as server:
        fill(server.objects, "a", "b", "c")
        page = (await server.get(MAPS, limit="1")).json
        fill(server.objects, *(f"x{number}" for number in range(6)))
        answer = await server.get(MAPS, **{"continue": page["metadata"]["continue"]})

    assert (answer.code, answer.json["reason"]) == (410, "Expired")


@pytest.mark.parametrize(
    "token", ["bogus", "%%%", "ü", base64.urlsafe_b64encode(b"{}").decode(), base64.urlsafe_b64encode(b"[1]").decode()]
)
async def test_tokens_we_never_gave_out_are_refused(server: Server, token: str) -> None:
    assert (await server.get(MAPS, **{"continue": token})).code == 400


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"resourceVersion": "x"}, 400),
        ({"resourceVersion": "-1"}, 400),
        ({"resourceVersion": "999999"}, 504),
        ({"resourceVersion": "1", "resourceVersionMatch": "Exact"}, 410),
        ({"resourceVersion": "0", "resourceVersionMatch": "Exact"}, 422),
        ({"resourceVersion": "1", "resourceVersionMatch": "Roughly"}, 422),
        ({"resourceVersionMatch": "Exact"}, 422),
        ({"sendInitialEvents": "true"}, 422),
        ({"limit": "many"}, 400),
        ({"limit": "many", "resourceVersionMatch": "Exact"}, 400),
        ({"labelSelector": "a b", "resourceVersionMatch": "Exact"}, 400),
        ({"fieldSelector": "data.a=1", "resourceVersionMatch": "Exact"}, 422),
        ({"continue": "x", "resourceVersion": "1", "resourceVersionMatch": "NotOlderThan"}, 422),
        ({"labelSelector": "a=b=c"}, 400),
        ({"fieldSelector": "data.a=1"}, 400),
        ({"resourceVersion": "0"}, 200),
        ({"resourceVersion": "1", "resourceVersionMatch": "NotOlderThan"}, 200),
        ({"limit": "-1"}, 200),
    ],
)
async def test_list_options(server: Server, query: dict[str, str], code: int) -> None:
    answer = await server.get(MAPS, **query)

    assert answer.code == code
    assert answer.json["kind"] == ("ConfigMapList" if code == 200 else "Status")


async def test_an_exact_revision_shows_the_past(server: Server) -> None:
    fill(server.objects, "a")
    then = str(server.objects.store.revision)
    fill(server.objects, "b")

    assert names((await server.get(MAPS, resourceVersion=then, resourceVersionMatch="Exact")).json) == ["a"]


async def test_a_table_has_columns_and_a_row_for_each_object(server: Server) -> None:
    server.objects.create(PODS, "default", pod("p"))
    table = (await server.get(f"{CORE}/pods", accept=TABLE)).json
    (row,) = table["rows"]

    assert [column["name"] for column in table["columnDefinitions"]][:3] == ["Name", "Ready", "Status"]
    assert row["cells"][:3] == ["p", "0/1", "Pending"]
    assert (row["object"]["kind"], "spec" in row["object"]) == ("PartialObjectMetadata", False)


async def test_metadata_of_a_list(server: Server) -> None:
    fill(server.objects, "a")
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    body = (await server.get(MAPS, accept=accept)).json

    assert body["kind"] == "PartialObjectMetadataList"
    assert sorted(body["items"][0]) == ["apiVersion", "kind", "metadata"]


async def test_a_watch_resumes_after_a_revision(server: Server) -> None:
    fill(server.objects, "a")
    revision = str(server.objects.store.revision)
    fill(server.objects, "b")
    async with server.watch(MAPS, resourceVersion=revision) as watch:
        assert seen(await watch.next()) == ("ADDED", "b")
        change(server.objects, "b")
        assert seen(await watch.next()) == ("MODIFIED", "b")
        server.objects.delete(CONFIG_MAPS, "default", "b")
        last = await watch.next()

    assert seen(last) == ("DELETED", "b")
    assert last["object"]["metadata"]["resourceVersion"] == str(server.objects.store.revision)


@pytest.mark.parametrize("revision", ["", "0"])
async def test_a_watch_from_nowhere_begins_with_what_there_is(server: Server, revision: str) -> None:
    fill(server.objects, "a", "b")
    async with server.watch(MAPS, resourceVersion=revision) as watch:
        fill(server.objects, "c")
        lines = [await watch.next() for _ in range(3)]

    assert [seen(line) for line in lines] == [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c")]


async def test_objects_enter_and_leave_the_sight_of_a_selector(server: Server) -> None:
    fill(server.objects, "a", labels={"color": "blue"})
    revision = str(server.objects.store.revision)
    async with server.watch(MAPS, resourceVersion=revision, labelSelector="color=red") as watch:
        for color in ("red", "red", "blue", "green", "red"):
            change(server.objects, "a", value=color + str(server.objects.store.revision), color=color)
        server.objects.delete(CONFIG_MAPS, "default", "a")
        lines = [await watch.next() for _ in range(5)]

    assert [line["type"] for line in lines] == ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]
    revisions = [int(line["object"]["metadata"]["resourceVersion"]) for line in lines]
    assert revisions == sorted(revisions)
    assert lines[2]["object"]["metadata"]["labels"] == {"color": "red"}


async def test_one_object_is_watched_by_its_path_or_its_name(server: Server) -> None:
    revision = str(server.objects.store.revision)
    async with (
        server.watch(f"{MAPS}/b", resourceVersion=revision) as by_path,
        server.watch(MAPS, resourceVersion=revision, fieldSelector="metadata.name=b") as by_name,
        server.watch("/api/v1/watch/namespaces/default/configmaps/b", resourceVersion=revision) as by_old_path,
    ):
        fill(server.objects, "a", "b")
        for watch in (by_path, by_name, by_old_path):
            assert seen(await watch.next()) == ("ADDED", "b")


async def test_a_watch_ends_after_its_time(server: Server) -> None:
    revision = str(server.objects.store.revision)
    async with server.watch(MAPS, resourceVersion=revision, timeoutSeconds="1", allowWatchBookmarks="true") as watch:
        assert await watch.rest() == []


async def test_bookmarks_tell_how_far_a_client_has_seen() -> None:
    async with serving(bookmark_seconds=0.05) as server:
        revision = str(server.objects.store.revision)
        async with server.watch(MAPS, resourceVersion=revision, allowWatchBookmarks="true") as watch:
            server.objects.create(PODS, "default", pod("p"))
            line = await watch.next()
        async with server.watch(MAPS, accept=TABLE, resourceVersion=revision, allowWatchBookmarks="true") as watch:
            table = await watch.next()

    assert (line["type"], line["object"]["kind"]) == ("BOOKMARK", "ConfigMap")
    assert line["object"]["metadata"]["resourceVersion"] == str(server.objects.store.revision)
    assert table["object"]["kind"] == "Table"


def test_bookmarks_come_regularly_and_once_shortly_before_the_end() -> None:
    assert next_bookmark(now=0.0, end=100.0, interval_seconds=10.0) == 10.0
    assert next_bookmark(now=95.0, end=100.0, interval_seconds=10.0) == 98.0
    assert next_bookmark(now=98.0, end=100.0, interval_seconds=10.0) == 108.0


async def test_initial_events_end_with_a_marked_bookmark(server: Server) -> None:
    fill(server.objects, "a", "b")
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    async with server.watch(MAPS, **query) as watch:
        lines = [await watch.next() for _ in range(3)]
        fill(server.objects, "c")
        assert seen(await watch.next()) == ("ADDED", "c")

    assert [seen(line) for line in lines[:2]] == [("ADDED", "a"), ("ADDED", "b")]
    assert lines[2]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_client_may_ask_for_no_initial_events(server: Server) -> None:
    fill(server.objects, "a")
    async with server.watch(MAPS, sendInitialEvents="false", resourceVersionMatch="NotOlderThan") as watch:
        fill(server.objects, "b")
        assert seen(await watch.next()) == ("ADDED", "b")


async def test_a_forgotten_revision_is_an_error_event(server: Server) -> None:
    fill(server.objects, "a")
    async with server.watch(MAPS, resourceVersion="1") as watch:
        (line,) = await watch.rest()

    assert (line["type"], line["object"]["code"], line["object"]["reason"]) == ("ERROR", 410, "Expired")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"resourceVersion": "x"}, 500),
        ({"resourceVersion": "999999"}, 504),
        ({"timeoutSeconds": "soon"}, 400),
        ({"sendInitialEvents": "true"}, 422),
        ({"resourceVersionMatch": "NotOlderThan"}, 422),
        ({"fieldSelector": "data.a=1"}, 400),
    ],
)
async def test_watch_options_are_refused_before_the_stream(server: Server, query: dict[str, str], code: int) -> None:
    answer = await server.get(MAPS, watch="1", **query)

    assert (answer.code, answer.json["kind"]) == (code, "Status")


async def test_a_watch_of_a_table_sends_its_columns_once(server: Server) -> None:
    fill(server.objects, "a", "b")
    async with server.watch(MAPS, accept=TABLE) as watch:
        first, second = await watch.next(), await watch.next()

    assert first["object"]["columnDefinitions"][0]["name"] == "Name"
    assert second["object"]["columnDefinitions"] is None
    assert second["object"]["rows"][0]["cells"][0] == "b"


async def test_events_are_watched_in_either_version(server: Server) -> None:
    subject = server.objects.create(PODS, "default", pod("p"))
    async with server.watch("/apis/events.k8s.io/v1/namespaces/default/events") as watch:
        server.objects.record_event(subject, "Pulled", "image is there", component="kubelet")
        line = await watch.next()

    assert line["object"]["apiVersion"] == "events.k8s.io/v1"
    assert (line["object"]["note"], line["object"]["regarding"]["name"]) == ("image is there", "p")


async def test_a_client_that_does_not_keep_up_is_cut() -> None:
    async with serving(make_objects(history_limit=5, watch_queue_limit=QUEUE_LIMIT)) as server:
        async with server.watch(MAPS, resourceVersion=str(server.objects.store.revision)) as watch:
            fill(server.objects, *(f"x{number}" for number in range(QUEUE_LIMIT + 1)))
            with pytest.raises(aiohttp.ClientPayloadError):
                await watch.rest()
        await no_watchers(server)


async def no_watchers(server: Server) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while server.objects.store.watchers(CONFIG_MAPS):
            await asyncio.sleep(0.01)


async def test_a_client_that_leaves_is_forgotten(server: Server) -> None:
    async with server.watch(MAPS) as watch:
        fill(server.objects, "a")
        await watch.next()
        assert server.objects.store.watchers(CONFIG_MAPS) == 1
        watch.response.close()

    await no_watchers(server)
