"""The containers of a pod in their order: init containers one by one, then the others; sidecars beside both."""

import asyncio
from collections.abc import Iterator

from selfheal_sandbox.kubelet.container_worker import ContainerWorker, PodHost
from selfheal_sandbox.kubelet.init_containers import InitRecord, is_sidecar, restart_policy
from selfheal_sandbox.kubelet.resuming import records_of, to_run_again
from selfheal_sandbox.kubelet.states import ContainerRecord, Waiting
from selfheal_sandbox.store.objects import Object, spec_of

MINIMUM_GRACE_SECONDS = 2.0
"""What a sidecar gets to end when the others used the pod's grace period up (``minimumGracePeriodInSeconds``)."""


class PodContainers:
    """Runs the containers of one pod; ``run`` ends when none of them has to run any more.

    Attributes:
        main: those of ``spec.containers``, in their order.
        initial: those of ``spec.initContainers``, in their order.
    """

    def __init__(self, host: PodHost, pod: Object) -> None:
        spec = spec_of(pod)
        policy, first = spec.get("restartPolicy", "Always"), spec.get("initContainers") or []
        self._waits = Waiting("PodInitializing" if first else "ContainerCreating")
        main = zip(
            spec["containers"], records_of(pod, spec["containers"], "containerStatuses", self._waits), strict=True
        )
        initial = zip(first, records_of(pod, first, "initContainerStatuses", self._waits), strict=True)
        self.main = [ContainerWorker(host, one, record, policy) for one, record in main]
        self.initial = [ContainerWorker(host, one, record, restart_policy(one, policy)) for one, record in initial]
        self._grace_seconds = float(spec.get("terminationGracePeriodSeconds", 30))
        self._sidecars: list[tuple[ContainerWorker, asyncio.Task[None]]] = []
        self._ending = asyncio.Event()
        self._deadline: float | None = None

    def __iter__(self) -> Iterator[ContainerWorker]:
        return iter([*self.main, *self.initial])

    @property
    def records(self) -> list[ContainerRecord]:
        """What each of the main containers does."""
        return [one.record for one in self.main]

    @property
    def initial_records(self) -> tuple[InitRecord, ...]:
        """What each of the init containers does."""
        return tuple(InitRecord(one.record, is_sidecar(one.spec)) for one in self.initial)

    @property
    def has_run(self) -> bool:
        """Whether an earlier kubelet ran any of them."""
        return any(one.record.has_run for one in self)

    async def run(self) -> None:
        """Run all of them to their ends; without a restart policy that forbids it, that is when `stop` is called."""
        async with asyncio.TaskGroup() as beside:
            if not all(one.is_finished for one in self.main) and await self._initialise(beside):
                async with asyncio.TaskGroup() as tasks:
                    for container in self.main:
                        tasks.create_task(container.run())
            await self._stop_sidecars()

    async def _initialise(self, beside: asyncio.TaskGroup) -> bool:
        """Run the init containers; return whether the others may start."""
        for container in self.initial:
            container.record = to_run_again(container.record, self._waits)
        for container in self.initial:
            if self._ending.is_set():
                return False
            if is_sidecar(container.spec):
                self._sidecars.append((container, beside.create_task(container.run())))
                await self._unless_ending(container.has_started)
                continue
            await container.run()
            if not InitRecord(container.record, sidecar=False).is_complete:
                return False
        return not self._ending.is_set()

    async def _unless_ending(self, event: asyncio.Event) -> None:
        """Wait for an event, but no longer than until `stop`."""
        waits = {asyncio.create_task(event.wait()), asyncio.create_task(self._ending.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _stop_sidecars(self) -> None:
        """End the sidecars, the last one first, in what is left of the grace period."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for container, task in reversed(self._sidecars):
            deadline = began + self._grace_seconds if self._deadline is None else self._deadline
            container.stop(max(MINIMUM_GRACE_SECONDS, deadline - loop.time()))
            await asyncio.wait({task})

    def stop(self, grace_seconds: float) -> None:
        """Make `run` end within a grace period; sidecars end after the others. A later call may shorten it."""
        self._ending.set()
        self._deadline = asyncio.get_running_loop().time() + grace_seconds
        for container in self:
            if not is_sidecar(container.spec) or container.is_stopping or grace_seconds <= 0:
                container.stop(grace_seconds)
