"""Asks one thing again and again, and keeps book of how current the answer is."""

import asyncio
import logging
import random as random_module
from collections.abc import Awaitable, Callable
from dataclasses import replace

from selfheal_core.cluster.kubernetes.api_errors import Forbidden, NotFound, Unauthorized
from selfheal_core.cluster.kubernetes.source_state import reason_of
from selfheal_core.domain.snapshot import Source, SourceCondition
from selfheal_core.errors import SelfhealError
from selfheal_core.observe.sources import Standing
from selfheal_core.waiting import set_within

_log = logging.getLogger(__name__)
_LONGEST_WAIT_SECONDS = 120.0


class Poller:
    """Runs ``poll`` every ``interval_seconds``; failures back off, with jitter, and show in ``source``.

    Args:
        name: Name of the source.
        poll: One round; its errors are the source's state.
        interval_seconds: Between the starts of two rounds.
        deadline_seconds: For one round.
        clock: Seconds since the epoch.
        on_change: Called when the state of the source changes, and after each successful round.
        absent: What it means that the cluster does not know the path (404), in words.
        standing: Where the data of the last round came from, when that is not plain.
        after: The first round waits for it; until then the source is ``connecting``.
        random: Uniform in 0..1, for jitter.
    """

    def __init__(
        self,
        name: str,
        poll: Callable[[], Awaitable[None]],
        *,
        interval_seconds: float,
        deadline_seconds: float,
        clock: Callable[[], float],
        on_change: Callable[[], None],
        absent: str = "",
        standing: Callable[[], Standing] | None = None,
        after: asyncio.Event | None = None,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self.source = Source(name, "connecting", clock(), origin=standing().origin if standing else "")
        self._poll = poll
        self._interval_seconds = interval_seconds
        self._deadline_seconds = deadline_seconds
        self._clock = clock
        self._on_change = on_change
        self._absent = absent
        self._standing = standing
        self._after = after
        self._random = random
        self._failures = 0
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Ask now, unless the last answer was good."""
        if self.source.condition != "live":
            self._wake.set()

    async def run(self) -> None:
        """Poll until cancelled."""
        if self._after is not None:
            await self._after.wait()
        while True:
            started = self._clock()
            await self._round()
            wait = self._wait_seconds(self._clock() - started)
            if self.source.condition != "live":
                self.source = replace(self.source, retry_at=self._clock() + wait)
            self._on_change()
            await self._sleep(wait)

    async def _round(self) -> None:
        try:
            async with asyncio.timeout(self._deadline_seconds):
                await self._poll()
        except TimeoutError:
            self._failed("lost", f"no answer within {self._deadline_seconds:g} s")
        except Forbidden as error:
            self._failed("forbidden", error.what)
        except NotFound as error:
            self._failed("absent", self._absent or error.what)
        except Unauthorized as error:
            self._failed("lost", reason_of(error))
            self._failures = 1  # asked as often as ever: the next answer may be the first one with new credentials
        except SelfhealError as error:
            self._failed("lost", error.what)
        except Exception as error:  # noqa: BLE001 - the top of a loop: a bad answer must not end the polling
            _log.warning("poll of %s failed: %r", self.source.name, error)
            self._failed("lost", f"its answer makes no sense ({type(error).__name__})")
        else:
            self._failures = 0
            self._live()

    def _live(self) -> None:
        standing = self._standing() if self._standing is not None else Standing("")
        self._set("live", standing.reason, self._clock() if standing.fresh_at is None else standing.fresh_at)
        self.source = replace(
            self.source, origin=standing.origin, origin_since=standing.since, origin_note=standing.note
        )

    def _failed(self, condition: SourceCondition, reason: str) -> None:
        self._failures += 1
        self._set(condition, reason, self.source.fresh_at)

    def _set(self, condition: SourceCondition, reason: str, fresh_at: float | None) -> None:
        same = condition == self.source.condition
        since = self.source.since if same else self._clock()
        self.source = replace(
            self.source, condition=condition, since=since, reason=reason, fresh_at=fresh_at, retry_at=None
        )

    def _wait_seconds(self, took_seconds: float) -> float:
        wait = max(1.0, self._interval_seconds - took_seconds)
        if self._failures > 1:
            wait = min(_LONGEST_WAIT_SECONDS, wait * 2 ** min(self._failures - 1, 6))
        return wait * (0.9 + 0.2 * self._random()) if self._failures else wait

    async def _sleep(self, seconds: float) -> None:
        self._wake.clear()
        await set_within(self._wake, seconds)
