"""Which processes a process has started."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from selfheal_core.child_processes import children

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux")


@pytest.fixture
def started() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(stack: ExitStack, *argv: str) -> "subprocess.Popen[bytes]":
    process = stack.enter_context(subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    stack.callback(process.kill)
    return process


def test_finds_children_and_not_their_children(started: ExitStack) -> None:
    shell = start(started, "sh", "-c", "cat & echo $!; wait")
    assert shell.stdout is not None
    grandchild = int(shell.stdout.readline())

    assert shell.pid in children(os.getpid())
    assert grandchild not in children(os.getpid())
    assert children(shell.pid) == [grandchild]
    os.kill(grandchild, 9)


def test_finds_what_another_thread_started(started: ExitStack) -> None:
    found: list[int] = []
    begun, over = threading.Event(), threading.Event()

    def begin() -> None:
        found.append(start(started, "cat").pid)
        begun.set()
        over.wait(10)

    thread = threading.Thread(target=begin)
    thread.start()
    try:
        assert begun.wait(10)
        assert found[0] in children(os.getpid())
    finally:
        over.set()
        thread.join()


def test_a_process_that_is_gone_has_none(started: ExitStack) -> None:
    process = start(started, "true")
    process.wait(10)

    assert children(process.pid) == []
