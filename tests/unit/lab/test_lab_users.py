"""A lab that several runs use at the same time: who brings it up, and who takes it down."""

import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.lab.errors import LabError
from tests.lab.state import LabFolder
from tests.lab.users import keep, shared

SECONDS = 10.0
STAYS_IN = """
import sys
from pathlib import Path
from tests.lab.state import LabFolder
from tests.lab.users import shared

with shared(LabFolder("mine", Path(sys.argv[1])), lambda: print("uses it", flush=True), lambda: None, print):
    sys.stdin.read()
"""


class LabDouble:
    """A lab that is a lock: it runs while this process holds it, as it does while its runner holds it."""

    def __init__(self, folder: LabFolder) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.downs = 0
        self._held = ExitStack()

    def bring_up(self) -> str:
        if self.folder.runner() is None:
            self._held.enter_context(self.folder.claim())
        return "the lab"

    def end(self) -> None:
        self._held.close()

    def take_down(self) -> None:
        self.end()
        self.downs += 1

    def use(self, stack: ExitStack, wait_seconds: float = SECONDS) -> ExitStack:
        """Use it until the returned stack is closed, or the given one."""
        one = stack.enter_context(ExitStack())
        one.enter_context(shared(self.folder, self.bring_up, self.take_down, self.said.append, wait_seconds))
        return one


@pytest.fixture
def lab(tmp_path: Path) -> LabDouble:
    folder = LabFolder("mine", tmp_path / "mine")
    folder.make()
    return LabDouble(folder)


def test_the_last_one_out_takes_it_down_and_not_who_brought_it_up(lab: LabDouble) -> None:
    with ExitStack() as stack:
        first, second = lab.use(stack), lab.use(stack)

        first.close()
        assert lab.folder.runner() is not None, "the second one still uses it"
        third = lab.use(stack)
        second.close()
        assert lab.folder.runner() is not None, "the third one still uses it"
        third.close()

        assert (lab.folder.runner(), lab.downs) == (None, 1)


def test_a_lab_that_was_up_before_stays_up(lab: LabDouble) -> None:
    with ExitStack() as stack:
        lab.bring_up()
        lab.use(stack).close()

        assert lab.folder.runner() is not None
        lab.take_down()


def test_a_lab_that_somebody_asked_to_have_meanwhile_stays_up(lab: LabDouble) -> None:
    with ExitStack() as stack:
        only = lab.use(stack)
        keep(lab.folder)
        only.close()

        assert lab.folder.runner() is not None
        lab.take_down()


def test_a_user_that_was_killed_does_not_count(lab: LabDouble) -> None:
    with ExitStack() as stack:
        ours = lab.use(stack)
        command = [sys.executable, "-c", STAYS_IN, str(lab.folder.path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "uses it\n"
            other.send_signal(signal.SIGKILL)
            other.wait(SECONDS)
        ours.close()

        assert lab.folder.runner() is None


def test_the_next_user_takes_down_what_a_killed_one_left_up(lab: LabDouble) -> None:
    command = [sys.executable, "-c", STAYS_IN, str(lab.folder.path)]
    with ExitStack() as stack:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "uses it\n"
            lab.bring_up()  # in the name of the other, whose lab outlives it
            other.send_signal(signal.SIGKILL)
            other.wait(SECONDS)

        lab.use(stack).close()

        assert lab.folder.runner() is None


@pytest.mark.parametrize("ended_under_a_user", [False, True])
def test_who_comes_while_it_is_brought_up_waits_and_joins(lab: LabDouble, ended_under_a_user: bool) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slowly() -> str:
        begun.set()
        assert go_on.wait(SECONDS)
        return lab.bring_up()

    def first() -> None:
        with shared(lab.folder, slowly, lab.take_down, print):
            pass

    with ExitStack() as stack:
        if ended_under_a_user:
            lab.use(stack)
            lab.end()
        thread = threading.Thread(target=first)
        thread.start()
        assert begun.wait(SECONDS)
        with pytest.raises(LabError, match="somebody else did not get it up or down"):
            lab.use(stack, wait_seconds=0.0)
        assert lab.said == ["lab 'mine': somebody else is bringing it up or taking it down; waiting for them"]
        go_on.set()
        ours = lab.use(stack)
        thread.join(SECONDS)
        ours.close()

    assert lab.folder.runner() is None


def test_a_lab_that_does_not_come_up_keeps_nobody_out(lab: LabDouble) -> None:
    def fails() -> str:
        raise LabError("the disk is on fire")

    with pytest.raises(LabError, match="on fire"), shared(lab.folder, fails, lab.take_down, print):
        pytest.fail("it is not up")

    with ExitStack() as stack:
        lab.use(stack).close()
    assert (lab.folder.runner(), lab.downs) == (None, 1)
