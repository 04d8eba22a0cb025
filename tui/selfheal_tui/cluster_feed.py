"""The real feed: one thread with a loop of its own owns every connection, so that a stalled terminal stops no watch.

The screens' thread is held up whenever the terminal does not take what is written to it; watches that lived there
would fall behind and be cut off.
"""

import asyncio
import logging
import os
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from selfheal_cli.last_words import last_words
from selfheal_core import __version__
from selfheal_core.cluster.kubernetes import paths
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import Connection, connect
from selfheal_core.cluster.kubernetes.server_clock import ServerClock
from selfheal_core.cluster.prometheus.address import in_another_cluster
from selfheal_core.cluster.prometheus.errors import PrometheusError
from selfheal_core.domain.heal import HealPolicy
from selfheal_core.domain.snapshot import AppKey, Snapshot
from selfheal_core.errors import ClusterUnreachable, SelfhealError
from selfheal_core.observe.error_rate_ladder import ErrorRateLadder, error_rates
from selfheal_core.observe.observer import Observer
from selfheal_core.observe.sources import PODS
from selfheal_core.ops.operation import Preview, Progress, Target
from selfheal_core.waiting import set_within
from selfheal_tui.bridge import Bridge
from selfheal_tui.feed import ContextChoice, LogBatch, Surroundings
from selfheal_tui.log_reader import read_logs
from selfheal_tui.mailbox import Mailbox
from selfheal_tui.present.logs import LogRequest

if TYPE_CHECKING:
    from selfheal_core.ops.executor import Allowed, Operations
    from selfheal_core.ops.journal import Entry

log = logging.getLogger(__name__)
FRAME_SECONDS = 0.2
"""Snapshots are joined at most this often; the screens look four times a second."""
LONGEST_FRAME_SECONDS = 1.0
"""And at least this often while something changes, whatever it costs."""
JOIN_SHARE = 0.02
"""Between these two, joining takes no more than this share of a core."""
QUIET_SECONDS = 1.0
"""And at least this often, because states of sources age without an event."""
RESTART_SECONDS = 5.0
STOP_SECONDS = 10.0
"""Longest wait for the connections to end; a helm that is under way is given this long to stop."""
WORKLOAD_PATHS: Mapping[str, tuple[str, str]] = {
    "Deployment": ("apps/v1", "deployments"),
    "StatefulSet": ("apps/v1", "statefulsets"),
    "DaemonSet": ("apps/v1", "daemonsets"),
    "ReplicaSet": ("apps/v1", "replicasets"),
    "Job": ("batch/v1", "jobs"),
}


def frame_seconds(join_cpu_seconds: float) -> float:
    """Wait after a join: the dearer it was, the longer, so that a busy cluster costs no more than a share of a core.

    Args:
        join_cpu_seconds: CPU time that the last join took.
    """
    return min(max(join_cpu_seconds / JOIN_SHARE, FRAME_SECONDS), LONGEST_FRAME_SECONDS)


def is_filling(snapshot: Snapshot) -> bool:
    """Whether the first list of pods still comes in; then rows are shown as soon as they are known."""
    pods = snapshot.sources.get(PODS)
    return pods is not None and pods.condition == "connecting"


@dataclass(frozen=True, slots=True)
class ClusterChoice:
    """Which cluster, and how much of it.

    Attributes:
        namespaces: Scope; empty means all, None the context's own namespace.
        prometheus: Where error rates are asked for; "" to look for a Prometheus in the cluster.
    """

    kubeconfig: Path | None
    context: str | None
    namespaces: tuple[str, ...] | None
    read_only: bool
    prometheus: str = ""


