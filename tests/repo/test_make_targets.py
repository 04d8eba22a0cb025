"""The make targets that run tests, with a program that notes its arguments in the place of Python."""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.polling import until

ROOT = Path(__file__).parents[2]
SECONDS = 20.0
SET_UP = (".runtime", ".dev", ".tools", ".every-tool", "tables/.done")
INPUTS = ("pyproject.toml", *(f"requirements/{name}.txt" for name in ("runtime", "dev", "tables")))
PYTHON = """#!/bin/sh
trap 'kill $!; exit 2' INT
printf '%s\\n' "$*" >> calls
case "$*" in *"$FAILS"*) exit 1;; esac
case "$*" in *"$STAYS"*) sleep 60 & wait;; esac
"""
"""In the end it does as pytest does, which takes ctrl+c as a reason to end in order."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the Makefile, all of whose set-up is done, on a machine of two processors."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in INPUTS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    for name, text in ((".venv/bin/python", PYTHON), ("bin/getconf", "#!/bin/sh\necho 2\n")):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    for number, name in enumerate(SET_UP, 1):
        (tmp_path / ".venv" / name).parent.mkdir(exist_ok=True)
        (tmp_path / ".venv" / name).touch()
        os.utime(tmp_path / ".venv" / name, (number, number))
    return tmp_path


def make(clone: Path, *words: str, fails: str = "nothing", stays: str = "nothing") -> "subprocess.Popen[bytes]":
    environment = {"PATH": f"{clone / 'bin'}:{os.environ['PATH']}", "FAILS": fails, "STAYS": stays}
    output = subprocess.DEVNULL
    return subprocess.Popen(
        ["make", *words], cwd=clone, env=environment, stdout=output, stderr=output, start_new_session=True
    )


def calls(clone: Path) -> list[str]:
    file = clone / "calls"
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.parametrize("target", ["test", "lab-test"])
def test_quoted_arguments_reach_pytest_and_choose_what_runs(clone: Path, target: str) -> None:
    assert make(clone, target, 'TEST_ARGS=tests/some -k "one or other"').wait(SECONDS) == 0

    assert calls(clone)[-1].endswith("tests/some -k one or other")
    assert not any("tests/fuzz" in call or "tests/e2e" in call for call in calls(clone))


@pytest.mark.parametrize(
    "fails", ["tests.lab programs", "--lab tests/lab", "tests.lab with", "--lab tests/fuzz", "nothing"]
)
def test_a_part_of_the_labs_tests_that_fails_makes_the_whole_fail(clone: Path, fails: str) -> None:
    assert make(clone, "lab-test", fails=fails).wait(SECONDS) == (0 if fails == "nothing" else 2)


@pytest.mark.parametrize(("target", "stays"), [("lab-test", "--lab tests/lab"), ("test", "pytest")])
def test_after_ctrl_c_no_other_part_is_begun(clone: Path, target: str, stays: str) -> None:
    running = make(clone, target, stays=stays)
    try:
        until(lambda: any(stays in call for call in calls(clone)), SECONDS, "it begins")
        begun = calls(clone)
        os.killpg(running.pid, signal.SIGINT)
        until(lambda: running.poll() is not None or calls(clone) != begun, SECONDS, "it ends, or goes on")

        assert calls(clone) == begun
        assert running.wait(SECONDS) != 0
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait(SECONDS)
