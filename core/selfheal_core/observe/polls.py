"""What is asked for again and again instead of watched: metrics, error rates, healerd elsewhere, the version."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.paths import path
from selfheal_core.cluster.kubernetes.watch_wire import Decoder
from selfheal_core.domain.controller_status import CONTROLLER_SELECTOR
from selfheal_core.domain.objects import PodMetrics, Uid, Wire, Workload
from selfheal_core.observe import sources
from selfheal_core.observe.error_rate import ErrorRateSource, scrape_targets
from selfheal_core.observe.join import Join
from selfheal_core.observe.poller import Poller
from selfheal_core.observe.usage import measured

VERSION = "version"
VERSION_INTERVAL_SECONDS = 600.0
CONTROLLER_INTERVAL_SECONDS = 15.0
DEADLINE_SECONDS = 20.0
SCRAPE_ROUND_DEADLINE_SECONDS = 60.0
NO_METRICS = "the cluster serves no metrics.k8s.io: install metrics-server to see CPU and memory"


_METRICS = Decoder(PodMetrics)


@dataclass(frozen=True, slots=True)
class Intervals:
    """Seconds between two rounds."""

    metrics_seconds: float = 15.0
    scrape_seconds: float = 15.0


class WorkloadList(Wire, frozen=True):
    """A list of Deployments."""

    items: tuple[Workload, ...] = ()


class Polls:
    """The rounds, and what they found that is not in the join.

    Args:
        client: The cluster.
        join: Where figures go.
        namespaces: Scope; empty means all.
        controller_namespace: Where healerd is looked for; "" means everywhere.
        error_rates: Where error rates come from.
        pods_listed: Set once pods are known; figures of pods are asked for from then on.

    Attributes:
        server_version: E.g. ``v1.32.3``; "" until known.
        controllers: Healerd's Deployments where they had to be looked for outside the scope; None before that, and
            where the watch of Deployments covers them.
    """

    def __init__(
        self,
        client: KubernetesClient,
        join: Join,
        *,
        namespaces: tuple[str, ...],
        controller_namespace: str,
        error_rates: ErrorRateSource,
        pods_listed: asyncio.Event,
    ) -> None:
        self.server_version = ""
        self.controllers: Sequence[Workload] | None = None
        self._client = client
        self._join = join
        self._namespaces = namespaces
        self._controller_namespace = controller_namespace
        self._error_rates = error_rates
        self._pods_listed = pods_listed

    def open(
        self,
        *,
        wanted: frozenset[str],
        intervals: Intervals,
        clock: Callable[[], float],
        on_change: Callable[[], None],
    ) -> list[Poller]:
        """Make the pollers of the wanted sources, and one for the server's version; the caller runs them."""

        def poller(name: str, poll: Callable[[], Awaitable[None]], every_seconds: float) -> Poller:
            return Poller(
                name,
                poll,
                interval_seconds=every_seconds,
                deadline_seconds=SCRAPE_ROUND_DEADLINE_SECONDS if name == sources.ERRORS else DEADLINE_SECONDS,
                clock=clock,
                on_change=on_change,
                absent=NO_METRICS if name == sources.METRICS else "",
                standing=(lambda: self._error_rates.standing) if name == sources.ERRORS else None,
                after=self._pods_listed if name in (sources.METRICS, sources.ERRORS) else None,
            )

        pollers = [poller(VERSION, self._read_version, VERSION_INTERVAL_SECONDS)]
        if sources.METRICS in wanted:
            pollers.append(poller(sources.METRICS, self._read_metrics, intervals.metrics_seconds))
        if sources.ERRORS in wanted:
            pollers.append(poller(sources.ERRORS, self._measure_errors, intervals.scrape_seconds))
        if sources.CONTROLLER in wanted and self._outside_scope():
            pollers.append(poller(sources.CONTROLLER, self._find_controller, CONTROLLER_INTERVAL_SECONDS))
        return pollers

    def _outside_scope(self) -> bool:
        """Whether healerd may run where the watch of Deployments does not look."""
        return bool(self._namespaces) and self._controller_namespace not in self._namespaces

    async def _read_version(self) -> None:
        self.server_version = await self._client.server_version()

    async def _read_metrics(self) -> None:
        uids = {(pod.metadata.namespace, pod.metadata.name): pod.metadata.uid for pod in self._join.pods()}
        used: dict[Uid, tuple[int, int]] = {}
        for namespace in self._namespaces or ("",):
            where = path("metrics.k8s.io/v1beta1", "pods", namespace=namespace)
            body = await self._client.get_bytes(where, deadline_seconds=DEADLINE_SECONDS)
            for metrics in _METRICS.page(body).items:
                uid = uids.get((metrics.metadata.namespace, metrics.metadata.name))
                figures = measured(metrics)
                if uid is not None and figures is not None:
                    used[uid] = figures
        self._join.set_usage(used)

    async def _measure_errors(self) -> None:
        targets = scrape_targets(self._join.pods(), self._join.rows)
        self._join.set_errors(await self._error_rates.measure(targets, self._join.rows))

    async def close(self) -> None:
        """Close connections of sources that are not the API server."""
        await self._error_rates.close()

    async def _find_controller(self) -> None:
        where = path("apps/v1", "deployments", namespace=self._controller_namespace)
        found = await self._client.get(where, WorkloadList, params={"labelSelector": CONTROLLER_SELECTOR})
        self.controllers = found.items
