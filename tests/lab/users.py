"""Who uses a lab: each of them holds a shared lock, so that the last one out knows that it is the last.

The kernel lets go of a lock when its process ends, however that ends: nobody who was killed counts as a user.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tests.lab.errors import LabError
from tests.lab.state import LabFolder

WAIT_SECONDS = 480.0
"""Longer than it takes to bring a lab up or down, which others wait for."""
POLL_SECONDS = 0.1
ENDS_WITH_USERS = b"ends with its users\n"
L = TypeVar("L")


@contextmanager
def shared(
    folder: LabFolder,
    bring_up: Callable[[], L],
    take_down: Callable[[], None],
    say: Callable[[str], None],
    wait_seconds: float = WAIT_SECONDS,
) -> Iterator[L]:
    """Use a lab together with whoever else does; the last one takes it down, unless it was there before all of them.

    Args:
        folder: of the lab.
        bring_up: returns the lab that is up, or a new one. No other user brings it up or takes it down meanwhile.
        take_down: as ``bring_up``.
        say: told if somebody else is at work on it.
        wait_seconds: how long they may take.

    Raises:
        LabError: the folder cannot be used, the lab does not come up, or somebody takes too long.
    """
    with _opened(folder, folder.users) as users:
        with _opened(folder, folder.turn) as turn:
            _enter(turn, users, folder, say, wait_seconds)
            if folder.runner() is None:
                os.pwrite(users, ENDS_WITH_USERS, 0)
            lab = bring_up()
        try:
            yield lab
        finally:
            if os.pread(users, len(ENDS_WITH_USERS), 0) == ENDS_WITH_USERS and _locked(users, fcntl.LOCK_EX):
                take_down()


def keep(folder: LabFolder) -> None:
    """Let a lab stay when nobody uses it any more."""
    if folder.users.exists():
        os.truncate(folder.users, 0)


@contextmanager
def _opened(folder: LabFolder, lock: Path) -> Iterator[int]:
    folder.make()
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _enter(turn: int, users: int, folder: LabFolder, say: Callable[[str], None], wait_seconds: float) -> None:
    """Be the only one who brings the lab up, also where others used one that has ended, and be one of its users."""
    deadline = time.monotonic() + wait_seconds
    waits = False
    while not (_locked(turn, fcntl.LOCK_EX) and _locked(users, fcntl.LOCK_SH)):
        if not waits:
            say(f"lab {folder.name!r}: somebody else is bringing it up or taking it down; waiting for them")
            waits = True
        if time.monotonic() > deadline:
            raise LabError(f"lab {folder.name!r}: somebody else did not get it up or down in {wait_seconds:.0f} s")
        time.sleep(POLL_SECONDS)


def _locked(descriptor: int, kind: int) -> bool:
    """Take a lock in place of the one that is held; where it cannot be had, none is held any more."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
