"""The API server's clock, for whatever is compared with the timestamps that the cluster wrote.

"Ready for an hour" and "restarted 40 s ago" are true only by the clock that wrote them. Where ours is off, a decision
that compares the two is wrong by that much, so such a decision gets this clock as ``now``. Ages of what *we* heard are
differences of one clock, and come out the same by either.
"""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

TOLERATED_SECONDS = 5.0
"""A ``Date`` is exact to a second, and an answer takes a moment: less than this is no difference."""


class ServerClock:
    """Our clock, corrected by what the server's answers say; seconds since the epoch when called.

    A correction that changes makes what was heard before look too old or from the future: either way it counts as not
    fresh, and nothing is acted on until it has been heard again.

    Args:
        own: Our clock.

    Attributes:
        offset_seconds: What the server is ahead of us; 0 while that is not known, or as good as nothing.
    """

    def __init__(self, own: Callable[[], float] = time.time) -> None:
        self.offset_seconds = 0.0
        self._own = own

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self._own() + self.offset_seconds

    def note(self, date: str) -> None:
        """Take in the ``Date`` of an answer that has just come; text that is none says nothing."""
        theirs = sent_at(date)
        if theirs is None:
            return
        measured = theirs - self._own()
        if abs(measured) < TOLERATED_SECONDS:
            self.offset_seconds = 0.0
        elif abs(measured - self.offset_seconds) >= TOLERATED_SECONDS:
            self.offset_seconds = measured


def sent_at(date: str) -> float | None:
    """When an answer with this ``Date`` was sent, in seconds since the epoch by the server's clock. Pure.

    The header is cut to the second: half a second later is the best guess. None for text that is no date.
    """
    try:
        return parsedate_to_datetime(date).timestamp() + 0.5
    except (ValueError, OverflowError):
        return None
