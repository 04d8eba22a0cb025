"""The console on a real terminal: sixteen colours at most, none where none are wanted, and a clean end."""

import os
import re
import sys

import pytest

from benchmarks.terminal import Terminal

pytestmark = pytest.mark.slow

PROGRAM = """
from selfheal_tui.app import SelfhealApp
from selfheal_tui.present.glyphs import UNICODE
from selfheal_tui.session import Session
from selfheal_tui.showcase import NOW, ShowcaseFeed
SelfhealApp(Session(ShowcaseFeed(), UNICODE, clock=lambda: NOW)).run(mouse=False)
"""
STUCK_PROGRAM = """
import threading
from functools import partial
from selfheal_cli.ending import Watchdog
from selfheal_tui.app import SelfhealApp
from selfheal_tui.present.glyphs import UNICODE
from selfheal_tui.session import Session
from selfheal_tui.showcase import NOW, ShowcaseFeed
begin = partial(Watchdog().begin, 3.0, 1)
SelfhealApp(Session(ShowcaseFeed(), UNICODE, clock=lambda: NOW), on_leave=begin).run(mouse=False)
threading.Event().wait()
"""
SIXTEEN = {*range(10), *range(30, 38), 39, *range(40, 48), 49, *range(90, 98), *range(100, 108)}
ATTRIBUTES = {0, 1, 2, 3, 4, 7, 9, 39, 49}
"""Bold, dim, underlined, reversed, struck; the terminal's own two colours."""


def codes_written(**environ: str) -> set[int]:
    """Every SGR code that the showcase writes on a terminal."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLORTERM")}
    written = bytearray()
    with Terminal([sys.executable, "-c", PROGRAM], {**kept, "TERM": "xterm-256color", **environ}, 80, 24) as terminal:
        terminal.tap = written.extend
        terminal.wait_for(lambda screen: "app-a" in screen and "Safe next step" in screen, 20.0)
        terminal.send("q")
        assert terminal.wait(10.0) == 0
    sequences = re.findall(rb"\x1b\[([0-9;]*)m", bytes(written))
    return {int(code or 0) for sequence in sequences for code in sequence.split(b";")}


@pytest.mark.parametrize("environ", [{}, {"COLORTERM": "truecolor"}, {"TERM": "screen"}], ids=str)
def test_sixteen_colours_are_enough(environ: dict[str, str]) -> None:
    assert codes_written(**environ) <= SIXTEEN


def test_no_colour_means_none() -> None:
    assert codes_written(NO_COLOR="1") <= ATTRIBUTES


def test_a_console_that_is_stuck_on_its_way_out_ends_all_the_same() -> None:
    environ = {**os.environ, "TERM": "xterm-256color"}
    with Terminal([sys.executable, "-c", STUCK_PROGRAM], environ, 80, 24) as terminal:
        modes = terminal.modes()
        terminal.wait_for(lambda screen: "app-a" in screen, 20.0)
        terminal.send("q")
        assert terminal.wait(20.0) == 1
        assert terminal.modes() == modes
