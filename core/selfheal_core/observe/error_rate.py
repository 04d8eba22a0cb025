"""Where error rates come from: a port, and the source that needs nothing but the cluster (pods' own ``/metrics``)."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from selfheal_core.cluster.kubernetes.api_errors import ApiError, Forbidden, Unreachable
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.domain.objects import Pod, Uid
from selfheal_core.domain.scraping import METRICS_PATH, PATH_ANNOTATION, metrics_port
from selfheal_core.domain.snapshot import AppKey, ErrorRate, PodRow
from selfheal_core.observe.request_metrics import Reading, error_rate, increase, parse_reading, total
from selfheal_core.observe.sources import Standing

PODS_PER_APPLICATION = 5
PODS_PER_ROUND = 60
CONCURRENT_SCRAPES = 6
SCRAPE_DEADLINE_SECONDS = 3.0
WINDOW_SECONDS = 60.0
STALE_WINDOWS = 3
"""Readings older than this many windows say nothing about now."""
ASK_AGAIN_SECONDS = 600.0
"""A pod that has nothing to say about requests is asked again after this long."""
ORIGIN = "own scrape"


@dataclass(frozen=True, slots=True)
class ScrapeTarget:
    """A pod's page of metrics."""

    uid: Uid
    namespace: str
    name: str
    app: AppKey
    port: int
    path: str = METRICS_PATH


class ErrorRateSource(Protocol):
    """Anything that knows requests, errors and latency by application."""

    @property
    def standing(self) -> Standing:
        """Where the figures of the last round came from."""
        ...

    async def measure(self, targets: Sequence[ScrapeTarget], pods: Mapping[Uid, PodRow]) -> Mapping[AppKey, ErrorRate]:
        """One round; applications of which nothing is known are left out.

        Args:
            targets: Pods that may have a page of metrics.
            pods: Every pod that is known.

        Raises:
            ApiError: Nothing could be read at all.
        """
        ...

    async def close(self) -> None:
        """Close connections that are its own."""
        ...


class OwnScrape:
    """Reads pods' own counters through the API server's proxy; two readings of a pod make a rate.

    Bounded: a few pods per application, always the same ones while they live; of those a few at a time, those not read
    for longest first. It sees only the pods it reads, so its requests per second are those pods' and its ratio is a
    sample; the origin of a figure then says of how many: ``own scrape, 5 of 12 pods``.
    """

    standing = Standing(ORIGIN)

    def __init__(self, client: KubernetesClient, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._readings: dict[Uid, deque[tuple[float, Reading]]] = {}
        self._asked_at: dict[Uid, float] = {}
        self._silent_until: dict[Uid, float] = {}

    async def measure(
        self,
        targets: Sequence[ScrapeTarget],
        pods: Mapping[Uid, PodRow] | None = None,  # noqa: ARG002 - the targets say all that it needs
    ) -> Mapping[AppKey, ErrorRate]:
        """Read a share of the pods and work the rates out anew.

        Raises:
            Forbidden: ``pods/proxy`` is not allowed.
            Unreachable: The API server does not answer.
        """
        followed = a_few_of_each(targets)
        self._forget_all_but({target.uid for target in followed})
        chosen = self._chosen(followed)
        gate = asyncio.Semaphore(CONCURRENT_SCRAPES)
        errors = await asyncio.gather(*(self._read(target, gate) for target in chosen))
        failures = [error for error in errors if error is not None]
        # What concerns all pods alike is the source's trouble; what concerns one pod only means that it has no figures.
        for error in failures:
            if isinstance(error, Forbidden | Unreachable):
                raise error
        return self._rates(targets, followed)

    async def close(self) -> None:
        """Leave the connection to those who share it."""

    def _chosen(self, targets: Sequence[ScrapeTarget]) -> list[ScrapeTarget]:
        now = self._clock()
        waiting = [target for target in targets if self._silent_until.get(target.uid, 0.0) <= now]
        waiting.sort(key=lambda target: (self._asked_at.get(target.uid, 0.0), target.name))
        return waiting[:PODS_PER_ROUND]

    async def _read(self, target: ScrapeTarget, gate: asyncio.Semaphore) -> ApiError | None:
        async with gate:
            self._asked_at[target.uid] = self._clock()
            try:
                body = await self._client.proxy_pod(
                    target.namespace, target.name, target.port, target.path, deadline_seconds=SCRAPE_DEADLINE_SECONDS
                )
            except ApiError as error:
                return error
        reading = parse_reading(body.decode(errors="replace"))
        if reading is None:
            self._silent_until[target.uid] = self._clock() + ASK_AGAIN_SECONDS
            return None
        readings = self._readings.setdefault(target.uid, deque())
        readings.append((self._clock(), reading))
        # Keep one reading beyond the window, so that the window is always covered.
        while len(readings) > 2 and readings[1][0] <= self._clock() - WINDOW_SECONDS:
            readings.popleft()
        return None

    def _rates(self, targets: Sequence[ScrapeTarget], followed: Sequence[ScrapeTarget]) -> dict[AppKey, ErrorRate]:
        oldest = self._clock() - STALE_WINDOWS * WINDOW_SECONDS
        by_app: dict[AppKey, list[deque[tuple[float, Reading]]]] = {}
        for target in followed:
            readings = self._readings.get(target.uid)
            if readings is not None and len(readings) > 1 and readings[-1][0] > oldest:
                by_app.setdefault(target.app, []).append(readings)
        pods = Counter(target.app for target in targets)
        return {key: _rate(read, pods[key]) for key, read in by_app.items()}

    def _forget_all_but(self, present: set[Uid]) -> None:
        for memory in (self._readings, self._asked_at, self._silent_until):
            for uid in [uid for uid in memory if uid not in present]:
                del memory[uid]


def _rate(read: Sequence[deque[tuple[float, Reading]]], pods: int) -> ErrorRate:
    """The rate of an application from the readings of its pods that were read, of so many that it has."""
    added = total(_increase_over(readings) for readings in read)
    window = max(readings[-1][0] - readings[0][0] for readings in read)
    newest = max(readings[-1][0] for readings in read)
    origin = ORIGIN if len(read) >= pods else f"{ORIGIN}, {len(read)} of {pods} pods"
    return error_rate(added, window, newest, origin)


def a_few_of_each(targets: Iterable[ScrapeTarget]) -> list[ScrapeTarget]:
    """The first ``PODS_PER_APPLICATION`` of each application."""
    taken: Counter[AppKey] = Counter()
    found: list[ScrapeTarget] = []
    for target in targets:
        taken[target.app] += 1
        if taken[target.app] <= PODS_PER_APPLICATION:
            found.append(target)
    return found


def scrape_targets(pods: Iterable[Pod], rows: Mapping[Uid, PodRow]) -> list[ScrapeTarget]:
    """The pods that may have a page of metrics: running, and annotated or with a port of a usual name."""
    found: list[ScrapeTarget] = []
    for pod in pods:
        row = rows.get(pod.metadata.uid)
        if row is None or pod.status.phase != "Running" or not row.pod_ip or row.state == "terminating":
            continue
        ports = [(port.name, port.container_port) for container in pod.spec.containers for port in container.ports]
        port = metrics_port(pod.metadata.annotations, ports)
        if port is not None:
            path = pod.metadata.annotations.get(PATH_ANNOTATION, METRICS_PATH)
            found.append(ScrapeTarget(row.uid, row.namespace, row.name, row.app, port, path))
    return found


def _increase_over(readings: deque[tuple[float, Reading]]) -> Reading:
    steps = list(readings)
    return total(increase(before[1], after[1]) for before, after in pairwise(steps))
