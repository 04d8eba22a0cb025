"""Errors that a person reads: what failed, where, and the next command to type.

SelfhealError            exit code 1   failed
+-- Refused              1             a rule forbids it (read-only, stale data, a lease that another holds)
+-- BadUsage             2             a flag, a configuration key, or a name is wrong
+-- NotVerified          3             done, but not seen to have helped in time
+-- ClusterUnreachable   4             no answer from the cluster
"""

from difflib import get_close_matches
from typing import ClassVar


class SelfhealError(Exception):
    """An error in words. ``str()`` gives one line: what, then the next step.

    Args:
        what: What failed and where, as a sentence without a full stop.
        next_step: What to type or do now; empty where nothing helps.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, next_step: str = "") -> None:
        super().__init__(what, next_step)
        self.what = what
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.what}; {self.next_step}" if self.next_step else self.what


class Refused(SelfhealError):  # noqa: N818 - the words people read are the names
    """A safety rule forbids the action; nothing was sent."""


class BadUsage(SelfhealError):  # noqa: N818
    """The caller's flag, key or name is wrong."""

    exit_code = 2


class NotVerified(SelfhealError):  # noqa: N818
    """The action was carried out, but its effect was not observed in time."""

    exit_code = 3


class ClusterUnreachable(SelfhealError):  # noqa: N818
    """The cluster gave no answer."""

    exit_code = 4


def did_you_mean(word: str, known: list[str]) -> str:
    """Word the hint for an unknown name: the nearest known one, else all of them.

    Args:
        word: What was given.
        known: Every name that would have been right.

    Returns:
        A clause such as ``did you mean 'rollback'?`` or ``known: a, b``.
    """
    nearest = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean '{nearest[0]}'?" if nearest else f"known: {', '.join(sorted(known))}"
