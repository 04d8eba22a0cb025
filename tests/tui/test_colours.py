"""The setting `colour` wins over what the terminal says of itself."""

import os
import re
import sys

import pytest

from benchmarks.terminal import Terminal
from selfheal_cli.settings import Colour
from selfheal_tui.terminal.colours import choose_colours

PROGRAM = """
import os, sys
from selfheal_tui.terminal.colours import choose_colours
choose_colours(sys.argv[1], os.environ)
from selfheal_tui.app import SelfhealApp
from selfheal_tui.present.glyphs import UNICODE
from selfheal_tui.session import Session
from selfheal_tui.showcase import NOW, ShowcaseFeed
SelfhealApp(Session(ShowcaseFeed(), UNICODE, clock=lambda: NOW)).run(mouse=False)
"""


@pytest.mark.parametrize(
    ("choice", "before", "after"),
    [
        ("auto", {"NO_COLOR": "1"}, {"NO_COLOR": "1"}),
        ("auto", {"NO_COLOR": ""}, {}),
        ("auto", {}, {}),
        ("never", {}, {"NO_COLOR": "1"}),
        ("16", {"NO_COLOR": "1"}, {"TEXTUAL_COLOR_SYSTEM": "standard"}),
        ("256", {}, {"TEXTUAL_COLOR_SYSTEM": "256"}),
        ("truecolor", {}, {"TEXTUAL_COLOR_SYSTEM": "truecolor"}),
    ],
)
def test_what_textual_is_told(choice: Colour, before: dict[str, str], after: dict[str, str]) -> None:
    environ = dict(before)
    choose_colours(choice, environ)
    assert environ == after


@pytest.mark.slow
@pytest.mark.parametrize(("choice", "coloured"), [("never", False), ("16", True), ("truecolor", True)])
def test_it_shows_on_a_real_terminal(choice: str, coloured: bool) -> None:
    environ = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": "1"}
    written = bytearray()
    with Terminal([sys.executable, "-c", PROGRAM, choice], environ, 80, 24) as terminal:
        terminal.tap = written.extend
        terminal.wait_for(lambda screen: "Safe next step" in screen, 20.0)
        terminal.send("q")
        assert terminal.wait(10.0) == 0
    assert bool(re.search(rb"\x1b\[[0-9;]*3[1-6]m", bytes(written))) == coloured
