"""What the lab needs of the machine, and the command line."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.__main__ import run_to_its_end
from tests.lab.errors import LabError
from tests.lab.lab import require_space
from tests.lab.machine import without_counters
from tests.lab.packages import install_missing, missing, require_machine

ROOT = Path(__file__).parents[3]


def test_another_system_than_linux_is_refused() -> None:
    with pytest.raises(LabError, match="runs on Linux only, and this is darwin"):
        require_machine("darwin", 0)


def test_somebody_else_than_root_is_told_how_to_become_root() -> None:
    with pytest.raises(LabError, match=r"needs root.*sudo make lab-up"):
        require_machine("linux", 1000)


def test_a_disk_that_is_too_full_is_told_how_much_is_needed_and_what_to_set() -> None:
    with pytest.raises(LabError, match=r"needs 2048 MB in /lab, and 60 MB are free; .*XDG_STATE_HOME"):
        require_space(Path("/lab"), 60 << 20)
    require_space(Path("/lab"), 4 << 30)


def test_root_on_linux_is_let_in() -> None:
    require_machine("linux", 0)


def test_a_package_is_missing_when_one_of_its_programs_is() -> None:
    assert missing({"shell": ("sh",), "none": ("sh", "no-such-program-at-all")}) == ["none"]


def test_without_apt_the_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(LabError, match="missing on this machine: runc; install them"):
        install_missing(print, {"runc": ("runc",)})


def test_nothing_is_installed_when_nothing_is_missing() -> None:
    said: list[str] = []
    install_missing(said.append, {"shell": ("sh",)})

    assert said == []


@pytest.mark.parametrize("verb", ["status", "kubeconfig"])
def test_a_lab_that_is_not_up_is_an_exit_code_and_a_sentence(verb: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.lab", verb, "--name", "nobodys"],
        cwd=ROOT,
        env={"XDG_STATE_HOME": str(tmp_path), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 1
    assert "lab 'nobodys' is not up" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [("with",), ("with", "--"), ("up", "--", "true"), ("up", "true")])
def test_a_command_goes_with_the_verb_with_and_with_no_other(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.lab", *words], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == 2
    assert "goes with the verb" in done.stderr


def test_a_signal_is_the_commands_to_act_on() -> None:
    program = "import sys; from tests.lab.__main__ import run_to_its_end; sys.exit(run_to_its_end(sys.argv[1:]))"
    words = ["sh", "-c", "trap 'kill $!; exit 7' TERM; sleep 60 & echo ready; wait"]
    with subprocess.Popen([sys.executable, "-c", program, *words], cwd=ROOT, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"ready\n"
        running.send_signal(signal.SIGTERM)

        assert running.wait(10) == 7


def test_a_command_that_nohup_keeps_is_kept() -> None:
    program = "import sys; from tests.lab.__main__ import run_to_its_end; sys.exit(run_to_its_end(sys.argv[1:]))"
    words = ["sh", "-c", "kill -HUP $PPID; kill -HUP $$; echo goes on"]
    command = ["sh", "-c", """trap '' HUP; exec "$@" """, "sh", sys.executable, "-c", program, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=10, check=True)

    assert done.stdout == "goes on\n"


def test_a_command_that_a_signal_ended_has_the_exit_code_that_a_shell_gives_it() -> None:
    assert run_to_its_end(["sh", "-c", "kill -KILL $$"]) == 128 + signal.SIGKILL


def test_an_image_that_is_not_known_is_named_with_those_that_are() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.lab", "images", "nonsense"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("lab: unknown image 'nonsense'; known: service, ")


def test_packets_that_were_counted_are_no_change_of_a_machines_rules() -> None:
    before = "# Generated\n:INPUT ACCEPT [12:3456]\n  counter packets 1 bytes 60 accept\n-A INPUT -j DROP\n"
    after = "# Generated later\n:INPUT ACCEPT [13:3516]\n  counter packets 2 bytes 120 accept\n-A INPUT -j DROP\n"

    assert without_counters(before) == without_counters(after)
    assert without_counters(before) != without_counters(before.replace("DROP", "ACCEPT"))
