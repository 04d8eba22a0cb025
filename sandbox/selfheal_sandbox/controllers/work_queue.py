"""The queue between what happens in the store and what a controller does about it."""

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT", bound=Hashable)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a failed item waits: the first time ``initial_seconds``, doubling up to ``maximum_seconds``.

    The real wait is between half of that and all of it, so that items which failed together do not come back together.
    """

    initial_seconds: float = 0.2
    maximum_seconds: float = 60.0

    def at_speed(self, speed: float) -> "RetryPolicy":
        """Return the policy with every time divided by ``speed``."""
        return RetryPolicy(self.initial_seconds / speed, self.maximum_seconds / speed)

    def delay_seconds(self, failures: int, chance: float) -> float:
        """Return the wait after a number of failures in a row (at least 1); ``chance`` is 0..1."""
        full = min(self.initial_seconds * 2.0 ** min(failures - 1, 32), self.maximum_seconds)
        return full * (0.5 + chance / 2)


class WorkQueue(Generic[ItemT]):
    """Items to work on, each at most once in the queue, so that its length is bounded by the number of objects.

    An item also has at most one timer. Whoever takes an item out clears its timer: the work decides anew when, if at
    all, it wants to be called again.
    """

    def __init__(self, policy: RetryPolicy, chance: Callable[[], float]) -> None:
        self._policy = policy
        self._chance = chance
        self._ready: dict[ItemT, None] = {}
        self._timers: dict[ItemT, asyncio.TimerHandle] = {}
        self._failures: dict[ItemT, int] = {}
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def timers(self) -> int:
        """How many items wait for their time."""
        return len(self._timers)

    def add(self, item: ItemT) -> None:
        """Ask for work on an item now."""
        self._ready[item] = None
        self._arrived.set()

    def add_after(self, item: ItemT, seconds: float) -> None:
        """Ask for work on an item later; of two times the earlier counts."""
        if seconds <= 0:
            self.add(item)
            return
        loop = asyncio.get_running_loop()
        timer = self._timers.get(item)
        if timer is not None:
            if timer.when() <= loop.time() + seconds:
                return
            timer.cancel()
        self._timers[item] = loop.call_later(seconds, self._fire, item)

    def retry(self, item: ItemT) -> float:
        """Ask for work on an item whose work failed, after a back-off with jitter; return the wait in seconds."""
        failures = self._failures[item] = self._failures.get(item, 0) + 1
        delay = self._policy.delay_seconds(failures, self._chance())
        self.add_after(item, delay)
        return delay

    def forget(self, item: ItemT) -> None:
        """Note that the work on an item went well: its next failure is its first."""
        self._failures.pop(item, None)

    async def get(self) -> ItemT:
        """Wait for an item and take it out."""
        while not self._ready:
            self._arrived.clear()
            await self._arrived.wait()
        item = next(iter(self._ready))
        del self._ready[item]
        timer = self._timers.pop(item, None)
        if timer is not None:
            timer.cancel()
        return item

    def close(self) -> None:
        """Drop everything that waits."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._ready.clear()
        self._failures.clear()

    def _fire(self, item: ItemT) -> None:
        del self._timers[item]
        self.add(item)
