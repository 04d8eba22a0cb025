"""A program that was told to end is ended, with what it started, if it does not by itself."""

import subprocess
import sys
import time

from tests.processes import is_running

LIMIT_SECONDS = 20.0
STUCK = """
import subprocess, sys, threading
from selfheal_cli.ending import Watchdog

child = subprocess.Popen(["sleep", "600"], start_new_session=True)
print(child.pid, flush=True)
Watchdog().begin(0.2, 7)
threading.Event().wait()
"""
IN_ORDER = """
from selfheal_cli.ending import Watchdog

watchdog = Watchdog()
watchdog.begin(600.0, 7)
watchdog.begin(0.0, 8)
watchdog.stand_down()
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
    )


def test_a_program_that_does_not_end_is_ended_with_its_children_and_says_so() -> None:
    ended = run(STUCK)

    assert ended.returncode == 7
    assert "did not end in order within 0.2 s" in ended.stderr
    child, end = int(ended.stdout), time.monotonic() + 5.0
    while is_running(child):
        assert time.monotonic() < end, "what it started goes on"
        time.sleep(0.02)


def test_a_program_that_ends_in_order_is_left_alone() -> None:
    ended = run(IN_ORDER)

    assert (ended.returncode, ended.stderr) == (0, "")
