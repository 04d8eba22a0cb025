"""Injected faults: some requests fail, all are slow; reproducible with a seed."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Faults:
    """What to inject into requests.

    Attributes:
        error_ratio: Share of requests that answer 500, 0 to 1.
        latency_seconds: Delay added to every request.
        seed: Seed of the choice of requests; None for a fresh one.
    """

    error_ratio: float = 0.0
    latency_seconds: float = 0.0
    seed: int | None = None


class FaultInjector:
    """Draws, request by request, whether it fails."""

    def __init__(self) -> None:
        self.set(Faults())

    def set(self, faults: Faults) -> None:
        """Replace the faults and start a new sequence of draws."""
        self._faults = faults
        self._random = random.Random(faults.seed)  # noqa: S311 - chooses which requests fail, guards nothing

    @property
    def latency_seconds(self) -> float:
        """Delay of the next request."""
        return self._faults.latency_seconds

    def next_fails(self) -> bool:
        """Draw whether the next request fails."""
        return self._random.random() < self._faults.error_ratio
