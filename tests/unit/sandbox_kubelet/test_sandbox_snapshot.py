"""Snapshots of the store: the file, how it is written, and what becomes of objects whose cluster was off."""

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from selfheal_sandbox import private_file
from selfheal_sandbox.controllers.keys import LEASES, NODES, PODS, SERVICES
from selfheal_sandbox.controllers.node_status import SANDBOX_NODE
from selfheal_sandbox.reboot import EVENT_LIMIT, REVISION_GAP, after_reboot
from selfheal_sandbox.snapshots import SnapshotWriter, load
from selfheal_sandbox.state import StateError
from selfheal_sandbox.store.objects import Key, Object, condition, now_rfc3339
from selfheal_sandbox.store.snapshot import FORMAT, Snapshot, SnapshotError, read, take
from selfheal_sandbox.store.store import ExpiredError, Store

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BEFORE = "2026-01-02T03:00:00Z"
NETWORK = "127.64.0.0/16"
CONFIG_MAPS: Key = ("", "configmaps")


def named(name: str, namespace: str = "default", **more: Any) -> Object:
    return {"metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}"}, **more}


@pytest.fixture
def store() -> Store:
    store = Store()
    store.put(CONFIG_MAPS, named("a", data={"text": "line\n\u2028 and \x7f"}))
    store.put(("apps", "deployments"), named("web", spec={"replicas": 2}))
    store.put(CONFIG_MAPS, named("gone"))
    store.remove(CONFIG_MAPS, "default", "gone")
    return store


# The file.


def test_what_was_written_is_read(store: Store) -> None:
    found = read(take(store, BEFORE, NETWORK).to_bytes())

    assert (found.revision, found.written, found.network) == (store.revision, BEFORE, NETWORK)
    assert dict(found.objects) == {
        CONFIG_MAPS: store.get(CONFIG_MAPS, "default", "a"),
        ("apps", "deployments"): store.get(("apps", "deployments"), "default", "web"),
    }


def test_an_empty_store_has_a_snapshot() -> None:
    assert read(take(Store(), BEFORE, NETWORK).to_bytes()).objects == ()


def changed_header(data: bytes, **fields: Any) -> bytes:
    header, _, body = data.partition(b"\n")
    return json.dumps({**json.loads(header), **fields}).encode() + b"\n" + body


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda data: data[:-10], "cut off or was changed"),
        (lambda data: data.replace(b'"replicas":2', b'"replicas":9'), "cut off or was changed"),
        (lambda data: b"", "no snapshot"),
        (lambda data: b"\x00\xff\n", "no snapshot"),
        (lambda data: b"apiVersion: v1\n", "no snapshot"),
        (lambda data: changed_header(data, format=FORMAT + 1), "format 2, and this version reads up to 1"),
        (lambda data: changed_header(data, revision="x"), "no snapshot"),
        (lambda data: changed_header(data, objects=5), "holds 2 objects of 5"),
        (lambda data: changed_header(data, revision=1), "holds 0 objects of 2"),
    ],
)
def test_a_broken_or_newer_file_is_refused(store: Store, broken: Any, message: str) -> None:
    with pytest.raises(SnapshotError, match=message):
        read(broken(take(store, BEFORE, NETWORK).to_bytes()))


