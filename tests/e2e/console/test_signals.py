"""Ends and pauses that come from outside: a hang-up, a stop by the system, ctrl+z; nothing is left behind."""

import os
import re
import shlex
import signal
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from tests.e2e.console.scripted import CONSOLE, open_console, surroundings
from tests.faults.process import ServerProcess
from tests.polling import until
from tests.processes import is_running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

END_SECONDS = 5.0
PROMPT = "at-the-prompt "
LEAVE_SCREEN, SHOW_CURSOR = b"\x1b[?1049l", b"\x1b[?25h"
PLUGIN = """#!/bin/sh
# Gives a token that has run out at once; asked for the next one it never answers.
if mkdir "$0.asked" 2>/dev/null; then
  echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",
         "status":{"token":"first","expirationTimestamp":"2020-01-01T00:00:00Z"}}'
else
  echo $$ > "$0.pid.new" && mv "$0.pid.new" "$0.pid"
  trap '' TERM HUP
  while :; do sleep 1; done
fi
"""


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    with ServerProcess("--pods", "100", "--rate", "20") as process:
        yield process


@pytest.fixture
def environ(server: ServerProcess, tmp_path: Path) -> Mapping[str, str]:
    return surroundings(server, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_a_signal_ends_it_in_order_and_gives_the_terminal_back(
    environ: Mapping[str, str], number: signal.Signals
) -> None:
    written = bytearray()
    with Terminal([CONSOLE], environ, 80, 24) as console:
        modes = console.modes()
        console.tap = written.extend
        console.wait_for(lambda screen: "app-000" in screen, 30.0)
        assert console.modes() != modes
        os.kill(console.pid, number)
        assert console.wait(END_SECONDS) == 128 + number
        assert console.modes() == modes
    assert bytes(written).rfind(LEAVE_SCREEN) > bytes(written).rfind(b"app-000")
    assert bytes(written).rfind(SHOW_CURSOR) > bytes(written).rfind(LEAVE_SCREEN)
    assert b"Traceback" not in written


def test_a_stop_while_the_terminal_does_not_read_ends_in_time(environ: Mapping[str, str]) -> None:
    with open_console(environ) as console:
        for _ in range(40):
            console.send("12")
            time.sleep(0.02)
        began = time.monotonic()
        os.kill(console.pid, signal.SIGTERM)
        until(lambda: not is_running(console.pid), END_SECONDS, "it ends though nobody reads")
        assert time.monotonic() - began < END_SECONDS


def test_a_lost_connection_ends_it_and_the_programs_that_it_started(server: ServerProcess, tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.write_text(PLUGIN)
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    environ = surroundings(server, tmp_path)
    call = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}
    server.kubeconfig(tmp_path, user={"exec": call})
    told = Path(f"{plugin}.pid")
    with Terminal([CONSOLE], environ, 80, 24) as console:
        end = time.monotonic() + 20.0
        while not told.exists() and time.monotonic() < end:
            console.read(0.1)
        pid, child = console.pid, int(told.read_text())
        assert is_running(child)
        console.hang_up()
        until(lambda: console.wait(0.0) is not None, END_SECONDS, "the console ends with its terminal")
        until(lambda: not is_running(child), 1.0, "so does what it started")
    assert not is_running(pid)


def test_a_closed_terminal_ends_it_though_the_program_that_started_it_lives_on(environ: Mapping[str, str]) -> None:
    """The kernel tells only whoever leads the session; `make demo` waits for the console and passes nothing on."""
    leader = ["sh", "-c", f"trap '' HUP; {shlex.quote(CONSOLE)}; exit 3"]
    with Terminal(leader, environ, 80, 24) as console:
        console.wait_for(lambda screen: "app-000" in screen, 30.0)
        console.hang_up()
        until(lambda: console.wait(0.0) == 3, END_SECONDS, "the console ends, and so does what waited for it")


@pytest.mark.parametrize("leave", ["", "q"], ids=["by the first", "by key"])
def test_hangups_that_come_while_it_ends_do_not_cut_its_end_short(environ: Mapping[str, str], leave: str) -> None:
    written = bytearray()
    with open_console(environ) as console:
        console.tap = written.extend
        if leave:
            console.send(leave)
            until(lambda: console.read(0.0) or LEAVE_SCREEN in written, END_SECONDS, "it leaves")
        while console.wait(0.0) is None:
            with suppress(ProcessLookupError):
                os.kill(console.pid, signal.SIGHUP)
            console.read(0.002)
        assert console.wait(0.0) in (0, 128 + signal.SIGHUP)


def test_ctrl_z_hands_the_terminal_to_the_shell_and_fg_paints_it_whole(environ: Mapping[str, str]) -> None:
    shell = ["bash", "--norc", "--noprofile", "-i"]
    with Terminal(shell, {**environ, "PS1": PROMPT, "BASH_SILENCE_DEPRECATION_WARNING": "1"}, 100, 40) as terminal:
        terminal.wait_for(lambda screen: PROMPT.strip() in screen, 10.0)
        terminal.send(f"{shlex.quote(CONSOLE)}\n")
        terminal.wait_for(lambda screen: "app-000" in screen, 30.0)

        terminal.send("\x1a")
        terminal.wait_for(lambda screen: "Stopped" in screen, 10.0)
        terminal.send("clear\n")  # the emulator of this test has one screen only
        terminal.wait_for(lambda screen: "app-000" not in screen, 10.0)
        assert is_cooked(terminal)

        terminal.send("fg\n")
        terminal.wait_for(lambda screen: "app-000" in screen and "[1 Apps]" in screen and "cooked" not in screen, 10.0)
        terminal.send("2")
        terminal.wait_for(lambda screen: "[2 Pods]" in screen, 10.0)
        terminal.send("q")
        terminal.wait_for(lambda screen: PROMPT.strip() in screen, 10.0)
        terminal.send("clear\n")
        assert is_cooked(terminal)


def is_cooked(terminal: Terminal) -> bool:
    """Whether lines are edited and echoed and ctrl+c is heard, as the programs of a shell expect.

    The shell itself switches that off while it waits, so a program of it is asked.
    """
    terminal.send("echo cooked-$(stty -a | tr ' ' '\\n' | grep -cx -e isig -e icanon -e echo -e icrnl)-modes\n")
    terminal.wait_for(lambda screen: re.search(r"cooked-\d-modes", screen) is not None, 10.0)
    return "cooked-4-modes" in terminal.text()
