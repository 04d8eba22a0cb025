"""The loop: observe -> decide -> act -> record, again whenever something changed or a hold may have opened."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

import structlog

from healerd.act import Evictions, Outcome, evict
from healerd.configuration import Configuration
from healerd.metrics import Metrics
from healerd.record import COMPONENT
from selfheal_core.domain.heal import (
    Evict,
    HealDecision,
    HealMemory,
    Hold,
    decide,
    next_look_at,
    note_budget_refusal,
    note_in_doubt,
    note_not_carried_out,
    note_not_sent,
)
from selfheal_core.domain.known_good import KnownGood, ReleaseKey, Soak, observe_soak
from selfheal_core.domain.snapshot import OwnerKey, Snapshot
from selfheal_core.waiting import set_within

LOOK_SECONDS = 5.0
"""Longest pause between two looks: soak times and paces pass without any change in the cluster."""
SETTLE_SECONDS = 0.2
"""Shortest pause, so that a burst of changes costs one look."""
ACT_WITHIN_SECONDS = 20.0
"""What was decided longer ago is not begun any more but decided anew: where each call takes until its deadline, the
last of many would be done on a picture that is minutes old."""
ERROR_SECONDS = 5.0
"""Pause after an unexpected error."""

log = structlog.get_logger()


class Observes(Protocol):
    """What the controller needs of an observer."""

    changed: asyncio.Event

    def snapshot(self) -> Snapshot:
        """The present picture."""


class Records(Protocol):
    """What the controller needs of a recorder."""

    async def outcome(self, outcome: Outcome, now: float) -> None:
        """How an eviction went."""

    def holds(self, holds: tuple[Hold, ...]) -> None:
        """What is held now."""

    async def known_good(
        self, release: ReleaseKey, record: KnownGood, workload: OwnerKey | None, watching_since: float | None
    ) -> None:
        """A revision that was watched for its soak time, what runs it, and since when, see `joined`."""


def correct(memory: HealMemory, outcome: Outcome, now: float) -> HealMemory:
    """Bring the memory, which assumes that everything was carried out, to what happened."""
    match outcome.result:
        case "blocked":
            return note_budget_refusal(memory, outcome.action, outcome.message, now, outcome.retry_after_seconds)
        case "failed" if outcome.in_doubt:
            return note_in_doubt(memory, outcome.action, now)
        case "gone" | "failed":
            return note_not_carried_out(memory, outcome.action)
        case "evicted" | "dry-run":
            return memory


class Controller:
    """healerd's loop over one observer.

    Args:
        observer: Running elsewhere.
        evictions: Where actions go.
        recorder: Where outcomes go.
        configuration: What is allowed.
        metrics: What is counted.
        clock: Seconds since the epoch.

    Attributes:
        decision: The last one; None before the first.
    """

    def __init__(
        self,
        observer: Observes,
        evictions: Evictions,
        recorder: Records,
        configuration: Configuration,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.decision: HealDecision | None = None
        self._observer = observer
        self._evictions = evictions
        self._recorder = recorder
        self._configuration = configuration
        self._metrics = metrics
        self._clock = clock
        self._began_at = clock()
        self._memory = HealMemory()
        self._soaks: Mapping[ReleaseKey, Soak] = {}

    async def run(self, stopped: asyncio.Event) -> None:
        """Look, decide and act until stopped; an unexpected error is logged, counted and tried again.

        What a round has begun is finished, so that no eviction goes unrecorded; each of its calls has a deadline.
        """
        while not stopped.is_set():
            self._observer.changed.clear()
            try:
                with self._metrics.round_seconds.time():
                    await self.look(stopped.is_set)
                pause = self._pause_seconds()
            except Exception:  # the top of the loop: healing goes on
                self._metrics.errors.inc()
                log.exception("round failed")
                pause = ERROR_SECONDS
            await self._wait(pause, stopped)

    async def look(self, ending: Callable[[], bool] = lambda: False) -> HealDecision:
        """One round.

        Args:
            ending: Whether nothing more is to be begun.
        """
        snapshot, now = self._observer.snapshot(), self._clock()
        decision = decide(snapshot, self._memory, self._configuration.policy, now)
        self._memory = decision.memory
        self._metrics.decisions.labels("acted" if decision.actions else "held" if decision.holds else "quiet").inc()
        self._recorder.holds(decision.holds)
        self._tell(decision)

        def may_begin() -> bool:
            return self._clock() - now <= ACT_WITHIN_SECONDS and not ending()

        for action in decision.actions:
            if may_begin():
                await self._carry_out(action)
            else:
                self._memory = note_not_sent(self._memory, action)
        if not decision.held:
            await self._watch_revisions(snapshot, now, may_begin)
        return decision

    def watch_age_seconds(self) -> float | None:
        """Age of the oldest stream that decisions need; None before all were seen once."""
        return watch_age_seconds(self._observer.snapshot(), self._configuration.policy.sources, self._clock())

    def _tell(self, decision: HealDecision) -> None:
        """Log what is held once, when it changes."""
        before = self.decision
        self.decision = decision
        if before is None or before.held != decision.held:
            log.info("healing", held=decision.held or "no", dry_run=self._configuration.dry_run)
        known = {(hold.uid, hold.gate) for hold in before.holds} if before else set()
        for hold in decision.holds:
            if (hold.uid, hold.gate) not in known:
                log.info("held", namespace=hold.namespace, pod=hold.name, gate=hold.gate, reason=hold.reason)

    async def _carry_out(self, action: Evict) -> None:
        outcome = await evict(self._evictions, action, dry_run=self._configuration.dry_run)
        now = self._clock()
        self._memory = correct(self._memory, outcome, now)
        await self._recorder.outcome(outcome, now)

    async def _watch_revisions(self, snapshot: Snapshot, now: float, may_begin: Callable[[], bool]) -> None:
        result = observe_soak(
            self._soaks,
            snapshot,
            soak_seconds=self._configuration.soak_seconds,
            observed_by=COMPONENT,
            now=now,
        )
        self._soaks = soaks = dict(result.soaks)
        if self._configuration.dry_run:
            return
        for release, record in result.records:
            if may_begin():
                soak = soaks[release]
                since = self._began_at if soak.healthy_from_the_first_look else None
                await self._recorder.known_good(release, record, soak.workload, since)
            else:
                soaks[release] = replace(soaks[release], written=None)  # due again at the next look

    def _pause_seconds(self) -> float:
        at = next_look_at(self.decision) if self.decision else None
        return LOOK_SECONDS if at is None else min(LOOK_SECONDS, max(SETTLE_SECONDS, at - self._clock()))

    async def _wait(self, seconds: float, stopped: asyncio.Event) -> None:
        """Wait for a change, at least ``SETTLE_SECONDS`` and at most ``seconds``, less if stopped."""
        await set_within(stopped, SETTLE_SECONDS)
        events = [asyncio.create_task(event.wait()) for event in (stopped, self._observer.changed)]
        try:
            await asyncio.wait(events, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for event in events:
                event.cancel()
            await asyncio.gather(*events, return_exceptions=True)


def watch_age_seconds(snapshot: Snapshot, sources: tuple[str, ...], now: float) -> float | None:
    """Age of the oldest of some streams; None if one of them was never seen."""
    seen = [source.fresh_at for name in sources if (source := snapshot.sources.get(name)) is not None]
    if len(seen) < len(sources) or None in seen:
        return None
    return max((now - at for at in seen if at is not None), default=0.0)
