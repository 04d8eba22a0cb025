"""What is chosen by typing a part of its name: contexts, namespaces, commands, things to break, containers."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

import pytest

from selfheal_core.domain.escape import cells
from selfheal_core.errors import SelfhealError
from selfheal_core.ops.faults import BAD_RELEASE, FAULTS
from selfheal_core.ops.operation import Impact, Preview, Progress, Target
from selfheal_tui.feed import LogBatch
from selfheal_tui.present.glyphs import UNICODE
from selfheal_tui.present.logs import LogRequest
from selfheal_tui.present.picker import PickerItem, matching, picker_lines
from selfheal_tui.present.spans import text_of
from selfheal_tui.showcase import NOW, SURROUNDINGS, ShowcaseFeed, showcase_snapshot
from tests.tui.conftest import Console

MakeConsole = Callable[..., Console]
SIZE = (100, 30)


def nothing() -> None:
    """What a choice in a test leads to."""


async def test_a_context_is_switched_to_in_place_and_nothing_old_stays(make_console: MakeConsole) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("2", " ", "/")
        await console.type_text("app-a")
        await console.press("enter", "v")
        text = console.screen_text()
        assert "here; https://prod-eu.example:6443" in text
        await console.type_text("stag")
        await console.press("enter")
        assert ("context", "staging", {}) in console.feed.asked
        text = console.screen_text()
        assert "staging/default" in text
        assert "[1 Apps]" in text
        assert "app-a" not in text
        await console.show(showcase_snapshot())
        await console.press("2")
        assert "marked" not in console.screen_text()
        assert "hidden" not in console.screen_text()


async def test_the_present_context_is_not_connected_to_again(make_console: MakeConsole) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("v")
        await console.type_text("prod")
        await console.press("enter")
        assert "Looking at prod-eu already" in console.screen_text()
    assert console.feed.asked == []


class UnreachableContexts(ShowcaseFeed):
    """No other context can be connected to."""

    async def switch_context(self, name: str) -> None:
        raise SelfhealError(f"context '{name}' names a certificate that is not there", "renew it")


async def test_a_context_that_cannot_be_connected_to_leaves_everything_as_it_was(make_console: MakeConsole) -> None:
    console = make_console(UnreachableContexts())
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("v")
        await console.type_text("staging")
        await console.press("enter")
        text = console.screen_text()
    assert "names a certificate that is not there" in text
    assert "prod-eu/payments" in text
    assert "app-a" in text


class WaitingFeed(ShowcaseFeed):
    """Its operations run until they are closed."""

    async def run(self, preview: Preview, reason: str) -> AsyncGenerator[Progress, None]:
        yield Progress("op", "running", "helm works", NOW)
        await asyncio.Event().wait()


@pytest.mark.parametrize(("key", "typed", "moved"), [("v", "staging", "context"), ("n", "kube", "namespaces")])
async def test_leaving_a_running_operation_for_another_place_is_asked_about_first(
    make_console: MakeConsole, key: str, typed: str, moved: str
) -> None:
    console = make_console(WaitingFeed())
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("R", "t")
        await console.type_text("app-a")
        await console.press("enter", "escape", key)
        await console.type_text(typed)
        await console.press("enter")
        assert "Leave for" in console.screen_text()
        await console.press("enter")
        assert moved not in [kind for kind, *_ in console.feed.asked]
        await console.press(key)
        await console.type_text(typed)
        await console.press("enter", "y")
        asked = [kind for kind, *_ in console.feed.asked]
    assert asked[-2:] == ["cancel", moved]


class SecretNamespaces(ShowcaseFeed):
    """Namespaces can't be listed."""

    async def known_namespaces(self) -> tuple[str, ...]:
        raise SelfhealError("not allowed to list namespaces")


async def test_where_namespaces_cannot_be_listed_a_name_is_typed(make_console: MakeConsole) -> None:
    console = make_console(SecretNamespaces())
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("n")
        assert "not allowed to list namespaces. Type the name of one." in console.screen_text()
        await console.type_text("team-b")
        assert "enter takes “team-b” as typed" in console.screen_text()
        await console.press("enter")
    assert ("namespaces", "team-b", {}) in console.feed.asked


async def test_the_palette_names_commands_screens_namespaces_and_contexts(make_console: MakeConsole) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        for typed, seen in (
            ("journal", "[8 Journal]"),
            ("history", "[3 History]"),
            ("namespace kube", "Looking at kube-system."),
            ("context stag", "Looking at staging."),
        ):
            await console.show(showcase_snapshot())
            await console.press("1", ":")
            await console.type_text(typed)
            await console.press("enter")
            assert seen in console.screen_text(), typed


