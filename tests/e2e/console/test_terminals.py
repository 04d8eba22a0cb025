"""Every kind of terminal shows every screen: its words, in colours and signs that this terminal has."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from tests.e2e.console.scripted import CONSOLE, surroundings
from tests.faults.process import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SIXTEEN = {*range(10), *range(22, 30), *range(30, 38), 39, *range(40, 48), 49, *range(90, 98), *range(100, 108)}
"""Attributes, the sixteen colours, and the terminal's own two: what every colour terminal has."""
COLOURLESS = {*range(10), *range(22, 30), 39, 49}
SGR = re.compile(rb"\x1b\[([0-9;:]*)m")
ESCAPES = re.compile(rb"\x1b(?:\[[0-9;:<=>?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z]|[ -/]*[0-~])")
SCREENS: Mapping[str, tuple[str, ...]] = {
    "1": ("[1 Apps]", "app-000", "crash loop", "? help"),
    "8": ("[8 Journal]", "? help"),
    "3": ("[3 History]", "? help"),
    "2": ("[2 Pods]", "app-000", "RESTARTS", "? help"),
}
"""Keys, and the words that the screen shows after each; the status line's own are asked for everywhere."""
COVERS: Mapping[str, tuple[str, ...]] = {
    "K": ("Kill pod", "Cancel"),
    "x": ("healerd and pod", "esc back"),
    "d": ("Pod app-000", "esc back"),
    "y": ("YAML of app-000", "esc back"),
    "e": ("Events of app-000", "esc back"),
    "l": ("Logs of app-000", "esc back"),
    "n": ("Namespace ", "esc"),
    ":": ("Commands", "esc goes back"),
    "?": ("Change (upper case", "esc back"),
}
"""The same for what covers a screen until ``esc``."""
ESC = "\x1b"
STATUS_WORDS = ("read-write", "live")


@dataclass(frozen=True)
class Kind:
    """A kind of terminal: what it says of itself, and what it may be sent."""

    environ: Mapping[str, str]
    codes: set[int]
    ascii_only: bool = False


KINDS: Mapping[str, Kind] = {
    "truecolor": Kind({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, SIXTEEN),
    "no COLORTERM": Kind({"TERM": "xterm-256color"}, SIXTEEN),
    "tmux": Kind({"TERM": "tmux-256color"}, SIXTEEN),
    "screen": Kind({"TERM": "screen"}, SIXTEEN),
    "linux": Kind({"TERM": "linux"}, SIXTEEN, ascii_only=True),
    "NO_COLOR": Kind({"NO_COLOR": "1"}, COLOURLESS),
    "NO_COLOR and COLORTERM": Kind({"NO_COLOR": "1", "COLORTERM": "truecolor"}, COLOURLESS),
    "LANG=C": Kind({"LANG": "C"}, SIXTEEN, ascii_only=True),
    "LANG=C and NO_COLOR": Kind({"LANG": "C", "NO_COLOR": "1"}, COLOURLESS, ascii_only=True),
}


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with ServerProcess("--pods", "100") as process:
        yield process


def shows(terminal: Terminal, *words: str) -> None:
    terminal.wait_for(lambda screen: all(word in screen for word in words), 20.0)


def shows_again(terminal: Terminal, word: str, *, covered_by: str) -> None:
    terminal.wait_for(lambda screen: covered_by not in screen and word in screen, 20.0)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_every_screen_is_legible(server: ServerProcess, tmp_path: Path, kind: Kind) -> None:
    written = bytearray()
    with Terminal([CONSOLE], surroundings(server, tmp_path, **kind.environ), 80, 24) as terminal:
        terminal.tap = written.extend
        for key, words in SCREENS.items():
            terminal.send(key)
            shows(terminal, *words, *STATUS_WORDS)
        for key, words in COVERS.items():
            terminal.send(key)
            shows(terminal, *words)
            terminal.send(ESC)
            shows_again(terminal, "[2 Pods]", covered_by=words[0])
        terminal.send("q")
        assert terminal.wait(10.0) == 0

    assert codes_of(bytes(written)) <= kind.codes
    plain = ESCAPES.sub(b"", bytes(written))
    assert not kind.ascii_only or plain.isascii(), sorted(
        {chr(code) for code in plain.decode().encode("utf-8") if code > 127}
    )


def codes_of(written: bytes) -> set[int]:
    """Every number in a sequence that sets colours or attributes."""
    return {int(code or 0) for found in SGR.findall(written) for code in re.split(rb"[;:]", found)}


@pytest.mark.parametrize("term", ["dumb", ""], ids=["dumb", "none"])
def test_a_terminal_that_can_show_no_screen_is_told_what_works_there(
    server: ServerProcess, tmp_path: Path, term: str
) -> None:
    with Terminal([CONSOLE], surroundings(server, tmp_path, TERM=term), 100, 24) as terminal:
        assert terminal.wait(10.0) == 2
        said = " ".join(terminal.text().split())
    assert "--plain" in said
    assert "--once" in said
    assert "Traceback" not in said


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed here")
@pytest.mark.parametrize("term", ["tmux-256color", "screen"])
def test_a_real_tmux_shows_it_right(server: ServerProcess, tmp_path: Path, term: str) -> None:
    with Tmux(tmp_path / "socket", term, surroundings(server, tmp_path)) as tmux:
        tmux.wait_for("[1 Apps]", "app-000", "crash loop", "? help")
        tmux.call("send-keys", "2")
        tmux.wait_for("[2 Pods]", "app-000", "RESTARTS")
        tmux.call("resize-window", "-x", "60", "-y", "15")
        tmux.wait_for("[2 Pods]", "app-000", "live")
        coloured = tmux.call("capture-pane", "-p", "-e").encode()
        assert codes_of(coloured) <= SIXTEEN
        tmux.call("send-keys", "q")
        tmux.wait_for_end()


class Tmux:
    """A tmux server of our own with the console in its only window."""

    def __init__(self, socket: Path, term: str, environ: Mapping[str, str]) -> None:
        self._command = ("tmux", "-S", str(socket), "-f", os.devnull)
        self._environ = dict(environ)
        self._term = term

    def __enter__(self) -> "Tmux":
        self.call("start-server", ";", "set", "-g", "default-terminal", self._term, ";", *self._session())
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run([*self._command, "kill-server"], env=self._environ, check=False, capture_output=True)

    def _session(self) -> tuple[str, ...]:
        return ("new-session", "-d", "-x", "100", "-y", "40", CONSOLE)

    def call(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._command, *arguments], env=self._environ, check=True, capture_output=True, text=True, timeout=10
        )
        return done.stdout

    def wait_for(self, *words: str) -> None:
        end = time.monotonic() + 30.0
        while not all(word in (screen := self.call("capture-pane", "-p")) for word in words):
            assert time.monotonic() < end, screen
            time.sleep(0.1)

    def wait_for_end(self) -> None:
        end = time.monotonic() + 10.0
        while not subprocess.run(
            [*self._command, "has-session"], env=self._environ, check=False, capture_output=True
        ).returncode:
            assert time.monotonic() < end, "the console did not end"
            time.sleep(0.1)
