"""Another context in place: what is looked at and what is done is there, and nothing more goes to the old cluster."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

import pytest

from selfheal_core.domain.snapshot import Snapshot
from selfheal_core.errors import BadUsage
from selfheal_core.ops.journal import default_path, read_journal
from selfheal_core.ops.operation import Target
from selfheal_tui.cluster_feed import ClusterChoice, ClusterFeed
from tests.unit.observe.live_cluster import NAMESPACE, TOKEN, LiveCluster, live_cluster

SECONDS = 20.0


class Twins:
    """Two clusters with the same application on each, in one kubeconfig, and a feed on the first."""

    def __init__(self, here: LiveCluster, there: LiveCluster, folder: Path) -> None:
        self.here = here
        self.there = there
        self.folder = folder
        self.environ = {"HOME": str(folder), "XDG_STATE_HOME": str(folder), "LOGNAME": "ops"}

    def feed(self, *, read_only: bool = False, prometheus: str = "") -> ClusterFeed:
        path = self.folder / "kubeconfig"
        ports = {"here": self.here.server.port, "there": self.there.server.port}
        document = {
            "clusters": [
                {"name": name, "cluster": {"server": f"http://127.0.0.1:{port}"}} for name, port in ports.items()
            ],
            "contexts": [
                *({"name": name, "context": {"cluster": name, "user": "u", "namespace": NAMESPACE}} for name in ports),
                {"name": "broken", "context": {"cluster": "nowhere", "user": "u"}},
            ],
            "users": [{"name": "u", "user": {"token": TOKEN}}],
            "current-context": "here",
        }
        path.write_text(json.dumps(document))
        return ClusterFeed(ClusterChoice(path, None, None, read_only, prometheus), environ=self.environ)


@pytest.fixture
async def twins(tmp_path: Path) -> AsyncIterator[Twins]:
    async with AsyncExitStack() as stack:
        clusters = []
        for name in ("one", "two"):
            folder = tmp_path / name
            folder.mkdir()
            cluster = await stack.enter_async_context(live_cluster(folder))
            cluster.deploy()
            clusters.append(cluster)
        yield Twins(clusters[0], clusters[1], tmp_path)


@asynccontextmanager
async def running(feed: ClusterFeed) -> AsyncIterator[None]:
    """The feed for the time of the block."""
    feed.start()
    try:
        yield
    finally:
        await asyncio.to_thread(feed.stop)


async def seen(feed: ClusterFeed, holds: Callable[[Snapshot], bool]) -> Snapshot:
    async with asyncio.timeout(SECONDS):
        while (shot := feed.take()) is None or not holds(shot):
            await asyncio.sleep(0.02)
        return shot


def ready_on(cluster: LiveCluster) -> Callable[[Snapshot], bool]:
    def holds(shot: Snapshot) -> bool:
        names = {row.name for row in shot.pods.values() if row.state == "running"}
        return len(names) == 2 and names == cluster.pod_names()

    return holds


async def test_after_a_switch_an_action_goes_to_the_new_cluster_and_never_to_the_old_one(twins: Twins) -> None:
    feed = twins.feed()
    async with running(feed):
        before = await seen(feed, ready_on(twins.here))
        row = next(iter(before.pods.values()))
        old_target = Target("pod", row.namespace, row.name, "app-a", row.uid)
        old_preview = await feed.preview("kill", old_target, {})
        assert old_preview.refusal == ""
        names_here = twins.here.pod_names()

        await feed.switch_context("there")
        assert (feed.surroundings.context, feed.surroundings.namespaces) == ("there", (NAMESPACE,))
        after = await seen(feed, ready_on(twins.there))
        assert not {*after.pods} & {*before.pods}

        stale = [step async for step in feed.run(old_preview, "confirmed before the switch")]
        assert stale[-1].phase == "refused"

        row = next(iter(after.pods.values()))
        target = Target("pod", row.namespace, row.name, "app-a", row.uid)
        preview = await feed.preview("kill", target, {})
        async with aclosing(feed.run(preview, "after the switch")) as steps:
            async for step in steps:
                if step.phase == "verifying":
                    break
        await seen(feed, lambda shot: row.uid not in shot.pods)
        assert twins.here.pod_names() == names_here
    entries = read_journal(default_path(twins.environ))
    assert {entry.context for entry in entries} == {"there"}
    assert feed.faults == 0


async def test_read_only_stays_read_only_on_the_other_cluster(twins: Twins) -> None:
    feed = twins.feed(read_only=True)
    async with running(feed):
        await seen(feed, ready_on(twins.here))
        await feed.switch_context("there")
        row = next(iter((await seen(feed, ready_on(twins.there))).pods.values()))
        allowed = await feed.allowed("kill", Target("pod", row.namespace, row.name, "app-a", row.uid))
        assert (allowed.ok, allowed.reason) == (False, "this console is read-only")
        assert feed.surroundings.read_only


async def test_a_context_that_cannot_be_used_changes_nothing(twins: Twins) -> None:
    feed = twins.feed()
    async with running(feed):
        await seen(feed, ready_on(twins.here))
        for name, words in (("broken", "nowhere"), ("papr", "no context 'papr'")):
            with pytest.raises(BadUsage, match=words):
                await feed.switch_context(name)
        assert feed.surroundings.context == "here"
        await seen(feed, ready_on(twins.here))


def note_of_errors(shot: Snapshot) -> str | None:
    errors = shot.sources.get("errors")
    return errors.origin_note if errors is not None and errors.condition == "live" else None


async def test_a_prometheus_given_by_url_is_that_of_the_first_cluster_only(twins: Twins) -> None:
    feed = twins.feed(prometheus="http://127.0.0.1:1")
    async with running(feed):
        await seen(feed, lambda shot: note_of_errors(shot) == "no answer from Prometheus")
        await feed.switch_context("there")
        await seen(feed, lambda shot: note_of_errors(shot) == "")
        await feed.switch_context("here")
        await seen(feed, lambda shot: note_of_errors(shot) == "no answer from Prometheus")


async def test_of_two_switches_at_once_the_later_one_counts(twins: Twins) -> None:
    feed = twins.feed()
    async with running(feed):
        await seen(feed, ready_on(twins.here))
        await asyncio.gather(feed.switch_context("there"), feed.switch_context("there"), feed.switch_context("here"))
        await seen(feed, ready_on(twins.here))
        assert feed.surroundings.context == "here"
    assert feed.faults == 0


async def test_contexts_are_listed_with_server_and_namespace(twins: Twins) -> None:
    feed = twins.feed()
    listed = {choice.name: choice.remark for choice in await feed.contexts()}
    assert listed["here"] == f"http://127.0.0.1:{twins.here.server.port}, namespace {NAMESPACE}"
    assert listed["broken"].startswith("no cluster 'nowhere'")