def test_a_refusal_says_what_to_type(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    assert load(path, "default") is None
    path.write_bytes(b"{}\n")

    with pytest.raises(StateError) as refused:
        load(path, "game-day")

    assert str(path) in str(refused.value)
    assert str(refused.value).endswith(
        "start without it, which overwrites it: selfheal-sandbox up --name game-day --fresh"
    )


def test_revisions_go_on_upward_and_older_watches_are_refused(store: Store) -> None:
    found = read(take(store, BEFORE, NETWORK).to_bytes())
    again = Store()
    again.restore(found.revision + 50, found.objects)

    assert again.list(CONFIG_MAPS) == store.list(CONFIG_MAPS)
    with pytest.raises(ExpiredError):
        again.changes_since(CONFIG_MAPS, found.revision)
    written = again.put(CONFIG_MAPS, named("new"))
    assert int(written["metadata"]["resourceVersion"]) == store.revision + 51


# How it is written.


async def test_the_file_follows_the_store(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "snapshot"

    async def written(count: int) -> str:
        async with asyncio.timeout(5):
            while writer.writes < count:
                await asyncio.sleep(0.005)
        return path.read_text()

    async with SnapshotWriter(store, path, lambda: NOW, NETWORK, pause_seconds=0.01) as writer:
        assert '"name":"a"' in await written(1)
        store.put(CONFIG_MAPS, named("later"))
        assert '"name":"later"' in await written(2)
        store.put(LEASES, named("renewed"))
        await asyncio.sleep(0.05)
        assert writer.writes == 2  # a renewal alone is not worth a write

    assert '"name":"renewed"' in path.read_text()  # but the end is
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["snapshot"]


async def test_a_file_that_cannot_be_written_stops_nothing(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "snapshot"
    path.mkdir()

    async with SnapshotWriter(store, path, lambda: NOW, NETWORK) as writer:
        pass

    assert (writer.errors > 0, writer.writes) == (True, 0)
    assert os.listdir(tmp_path) == ["snapshot"]


def test_the_old_content_stays_until_the_new_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    private_file.write(path, b"old")
    reader = path.open("rb")

    private_file.write(path, b"new")

    with reader:
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"


# What the objects are after a reboot.

CONTAINER = {"name": "main", "image": "busybox", "restartCount": 2, "ready": True, "started": True}
RUNNING = {**CONTAINER, "containerID": "process://1", "state": {"running": {"startedAt": BEFORE}}}
READY = [{"type": name, "status": "True", "lastTransitionTime": BEFORE} for name in ("Ready", "PodScheduled")]


def running_pod(name: str = "web", **status: Any) -> Object:
    told = {"phase": "Running", "podIP": "127.64.0.5", "conditions": READY, "containerStatuses": [RUNNING], **status}
    return named(name, spec={"nodeName": "node-1"}, status=told)


def node(name: str) -> Object:
    return {"metadata": {"name": name, "labels": {SANDBOX_NODE: "true"}}}


def restarted(*objects: tuple[Key, Object], nodes: tuple[str, ...] = ("node-1",)) -> dict[str, Object]:
    """What is left of objects, by name."""
    given = [(NODES, node("node-1")), *objects]
    numbered = [
        (key, {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(number)}})
        for number, (key, obj) in enumerate(given, 1)
    ]
    snapshot = Snapshot(len(numbered), BEFORE, NETWORK, tuple(numbered))
    found = after_reboot(snapshot, NOW, IPv4Network("127.70.0.0/16"), nodes)
    assert found.revision == len(numbered) + REVISION_GAP
    return {obj["metadata"]["name"]: obj for _, obj in found.objects}


def test_a_running_pod_stays_but_nothing_of_it_runs() -> None:
    pod = restarted((PODS, running_pod()))["web"]

    assert pod["metadata"]["uid"] == "uid-web"
    assert "podIP" not in pod["status"]
    assert (condition(pod, "Ready") or {})["status"] == "False"
    assert condition(pod, "PodScheduled") == READY[1] | {}
    [container] = pod["status"]["containerStatuses"]
    assert (container["ready"], container["restartCount"]) == (False, 2)
    assert container["state"]["terminated"] == {
        "exitCode": 255,
        "reason": "Unknown",
        "startedAt": BEFORE,
        "finishedAt": now_rfc3339(NOW),
        "containerID": "process://1",
    }


def test_pods_that_ended_wait_or_run_elsewhere_are_as_they_were() -> None:
    done = running_pod("done", phase="Succeeded")
    waits = named("waits", spec={}, status={"phase": "Pending"})
    elsewhere = {**running_pod("elsewhere"), "spec": {"nodeName": "made-up"}}

    found = restarted((PODS, done), (PODS, waits), (PODS, elsewhere))

    for pod in (done, waits, elsewhere):
        assert found[pod["metadata"]["name"]]["status"] == pod["status"]


def test_a_pod_that_was_being_deleted_is_gone_unless_a_finalizer_keeps_it() -> None:
    leaving, kept = running_pod("leaving"), running_pod("kept")
    leaving["metadata"]["deletionTimestamp"] = BEFORE
    kept["metadata"] |= {"deletionTimestamp": BEFORE, "finalizers": ["example.com/hold"]}

    found = restarted((PODS, leaving), (PODS, kept))

    assert set(found) == {"node-1", "kept"}
    assert found["kept"]["metadata"]["deletionGracePeriodSeconds"] == 0  # no kubelet has to stop it


def test_leases_have_no_holder_but_those_of_nodes_stay() -> None:
    spec = {"holderIdentity": "healerd-0", "leaseDurationSeconds": 15, "renewTime": BEFORE}

    found = restarted((LEASES, named("healerd", spec=spec)), (LEASES, named("node-2", "kube-node-lease", spec=spec)))

    assert found["healerd"]["spec"] == {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": BEFORE}
    assert found["node-2"]["spec"] == spec


def test_services_move_to_the_new_range() -> None:
    web = named("web", spec={"clusterIP": "127.64.128.7", "clusterIPs": ["127.64.128.7"]})
    headless = named("headless", spec={"clusterIP": "None", "clusterIPs": ["None"]})

    found = restarted((SERVICES, web), (SERVICES, headless))

    assert found["web"]["spec"] == {"clusterIP": "127.70.128.7", "clusterIPs": ["127.70.128.7"]}
    assert found["headless"]["spec"] == headless["spec"]


def test_old_events_are_dropped_and_the_newest_are_kept() -> None:
    fresh = now_rfc3339(NOW - timedelta(minutes=5))
    old = named("old", lastTimestamp=now_rfc3339(NOW - timedelta(hours=2)))
    many = [(("", "events"), named(f"e{number}", lastTimestamp=fresh)) for number in range(EVENT_LIMIT + 5)]

    found = restarted((("", "events"), old), *many)

    assert set(found) == {"node-1", *(f"e{number}" for number in range(5, EVENT_LIMIT + 5))}


def test_nodes_that_are_not_wanted_any_more_are_gone() -> None:
    assert set(restarted((NODES, node("node-2")), (NODES, {"metadata": {"name": "made-up"}}))) == {"node-1", "made-up"}
