"""How well the terminal takes what is written to it: how much waits, and whether the link is slow."""

import threading
import time
from collections.abc import Callable
from typing import Literal

SlowLinkChoice = Literal["auto", "on", "off"]
SLOW_SECONDS = 0.1
"""A frame that takes longer than this to be taken would make the next key wait for it."""
SLOW_FOR_SECONDS = 5.0
"""How long one such frame is remembered, so that the word on the screen does not flicker."""
FULL_BYTES = 16 * 2**10
"""About one full frame at 160x40. With so much waiting no frame is added; what was left out is painted in one go."""


class Link:
    """What is under way to the terminal. The writer's thread notes it, the console's reads it.

    Args:
        choice: ``auto`` measures; ``on`` and ``off`` are the operator's word.
        monotonic: Seconds, never going back.

    Attributes:
        waiting_bytes: Handed over and not yet taken by the terminal.
    """

    def __init__(self, choice: SlowLinkChoice = "auto", monotonic: Callable[[], float] = time.monotonic) -> None:
        self.waiting_bytes = 0
        self._choice = choice
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._waiting_since = 0.0
        self._slow_until = float("-inf")

    def hand_over(self, count: int) -> None:
        """Bytes were handed to the writer."""
        with self._lock:
            if not self.waiting_bytes:
                self._waiting_since = self._monotonic()
            self.waiting_bytes += count

    def taken(self, count: int) -> None:
        """The terminal took bytes, or they were given up."""
        with self._lock:
            now = self._monotonic()
            if now - self._waiting_since > SLOW_SECONDS:
                self._slow_until = now + SLOW_FOR_SECONDS
            self.waiting_bytes = max(0, self.waiting_bytes - count)

    @property
    def full(self) -> bool:
        """Whether so much waits that a frame more would only come late."""
        return self.waiting_bytes > FULL_BYTES

    @property
    def waiting_seconds(self) -> float:
        """For how long something has waited without a pause; 0 when nothing does."""
        with self._lock:
            return self._monotonic() - self._waiting_since if self.waiting_bytes else 0.0

    @property
    def slow(self) -> bool:
        """Whether frames should be fewer."""
        if self._choice != "auto":
            return self._choice == "on"
        return self.waiting_seconds > SLOW_SECONDS or self._monotonic() < self._slow_until
