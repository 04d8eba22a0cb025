import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from selfheal_sandbox.kubelet.watchdog import SANDBOX_VARIABLE, Watchdog, groups_from, marked_processes
from tests.processes import is_running

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux")

SERVER = """
import subprocess, sys, time
from selfheal_sandbox.kubelet.watchdog import Watchdog
watchdog = Watchdog(sys.argv[1])
environment = {"PATH": "/usr/bin:/bin", "SELFHEAL_SANDBOX_ID": sys.argv[1]}
# A container whose child moves to a session of its own, and one that lost its mark but is known by its group.
first = subprocess.Popen(["sh", "-c", "setsid sleep 300 & wait"], env=environment, start_new_session=True)
second = subprocess.Popen(["sleep", "300"], env={"PATH": "/usr/bin:/bin"}, start_new_session=True)
watchdog.add(first.pid)
watchdog.add(second.pid)
print(second.pid, watchdog.pid, flush=True)
time.sleep(300)
"""


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> float:
    """Return how long it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, "not in time"
        time.sleep(0.02)
    return time.monotonic() - begun


def test_nothing_survives_a_killed_sandbox() -> None:
    mark = f"test-{os.getpid()}-{time.monotonic_ns()}"
    command = [sys.executable, "-c", SERVER, mark]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as server:
        try:
            assert server.stdout is not None
            unmarked, watchdog = map(int, server.stdout.readline().split())
            wait_until(lambda: len(marked_processes(SANDBOX_VARIABLE, mark)) == 2)
        finally:
            server.kill()

    took = wait_until(lambda: not marked_processes(SANDBOX_VARIABLE, mark) and not is_running(unmarked), seconds=2)
    assert took < 2
    wait_until(lambda: not is_running(watchdog))


@pytest.fixture
def sleeper() -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts programs that lead a group of their own and do nothing; they end with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(["sleep", "300"], start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait(5)


def test_closing_ends_what_is_left_but_not_what_was_taken_back(sleeper: Callable[[], subprocess.Popen[bytes]]) -> None:
    watchdog, left, kept = Watchdog("test-none"), sleeper(), sleeper()
    watchdog.add(left.pid)
    watchdog.add(kept.pid)
    watchdog.remove(kept.pid)

    watchdog.close()

    assert left.wait(5) == -signal.SIGKILL
    assert kept.poll() is None
    watchdog.close()  # a second time does nothing


def test_signals_do_not_end_the_watchdog(sleeper: Callable[[], subprocess.Popen[bytes]]) -> None:
    watchdog, left = Watchdog("test-none"), sleeper()
    watchdog.add(left.pid)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(watchdog.pid, number)

    watchdog.close()

    assert left.wait(5) == -signal.SIGKILL


def test_groups_that_were_taken_back_are_not_killed() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"+10\n+11\n-10\n+12\n")
    os.close(writing)

    assert groups_from(reading) == {11, 12}
