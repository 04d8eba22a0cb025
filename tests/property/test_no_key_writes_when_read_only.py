"""Every screen, every key, every verb, confirmed as far as it goes: with read-only on, not one write is sent.

The keys are taken from the list of commands, the screens from the list of views, so neither can be forgotten here. The
feed asks the real executor over a cluster in process that counts what reaches it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast, get_args

import pytest

from selfheal_core.cluster.helm.client import Helm
from selfheal_core.domain.snapshot import Snapshot
from selfheal_core.observe.observer import Observer
from selfheal_core.ops.executor import Allowed, Operations
from selfheal_core.ops.journal import Journal, read_journal
from selfheal_core.ops.operation import Preview, Progress, Target
from selfheal_core.ops.registry import built_verbs
from selfheal_tui.app import SelfhealApp
from selfheal_tui.commands import Command, View, all_commands, commands_of
from selfheal_tui.present.glyphs import UNICODE
from selfheal_tui.session import Session
from selfheal_tui.showcase import SURROUNDINGS, ShowcaseFeed
from tests.property.test_no_write_unless_allowed import StandingObserver
from tests.tui.conftest import Console as Screen
from tests.tui.conftest import ManualClock
from tests.unit.observe.live_cluster import BAD, GOOD, LiveCluster, live_cluster
from tests.unit.ops.conftest import WHO, Console, PretendHelm, install

WAY_TO: Mapping[View, tuple[str, ...]] = {
    "apps": ("1",),
    "pods": ("2",),
    "history": ("3",),
    "journal": ("8",),
    "logs": ("1", "l"),
    "document": ("1", "d"),
}
"""Keys that lead to each view."""
CONFIRMING = ("t", *"app-a", "enter", "y", "enter")
"""What a hasty operator types into any dialog."""
LEAVING = "quit"
CONTEXT = "selfheal-sandbox-paper"


class CountingFeed(ShowcaseFeed):
    """A feed whose verbs are the real ones, on a cluster that counts writes.

    Attributes:
        previewed: Verbs whose preview was computed.
        tried: Verbs that were run.
    """

    def __init__(self, operations: Operations, snapshot: Snapshot) -> None:
        super().__init__(snapshot=snapshot)
        self.surroundings = replace(SURROUNDINGS, context=CONTEXT, read_only=True, sandbox=True)
        self.previewed: list[str] = []
        self.tried: list[str] = []
        self._operations = operations

    async def allowed(self, verb: str, target: Target) -> Allowed:
        return await self._operations.allowed(verb, target)

    async def preview(self, verb: str, target: Target, parameters: Mapping[str, str]) -> Preview:
        self.previewed.append(verb)
        return await self._operations.preview(verb, target, parameters)

    async def run(self, preview: Preview, reason: str) -> AsyncGenerator[Progress, None]:
        self.tried.append(preview.verb)
        async for step in self._operations.run(preview, reason=reason):
            yield step


class Stand:
    """A broken release, and consoles that look at it."""

    def __init__(self, cluster: LiveCluster, helm: PretendHelm, picture: Snapshot, journal: Path) -> None:
        self.cluster = cluster
        self.helm = helm
        self.picture = picture
        self.journal = journal

    def console(self, *, read_only: bool) -> tuple[Screen, CountingFeed]:
        async def find() -> Helm:
            return cast(Helm, self.helm)

        clock, pulse = ManualClock(self.picture.taken_at), ManualClock(1_000.0)
        operations = Operations(
            self.cluster.client,
            find,
            StandingObserver(self.cluster.client, self.picture),
            Journal(self.journal),
            who=WHO,
            read_only=read_only,
            clock=clock,
            context=CONTEXT,
            sandbox=True,
        )
        feed = CountingFeed(operations, self.picture)
        session = Session(feed, UNICODE, clock=clock, monotonic=pulse)
        return Screen(SelfhealApp(session), feed, clock, pulse), feed

    @property
    def writes(self) -> int:
        """Everything that reached the cluster as a write, helm's included."""
        return self.cluster.client.writes + len(self.helm.rollbacks)


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with live_cluster(tmp_path) as cluster:
        observer = Observer(cluster.client)
        watching = asyncio.create_task(observer.run())
        operator = Console(cluster, observer, PretendHelm(cluster), tmp_path / "journal.jsonl")
        install(cluster, 1, GOOD)
        await operator.pod_target()
        install(cluster, 2, BAD)
        await operator.until(lambda app: app.state == "crash loop" and len(app.revisions) == 2)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        yield Stand(cluster, operator.helm, observer.snapshot(), tmp_path / "walk" / "journal.jsonl")


def keys_of(view: View) -> list[tuple[Command, str]]:
    """Every key of a view but those that leave, with its command."""
    commands = [command for command in commands_of(view, all_commands()) if command.id != LEAVING]
    return [(command, key) for command in commands for key in command.keys]


def test_every_view_is_walked() -> None:
    assert set(WAY_TO) == set(get_args(View))


@pytest.mark.slow
@pytest.mark.parametrize("view", get_args(View))
async def test_no_key_of_a_view_writes_when_read_only(stand: Stand, view: View) -> None:
    console, feed = stand.console(read_only=True)
    async with console.app.run_test(size=(80, 24)):
        await console.settle()
        await console.press(*WAY_TO[view], "escape")
        for command, key in keys_of(view):
            confirming = CONFIRMING if command.verb else ("enter",)
            await console.press_quickly(*WAY_TO[view], key, *confirming, "escape", "escape", "escape")
            assert stand.writes == 0, command
            assert console.app.is_running, command
        await console.settle()
    offered = {command.verb for command, _ in keys_of(view) if command.verb}
    assert offered <= set(feed.previewed)
    assert set(feed.tried) <= {verb.name for verb in built_verbs()}
    assert stand.writes == 0
    if feed.tried:
        assert {entry.step for entry in read_journal(stand.journal)} <= {"intent", "refused"}


@pytest.mark.slow
async def test_several_marked_pods_are_not_killed_when_read_only(stand: Stand) -> None:
    console, feed = stand.console(read_only=True)
    async with console.app.run_test(size=(80, 24)):
        await console.settle()
        await console.press("2", " ", " ", "K", "t", *CONTEXT, "enter", *"because", "enter")
        await console.settle()
    assert feed.tried == ["kill"]
    assert read_journal(stand.journal)[-1].step == "refused"
    assert stand.writes == 0


@pytest.mark.slow
async def test_the_same_keys_do_write_when_it_is_not_read_only(stand: Stand) -> None:
    console, feed = stand.console(read_only=False)
    async with console.app.run_test(size=(80, 24)):
        await console.settle()
        await console.press("2", "K", "y")
        async with asyncio.timeout(5):
            while not stand.writes:
                await asyncio.sleep(0.01)
    assert feed.tried == ["kill"]
