"""Marks follow pods, not rows; what acts on them says which they are, hidden ones too."""

from collections.abc import Callable
from dataclasses import replace

from selfheal_core.domain.snapshot import Snapshot
from selfheal_tui.showcase import ShowcaseFeed
from tests.tui.conftest import Console

MakeConsole = Callable[..., Console]
SIZE = (100, 24)
FIRST, SECOND = "app-a-7d9f8c6b5d-x2x9k", "catalog-5f7c6d8b9f-m4n8c"
"""The two pods in the worst state, in the table's first order."""


async def test_marks_follow_the_pod_when_rows_move(make_console: MakeConsole, shown: Snapshot) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("2", " ")
        assert any(line.startswith(" *") and FIRST in line for line in console.screen_lines())
        console.pulse.pass_seconds(5)
        await console.press("s")
        console.pulse.pass_seconds(5)
        await console.show(replace(shown, sequence=2))
        marked = [line for line in console.screen_lines() if line[1:2] == "*"]
        assert len(marked) == 1
        assert FIRST in marked[0]


async def test_marks_that_a_filter_hides_are_counted_and_killed_with_the_others(make_console: MakeConsole) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("2", " ", " ", "/")
        await console.type_text("checkout")
        await console.press("enter")
        assert "2 marked (2 hidden)" in console.screen_text()
        await console.press("K")
    kind, what, parameters = console.feed.asked[-1]
    assert (kind, what) == ("preview", f"kill {FIRST}")
    assert parameters["pods"].split(",") == [f"uid-{FIRST}", f"uid-{SECOND}"], "in the order in which they were marked"


async def test_esc_takes_the_marks_away_before_it_goes_back(make_console: MakeConsole) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("enter", " ", " ")
        assert "2 marked" in console.screen_text()
        await console.press("escape")
        assert "[2 Pods] of app-a" in console.screen_text()
        assert "marked" not in console.screen_lines()[1]
        await console.press("escape")
        assert "[1 Apps]" in console.screen_text()


async def test_a_mark_is_taken_away_by_the_key_that_made_it(make_console: MakeConsole) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("2", " ", "k", " ")
        assert "marked" not in console.screen_text()


async def test_a_pod_that_is_gone_is_not_marked_any_more(make_console: MakeConsole, shown: Snapshot) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("2", " ", " ")
        left = {uid: pod for uid, pod in shown.pods.items() if pod.name != FIRST}
        await console.show(replace(shown, sequence=2, pods=left))
        assert "1 marked" in console.screen_text()
        await console.press("K")
        assert console.feed.asked[-1][2] == {}


async def test_logs_of_marked_pods_are_read_together(make_console: MakeConsole) -> None:
    console = make_console(ShowcaseFeed())
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("2", " ", " ", "l")
        assert "2 pods" in console.screen_lines()[1]
