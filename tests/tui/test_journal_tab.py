"""Tab 8: one row for each operation, its whole record, and a way there from anywhere."""

from collections.abc import Callable

import pytest

from selfheal_core.ops.journal import Entry
from selfheal_tui.present.journal import records_of
from selfheal_tui.showcase import NOW, ShowcaseFeed
from tests.tui.conftest import Console

MakeConsole = Callable[..., Console]
SIZE = (100, 24)


def entry(operation: str, step: str, phase: str, age: float, text: str, **more: str) -> Entry:
    facts = {"verb": "rollback", "target": "app-a", "reason": "", **more}
    return Entry(
        at=NOW - age,
        operation_id=operation,
        step=step,  # type: ignore[arg-type]
        namespace="payments",
        text=text,
        user="ops",
        host="bastion",
        source="console",
        context="prod-eu",
        phase=phase,
        **facts,
    )


ENTRIES = (
    entry("one", "intent", "pending", 600, "Roll back app-a"),
    entry("one", "confirmation", "accepted", 599, "confirmed with revision 6"),
    entry("one", "verification", "recovered", 520, "RECOVERED in 1m14s: 2 of 2 ready"),
    entry("two", "intent", "pending", 60, "Kill pod x2x9k", verb="kill", target="x2x9k", reason="it hangs"),
    entry("two", "refused", "refused", 59, "its budget refuses", verb="kill", target="x2x9k", reason="it hangs"),
)


@pytest.fixture
def feed() -> ShowcaseFeed:
    return ShowcaseFeed(entries=ENTRIES)


async def test_one_row_tells_how_each_operation_ended(make_console: MakeConsole, feed: ShowcaseFeed) -> None:
    console = make_console(feed)
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("8")
        rows = console.screen_lines()[3:5]
    assert rows[0].split()[:6] == ["▸", "59s", "kill", "payments/x2x9k", "▲", "refused"]
    assert "it hangs" in rows[0]
    assert rows[1].split()[:5] == ["8m", "rollback", "payments/app-a", "●", "recovered"]


async def test_enter_opens_the_whole_record(make_console: MakeConsole, feed: ShowcaseFeed) -> None:
    console = make_console(feed)
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("8", "j", "enter")
        text = console.screen_text()
        for words in ("Roll back app-a.", "Confirmed with revision 6.", "RECOVERED in 1m14s", "prod-eu"):
            assert words in text
        await console.press("escape")
        assert "[8 Journal]" in console.screen_text()


@pytest.mark.parametrize("before", [(), ("2",), ("3",), ("d",), ("l",), ("?",), ("R", "d")])
async def test_it_is_one_key_away_from_anywhere(
    make_console: MakeConsole, feed: ShowcaseFeed, before: tuple[str, ...]
) -> None:
    console = make_console(feed)
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press(*before)
        await console.press("escape" if before == ("R", "d") else "j")
        await console.press("@")
        assert "[8 Journal]" in console.screen_text()
        assert "payments/x2x9k" in console.screen_text()
        await console.press("[")
        assert "[8 Journal]" not in console.screen_text()


async def test_it_is_filtered_by_words_and_shows_nothing_can_be_changed_there(
    make_console: MakeConsole, feed: ShowcaseFeed
) -> None:
    console = make_console(feed)
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("8", "/")
        await console.type_text("rollback !refused")
        await console.press("enter")
        assert "1/1, 1 hidden" in console.screen_text()
        await console.press("R", "K", "T")
    assert [kind for kind, *_ in feed.asked] == []


async def test_what_was_just_done_is_there_without_a_key(make_console: MakeConsole, feed: ShowcaseFeed) -> None:
    console = make_console(feed)
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("8")
        feed.entries = (*ENTRIES, entry("three", "intent", "pending", 0, "Restart app-a", verb="restart"))
        console.pulse.pass_seconds(3)
        await console.settle()
        assert "restart" in console.screen_text()


def test_records_that_did_not_change_stay_the_same_objects() -> None:
    first = records_of(ENTRIES, {})
    again = records_of((*ENTRIES, entry("two", "result", "failed", 1, "given up", verb="kill", target="x2x9k")), first)
    assert again["one"] is first["one"]
    assert again["two"] is not first["two"]
    assert list(again) == ["one", "two"]
