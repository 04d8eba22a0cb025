"""``--sandbox`` starts what is missing, and stops only what it started."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from selfheal_core.errors import SelfhealError
from selfheal_tui.practice import Practice, Programs, close_practice, open_practice

SANDBOX = """#!/bin/sh
echo "selfheal-sandbox $*" >> "$FOLDER/calls"
case "$1" in
  kubeconfig) if [ -e "$FOLDER/running" ]; then echo "$FOLDER/kubeconfig"; else echo "does not run" >&2; exit 4; fi ;;
  up) touch "$FOLDER/running" ;;
  down) rm "$FOLDER/running" ;;
esac
"""
SELFHEAL = """#!/bin/sh
echo "selfheal $*" >> "$FOLDER/calls"
[ ! -e "$FOLDER/broken" ] || { echo "helm: no such chart" >&2; exit 1; }
"""


class Stage:
    """Commands on paper in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        for name, text in (("selfheal-sandbox", SANDBOX), ("selfheal", SELFHEAL)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        self.programs = Programs({"FOLDER": str(folder), "PATH": os.environ["PATH"]}, folder)

    def open(self) -> Practice:
        return open_practice(self.programs, self.said.append)

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_sandbox_that_does_not_run_is_started_gets_the_demo_and_is_stopped_again(stage: Stage) -> None:
    practice = stage.open()
    assert practice == Practice(stage.folder / "kubeconfig", started=True)
    assert "selfheal-sandbox up --detach --prometheus=available" in stage.calls
    assert f"selfheal demo install --kubeconfig {stage.folder}/kubeconfig -n demo" in stage.calls
    close_practice(practice, stage.programs, stage.said.append)
    assert stage.calls[-1] == "selfheal-sandbox down"
    assert not (stage.folder / "running").exists()
    assert any("Stopping the sandbox" in text for text in stage.said)


def closed(_text: str) -> None:
    """What writing to a closed terminal does."""
    raise OSError(errno.EIO, "Input/output error")


def test_it_is_stopped_though_the_terminal_was_closed_meanwhile(stage: Stage) -> None:
    practice = stage.open()
    close_practice(practice, stage.programs, closed)
    assert stage.calls[-1] == "selfheal-sandbox down"


def test_a_closed_terminal_is_no_error_where_nothing_is_stopped(stage: Stage) -> None:
    (stage.folder / "running").touch()
    practice = stage.open()
    close_practice(practice, stage.programs, closed)
    assert (stage.folder / "running").exists()


def test_a_terminal_that_is_closed_during_the_start_ends_it_and_the_sandbox(stage: Stage) -> None:
    """A closed terminal is told of more than once; the second time comes while the sandbox is taken down."""
    (stage.folder / "selfheal").write_text(f"{SELFHEAL}kill -HUP $PPID; exec sleep 20\n")
    (stage.folder / "selfheal-sandbox").write_text(f"{SANDBOX}[ $1 != down ] || {{ kill -HUP $PPID; sleep 0.2; }}\n")
    # Its commands are looked for beside the interpreter.
    python = stage.folder / "python"
    python.symlink_to(sys.executable)
    environ = {**os.environ, "FOLDER": str(stage.folder), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    console = [str(python), "-c", "from selfheal_tui.main import main; main()", "--sandbox", "--plain"]
    done = subprocess.run(console, env=environ, capture_output=True, text=True, timeout=15, check=False)
    assert (done.returncode, stage.calls[-1]) == (128 + signal.SIGHUP, "selfheal-sandbox down"), done.stderr
    assert not (stage.folder / "running").exists()
    assert "Traceback" not in done.stderr


def test_a_sandbox_that_runs_is_used_and_left_running(stage: Stage) -> None:
    (stage.folder / "running").touch()
    practice = stage.open()
    close_practice(practice, stage.programs, stage.said.append)
    assert not practice.started
    assert not any(call.startswith("selfheal-sandbox up") for call in stage.calls)
    assert "selfheal-sandbox down" not in stage.calls
    assert "selfheal-sandbox down" in stage.said[-1]


def test_what_was_started_is_stopped_when_the_demo_cannot_be_installed(stage: Stage) -> None:
    (stage.folder / "broken").touch()
    with pytest.raises(SelfhealError, match="selfheal demo install failed: helm: no such chart") as failed:
        stage.open()
    assert failed.value.next_step.endswith("selfheal-sandbox down --forget")  # whatever is left in the way
    assert stage.calls[-1] == "selfheal-sandbox down"


def test_a_missing_command_is_named_with_what_to_type(tmp_path: Path) -> None:
    programs = Programs({"PATH": str(tmp_path)}, tmp_path)
    with pytest.raises(SelfhealError, match=r"selfheal-sandbox is not installed; install it with: pip install"):
        open_practice(programs, lambda _: None)


def test_a_command_that_hangs_is_given_up(tmp_path: Path) -> None:
    program = tmp_path / "slow"
    program.write_text("#!/bin/sh\nexec sleep 30\n")
    program.chmod(0o755)
    with pytest.raises(SelfhealError, match="did not end within"):
        Programs({"PATH": os.environ["PATH"]}, tmp_path).call(["slow"], 0.2)