class ClusterFeed:
    """Feed of a cluster.

    Args:
        choice: Which cluster.
        environ: Where kubeconfig and journal are looked for.
        clock: Seconds since the epoch.

    Attributes:
        clock: The same, corrected by what the cluster's answers say. What the cluster wrote is compared with this.
        surroundings: Where we are; filled in when the connection is configured.
        first_contact: Set to the server's version with its first answer, or to why there was none.
        faults: Errors of ours in the background, which were logged and from which it went on.
    """

    def __init__(
        self,
        choice: ClusterChoice,
        *,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.surroundings = Surroundings("", "", "", choice.namespaces or (), choice.read_only)
        self.first_contact: Future[str] = Future()
        self.configured: Future[None] = Future()
        self.faults = 0
        self._choice = choice
        self._environ = environ
        self.clock = ServerClock(clock)
        self._mailbox: Mailbox[Snapshot] = Mailbox()
        self._bridge = Bridge()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._unwanted = threading.Event()
        self._stop = asyncio.Event()
        self._rescope = asyncio.Event()
        self._client: KubernetesClient | None = None
        self._connection: Connection | None = None
        self._observer: Observer | None = None
        self._rates: ErrorRateLadder | None = None
        self._operations: Operations | None = None
        self._next: Connection | None = None
        self._first_context = ""
        self._arrived = asyncio.Event()

    # Life

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def stop(self) -> None:
        """End every connection; gives up waiting after a few seconds, the thread dies with the process then."""
        self._unwanted.set()
        self._bridge.tell(self._stop.set)
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except SelfhealError as error:
            self._refuse(error)
        finally:
            self._bridge.close()

    def _refuse(self, error: SelfhealError) -> None:
        """Tell whoever waits for the beginning that there is none."""
        for future in (self.configured, self.first_contact):
            if not future.done():
                future.set_exception(error)

    async def _main(self) -> None:
        """Live until stopped; whatever is under way then, a plugin that gives no answer included, ends with it."""
        self._bridge.open(asyncio.get_running_loop())
        if self._unwanted.is_set():  # since before the bridge was open
            return
        life, stop = asyncio.create_task(self._live()), asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((life, stop), return_when=asyncio.FIRST_COMPLETED)
            if life.done():
                await life  # raises what ended it
        finally:
            life.cancel()
            stop.cancel()
            await asyncio.gather(life, stop, return_exceptions=True)

    async def _live(self) -> None:
        self._next = await connect(
            kubeconfig=self._choice.kubeconfig, context=self._choice.context, environ=self._environ
        )
        try:
            while self._next is not None and not self._stop.is_set():
                connection, self._next = self._next, None
                await self._live_on(connection)
        finally:
            if self._next is not None:
                await self._next.close()

    async def _live_on(self, connection: Connection) -> None:
        """Follow the cluster of one connection until it is left for another, or the end."""
        self._connection = connection
        try:
            self._client = KubernetesClient(connection, user_agent=f"selfheal-console/{__version__}", clock=self.clock)
            self._surround(connection)
            self._mailbox.take()  # what the old cluster left there
            self._arrived.set()
            if not self.configured.done():
                self.configured.set_result(None)
            contact = asyncio.create_task(self._contact(self._client))
            try:
                await self._observe_until_stopped(self._client)
            finally:
                contact.cancel()
                await asyncio.gather(contact, return_exceptions=True)
        finally:
            await connection.close()

    def _surround(self, connection: Connection) -> None:
        identity = connection.identity
        chosen = self._choice.namespaces
        self.surroundings = Surroundings(
            context=identity.context,
            user=identity.user,
            server=identity.server,
            namespaces=(identity.namespace,) if chosen is None else chosen,
            read_only=self._choice.read_only,
            kubeconfig=str(self._choice.kubeconfig or ""),
            sandbox=identity.is_sandbox,
        )

    async def _contact(self, client: KubernetesClient) -> None:
        try:
            version = await client.server_version()
        except SelfhealError as error:
            if not self.first_contact.done():
                self.first_contact.set_exception(error)
        else:
            if not self.first_contact.done():
                self.first_contact.set_result(version)

    async def _observe_until_stopped(self, client: KubernetesClient) -> None:
        """Follow the cluster; a new scope, or a fault of ours, begins anew."""
        while not self._stop.is_set() and self._next is None:
            self._rescope.clear()
            scope = self.surroundings.namespaces
            rates = error_rates(client, self.clock, namespaces=scope, prometheus=self._prometheus())
            self._rates = rates
            observer = Observer(client, namespaces=scope, clock=self.clock, error_rates=rates)
            self._observer, self._operations = observer, None
            tasks = [
                asyncio.create_task(observer.run()),
                asyncio.create_task(self._pump(observer)),
                asyncio.create_task(self._stop.wait()),
                asyncio.create_task(self._rescope.wait()),
            ]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
            if any(self._is_fault(result) for result in results):
                await set_within(self._stop, RESTART_SECONDS)

    def _prometheus(self) -> str:
        """The setting for this cluster; a URL in it is of the one that the console was started on."""
        here = self.surroundings.context
        self._first_context = self._first_context or here
        return self._choice.prometheus if here == self._first_context else in_another_cluster(self._choice.prometheus)

    def _is_fault(self, result: object) -> bool:
        """Count and log an error that should not have come out of a background task."""
        if not isinstance(result, Exception):
            return False
        self.faults += 1
        log.error("a background task of the feed failed", exc_info=result)
        return True

    async def _pump(self, observer: Observer) -> None:
        """Put the newest snapshot into the mailbox, a few times a second."""
        while True:
            await set_within(observer.changed, QUIET_SECONDS)
            observer.changed.clear()
            began = time.thread_time()
            snapshot = observer.snapshot()
            spent = time.thread_time() - began
            self._mailbox.put(snapshot)
            await asyncio.sleep(FRAME_SECONDS if is_filling(snapshot) else frame_seconds(spent))

    # Data

    def take(self) -> Snapshot | None:
        """The newest Snapshot, if there is one since the last call."""
        return self._mailbox.take()

    def wake(self) -> None:
        """Try lost connections again now."""
        observer = self._observer
        if observer is not None:
            self._bridge.tell(observer.wake)

    async def choose_namespaces(self, namespaces: tuple[str, ...]) -> None:
        """Follow other namespaces; empty means all."""
        self.surroundings = replace(self.surroundings, namespaces=namespaces)
        self._mailbox.take()
        self._bridge.tell(self._rescope.set)

    async def contexts(self) -> tuple[ContextChoice, ...]:
        """The contexts to choose from, by name."""
        from selfheal_tui.contexts import list_contexts

        return await asyncio.to_thread(list_contexts, self._choice.kubeconfig, self._environ)

    async def switch_context(self, name: str) -> None:
        """Leave this cluster for that of another context."""
        await self._bridge.ask(lambda: self._switch(name))

    async def _switch(self, name: str) -> None:
        connection = await connect(kubeconfig=self._choice.kubeconfig, context=name, environ=self._environ)
        self._choice = replace(self._choice, context=name, namespaces=None)
        # From here on every question is refused until the new connection is there: none may go to the old cluster.
        self._client = self._observer = self._operations = None
        self._arrived.clear()
        passed_over, self._next = self._next, connection
        self._rescope.set()
        if passed_over is not None:
            await passed_over.close()
        await self._arrived.wait()

    async def known_namespaces(self) -> tuple[str, ...]:
        """Names of namespaces, as far as our rights let us list them."""

        async def names() -> tuple[str, ...]:
            answer = await self._api().get_json(paths.path("v1", "namespaces"), params={"limit": "1000"})
            return tuple(sorted(item["metadata"]["name"] for item in answer.get("items", [])))

        return await self._bridge.ask(names)

    async def healing_policy(self) -> tuple[HealPolicy, bool]:
        """What healerd is allowed to do here, and whether that was read from its own settings."""
        from selfheal_cli.explain import observed_policy

        return await self._bridge.ask(lambda: observed_policy(self._api()))

    # Verbs

    async def allowed(self, verb: str, target: Target) -> "Allowed":
        """Whether a verb can run on a target now, and why not."""
        return await self._bridge.ask(lambda: self._executor().allowed(verb, target))

    async def preview(self, verb: str, target: Target, parameters: Mapping[str, str]) -> Preview:
        """What a verb would do."""
        return await self._bridge.ask(lambda: self._executor().preview(verb, target, parameters))

    def run(self, preview: Preview, reason: str) -> AsyncGenerator[Progress, None]:
        """Do it, step by step. Closing it early cancels the operation."""
        return self._bridge.stream(lambda: self._executor().run(preview, reason=reason))

    async def cancel(self, operation_id: str) -> bool:
        """Ask a running operation to stop before its next write."""
        return await self._bridge.ask(lambda: self._executor().cancel(operation_id))

    def _executor(self) -> "Operations":
        """The executor on the present observer. Made when first needed: it brings much along to import."""
        if self._operations is None:
            from selfheal_cli.session import executor

            if self._observer is None:
                raise ClusterUnreachable("there is no connection to the cluster yet")
            self._operations = executor(
                self._api(),
                self._observer,
                source="console",
                read_only=self._choice.read_only,
                environ=self._environ,
            )
        return self._operations

    def _api(self) -> KubernetesClient:
        if self._client is None:
            raise ClusterUnreachable("there is no connection to the cluster yet")
        return self._client

    # Reading

    def _containers(self, namespace: str, pod: str) -> tuple[str, ...]:
        observer = self._observer
        if observer is None:
            return ()
        rows = observer.snapshot().pods
        uid = next((row.uid for row in rows.values() if row.name == pod and row.namespace == namespace), "")
        known = observer.pod(uid)
        return tuple(container.name for container in known.spec.containers) if known is not None else ()

    async def containers(self, namespace: str, pod: str) -> tuple[str, ...]:
        """Names of a pod's containers."""

        async def names() -> tuple[str, ...]:
            return self._containers(namespace, pod)

        return await self._bridge.ask(names)

    def _container(self, namespace: str, pod: str, wanted: str = "") -> str:
        names = self._containers(namespace, pod)
        return wanted if wanted in names or not names else names[0]

    async def last_words(self, target: Target) -> str:
        """The last line that the pod's previous run logged, "" where there is none."""

        async def words() -> str:
            container = self._container(target.namespace, target.name)
            return await last_words(self._api(), target.namespace, target.name, container)

        return await self._bridge.ask(words)

    async def error_trend(self, app: AppKey) -> Sequence[tuple[float, float]]:
        """Error ratios of the last quarter of an hour, from Prometheus; empty where it does not tell."""

        async def trend() -> Sequence[tuple[float, float]]:
            with suppress(PrometheusError):
                return await self._rates.trend(app) if self._rates is not None else ()
            return ()

        return await self._bridge.ask(trend)

    def logs(self, request: LogRequest) -> AsyncGenerator[LogBatch, None]:
        """Log lines, first those that exist, then those that come, until closed."""

        def container_of(pod: str) -> str:
            return self._container(request.namespace, pod, request.container)

        return self._bridge.stream(lambda: read_logs(self._api(), request, container_of))

    async def read_object(self, target: Target) -> Mapping[str, object]:
        """The pod, or the workload of an application, as the API server has it."""

        async def read() -> Mapping[str, object]:
            return cast("Mapping[str, object]", await self._api().get_json(self._path_of(target)))

        return await self._bridge.ask(read)

    def _path_of(self, target: Target) -> str:
        if target.kind == "pod":
            return paths.path("v1", "pods", namespace=target.namespace, name=target.name)
        observer = self._observer
        apps = observer.snapshot().applications if observer is not None else {}
        app = apps.get(AppKey(target.namespace, target.name))
        for track in app.tracks if app is not None else ():
            if track.workload is not None and track.workload.kind in WORKLOAD_PATHS:
                group_version, plural = WORKLOAD_PATHS[track.workload.kind]
                return paths.path(group_version, plural, namespace=target.namespace, name=track.workload.name)
        raise SelfhealError(f"{target.name} has no workload that could be shown")

    async def journal(self) -> "tuple[Entry, ...]":
        """What was asked for and done from this user's consoles and command lines, oldest first."""
        from selfheal_core.ops.journal import default_path, read_journal

        return await asyncio.to_thread(read_journal, default_path(self._environ), tail=500)
