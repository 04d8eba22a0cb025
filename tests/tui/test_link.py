"""What concerns the terminal: when frames are drawn, what waits, and what is sent where only ASCII is shown."""

import os
import pty
import select
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from textual import events

from selfheal_tui.present.status_line import SLOW_LINK
from selfheal_tui.showcase import showcase_snapshot
from selfheal_tui.terminal.ascii_only import to_ascii
from selfheal_tui.terminal.link import FULL_BYTES, SLOW_FOR_SECONDS, SLOW_SECONDS, Link
from selfheal_tui.terminal.pace import REST_SECONDS, Pace
from selfheal_tui.terminal.writer import LIMIT_BYTES, TerminalWriter
from tests.tui.conftest import Console, ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(100.0)


def is_slow(link: Link) -> bool:
    return link.slow


def test_a_link_is_slow_while_something_waits_and_for_a_while_after(clock: ManualClock) -> None:
    link = Link(monotonic=clock)
    link.hand_over(100)
    assert not is_slow(link)
    clock.pass_seconds(2 * SLOW_SECONDS)
    assert is_slow(link)
    link.taken(100)
    assert link.waiting_seconds == 0
    assert is_slow(link)
    clock.pass_seconds(SLOW_FOR_SECONDS + 0.1)
    assert not is_slow(link)


def test_a_link_that_takes_frames_at_once_is_never_slow(clock: ManualClock) -> None:
    link = Link(monotonic=clock)
    for _ in range(100):
        link.hand_over(5_000)
        clock.pass_seconds(SLOW_SECONDS / 2)
        link.taken(5_000)
    assert not is_slow(link)


@pytest.mark.parametrize(("choice", "slow"), [("on", True), ("off", False)])
def test_the_operators_word_on_the_link_counts(clock: ManualClock, choice: str, slow: bool) -> None:
    link = Link(choice, clock)  # type: ignore[arg-type]
    link.hand_over(100)
    clock.pass_seconds(10)
    assert link.slow is slow


def test_new_data_waits_for_the_last_frame_and_on_a_slow_link_for_a_second() -> None:
    pace = Pace(drawn_at=10.0)
    assert pace.may_draw(10.2, waiting=False, slow=False)
    assert not pace.may_draw(10.2, waiting=True, slow=False)
    assert not pace.may_draw(10.2, waiting=False, slow=True)
    assert pace.may_draw(10.0 + REST_SECONDS, waiting=False, slow=True)


def test_without_new_data_it_draws_once_a_second_or_when_something_stirs() -> None:
    pace = Pace(drawn_at=10.0)
    assert not pace.must_draw(10.5, restless=False)
    assert pace.must_draw(10.5, restless=True)
    assert pace.must_draw(10.0 + REST_SECONDS, restless=False)
    assert pace.must_draw(9.0, restless=False)  # a clock that was set back


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def test_a_writer_never_waits_for_a_terminal_that_does_not_read(terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    link, drained = Link(), threading.Event()
    writer = TerminalWriter(theirs, link, drained.set)
    writer.start()
    began = time.monotonic()
    for _ in range(40):
        writer.write("x" * 50_000)
    assert time.monotonic() - began < 1.0
    assert link.full
    assert link.waiting_bytes <= LIMIT_BYTES
    assert not drained.is_set()

    read = 0
    while (ready := select.select((ours,), (), (), 0.2)[0]) or not drained.is_set():
        # The last bytes may be here before the writer's thread has said that they were the last.
        read += len(os.read(ours, 65_536)) if ready else 0
    assert link.waiting_bytes == 0
    assert read == LIMIT_BYTES // 50_000 * 50_000  # whole frames, in order; the rest was never taken
    writer.stop()


def test_a_writer_ends_though_nobody_reads(terminal: tuple[int, int]) -> None:
    link = Link()
    writer = TerminalWriter(terminal[1], link, lambda: None)
    writer.start()
    writer.write("x" * 100_000)
    began = time.monotonic()
    writer.stop()
    assert time.monotonic() - began < 3.0
    assert link.waiting_bytes == 0
    writer.write("too late")
    assert link.waiting_bytes == 0


def test_a_writer_tells_that_the_terminal_hung_up() -> None:
    ours, theirs = pty.openpty()
    gone = threading.Event()
    writer = TerminalWriter(theirs, Link(), lambda: None, gone.set)
    writer.start()
    os.close(ours)
    assert not gone.is_set()
    writer.write("x")
    assert gone.wait(5.0)
    writer.stop()
    os.close(theirs)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("app-a \x1b[1m9 · 41s\x1b[0m", "app-a \x1b[1m9 - 41s\x1b[0m"),
        ("日本 ok", "???? ok"),
        ("naïve", "na?ve"),
        ("e\u0301", "e"),
        ("“quoted” …", '"quoted" ~'),
    ],
)
def test_ascii_takes_as_many_cells_as_what_it_stands_for(text: str, plain: str) -> None:
    assert to_ascii(text) == plain


async def test_a_slow_link_is_told_in_the_status_line(make_console: Callable[..., Console]) -> None:
    console = make_console()
    async with console.app.run_test(size=(80, 24)):
        console.app.link = Link("on")
        console.feed.snapshot = showcase_snapshot()
        console.app.tick()
        await console.settle()
        assert SLOW_LINK in console.screen_lines()[0]


async def test_keys_typed_at_a_question_that_was_not_shown_answer_nothing(make_console: Callable[..., Console]) -> None:
    console = make_console()
    async with console.app.run_test(size=(80, 24)):
        await console.settle()
        await console.press("R")
        before = console.screen_text()
        console.app.owes = True
        await console.app.on_event(events.Key("t", "t"))
        await console.settle()
        assert console.screen_text() == before
        console.app.owes = False
        await console.press("t")
        assert console.screen_text() != before


def test_a_full_link_leaves_room_for_one_frame_at_least() -> None:
    link = Link()
    link.hand_over(FULL_BYTES)
    assert not link.full
    link.hand_over(1)
    assert link.full
