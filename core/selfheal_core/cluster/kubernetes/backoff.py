"""How long to wait between attempts. Pure but for the random numbers that are passed in."""

from collections.abc import Callable
from dataclasses import dataclass

JITTER = 0.25
"""A wait is longer than said by up to this share, never shorter: the ceilings are promises to the server."""


@dataclass(frozen=True, slots=True)
class Pacing:
    """Waits of a reflector, in seconds.

    Attributes:
        reopen_seconds: Before a stream that had lived is reopened; the one short wait.
        first_seconds: After the first failure; doubled after each further one.
        ceiling_seconds: Never longer than this, but for jitter and for a server that asks for it.
        steady_seconds: A stream that lived this long starts over at ``reopen_seconds``; anything less does not, so that
            a server that accepts and hangs up is not hammered.
        refused_seconds: Between attempts where our rights or the server do not reach; only people change that.
    """

    reopen_seconds: float = 0.2
    first_seconds: float = 1.0
    ceiling_seconds: float = 30.0
    steady_seconds: float = 10.0
    refused_seconds: float = 60.0


class Backoff:
    """Waits that double up to a ceiling, with jitter so that many clients do not come back at once.

    With the defaults a server that fails everything gets one request a second at most, and one in 30 s after five.
    """

    def __init__(self, pacing: Pacing, random: Callable[[], float]) -> None:
        self._pacing = pacing
        self._random = random
        self._next_seconds = pacing.first_seconds

    def reset(self) -> None:
        """Start over, with a short wait."""
        self._next_seconds = self._pacing.reopen_seconds

    def delay(self, at_least_seconds: float = 0.0) -> float:
        """The next wait.

        Args:
            at_least_seconds: What the server asked for; exceeded by up to a tenth, never undercut.
        """
        seconds = self._next_seconds
        self._next_seconds = min(max(seconds * 2, self._pacing.first_seconds), self._pacing.ceiling_seconds)
        asked = at_least_seconds * (1 + self._random() / 10)
        return max(seconds * (1 + self._random() * JITTER), asked)
