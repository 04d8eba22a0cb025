"""The real console over a cluster of attacks: no byte of them is obeyed by the terminal, no column moves."""

import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from tests.e2e.console.scripted import CONSOLE
from tests.e2e.hostile.sequences import MARKER, obeyed_in_text, take_apart

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]

COLUMNS, LINES = 160, 45
SETTLED_SECONDS = 0.1
ROOM_MEBIBYTES = 250
KEY_SECONDS = 1.0
SHOWS = ("d", "e", "x", "y", "l", "p")
NAME_COLUMN = 2
TABS = "3 History"
"""Only above tables."""
TITLES = ("TRACK", "READY", "STATE", "RESTARTS", "LAST EXIT", "NODE", "IP", "APP", "RELEASE", "STATUS")
"""Of columns whose text begins where the title does."""


class Recorded:
    """A console, and all that it ever sent."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.sent = bytearray()
        self.terminal = Terminal([CONSOLE], environ, COLUMNS, LINES)
        self.terminal.tap = self.sent.extend

    def press(self, *keys: str) -> None:
        """Type keys one by one, each with time to be answered."""
        for key in keys:
            self.terminal.send(key)
            while self.terminal.read(SETTLED_SECONDS):
                pass
            assert self.terminal.wait(0.0) is None, "it ended"

    def read_about(self, key: str) -> None:
        """Open a text by its key, look at its end, and go back to the table."""
        self.terminal.send(key)
        self.terminal.wait_for(lambda screen: TABS not in screen, 10.0)
        self.press("G")
        self.terminal.send("\x1b")
        self.terminal.wait_for(lambda screen: TABS in screen, 10.0)

    def answer_seconds(self, key: str, shown: str) -> float:
        """How long a key takes until its answer is on the screen."""
        self.terminal.send(key)
        return self.terminal.wait_for(lambda screen: shown in screen, 10.0)


@pytest.fixture
def console(environ: Mapping[str, str]) -> Iterator[Recorded]:
    recorded = Recorded(environ)
    try:
        recorded.terminal.wait_for(lambda screen: "target" in screen and "connecting" not in screen, 30.0)
        yield recorded
    finally:
        recorded.terminal.close()


def assert_aligned(terminal: Terminal) -> None:
    """Every row of the table has a blank before each column that begins with its title."""
    lines = terminal.lines()
    top = next(number for number, text in enumerate(lines) if "STATE" in text or "STATUS" in text)
    starts = [lines[top].index(f" {title}") for title in TITLES if f" {title}" in lines[top]]
    assert len(starts) >= 3, lines[top]
    named = terminal.column(NAME_COLUMN)
    rows = range(top + 1, next(row for row in range(top + 1, LINES) if named[row] == " "))
    assert len(rows) >= 3, "\n".join(lines)
    for start in starts:
        column = terminal.column(start)
        assert [column[row] for row in rows] == [" "] * len(rows), "\n".join([f"column {start}", *lines])


def test_no_byte_of_an_attack_is_obeyed_and_no_column_moves(console: Recorded, environ: Mapping[str, str]) -> None:
    for tab in ("1", "2", "3"):
        console.press(tab)
        assert_aligned(console.terminal)
        console.press("w", "s", "i", "j", "G", "g")
        assert_aligned(console.terminal)
    for tab, shows in (("2", SHOWS), ("1", ("d", "x", "e"))):
        console.press(tab)
        for key in shows:
            console.read_about(key)
    console.press("0")
    console.terminal.wait_for(lambda screen: "target" in screen and "onnecting" not in screen, 20.0)
    assert_aligned(console.terminal)
    for keys in (("n",), ("v",), (":",), ("?",), ("1", "R"), ("2", "K"), ("2", "\r", "\x1b"), ("8",), ("n", "z", "q")):
        console.press(*keys, "\x1b", "\x1b", "\x1b")
    sent = take_apart(bytes(console.sent))

    assert sent.forbidden == []
    assert sent.copied == []
    assert len(set(MARKER.findall(sent.text))) > 150, "the attacks were on the screen"
    assert console.terminal.resident_mebibytes() < ROOM_MEBIBYTES
    log = Path(environ["XDG_STATE_HOME"], "selfheal", "console.log").read_bytes()
    assert b"pods: an object can't be read and is left out" in log
    assert obeyed_in_text(log) == []


def test_the_clipboard_is_set_by_its_key_only_and_what_it_holds_can_be_pasted(console: Recorded) -> None:
    console.press("2", "G", "c", "k", "c", "3", "c", "2", "l", "c", "\x1b")
    sent = take_apart(bytes(console.sent))

    assert len(sent.copied) == 4
    assert all(text.isprintable() for text in sent.copied), sent.copied
    assert [each for each in sent.forbidden if not each.startswith("\x1b]52;")] == []


def test_a_line_of_ten_megabytes_is_cut_and_keys_answer_meanwhile(console: Recorded) -> None:
    console.press("2")
    console.answer_seconds("l", "following")
    waits = [console.answer_seconds(key, shown) for key, shown in (("?", "Look (lower case"), ("q", "following")) * 3]
    console.terminal.wait_for(lambda screen: "more characters left out" in screen or "ended" in screen, 20.0)
    began = time.monotonic()
    console.press("w", "g", "G", "/", "zq", "\r", "n", "N", "r", "w")
    assert time.monotonic() - began < 10 * (KEY_SECONDS + SETTLED_SECONDS)
    sent = take_apart(bytes(console.sent))

    assert statistics.median(waits) < KEY_SECONDS
    assert console.terminal.resident_mebibytes() < ROOM_MEBIBYTES
    assert sent.forbidden == []
