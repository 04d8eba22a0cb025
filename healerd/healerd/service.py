"""The composition root: everything that healerd is made of, put together in one place."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from healerd.configuration import Configuration
from healerd.controller import Controller
from healerd.metrics import Metrics
from healerd.record import Recorder
from healerd.rights import RightsCheck
from healerd.serve import application, listen
from healerd.watch_metrics import WatchMetrics
from selfheal_core import __version__
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import connect
from selfheal_core.cluster.kubernetes.server_clock import ServerClock
from selfheal_core.errors import SelfhealError
from selfheal_core.observe.observer import Observer
from selfheal_core.observe.sources import HEALING_SOURCES


class Healerd:
    """healerd as an async context manager: connected and listening inside the block.

    Args:
        configuration: How it behaves.
        kubeconfig: Instead of the service account.
        context: Context of that kubeconfig.
        instance: Name of this process in Events.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        configuration: Configuration,
        kubeconfig: Path | None,
        context: str | None,
        *,
        instance: str,
        clock: Callable[[], float],
    ) -> None:
        self.server = ""
        self._configuration = configuration
        self._kubeconfig = kubeconfig
        self._context = context
        self._instance = instance
        self._clock = clock
        self._stack = AsyncExitStack()
        self._observer: Observer
        self._controller: Controller
        self._rights: RightsCheck

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            connection = await connect(kubeconfig=self._kubeconfig, context=self._context)
            stack.push_async_callback(connection.close)
            self.server = connection.identity.server
            # Pods' times are compared with now: by the clock that wrote them.
            clock = ServerClock(self._clock)
            client = KubernetesClient(connection, user_agent=f"healerd/{__version__}", clock=clock)
            metrics = Metrics()
            self._observer = Observer(client, sources=HEALING_SOURCES, clock=clock)
            metrics.registry.register(WatchMetrics(self._observer.statistics, clock))
            self._rights = RightsCheck(client, metrics)
            recorder = Recorder(client, metrics, instance=self._instance)
            self._controller = Controller(self._observer, client, recorder, self._configuration, metrics, clock=clock)
            await self._listen(stack, metrics)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def until(self, stopped: asyncio.Event) -> None:
        """Observe and heal until ``stopped`` is set; an eviction that was being sent is answered first."""
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(self._observer.run()), tasks.create_task(self._rights.run())]
            await self._controller.run(stopped)
            for task in running:
                task.cancel()

    async def _listen(self, stack: AsyncExitStack, metrics: Metrics) -> None:
        configuration = self._configuration
        pages = application(
            metrics,
            self._controller.watch_age_seconds,
            silent_seconds=configuration.silent_seconds,
            started_at=self._clock(),
            clock=self._clock,
            missing_rights=self._rights.sentences,
        )
        try:
            runner = await listen(pages, configuration.host, configuration.port)
        except OSError as error:
            where = f"{configuration.host}:{configuration.port}"
            # asyncio puts the address before the system's words, a second time.
            reason = str(error.strerror).rpartition(": ")[2].lower()
            step = "choose another listen.host or listen.port in the file that --config names"
            raise SelfhealError(f"cannot listen on {where}: {reason}", step) from error
        stack.push_async_callback(runner.cleanup)
