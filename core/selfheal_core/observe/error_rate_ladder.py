"""The best error rates that can be had: from Prometheus, else from pods' own pages, else none.

Per application too: what Prometheus does not scrape is read from the pods.
"""

import asyncio
import random as random_module
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from selfheal_core.cluster.kubernetes.api_errors import ApiError
from selfheal_core.cluster.kubernetes.backoff import Backoff, Pacing
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.prometheus.address import Address, parse_address
from selfheal_core.cluster.prometheus.client import Prometheus
from selfheal_core.cluster.prometheus.discovery import discover
from selfheal_core.cluster.prometheus.errors import PrometheusError
from selfheal_core.cluster.prometheus.transport import transport_to
from selfheal_core.domain.objects import Uid
from selfheal_core.domain.snapshot import AppKey, ErrorRate, PodRow
from selfheal_core.domain.source_ladder import INTERVALS_TO_FALL, Ladder, answered, failed
from selfheal_core.domain.times import ago
from selfheal_core.observe.error_rate import ORIGIN as OWN
from selfheal_core.observe.error_rate import ErrorRateSource, OwnScrape, ScrapeTarget
from selfheal_core.observe.prometheus_rates import ORIGIN as PROMETHEUS
from selfheal_core.observe.prometheus_rates import PrometheusRates, Round
from selfheal_core.observe.sources import Standing

HISTORY_POINTS = 60
"""Ratios that are kept for a sparkline: a quarter of an hour at one every 15 s."""
LOST_PACING = Pacing(first_seconds=15.0, ceiling_seconds=120.0)
"""Between questions to a Prometheus that does not answer."""
LOOK_AGAIN_SECONDS = 300.0
"""Between searches where there is no Prometheus."""

Find = Callable[[], Awaitable[PrometheusRates | None]]


