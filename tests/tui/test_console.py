"""The console by its keys, on 80x24: what is seen, what is asked, and what is never sent."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from selfheal_core.domain.snapshot import Snapshot, Source
from selfheal_core.ops.operation import Choice, Preview, Progress, Target
from selfheal_core.ops.registry import built_verbs
from selfheal_tui.showcase import NOW, ShowcaseFeed, showcase_snapshot
from tests.tui.conftest import Console

MakeConsole = Callable[..., Console]
SIZE = (80, 24)
WRITES = ("run",)


def sent(console: Console) -> list[str]:
    """What was sent as a write."""
    return [f"{kind} {what}" for kind, what, _ in console.feed.asked if kind in WRITES]


async def confirmed(console: Console, word: str = "app-a") -> None:
    """Type the asked name and press Enter."""
    await console.press("t")
    await console.type_text(word)
    await console.press("enter")


async def test_the_first_screen_names_what_is_broken_and_the_safe_next_key(make_console: MakeConsole) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        text = console.screen_text()
    assert "prod-eu/payments  read-write  healerd 0.1.0 1/1 ready" in text
    assert "● live 0.4s" in text
    assert "▸ app-a       ✗ crash loop 4m    1/2" in text
    assert 'It says: “KeyError: "DB_URL"”' in text
    assert "Safe next step: R  roll back to revision 6" in text


async def test_enter_goes_to_the_pods_of_the_application_and_esc_comes_back(make_console: MakeConsole) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("enter")
        text = console.screen_text()
        assert "[2 Pods] of app-a" in text
        assert "app-a-7d9f8c6b5d-x2x9k" in text
        assert "checkout" not in text
        await console.press("escape")
        assert "[1 Apps]" in console.screen_text()
        assert console.cursor_line().startswith("▸ app-a")
        await console.press("[")
        assert "[2 Pods] of app-a" in console.screen_text()


async def test_a_filter_hides_rows_says_how_many_and_esc_clears_it(make_console: MakeConsole) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("2", "/")
        await console.type_text("state:crash restarts>3")
        await console.press("enter")
        text = console.screen_text()
        assert "1/1, 9 hidden" in text
        assert "/state:crash restarts>3" in text
        await console.press("escape")
        assert "1/10" in console.screen_text()


async def test_a_filter_that_cannot_be_read_says_what_would_be_right(make_console: MakeConsole) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("2", "/")
        await console.type_text("stat:crash")
        assert "did you mean 'state'?" in console.screen_text()
        await console.press("escape")
        assert "1/10" in console.screen_text()


async def test_selection_follows_the_pod_not_the_row(make_console: MakeConsole, shown: Snapshot) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("2", "j", "j", "j")
        chosen = console.cursor_line().split()[1]
        console.pulse.pass_seconds(5)
        worse = {
            uid: structs.replace(pod, state="crash loop", severity="bad") if pod.name.startswith("search") else pod
            for uid, pod in shown.pods.items()
        }
        await console.show(replace(shown, sequence=2, pods=worse))
        assert console.cursor_line().split()[1] == chosen


async def test_rows_do_not_move_within_a_second_of_a_key(make_console: MakeConsole, shown: Snapshot) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("2", "j")
        before = console.screen_lines()[3:13]
        gone = {uid: pod for uid, pod in shown.pods.items() if not pod.name.endswith("x2x9k")}
        await console.show(replace(shown, sequence=2, pods=gone))
        assert [line[2:24] for line in console.screen_lines()[3:13]] == [line[2:24] for line in before]
        assert "order held" in console.screen_text()
        console.pulse.pass_seconds(2)
        await console.settle()
        assert "x2x9k" not in console.screen_text()
        assert "order held" not in console.screen_text()


async def test_rollback_shows_a_preview_with_cancel_focused_and_runs_after_the_name(make_console: MakeConsole) -> None:
    feed = ShowcaseFeed(
        steps=(
            Progress("op", "accepted", "as asked", NOW),
            Progress("op", "recovered", "RECOVERED in 14s: 2 of 2 ready", NOW + 14),
        )
    )
    console = make_console(feed)
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("R")
        assert "[ Cancel ]" in console.screen_text()
        assert sent(console) == []
        await confirmed(console)
        assert sent(console) == ["run rollback app-a"]
        assert "RECOVERED in 14s: 2 of 2 ready" in console.screen_text()
        await console.press("enter")
        assert "[ Cancel ]" not in console.screen_text()


WAYS_OUT = (["escape"], ["enter"], ["ctrl+c"], ["t", "escape"], ["t", "enter"], ["t", "x", "enter"])


@pytest.mark.parametrize("verb", ["R", "T"])
async def test_every_way_out_of_a_dialog_sends_nothing(make_console: MakeConsole, verb: str) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        for keys in WAYS_OUT:
            await console.press(verb, *keys, "escape", "escape")
            assert sent(console) == []
            assert "[1 Apps]" in console.screen_text()
            assert "[ Cancel ]" not in console.screen_text()


async def test_keys_typed_ahead_of_the_dialog_are_thrown_away(make_console: MakeConsole) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        for key in ("R", "t", "a", "p", "p", "-", "a", "enter"):
            console.send_key(key)
        await console.settle()
        assert sent(console) == []
        assert "type the name to go on" in console.screen_text()


async def test_a_world_that_moved_is_told_and_asked_about_again(make_console: MakeConsole) -> None:
    feed = ShowcaseFeed(steps=(Progress("op", "refused", "revision was 7, is 8", NOW),))
    console = make_console(feed)
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("R")
        await confirmed(console)
        text = console.screen_text()
    assert "revision was 7, is 8" in text
    assert "[ Cancel ]" in text
    assert [kind for kind, _, _ in feed.asked] == ["preview", "run", "preview"]


async def test_history_rolls_back_to_the_selected_revision(make_console: MakeConsole) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("3", "j", "j")
        assert " 5 superseded" in console.cursor_line()
        await console.press("R")
    assert console.feed.asked[-1] == ("preview", "rollback app-a", {"revision": "5"})


async def test_the_full_diff_opens_over_the_dialog_and_leads_back_to_it(make_console: MakeConsole) -> None:
    target = Target("application", "payments", "app-a", "app-a")
    verb = built_verbs()[0]
    diff = "--- revision 7\n+++ revision 6\n-image: 2.3.0\n+image: 2.2.4"
    preview = Preview(verb.name, target, verb.impact, "Roll back app-a", (), "", {}, "app-a", diff=diff)
    console = make_console(ShowcaseFeed(previews={"rollback": preview}))
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("R", "d")
        assert "+image: 2.2.4" in console.screen_text()
        await console.press("q")
        assert "[ Cancel ]" in console.screen_text()
        await console.press("escape")
        assert "[ Cancel ]" not in console.screen_text()


async def test_a_fault_in_the_background_is_told_and_the_console_goes_on(
    make_console: MakeConsole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    async def broken() -> None:
        raise RuntimeError("a bug of ours")

    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        console.app.spawn(broken())
        await console.settle()
        assert "a bug of ours" in console.screen_text()
        await console.press("j")
        assert console.cursor_line().startswith("▸ mailer")


async def test_a_dialog_too_high_for_the_screen_still_shows_what_can_be_pressed(make_console: MakeConsole) -> None:
    target = Target("application", "payments", "app-a", "app-a")
    lines = tuple(
        (f"fact {n}", "so many words that they take a second line of the box and more " * 2) for n in range(9)
    )
    choices = {"revision": (Choice("6", "revision 6", True), Choice("5", "revision 5"))}
    verb = built_verbs()[0]
    preview = Preview(
        verb.name, target, verb.impact, "Roll back app-a", lines, "helm rollback", {}, "app-a", choices=choices,
        parameters={"revision": "6"},
    )  # fmt: skip
    console = make_console(ShowcaseFeed(previews={"rollback": preview}))
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("R")
        text = console.screen_text()
        assert "[ Cancel ]" in text
        assert "PgDn and PgUp show them" in text
        assert "Fact 0" in text
        seen = text
        for _ in range(9):
            await console.press("pagedown")
            seen += console.screen_text()
        assert all(f"Fact {n}" in seen for n in range(9))
        assert "Fact 0" not in console.screen_text()
        assert "[ Cancel ]" in console.screen_text()
        await console.press("pageup", "pageup", "pageup", "pageup", "pageup", "pageup", "pageup", "pageup", "pageup")
        assert console.screen_text() == text
        assert sent(console) == []


async def test_lost_data_stays_dimmed_with_its_age_and_the_reason(make_console: MakeConsole) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        lost = Source("pods", "lost", NOW - 42, NOW - 42, "connection refused", NOW + 8)
        after = replace(showcase_snapshot(), sequence=2, sources={**showcase_snapshot().sources, "pods": lost})
        await console.show(after)
        text = console.screen_text()
        table = console.app.screen.table  # type: ignore[attr-defined]
        styles = [segment.style for segment in table.render_line(2) if segment.text.strip() and segment.style]
        assert "✗ pods lost 42s, retrying in 8s (connection refused)" in text
        assert "app-a       ✗ crash loop" in text
        assert all(style.dim for style in styles)
        await console.show(replace(showcase_snapshot(), sequence=3))
        assert "● live" in console.screen_text()


async def test_an_api_server_that_answers_nothing_is_not_called_live(make_console: MakeConsole) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        shown = showcase_snapshot()
        quiet = {name: replace(source, fresh_at=NOW - 32) for name, source in shown.sources.items()}
        await console.show(replace(shown, sources=quiet, sequence=2))
        assert "● live 32s" in console.screen_text()
        asked = Source("healerd", "lost", NOW - 5, NOW - 40, "no answer within 20 s")
        await console.show(replace(shown, sources={**quiet, "healerd": asked}, sequence=3))
        assert "▲ silent 32s (no answer within 20 s)" in console.screen_text()
        old = {name: replace(source, fresh_at=NOW - 90) for name, source in shown.sources.items()}
        await console.show(replace(shown, sources=old, sequence=4))
        assert "▲ silent 1m" in console.screen_text()


@pytest.mark.parametrize(
    ("tab", "said"), [("1", "No applications here"), ("2", "No pods here"), ("3", "No Helm releases here")]
)
async def test_where_nothing_is_found_connecting_gives_way_to_that(
    make_console: MakeConsole, tab: str, said: str
) -> None:
    console = make_console(ShowcaseFeed(snapshot=None))
    async with console.app.run_test(size=SIZE):
        shown = replace(showcase_snapshot(), applications={}, pods={})
        connecting = {name: replace(source, condition="connecting") for name, source in shown.sources.items()}
        await console.press(tab)
        await console.show(replace(shown, sources=connecting, sequence=2))
        assert "Connecting …" in console.screen_text()
        await console.show(replace(shown, sequence=3))
        text = console.screen_text()
    assert "Connecting" not in text
    assert said in text


async def test_a_window_that_grows_shows_the_worst_rows_again(make_console: MakeConsole) -> None:
    console = make_console()
    async with console.app.run_test(size=(80, 12)) as pilot:
        await console.settle()
        await console.press("G")
        assert "app-a       ✗" not in console.screen_text()
        await pilot.resize_terminal(80, 24)
        await console.settle()
        assert "app-a       ✗" in console.screen_text()


async def test_leaving_asks_first_while_an_operation_runs(make_console: MakeConsole) -> None:
    feed = WaitingFeed()
    console = make_console(feed)
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("R")
        await confirmed(console)
        await console.press("escape", "q")
        assert "may be left half done" in " ".join(console.screen_text().split())
        await console.press("enter")
        assert console.app.is_running
        assert "rollback app-a: running" in console.screen_text()
        await console.press("z")
        assert ("cancel", "op", {}) in feed.asked


class WaitingFeed(ShowcaseFeed):
    """Its operations run until they are closed."""

    async def run(self, preview: Preview, reason: str) -> AsyncGenerator[Progress, None]:
        yield Progress("op", "running", "helm works", NOW)
        await asyncio.Event().wait()


async def test_previous_logs_of_an_application_show_the_last_words(make_console: MakeConsole) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("p")
        text = console.screen_text()
        assert "previous run" in text
        assert 'KeyError: "DB_URL"' in text
        await console.press("/")
        await console.type_text("keyerror")
        await console.press("enter")
        assert "1 row with “keyerror”" in console.screen_text()
        await console.press("escape")
        assert "[1 Apps]" in console.screen_text()


async def test_names_and_logs_are_drawn_as_they_are_never_as_markup(make_console: MakeConsole) -> None:
    feed = ShowcaseFeed(log_text="2026-11-26T16:44:38Z [bold red]not markup[/] \x1b[2J\x07")
    console = make_console(feed)
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("l")
        text = console.screen_text()
    assert "[bold red]not markup[/]" in text
    assert "\x1b" not in text
    assert "\x07" not in text


async def test_the_palette_and_the_namespace_choice_are_typed(make_console: MakeConsole) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("n")
        await console.type_text("kube")
        await console.press("enter")
        assert ("namespaces", "kube-system", {}) in console.feed.asked
        await console.press(":")
        await console.type_text("journal")
        await console.press("enter")
        assert "Nothing was asked for yet" in console.screen_text()


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50), (60, 16), (40, 10)])
async def test_every_screen_fits_any_terminal(make_console: MakeConsole, size: tuple[int, int]) -> None:
    console = make_console()
    async with console.app.run_test(size=size):
        await console.settle()
        for key in (
            "1",
            "2",
            "3",
            "?",
            "escape",
            "1",
            "R",
            "escape",
            "d",
            "escape",
            "l",
            "escape",
            "e",
            "escape",
        ):
            await console.press(key)
            lines = console.screen_lines()
            assert len(lines) == size[1]
            assert all(len(line) <= size[0] for line in lines)
        assert console.app.is_running


async def test_rows_follow_a_smaller_window(make_console: MakeConsole) -> None:
    console = make_console()
    async with console.app.run_test(size=(100, 40)) as pilot:
        await console.settle()
        await console.press("2", "G")
        await pilot.resize_terminal(80, 14)
        await console.settle()
        assert console.cursor_line()


async def test_while_a_filter_is_typed_an_empty_table_blames_the_filter_not_the_cluster(
    make_console: MakeConsole,
) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("2", "/")
        await console.type_text("zzz")
        assert "No row matches the filter “zzz”; esc drops it." in console.screen_text()
        await console.press("enter")
        assert "No row matches the filter “zzz”; esc clears it." in console.screen_text()


async def test_a_search_without_a_match_offers_no_way_through_the_matches(make_console: MakeConsole) -> None:
    console = make_console()
    async with console.app.run_test(size=SIZE):
        await console.settle()
        await console.press("d", "/")
        await console.type_text("zzz")
        await console.press("enter")
        assert "No row contains “zzz”." in console.screen_text()
