"""What operators see and can do on the bastion, over OpenSSH's own client, and what is left when the line is cut."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bastion.connections import LARGEST_NEW_PER_ADDRESS, LOGIN_GRACE_SECONDS, PORT
from benchmarks.terminal import Terminal
from tests.e2e.bastion.bastion_pod import COMMAND_SECONDS, BastionPod

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(300)]

SEEN_SECONDS = 40.0
END_SECONDS = 5.0
GAP_SECONDS = 0.5
"""Well below half of the 3 seconds that a line may be dead here; taking the link down and up adds to it."""
LEAVES_SCREEN = b"\x1b[?1049l"


def see(console: Terminal, *words: str) -> None:
    console.wait_for(lambda screen: all(word in " ".join(screen.split()) for word in words), SEEN_SECONDS)


@pytest.mark.parametrize("term", ["xterm-256color", "tmux-256color", "screen", "linux"])
def test_a_login_opens_the_console_and_leaves_the_terminal_as_it_was(bastion: BastionPod, term: str) -> None:
    with bastion.console("alice", term) as console:
        before, written = console.modes(), bytearray()
        console.tap = written.extend
        see(console, "[1 Apps]", "bastion-test", " live")
        console.send("q")
        code = console.wait(SEEN_SECONDS)

        assert code == 0
        assert console.modes() == before
    assert LEAVES_SCREEN in written
    bastion.wait_until_nobody_is_left(END_SECONDS)


def test_a_terminal_that_shows_no_screen_gets_text(bastion: BastionPod) -> None:
    with bastion.console("alice", "dumb") as console:
        see(console, "bastion-test bastion healthy", "healerd unknown")
        assert console.wait(SEEN_SECONDS) == 0


def test_a_window_that_changes_its_size_is_filled(bastion: BastionPod) -> None:
    with bastion.console("alice") as console:
        see(console, "[1 Apps]", " live")
        console.resize(120, 40)
        console.wait_for(lambda screen: "roll back" in screen.splitlines()[-1], SEEN_SECONDS)
        assert len(console.lines()) == 40
        console.send("q")
        assert console.wait(SEEN_SECONDS) == 0


def test_each_operator_has_their_own_rights_and_is_told_what_is_missing(bastion: BastionPod) -> None:
    with bastion.console("alice") as alice, bastion.console("bob") as bob:
        see(alice, "[1 Apps]", "read-write", "bastion")
        see(bob, "Nothing is known:", "forbidden (not allowed to list", "in namespace bastion-test).")
        mine = {line.partition(" ")[0] for line in bastion.processes() if "selfheal-tui" in line}

        assert len(mine) == 2, "each console runs under an account of its own"
        for console in (alice, bob):
            console.send("q")
            assert console.wait(SEEN_SECONDS) == 0


def test_the_journal_names_the_login_and_where_it_came_from(bastion: BastionPod) -> None:
    with bastion.console("bob") as console:
        see(console, "[1 Apps]")
        console.send("q")
        assert console.wait(SEEN_SECONDS) == 0

    began, ended = bastion.journal("bob")[-2:]

    assert (began["user"], began["verb"], began["text"]) == ("bob", "session", "session began")
    assert began["host"].count(".") == 3
    assert ended["text"] == "session ended, exit code 0"
    assert ended["operation_id"] == began["operation_id"]


@pytest.mark.parametrize("words", [("id",), ("sh",), ("selfheal-tui; id",), ("scp", "-t", "/tmp")])
def test_a_command_of_ones_own_is_refused(bastion: BastionPod, words: tuple[str, ...]) -> None:
    done = bastion.ssh("alice", *words)

    assert done.returncode == 2
    assert "uid=" not in done.stdout
    assert done.stderr.strip() == (
        "this bastion opens the console and runs nothing else; log in without a command: ssh LOGIN@BASTION"
    )


def test_sftp_is_refused(bastion: BastionPod) -> None:
    command = bastion.command("sftp", "alice")

    done = subprocess.run(command, input="ls\n", capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)

    assert done.returncode != 0
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-W", "10.96.0.1:443"), "stdio forwarding failed"),
        (("-N", "-R", "18080:127.0.0.1:1", "-o", "ExitOnForwardFailure=yes"), "remote port forwarding failed"),
        (("-N", "-R", "/tmp/forwarded:/tmp/none", "-o", "ExitOnForwardFailure=yes"), "remote port forwarding failed"),
    ],
)
def test_ports_are_not_forwarded(bastion: BastionPod, options: tuple[str, ...], said: str) -> None:
    done = bastion.ssh("alice", options=options)

    assert done.returncode == 255
    assert said in done.stderr


def test_an_agent_is_not_forwarded(bastion: BastionPod, agent: str) -> None:
    with bastion.console("alice", options=("-A", "-o", f"IdentityAgent={agent}")) as console:
        see(console, "[1 Apps]")
        # Where sshd puts an agent's socket, in a folder of its own.
        assert "ssh-" not in bastion.python("import os; print(os.listdir('/tmp'))")
        console.send("q")
        assert console.wait(SEEN_SECONDS) == 0


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    """The socket of an agent without keys."""
    path = tmp_path / "agent"
    running = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + COMMAND_SECONDS
        while not path.exists():
            assert time.monotonic() < until, "the agent listens"
            time.sleep(0.05)
        yield str(path)
    finally:
        running.terminate()
        running.wait(COMMAND_SECONDS)


def test_who_connects_and_does_not_log_in_keeps_nobody_out_for_long(bastion: BastionPod) -> None:
    with ExitStack() as held:
        knocking = [
            held.enter_context(socket.create_connection((bastion.address, PORT), COMMAND_SECONDS))
            for _ in range(LARGEST_NEW_PER_ADDRESS)
        ]
        assert {one.recv(7) for one in knocking} == {b"SSH-2.0"}
        refused = held.enter_context(socket.create_connection((bastion.address, PORT), COMMAND_SECONDS))
        assert refused.recv(100) == b"Not allowed at this time\r\n"
        began = time.monotonic()
        for one in knocking:
            while one.recv(1000):
                pass
        assert time.monotonic() - began < LOGIN_GRACE_SECONDS + END_SECONDS

        assert "this bastion opens the console" in bastion.ssh("alice", "id").stderr


def test_neither_root_nor_a_password_gets_in(bastion: BastionPod) -> None:
    root = bastion.ssh("root", options=("-o", f"IdentityFile={bastion.folder / 'alice'}"))
    keyless = bastion.ssh("bob", options=("-o", "PubkeyAuthentication=no"))

    assert (root.returncode, keyless.returncode) == (255, 255)
    assert "Permission denied (publickey)" in root.stderr
    assert "Permission denied (publickey)" in keyless.stderr


def test_a_line_cut_in_mid_screen_leaves_nothing_and_the_next_login_is_fine(bastion: BastionPod) -> None:
    with bastion.console("alice") as console:
        before = console.modes()
        see(console, "[1 Apps]", " live")
        assert any("selfheal-tui" in line for line in bastion.processes())
        with bastion.link_cut():
            took = bastion.wait_until_nobody_is_left(END_SECONDS)
            assert console.wait(SEEN_SECONDS) == 255
            assert console.modes() == before
    print(f"every process was gone {took:.1f} s after the cut")

    with bastion.console("alice") as console:
        see(console, "[1 Apps]", " live")
        console.send("q")
        assert console.wait(SEEN_SECONDS) == 0
    assert "session ended" in bastion.journal("alice")[-1]["text"]


def test_a_short_gap_in_the_line_is_survived(bastion: BastionPod) -> None:
    with bastion.console("alice") as console:
        see(console, "[1 Apps]", " live")
        with bastion.link_cut():
            console.send("2")
            time.sleep(GAP_SECONDS)
        see(console, "[2 Pods]", " live")
        console.send("q")
        assert console.wait(SEEN_SECONDS) == 0
