"""The lab's own life: up, down, killed, broken, and in the way of something. Each test has a lab of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.errors import LabError
from tests.lab.lab import down, prepare, status, up
from tests.lab.leftovers import found
from tests.lab.machine import Machine, alive, all_processes, namespaces, processes_of
from tests.lab.namespaces import run
from tests.lab.network import HOST_INTERFACE
from tests.lab.programs import programs
from tests.lab.runner import Runner
from tests.lab.state import LabFolder
from tests.polling import until

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(420)]

ROOT = Path(__file__).parents[2]
NAME = "life"
READY_SECONDS = 30.0
GONE_SECONDS = 5.0


@pytest.fixture
def started() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Return what starts the lab's command line; it is ended at the end."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-u", "-m", "tests.lab", *arguments, "--name", NAME]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate(timeout=30)


@pytest.fixture
def signals_restored() -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def read_until(process: "subprocess.Popen[str]", words: str) -> str:
    """Read what a process prints until a line with these words; return all of it."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return "".join(lines)
    raise AssertionError(f"it ended without saying {words!r}: {''.join(lines)}")


def nothing_is_left_after(before: Machine) -> None:
    def added() -> object:
        return Machine.now(NAME).added_to(before)

    until(lambda: not added(), GONE_SECONDS, added)


def seconds_of(said: list[str], words: str) -> float:
    """Return the time that the runner printed before a line."""
    return float(next(line for line in said if words in line).split()[0])


def test_two_nodes_are_ready_within_half_a_minute_and_nothing_is_left_after_down(folder: LabFolder) -> None:
    prepare(print)  # what is built once does not count
    before, ours = Machine.now(NAME), namespaces([(os.getpid(), "")])
    said: list[str] = []
    lab = up(folder, said.append)
    assert seconds_of(said, "are Ready") < READY_SECONDS
    assert status(folder)[0]
    runner = folder.runner()
    assert runner is not None
    processes = processes_of(runner)
    spaces, everybody = namespaces(processes) - ours, all_processes()
    assert len(processes) > 15
    assert len(spaces) >= 5 * 3
    assert lab.run_on(lab.nodes[1], "hostname").stdout.strip() == lab.nodes[1]
    audited = lab.audit_log.read_text().splitlines()
    assert any('"username":"system:node:lab-node-2"' in line for line in audited)

    down(folder, said.append)

    assert said[-1] == f"lab '{NAME}' is down"
    assert alive(processes) == set()
    assert namespaces(alive(everybody)) & spaces == set()
    nothing_is_left_after(before)
    assert not folder.path.exists()


def test_a_killed_runner_takes_everything_along_and_what_the_kernel_keeps_goes_at_the_next_down(
    folder: LabFolder, started: Callable[..., "subprocess.Popen[str]"]
) -> None:
    before = Machine.now(NAME)
    runner = started("run")
    read_until(runner, "answer")
    processes = processes_of(runner.pid)
    spaces, everybody = namespaces(processes) - namespaces([(os.getpid(), "")]), all_processes()

    runner.kill()

    def gone() -> bool:
        return not alive(processes) and not Path("/sys/class/net", HOST_INTERFACE).exists()

    until(gone, GONE_SECONDS, "processes and the interface end with the runner")
    assert namespaces(alive(everybody)) & spaces == set()
    assert "mounts" not in Machine.now(NAME).added_to(before)
    runner.wait(10)
    assert "remove it: python -m tests.lab down --name life" in status(folder)[1]

    down(folder, print)

    assert found(folder) == []
    assert Machine.now(NAME).added_to(before) == {}


def test_a_killed_kubelet_is_mended_by_up_and_a_killed_node_is_the_end_of_the_lab(folder: LabFolder) -> None:
    lab = up(folder, print)
    lab.run_on("lab-node-2", "pkill", "-KILL", "-x", "kubelet")
    until(lambda: not status(folder)[0], GONE_SECONDS, "the lab is not well")
    assert "lab-node-2-kubelet was ended by signal 9" in status(folder)[1]
    assert f"mend it: python -m tests.lab up --name {NAME}" in status(folder)[1]

    said: list[str] = []
    up(folder, said.append)

    assert "starting again what has ended" in said[0]
    assert status(folder)[0]
    with pytest.raises(LabError, match=f"'{NAME}' has the addresses .* python -m tests.lab down --name {NAME}"):
        up(LabFolder.of("another"), said.append)

    os.kill(lab.inits["lab-node-1"], signal.SIGKILL)

    until(lambda: folder.runner() is None, 20, "the lab ends")
    assert found(folder) == []
    assert "the namespaces of lab-node-1 have ended" in folder.runner_log.read_text()


def test_ctrl_c_while_it_comes_up_takes_it_down(
    folder: LabFolder, started: Callable[..., "subprocess.Popen[str]"]
) -> None:
    starting = started("up")
    read_until(starting, "API server is ready")
    starting.send_signal(signal.SIGINT)
    said, _ = starting.communicate(timeout=60)

    assert starting.returncode == 130
    assert "Traceback" not in said
    assert folder.runner() is None
    assert found(folder) == []


def test_a_component_that_does_not_start_is_told_with_the_end_of_its_log_and_nothing_is_left(
    folder: LabFolder, tmp_path: Path, signals_restored: None
) -> None:
    broken = tmp_path / "etcd"
    broken.write_text("#!/bin/sh\necho the disk is on fire >&2\nexit 3\n")
    broken.chmod(0o755)
    inputs = prepare(print)
    before = Machine.now(NAME)
    folder.make()

    with pytest.raises(LabError, match=r"etcd ended with exit code 3; the end of its log:\n  the disk is on fire"):
        Runner(folder, {**inputs.programs, "etcd": broken}, inputs.archives, print).run()

    assert found(folder) == []
    nothing_is_left_after(before)


def test_a_full_disk_is_a_sentence_and_leaves_no_half_program(tmp_path: Path) -> None:
    cache = tmp_path / "small"
    cache.mkdir()
    run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(cache)])
    try:
        with pytest.raises(LabError, match=r"no space left while building pause .*set XDG_CACHE_HOME"):
            programs(["pause"], print, cache)
        assert {path.name for path in cache.rglob("*") if path.is_file()} == {".lock"}
    finally:
        run(["umount", str(cache)])


def test_a_network_that_is_in_use_is_named(folder: LabFolder) -> None:
    run(["ip", "link", "add", "lab-in-the-way", "type", "bridge"])
    try:
        run(["ip", "addr", "add", "10.77.9.1/24", "dev", "lab-in-the-way"])
        run(["ip", "link", "set", "lab-in-the-way", "up"])
        with pytest.raises(LabError, match=r"needs the network 10\.77\.0\.0/16, .* on interface lab-in-the-way"):
            up(folder, print)
    finally:
        run(["ip", "link", "delete", "lab-in-the-way"])
    assert found(folder) == []


def test_somebody_else_than_root_gets_a_sentence(folder: LabFolder) -> None:
    become_nobody = "import os, sys; from tests.lab.__main__ import main; os.seteuid(65534); main()"
    done = subprocess.run(
        [sys.executable, "-c", become_nobody, "up"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == 1
    assert done.stderr == "lab: the lab needs root, for namespaces and containers; run it as root: sudo make lab-up\n"
