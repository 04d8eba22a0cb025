"""All controllers together: started, fed with changes, resynced, and ended."""

import asyncio
import random
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Protocol, Self

import structlog

from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.api.ports import PodRuntime
from selfheal_sandbox.controllers.autoscaler import AutoscalerController
from selfheal_sandbox.controllers.controller import Controller, Counters, Worker
from selfheal_sandbox.controllers.deployment import DeploymentController
from selfheal_sandbox.controllers.disruption import DisruptionController
from selfheal_sandbox.controllers.endpoints import EndpointsController
from selfheal_sandbox.controllers.garbage import GarbageCollector
from selfheal_sandbox.controllers.namespaces import NamespaceDefaults, NamespaceDeletion
from selfheal_sandbox.controllers.node_load import NodeLoad
from selfheal_sandbox.controllers.node_status import node_names, this_machine
from selfheal_sandbox.controllers.nodes import NodeHeartbeats, NodeLifecycle
from selfheal_sandbox.controllers.ownership import Ownership
from selfheal_sandbox.controllers.replicaset import ReplicaSetController
from selfheal_sandbox.controllers.scheduler import Scheduler
from selfheal_sandbox.controllers.work_queue import RetryPolicy
from selfheal_sandbox.store.objects import Key
from selfheal_sandbox.store.store import Change

_log = structlog.get_logger(__name__)

RESYNC_SECONDS = 600.0
"""How often every object is looked at although nothing happened."""
DEFAULT_VERSION = "v1.37.0"


class ServiceProxy(Protocol):
    """The part of the network that runs as long as the controllers do."""

    def start(self, objects: Objects) -> None:
        """Serve every Service there is and will be."""
        ...

    async def close(self) -> None:
        """Stop serving."""
        ...


class Controllers:
    """The running controllers; an async context manager, or call `close`."""

    def __init__(self, objects: Objects, workers: list[Worker[Any]], indexes: list[Callable[[Change], None]]) -> None:
        self._objects = objects
        self._workers = workers
        self._indexes = indexes
        self._by_key: dict[Key, list[Worker[Any]]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._unsubscribe: Callable[[], None] = lambda: None
        self._network: ServiceProxy | None = None

    def start(self, network: ServiceProxy | None, resync_seconds: float) -> None:
        """Begin to work; needs a running loop."""
        self._unsubscribe = self._objects.store.subscribe(self._observe)
        self.resync()
        self._tasks = [
            asyncio.create_task(worker.run(), name=f"controller-{worker.controller.name}") for worker in self._workers
        ]
        self._tasks.append(asyncio.create_task(self._keep_resyncing(resync_seconds), name="controller-resync"))
        self._network = network
        if network is not None:
            network.start(self._objects)

    @property
    def counters(self) -> Mapping[str, Counters]:
        """What each controller did so far, by its name."""
        return {worker.controller.name: worker.counters for worker in self._workers}

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be worked on; timers may still be set."""
        return not any(len(worker.queue) for worker in self._workers)

    def resync(self) -> None:
        """Queue every object."""
        for worker in self._workers:
            worker.resync()

    async def close(self) -> None:
        """Stop working; safe to call twice."""
        self._unsubscribe()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for worker in self._workers:
            worker.queue.close()
        if self._network is not None:
            await self._network.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _observe(self, change: Change) -> None:
        """Tell the indexes first, then the controllers that the kind concerns."""
        for index in self._indexes:
            index(change)
        for worker in self._interested(change.key):
            worker.observe(change)

    def _interested(self, key: Key) -> list[Worker[Any]]:
        found = self._by_key.get(key)
        if found is None:
            found = self._by_key[key] = [
                worker
                for worker in self._workers
                if worker.controller.watches is None or key in worker.controller.watches
            ]
        return found

    async def _keep_resyncing(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            self.resync()


def start(
    objects: Objects,
    runtime: PodRuntime,
    network: ServiceProxy | None,
    *,
    speed: float = 1.0,
    nodes: int = 3,
    root_certificate: str = "",
    version: str = DEFAULT_VERSION,
    chance: Callable[[], float] = random.random,
) -> Controllers:
    """Register the nodes and start every controller and the Service network; needs a running loop.

    Args:
        objects: the verbs; its clock is the controllers' clock.
        runtime: tells what pods use.
        network: the Service network, started and closed with the controllers; None leaves Services unserved.
        speed: divides back-off, resync, autoscaler times and quarantines.
        nodes: how many nodes to register.
        root_certificate: CA certificate of the API server, PEM, for the ConfigMap in every namespace.
        version: version the nodes report.
        chance: gives 0..1 for the jitter of back-off.
    """
    ownership = Ownership(objects.store)
    load = NodeLoad(objects.store)
    heartbeats = NodeHeartbeats(objects, node_names(nodes), this_machine(), version)
    controllers: list[Controller[Any]] = [
        ReplicaSetController(objects, ownership),
        EndpointsController(objects, ownership),
        DeploymentController(objects, ownership),
        Scheduler(objects, load, speed=speed),
        DisruptionController(objects),
        AutoscalerController(objects, runtime, speed=speed),
        GarbageCollector(objects, ownership),
        NamespaceDefaults(objects, root_certificate),
        NamespaceDeletion(objects, speed=speed),
        heartbeats,
        NodeLifecycle(objects, load, speed=speed),
    ]
    policy = RetryPolicy().at_speed(speed)
    workers = [Worker(controller, policy, chance) for controller in controllers]
    running = Controllers(objects, workers, [ownership.observe, load.observe])
    running.start(network, RESYNC_SECONDS / speed)
    heartbeats.register()
    return running