async def test_the_palette_dims_what_is_not_possible_and_says_why(make_console: MakeConsole) -> None:
    feed = ShowcaseFeed(refusals={"rollback": "this console is read-only"}, cautions={"restart": "rights unknown: 403"})
    console = make_console(feed)
    async with console.app.run_test(size=SIZE):
        await console.settle()
        console.pulse.pass_seconds(1)
        await console.settle()
        await console.press(":")
        text = console.screen_text()
        assert "not now: this console is read-only" in text
        assert "T  rights unknown: 403" in text
        await console.type_text("roll")
        await console.press("enter")
        assert "roll back: not now, this console is read-only" in console.screen_text()
        await console.press("?")
        assert "rights unknown: 403" in console.screen_text()
    assert feed.asked == []


def test_names_that_begin_with_what_was_typed_come_first() -> None:
    names = ("events of a pod", "all previous", "previous", "page previous", "pr")
    items = [PickerItem(name, "", nothing) for name in names]
    assert [item.name for item in matching(items, "prev")] == ["previous", "all previous", "page previous"]
    assert matching(items, "") == items


async def test_in_the_sandbox_something_is_broken_from_a_menu_of_all_layers(make_console: MakeConsole) -> None:
    feed = ShowcaseFeed(surroundings=replace(SURROUNDINGS, sandbox=True))
    console = make_console(feed)
    async with console.app.run_test(size=SIZE):
        await console.settle()
        assert "B break something" in console.screen_text()
        await console.press("B")
        text = console.screen_text()
        assert all(fault.title in text for fault in FAULTS.values())
        assert all(f"layer {layer}:" in text for layer in range(1, 7))
        await console.type_text("crash loop")
        await console.press("enter")
        assert feed.asked == [("preview", "break app-a", {"fault": "crash-loop"})]
        await console.press("escape")
    assert "run" not in [kind for kind, *_ in feed.asked]


async def test_what_was_broken_and_a_person_has_to_heal_is_rolled_back_from_where_it_is_watched(
    make_console: MakeConsole,
) -> None:
    fault = {"fault": BAD_RELEASE.name}
    target = Target("application", "payments", "app-a", "app-a")
    asked = Preview("break", target, Impact.ONE_STEP, "Break app-a", (), "", {}, "app-a", parameters=fault)
    console = make_console(WaitingFeed(surroundings=replace(SURROUNDINGS, sandbox=True), previews={"break": asked}))
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("B")
        await console.type_text("bad release")
        await console.press("enter", "y", "R")
        assert "Roll back app-a" in console.screen_text()
        assert console.feed.asked[-1] == ("preview", "rollback app-a", {})


async def test_outside_a_sandbox_the_key_only_says_why_not(make_console: MakeConsole) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        assert "break something" not in console.screen_text()
        await console.press("B")
        assert "layer 1" not in console.screen_text()
    assert [kind for kind, *_ in console.feed.asked] == ["preview"]


class ManyContainers(ShowcaseFeed):
    """Writes down which logs were asked for."""

    def __init__(self, *names: str) -> None:
        super().__init__(container_names=names)
        self.read: list[str] = []

    async def logs(self, request: LogRequest) -> AsyncGenerator[LogBatch, None]:
        self.read.append(request.container)
        async for batch in super().logs(request):
            yield batch


async def test_of_many_containers_one_is_picked_from_a_list_and_of_two_the_other_is_next(
    make_console: MakeConsole,
) -> None:
    feed = ManyContainers("app", "proxy", "metrics")
    console = make_console(feed)
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("l", "o")
        assert "shown now" in console.screen_text()
        await console.type_text("met")
        await console.press("enter")
        assert "container metrics" in console.screen_text()
        feed.container_names = ("app", "proxy")
        await console.press("escape", "l", "o")
        assert "container proxy" in console.screen_text()
    assert feed.read == ["", "metrics", "", "proxy"]


def test_remarks_stand_below_each_other_beside_names_of_wide_characters() -> None:
    items = [PickerItem(name, "here", nothing) for name in ("東京", "prod")]
    rows = [text_of(row) for row in picker_lines(items, 0, "", "2 of 2", 40, UNICODE)]
    assert [cells(row[: row.index("here")]) for row in rows if "here" in row] == [8, 8]
