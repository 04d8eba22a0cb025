"""Whatever verb, whatever key: with read-only on, or with any of its sources not fresh, nothing is written."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import cast, get_args

import pytest

from selfheal_core.cluster.helm.client import Helm
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.domain.snapshot import Snapshot, Source, SourceCondition
from selfheal_core.errors import BadUsage
from selfheal_core.observe.observer import Observer
from selfheal_core.ops.executor import Operations
from selfheal_core.ops.journal import Journal, read_journal
from selfheal_core.ops.operation import Preview, Target
from selfheal_core.ops.registry import VERBS, Verb, built_verbs
from tests.unit.observe.live_cluster import BAD, GOOD, LiveCluster, live_cluster
from tests.unit.ops.conftest import TARGET, WHO, Console, PretendHelm, install, run

CONDITIONS: tuple[SourceCondition, ...] = tuple(each for each in get_args(SourceCondition) if each != "live")


class StandingObserver(Observer):
    """Shows one picture for ever."""

    def __init__(self, client: KubernetesClient, picture: Snapshot) -> None:
        super().__init__(client)
        self._picture = picture

    def snapshot(self) -> Snapshot:
        return self._picture


class Stand:
    """A broken release, a confirmed preview of every verb, and a way to look at it through other eyes."""

    def __init__(self, console: Console, previews: dict[str, Preview], journal: Path) -> None:
        self.cluster = console.cluster
        self.helm = console.helm
        self.previews = previews
        self.picture = console.observer.snapshot()
        self.journal = journal

    def operations(self, picture: Snapshot, *, read_only: bool) -> Operations:
        async def find() -> Helm:
            return cast(Helm, self.helm)

        observer = StandingObserver(self.cluster.client, picture)
        now = self.picture.taken_at
        return Operations(
            self.cluster.client,
            find,
            observer,
            Journal(self.journal),
            who=WHO,
            read_only=read_only,
            clock=lambda: now,
            sandbox=True,
        )

    async def wrote(self, operations: Operations, verb: Verb) -> bool:
        """Ask for everything the verb offers, and tell whether anything was sent."""
        preview = self.previews[verb.name]
        allowed = await operations.allowed(verb.name, preview.target)
        assert not allowed.ok
        assert allowed.reason
        steps = await run(operations, preview, "walked")
        assert steps[-1].phase == "refused", steps
        assert steps[-1].text == allowed.reason
        assert read_journal(self.journal, tail=1)[0].step == "refused"
        return self.cluster.client.writes > 0 or bool(self.helm.rollbacks)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[LiveCluster]:
    async with live_cluster(tmp_path) as running:
        yield running


@pytest.fixture
async def stand(cluster: LiveCluster, tmp_path: Path) -> Stand:
    observer = Observer(cluster.client)
    watching = asyncio.create_task(observer.run())
    console = Console(cluster, observer, PretendHelm(cluster), tmp_path / "state" / "journal.jsonl")
    install(cluster, 1, GOOD)
    target = await console.pod_target()
    operations = console.operations(sandbox=True, context="")
    # Only what is well can be broken on purpose; the other verbs are asked for what is broken.
    previews = {verb.name: await operations.preview(verb.name, TARGET) for verb in built_verbs() if verb.practice}
    install(cluster, 2, BAD)
    await console.until(lambda app: app.state == "crash loop" and len(app.revisions) == 2)
    previews |= {
        verb.name: await operations.preview(verb.name, target if verb.target_kind == "pod" else TARGET)
        for verb in built_verbs()
        if not verb.practice
    }
    assert not any(preview.refusal for preview in previews.values())
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    return Stand(console, previews, tmp_path / "walk" / "journal.jsonl")


def not_fresh(source: Source, now: float) -> Iterator[Source]:
    """Every way in which a source can fail to be fresh."""
    yield replace(source, fresh_at=now - 121)
    yield replace(source, fresh_at=None)
    for condition in CONDITIONS:
        yield replace(source, condition=condition, reason="a reason")


async def test_read_only_writes_nothing_for_any_verb(stand: Stand) -> None:
    for verb in built_verbs():
        assert not await stand.wrote(stand.operations(stand.picture, read_only=True), verb), verb.name


async def test_no_verb_writes_while_any_source_it_needs_is_not_fresh(stand: Stand) -> None:
    walked = 0
    for verb, read_only in product(built_verbs(), (False, True)):
        assert verb.sources, f"{verb.name} acts on no data at all"
        for name in verb.sources:
            missing = {key: source for key, source in stand.picture.sources.items() if key != name}
            stale = list(not_fresh(stand.picture.sources[name], stand.picture.taken_at))
            for sources in (missing, *({**missing, name: source} for source in stale)):
                picture = replace(stand.picture, sources=sources)
                assert not await stand.wrote(stand.operations(picture, read_only=read_only), verb), (verb.name, sources)
                walked += 1
    assert walked > 100


async def test_verbs_that_are_not_built_write_nothing(stand: Stand) -> None:
    operations = stand.operations(stand.picture, read_only=False)
    target = Target("application", "payments", "app-a", "app-a")
    for verb in VERBS.values():
        if not verb.built:
            with pytest.raises(BadUsage):
                await operations.preview(verb.name, target)
            with pytest.raises(BadUsage):
                await operations.allowed(verb.name, target)
    assert stand.cluster.client.writes == 0


async def test_the_same_walk_does_write_when_everything_is_fresh(stand: Stand) -> None:
    operations = stand.operations(stand.picture, read_only=False)
    preview = stand.previews["kill"]
    assert (await operations.allowed("kill", preview.target)).ok
    async with asyncio.timeout(5):
        async for step in operations.run(preview):
            if step.phase == "verifying":
                break
    assert stand.cluster.client.writes == 1
