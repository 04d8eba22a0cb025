"""A terminal that reads slowly, or not at all: watches go on, keys come first, and the screen is right afterwards."""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from tests.e2e.console.scripted import open_console, rows, surroundings
from tests.faults.process import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]

STALL_SECONDS = float(os.environ.get("SELFHEAL_TEST_STALL_SECONDS", "6"))
"""Long enough to fill every buffer on the way several times; a minute shows nothing more, and takes a minute."""
RIGHT_WITHIN_SECONDS = 1.0
SLACK_SECONDS = 0.5
"""For a machine that does other things too."""
BURST = 1_500
BURST_SECONDS = 15.0
SLOW_BYTES_PER_SECOND = 60_000.0
SIZES = ((20, 5), (200, 50), (80, 24), (33, 9), (120, 40))


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    with ServerProcess("--pods", "300", "--rate", "100") as process:
        yield process


@pytest.fixture
def console(server: ServerProcess, tmp_path: Path) -> Iterator[Terminal]:
    with open_console(surroundings(server, tmp_path)) as terminal:
        terminal.send("2")
        terminal.wait_for(lambda screen: "/300" in screen, 20.0)
        yield terminal


def painted_anew(terminal: Terminal) -> list[str]:
    """The rows once everything was painted whole, as after another size."""
    terminal.resize(98, 40)
    terminal.watch(1.0)
    terminal.resize(100, 40)
    terminal.watch(1.5)
    return rows(terminal.text())


def pod_watches(server: ServerProcess) -> int:
    return sum(request["kind"] == "watch" and request["path"].endswith("/pods") for request in server.requests())


def test_a_terminal_that_does_not_read_stops_no_watch_and_is_right_when_it_reads_again(
    server: ServerProcess, console: Terminal
) -> None:
    before, watches = rows(console.text()), pod_watches(server)
    until = time.monotonic() + STALL_SECONDS
    while time.monotonic() < until:  # nothing is read from here on, while keys ask for whole screens
        console.send("1")
        time.sleep(0.1)
        console.send("2")
        time.sleep(0.1)
    began = time.monotonic()
    server.command(burst=BURST)  # answered once the console has read them all
    assert time.monotonic() - began < BURST_SECONDS
    server.command(rate=0)
    time.sleep(1.5)  # the last changes are joined; the terminal still does not read

    console.watch(RIGHT_WITHIN_SECONDS + SLACK_SECONDS)

    seen = rows(console.text())
    assert seen != before
    assert seen == painted_anew(console)
    assert pod_watches(server) == watches


def test_a_terminal_that_reads_slowly_is_told_of_and_keys_come_first(server: ServerProcess, console: Terminal) -> None:
    assert "slow link" not in console.text()
    console.bytes_per_second = SLOW_BYTES_PER_SECOND
    for _ in range(20):  # whole screens, faster than they can be taken
        console.send("G")
        console.watch(0.05)
        console.send("g")
        console.watch(0.05)
    console.wait_for(lambda screen: "slow link" in screen.splitlines()[0], 10.0)
    server.command(rate=0)
    console.wait_for(lambda screen: "slow link" not in screen.splitlines()[0], 20.0)
    assert rows(console.text()) == painted_anew(console)


def test_a_storm_of_sizes_ends_with_the_last_one_painted_right(server: ServerProcess, console: Terminal) -> None:
    server.command(rate=0)
    sizes = random.Random(1)
    for number in range(100):
        columns, lines = SIZES[number % 5] if number % 3 else (sizes.randint(20, 200), sizes.randint(5, 50))
        console.resize(columns, lines)
        console.watch(0.02)
    console.resize(100, 40)
    console.watch(3.0)

    seen = rows(console.text())
    assert any("app-0" in row for row in seen)
    assert seen == painted_anew(console)
    console.send("q")
    assert console.wait(10.0) == 0