class ErrorRateLadder:
    """Prometheus, else our own scrape; what it stands on is in ``standing``.

    Args:
        find: Gives the Prometheus to ask; None if there is none now.
        own: Reads pods' pages.
        clock: Seconds since the epoch.
        random: Uniform in 0..1, for jitter.
    """

    def __init__(
        self,
        find: Find,
        own: ErrorRateSource,
        clock: Callable[[], float],
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self._find = find
        self._own = own
        self._clock = clock
        self._random = random
        self._backoff = Backoff(LOST_PACING, random)
        self._prometheus: PrometheusRates | None = None
        self._ladder = Ladder()
        self._last = Round()
        self._ask_at = 0.0
        self._history: dict[AppKey, tuple[float | None, ...]] = {}

    @property
    def standing(self) -> Standing:
        """Where the figures of the last round came from, and why from there."""
        ladder = self._ladder
        if ladder.on_top and not self._last.rates:
            return Standing(OWN, ladder.since, "none of them in Prometheus", ladder.reason)
        if ladder.on_top:
            warning = "; ".join(self._last.warnings)
            return Standing(PROMETHEUS, ladder.since, "", ladder.reason or warning, self._last.fresh_at)
        if not ladder.fallen:
            return Standing(OWN)
        note = "Prometheus lost" if ladder.fresh_at is not None else "no answer from Prometheus"
        return Standing(OWN, ladder.since, note, ladder.reason)

    async def measure(self, targets: Sequence[ScrapeTarget], pods: Mapping[Uid, PodRow]) -> Mapping[AppKey, ErrorRate]:
        """One round.

        Raises:
            ApiError: Neither Prometheus nor any pod could be read.
        """
        if self._ladder.on_top and not self._ladder.failures:
            await self._ask(pods)
            own = await self._scrape([target for target in targets if not self._is_told(target)], pods)
        else:
            # Nobody waits for a Prometheus that may not answer.
            async with asyncio.TaskGroup() as group:
                group.create_task(self._ask(pods))
                scraping = group.create_task(self._scrape(targets, pods))
            own = scraping.result()
        rates = {**self._own_rates(own), **(self._last.rates if self._ladder.on_top else {})}
        self._history = {key: self._with_newest(key, rate) for key, rate in rates.items()}
        return {key: replace(rate, history=self._history[key]) for key, rate in rates.items()}

    async def trend(self, key: AppKey) -> tuple[tuple[float, float], ...]:
        """The error ratio of an application over the last quarter of an hour, from Prometheus alone.

        Returns:
            Pairs of seconds before now and ratio, oldest first; empty while there is no Prometheus.

        Raises:
            PrometheusError: It gives no usable answer.
        """
        return await self._prometheus.trend(key) if self._prometheus is not None and self._ladder.on_top else ()

    async def close(self) -> None:
        """Close connections that are its own."""
        await self._drop()
        await self._own.close()

    async def _ask(self, pods: Mapping[Uid, PodRow]) -> None:
        """Ask Prometheus if it is time, and note what that means for the ladder."""
        if self._clock() < self._ask_at:
            return
        try:
            prometheus = self._prometheus or await self._find()
        except ApiError:
            return  # what is wrong with the API server shows when pods are read through it
        self._prometheus = prometheus
        if prometheus is None:
            self._ask_at = self._clock() + LOOK_AGAIN_SECONDS * (0.9 + 0.2 * self._random())
            return
        try:
            self._took(await prometheus.measure(pods), prometheus.interval_seconds)
        except PrometheusError as error:
            await self._missed(error.what, prometheus.interval_seconds)

    def _took(self, answer: Round, interval_seconds: float) -> None:
        """Take an answer, without the figures in it that are too old to tell about now."""
        now = self._clock()
        oldest = now - INTERVALS_TO_FALL * interval_seconds
        fresh = {key: rate for key, rate in answer.rates.items() if rate.measured_at >= oldest}
        if answer.rates and not fresh:
            newest = now - (answer.fresh_at or now)
            self._ladder = failed(self._ladder, f"its newest sample is {ago(newest)} old", interval_seconds, now)
            return
        self._last = replace(answer, rates=fresh)
        self._ladder = answered(self._ladder, answer.fresh_at if answer.fresh_at is not None else now, now)
        self._backoff.reset()

    async def _missed(self, reason: str, interval_seconds: float) -> None:
        now = self._clock()
        self._ladder = failed(self._ladder, reason, interval_seconds, now)
        if self._ladder.fallen:
            self._ask_at = now + self._backoff.delay()
            await self._drop()  # it may have moved: it is looked for anew

    async def _drop(self) -> None:
        prometheus, self._prometheus = self._prometheus, None
        if prometheus is not None:
            await prometheus.close()

    def _is_told(self, target: ScrapeTarget) -> bool:
        """Whether its pods need not be read; once Prometheus begins to fail, all are, to be ready."""
        return self._ladder.on_top is True and not self._ladder.failures and target.app in self._last.rates

    async def _scrape(
        self, targets: Sequence[ScrapeTarget], pods: Mapping[Uid, PodRow]
    ) -> Mapping[AppKey, ErrorRate] | ApiError:
        """Read pods, or tell why none could be."""
        try:
            return await self._own.measure(targets, pods)
        except ApiError as error:
            return error

    def _own_rates(self, own: Mapping[AppKey, ErrorRate] | ApiError) -> Mapping[AppKey, ErrorRate]:
        """What the pods say.

        Raises:
            ApiError: They could not be read, and Prometheus says nothing either.
        """
        if not isinstance(own, ApiError):
            return own
        if self._ladder.on_top:
            return {}
        raise own

    def _with_newest(self, key: AppKey, rate: ErrorRate) -> tuple[float | None, ...]:
        return (*self._history.get(key, ()), rate.ratio)[-HISTORY_POINTS:]


def error_rates(
    client: KubernetesClient,
    clock: Callable[[], float],
    *,
    namespaces: Sequence[str] = (),
    prometheus: str = "",
    user_agent: str = "selfheal",
) -> ErrorRateLadder:
    """The source of error rates that the setting ``prometheus`` asks for.

    Args:
        client: The cluster.
        clock: Seconds since the epoch.
        namespaces: Scope; empty means all.
        prometheus: A URL, ``namespace/service:port``, ``none``, or "" to look for one in the cluster.
        user_agent: Who we say we are.

    Raises:
        BadUsage: ``prometheus`` is no address.
    """
    given = parse_address(prometheus) if prometheus else None
    wanted = given is not None or not prometheus

    def rates(address: Address) -> PrometheusRates:
        return PrometheusRates(Prometheus(transport_to(address, client, user_agent=user_agent)), namespaces, clock)

    async def find() -> PrometheusRates | None:
        if given is not None or not wanted:
            return rates(given) if given is not None else None
        found = await discover(client, namespaces)
        return rates(found) if found is not None else None

    return ErrorRateLadder(find, OwnScrape(client, clock), clock)
