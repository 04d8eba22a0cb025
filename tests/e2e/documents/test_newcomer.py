"""A newcomer's path from the README to a rollback, and the tutorial to its end, on a real terminal as they are written.

Counted are commands, single keys, and answers; an answer is a typed name that ends with Enter. Where a page says
``git clone REPOSITORY``, this working tree is copied instead.
"""

import shutil
import sys
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from tests.e2e.documents.reader import ROOT, Doing, Reader, doings, failures, said
from tests.e2e.sandbox_process import environment_for

README = ROOT / "README.md"
TUTORIAL = ROOT / "docs/tutorial/first-ten-minutes.md"
CLONE = Doing("command", "git clone REPOSITORY selfheal-tui")
ROLLED_BACK = Doing("answer", "app-a")
SECONDS = 90.0
SHOWS: Mapping[Doing, tuple[str, ...]] = {
    Doing("command", "make demo"): ("app-a", "visitor", "healthy"),
    Doing("key", "B"): ("Break app-a", "bad release", "layer 4"),
    Doing("answer", "bad release"): ("Heals", "layer 4", "y break something"),
    Doing("key", "y"): ("image error", "R roll back"),
    Doing("key", "R"): ("Roll back app-a", "to revision 1", "type the name"),
    Doing("key", "t"): ("Type app-a",),
    ROLLED_BACK: ("RECOVERED",),
    Doing("key", "3"): ("[3 History]", "deployed, runs"),
    Doing("key", "@"): ("[8 Journal]", "rollback", "break"),
    Doing("key", "1"): ("[1 Apps]", "healthy"),
}
"""What each step shows; the next one is not done before."""


def path_to_the_rollback(page: Path) -> list[Doing]:
    """What the page tells to do, up to the answer that sends the rollback."""
    steps = doings(page)
    return [*takewhile(lambda step: step != ROLLED_BACK, steps), ROLLED_BACK]


def texts(steps: list[Doing], kind: str) -> list[str]:
    return [step.text for step in steps if step.kind == kind]


@pytest.mark.parametrize("page", [README, TUTORIAL], ids=["readme", "tutorial"])
def test_three_commands_four_keys_and_two_answers_lead_to_a_rollback(page: Path) -> None:
    steps = path_to_the_rollback(page)

    assert texts(steps, "command") == [CLONE.text, "cd selfheal-tui", "make demo"]
    assert texts(steps, "key") == ["B", "y", "R", "t"]
    assert texts(steps, "answer") == ["bad release", "app-a"]


@pytest.fixture
def newcomer(tmp_path: Path, tools: Mapping[str, Path]) -> Iterator[Reader]:
    """Somebody in an empty folder; the set-up of the clone is done once it is there."""
    cache, home = tmp_path / "cache", tmp_path / "home"
    for made in (cache / "selfheal/tools", home):
        made.mkdir(parents=True)
    for name, path in tools.items():
        (cache / "selfheal/tools" / name).symlink_to(path)
    terminal = {"XDG_CACHE_HOME": str(cache), "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    reader = Reader(tmp_path, {**environment_for(home), **terminal})
    yield reader
    reader.types(f"{sys.prefix}/bin/selfheal-sandbox down --forget")


def clone_with_setup(folder: Path) -> None:
    """Copy this tree, with the marks that ``make`` leaves after installing and programs that are installed already."""
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "results", "build", "dist")
    shutil.copytree(ROOT, folder, ignore=unwanted)
    (folder / ".venv").mkdir()
    (folder / ".venv/bin").symlink_to(f"{sys.prefix}/bin")
    for mark in (".runtime", ".tools"):
        (folder / ".venv" / mark).touch()


def see(console: Terminal, words: tuple[str, ...]) -> None:
    console.wait_for(lambda screen: all(word in " ".join(screen.split()) for word in words), SECONDS)


def on_the_screen(console: Terminal, step: Doing) -> None:
    """Press a key or type an answer, and wait for what it shows."""
    console.send(step.text if step.kind == "key" else step.text + "\r")
    see(console, SHOWS.get(step, ()))


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_tutorial_leads_from_nothing_to_a_rollback_and_to_a_crash_that_heals(newcomer: Reader) -> None:
    first, enter, start, *rest = doings(TUTORIAL)
    assert first == CLONE
    clone = newcomer.folder / "selfheal-tui"
    clone_with_setup(clone)
    at_home = Reader(clone, newcomer.environment)
    by_hand = texts(rest, "command")
    typed: list[Doing] = []
    command = ["bash", "-c", f"cd {newcomer.folder} && {enter.text} && exec {start.text}"]

    with Terminal(command, newcomer.environment, 100, 30) as console:
        see(console, SHOWS[start])
        *looking, leave = (step for step in rest if step.kind != "command")
        for step in looking:
            on_the_screen(console, step)
            typed.append(step)
            if step == ROLLED_BACK:
                console.send("\r")
                console.wait_for(lambda screen: "[ Back ]" not in screen, SECONDS)
        steps = at_home.types(*by_hand)
        console.send(leave.text)
        code = console.wait(30)

    assert (leave, code) == (Doing("key", "q"), 0)
    assert typed[: len(path_to_the_rollback(README)) - 3] == path_to_the_rollback(README)[3:]
    assert failures(steps) == []
    assert "Rollback to 1" in said(steps, "helm history")
    assert said(steps, "selfheal explain").startswith("state     Healthy")
    assert "RECOVERED" in said(steps, "selfheal break")
