"""The one place where streams of cluster data become a Snapshot."""

import asyncio
import time
from collections.abc import Callable, Mapping

from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.watch_statistics import Statistics, total
from selfheal_core.domain.controller_status import controller_status
from selfheal_core.domain.known_good import KnownGood, ReleaseKey
from selfheal_core.domain.objects import Node, Pod, Uid, Workload
from selfheal_core.domain.snapshot import ControllerStatus, OwnerKey, Snapshot, Source
from selfheal_core.domain.tracks import RunningWorkload
from selfheal_core.observe.error_rate import ErrorRateSource
from selfheal_core.observe.error_rate_ladder import error_rates as best_error_rates
from selfheal_core.observe.join import Join
from selfheal_core.observe.polls import VERSION, Intervals, Polls
from selfheal_core.observe.sources import ALL_SOURCES, CONTROLLER, DEPLOYMENTS, NODES, PODS, combined
from selfheal_core.observe.streams import Stream, open_streams
from selfheal_core.waiting import set_within

LONGEST_NAP_SECONDS = 1.0
"""``wait_for`` asks its predicate at least this often."""
LISTED_FIRST_SECONDS = 2.0
"""For so long a stream waits until the source that goes first is listed."""


class Observer:
    """Follows the cluster and joins what changed into an immutable Snapshot.

    ``run`` and every other method belong to one asyncio loop. Nothing here raises because the cluster went away: the
    source concerned says so in the next Snapshot.

    Args:
        client: The connection that every stream shares.
        namespaces: Scope; empty means all namespaces.
        sources: Names (``selfheal_core.observe.sources``) of the streams to follow; the others are not in
            ``Snapshot.sources`` at all.
        clock: Seconds since the epoch.
        metrics_interval_seconds: How often use of CPU and memory is read.
        scrape_interval_seconds: How often error rates are measured.
        controller_namespace: Where healerd is looked for when that is outside the scope; "" means everywhere.
        error_rates: Where error rates come from; by default a Prometheus of the cluster, else pods' own ``/metrics``.

    Attributes:
        changed: Set whenever a new snapshot may differ from the last one. The one reader that draws (console or
            healerd's loop) clears it; ``wait_for`` does not depend on it.
    """

    def __init__(
        self,
        client: KubernetesClient,
        *,
        namespaces: tuple[str, ...] = (),
        sources: frozenset[str] = ALL_SOURCES,
        clock: Callable[[], float] = time.time,
        metrics_interval_seconds: float = 15.0,
        scrape_interval_seconds: float = 15.0,
        controller_namespace: str = "",
        error_rates: ErrorRateSource | None = None,
    ) -> None:
        self.changed = asyncio.Event()
        self._clock = clock
        self._join = Join()
        self._waiters: set[asyncio.Event] = set()
        self._streams = open_streams(
            client, self._join, namespaces=namespaces, wanted=sources, clock=clock, on_change=self._notify
        )
        self._listed = {name: asyncio.Event() for name in self._awaited()}
        self._polls = Polls(
            client,
            self._join,
            namespaces=namespaces,
            controller_namespace=controller_namespace,
            error_rates=error_rates or best_error_rates(client, clock, namespaces=namespaces),
            pods_listed=self._listed[PODS],
        )
        self._pollers = self._polls.open(
            wanted=sources,
            intervals=Intervals(metrics_interval_seconds, scrape_interval_seconds),
            clock=clock,
            on_change=self._notify,
        )
        self._latest = Snapshot(0, clock(), namespaces)

    async def run(self) -> None:
        """Follow every source until cancelled; cancellation ends all of them and leaks no task."""
        try:
            async with asyncio.TaskGroup() as group:
                for stream in self._all_streams():
                    group.create_task(self._follow(stream))
                for poller in self._pollers:
                    group.create_task(poller.run())
        finally:
            await self._polls.close()

    async def _follow(self, stream: Stream) -> None:
        if stream.waits_for in self._streams:
            await set_within(self._listed[stream.waits_for], LISTED_FIRST_SECONDS)
        await stream.reflector.run()

    def snapshot(self) -> Snapshot:
        """Join what changed since the last call.

        Returns:
            The same ``sequence`` as before when no row and no source's condition changed; ages in ``sources`` are
            current in any case.
        """
        now = self._clock()
        before = self._latest
        sources = self._sources()
        self._join.set_pods_known(self._is_listed(PODS))
        joined = self._join.refresh(now)
        controller = self._controller(sources)
        changed = (
            joined
            or controller != before.controller
            or self._polls.server_version != before.server_version
            or _conditions(sources) != _conditions(before.sources)
        )
        self._latest = Snapshot(
            sequence=before.sequence + 1 if changed else before.sequence,
            taken_at=now,
            namespaces=before.namespaces,
            pods=dict(self._join.rows) if joined else before.pods,
            applications=dict(self._join.applications) if joined else before.applications,
            sources=sources,
            controller=controller,
            server_version=self._polls.server_version,
        )
        return self._latest

    def wake(self) -> None:
        """Retry lost and forbidden sources now instead of at their next due time."""
        for stream in self._all_streams():
            if stream.reflector.source.condition != "live":
                stream.reflector.wake()
        for poller in self._pollers:
            poller.wake()

    async def wait_for(self, predicate: Callable[[Snapshot], bool], deadline_seconds: float) -> Snapshot:
        """Wait until a snapshot satisfies ``predicate``.

        The predicate is asked after every change and at least once a second, so it may look at the time too.

        Returns:
            The first snapshot that satisfied it.

        Raises:
            TimeoutError: The deadline passed first.
        """
        stirred = asyncio.Event()
        self._waiters.add(stirred)
        try:
            async with asyncio.timeout(deadline_seconds):
                while not predicate(snapshot := self.snapshot()):
                    stirred.clear()
                    await set_within(stirred, LONGEST_NAP_SECONDS)
                return snapshot
        finally:
            self._waiters.discard(stirred)

    def pod(self, uid: Uid) -> Pod | None:
        """The decoded pod of that uid, e.g. for the names of its containers; None once it is gone."""
        return self._join.pod(uid)

    def workload(self, owner: OwnerKey) -> Workload | None:
        """The decoded workload; None if it is gone or of a kind that is not followed."""
        running = self.running(owner)
        return None if running is None else running.workload

    def running(self, owner: OwnerKey) -> RunningWorkload | None:
        """The workload with its ReplicaSets; None if it is gone or of a kind that is not followed."""
        return self._join.owners.running(owner.uid)

    def nodes(self) -> Mapping[str, Node]:
        """Nodes by name; empty where they are not followed or not allowed to be."""
        stores = (stream.reflector.store for stream in self._streams.get(NODES, ()))
        return {node.metadata.name: node for store in stores for node in store.values()}

    def known_good(self) -> Mapping[ReleaseKey, Mapping[int, KnownGood]]:
        """What is on record of every release, by revision."""
        return self._join.releases.records()

    def statistics(self) -> Mapping[str, Statistics]:
        """What the watches of each source have been through so far."""
        return {
            name: total(stream.reflector.statistics for stream in streams) for name, streams in self._streams.items()
        }

    def _all_streams(self) -> list[Stream]:
        return [stream for streams in self._streams.values() for stream in streams]

    def _awaited(self) -> set[str]:
        """Sources that others begin after: streams of some, and what is polled about pods."""
        return {PODS, *(stream.waits_for for stream in self._all_streams() if stream.waits_for)}

    def _sources(self) -> dict[str, Source]:
        found = {
            name: combined([stream.reflector.source for stream in streams]) for name, streams in self._streams.items()
        }
        found.update({poller.source.name: poller.source for poller in self._pollers})
        found.pop(VERSION, None)
        return found

    def _is_listed(self, source: str) -> bool:
        streams = self._streams.get(source, ())
        return bool(streams) and all(stream.reflector.source.fresh_at is not None for stream in streams)

    def _controller(self, sources: Mapping[str, Source]) -> ControllerStatus:
        elsewhere = self._polls.controllers
        here = sources.get(DEPLOYMENTS)
        looked = sources.get(CONTROLLER, here)
        known = looked is not None and looked.fresh_at is not None
        deployments = elsewhere if elsewhere is not None else self._join.controllers()
        return controller_status(deployments, self._join.events.last_of_controller, looked=known)

    def _notify(self) -> None:
        for source, listed in self._listed.items():
            if not listed.is_set() and self._is_listed(source):
                listed.set()
        self.changed.set()
        for waiter in self._waiters:
            waiter.set()


def _conditions(sources: Mapping[str, Source]) -> dict[str, tuple[str, ...]]:
    return {
        name: (source.condition, source.reason, source.origin, source.origin_note) for name, source in sources.items()
    }
