"""How long to wait between attempts. Pure but for the random numbers that are passed in."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pacing:
    """Waits of a reflector, in seconds.

    Attributes:
        first_seconds: After the first failure.
        ceiling_seconds: Never longer than this, but for a server that asks for it.
        steady_seconds: A stream that lived this long starts over at ``first_seconds``; anything less does not, so that
            a server that accepts and hangs up is not hammered.
        refused_seconds: Between attempts where our rights or the server do not reach; only people change that.
    """

    first_seconds: float = 0.2
    ceiling_seconds: float = 30.0
    steady_seconds: float = 10.0
    refused_seconds: float = 60.0


class Backoff:
    """Waits that double up to a ceiling, with jitter so that many clients do not come back at once."""

    def __init__(self, pacing: Pacing, random: Callable[[], float]) -> None:
        self._pacing = pacing
        self._random = random
        self._next_seconds = pacing.first_seconds

    def reset(self) -> None:
        """Start over."""
        self._next_seconds = self._pacing.first_seconds

    def delay(self, at_least_seconds: float = 0.0) -> float:
        """The next wait.

        Args:
            at_least_seconds: What the server asked for; exceeded by up to a tenth, never undercut.
        """
        seconds = self._next_seconds
        self._next_seconds = min(seconds * 2, self._pacing.ceiling_seconds)
        asked = at_least_seconds * (1 + self._random() / 10)
        return max(seconds * (0.5 + self._random() / 2), asked)
