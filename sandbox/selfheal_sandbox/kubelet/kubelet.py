"""The kubelet: runs the pods bound to the sandbox's nodes, and answers for their logs, programs and usage."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

from selfheal_sandbox.api.errors import ApiError, bad_request
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.api.ports import ContainerUsage, ExecStream, LogOptions, NodeUsage, ServiceNetwork
from selfheal_sandbox.controllers.keys import CONFIG_MAPS, NODES, PODS
from selfheal_sandbox.controllers.node_status import SANDBOX_NODE
from selfheal_sandbox.kubelet.container_worker import ContainerWorker
from selfheal_sandbox.kubelet.execution import Execution, FailedExecution, execute
from selfheal_sandbox.kubelet.instance import Instance
from selfheal_sandbox.kubelet.pod_logs import container_id_of
from selfheal_sandbox.kubelet.pod_status import TERMINAL_PHASES
from selfheal_sandbox.kubelet.pod_worker import PodWorker
from selfheal_sandbox.kubelet.probing import new_session
from selfheal_sandbox.kubelet.runtime import KubeletOptions, Runtime
from selfheal_sandbox.kubelet.start_gate import StartGate
from selfheal_sandbox.kubelet.usage import UsageMeter, read_processes
from selfheal_sandbox.kubelet.watchdog import Watchdog
from selfheal_sandbox.store.objects import (
    Object,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    uid_of,
)
from selfheal_sandbox.store.store import Change

SECRETS = ("", "secrets")
SAMPLE_SECONDS = 2.0
"""How often usage is measured; divided by the speed, as the autoscaler asks more often then."""

SHORTEST_SAMPLE_SECONDS = 0.25
"""CPU time is counted in hundredths of a second; shorter windows would make usage jump."""

CLOSE_GRACE_SECONDS = 2.0


class Kubelet:
    """Runs the pods of all nodes of a sandbox. Use it as an async context manager.

    It is the ``PodRuntime`` of the API server.
    """

    def __init__(self, objects: Objects, network: ServiceNetwork, options: KubeletOptions) -> None:
        self._objects = objects
        self._network = network
        self._options = options
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._meter = UsageMeter()

    async def __aenter__(self) -> Self:
        self._watchdog = Watchdog(self._options.sandbox_id)
        self._session = new_session()
        self._runtime = Runtime(self._options, self._objects, self._network, self._watchdog, StartGate(), self._session)
        self._unsubscribe = self._objects.store.subscribe(self._changed)
        self._sampler = asyncio.create_task(self._sample_usage())
        for pod in self._objects.store.list(PODS):
            self._pod_changed(pod)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unsubscribe()
        self._sampler.cancel()
        for worker in list(self._workers.values()):
            worker.stop(CLOSE_GRACE_SECONDS)
        await asyncio.gather(self._sampler, *self._tasks.values(), return_exceptions=True)
        await self._session.close()
        await asyncio.to_thread(self._watchdog.close)

    @property
    def watchdog(self) -> Watchdog:
        """What ends processes that must not outlive the sandbox."""
        return self._watchdog

    # Pods.

    def _changed(self, change: Change) -> None:
        if change.key == PODS:
            if change.type == "DELETED":
                self._pod_removed(change.new.obj)
            else:
                self._pod_changed(change.new.obj)
        elif change.key in (CONFIG_MAPS, SECRETS):
            for worker in self._workers.values():
                if namespace_of(worker.pod) == namespace_of(change.new.obj):
                    worker.sources_changed()

    def _pod_changed(self, pod: Object) -> None:
        uid = uid_of(pod)
        if uid in self._workers:
            self._workers[uid].update(pod)
        elif self._is_to_run(pod):
            worker = self._workers[uid] = PodWorker(self._runtime, pod)
            self._tasks[uid] = asyncio.create_task(self._run(worker))

    def _is_to_run(self, pod: Object) -> bool:
        """Return whether a pod is bound to a node of the sandbox (not to one somebody made up) and has not ended."""
        if is_terminating(pod) or status_of(pod).get("phase") in TERMINAL_PHASES:
            return False
        node = self._objects.store.get(NODES, "", spec_of(pod).get("nodeName") or "")
        return node is not None and labels_of(node).get(SANDBOX_NODE) == "true"

    def _pod_removed(self, pod: Object) -> None:
        if (worker := self._workers.get(uid_of(pod))) is not None:
            worker.removed()

    async def _run(self, worker: PodWorker) -> None:
        uid = uid_of(worker.pod)
        try:
            await worker.run()
        finally:
            del self._workers[uid], self._tasks[uid]

    # What the API server asks for.

    async def read_logs(self, pod: Object, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        """Yield a container's log.

        Raises:
            ApiError: 400, there is no such log.
        """
        worker = self._container(pod, container)
        container_id = container_id_of(worker.record, name_of(pod), previous=options.previous)
        log = worker.log_of(container_id)
        if log is None:
            raise bad_request(f"unable to retrieve container logs for {container_id}")
        async for data in log.read(options):
            yield data

    def _container(self, pod: Object, name: str) -> ContainerWorker:
        worker = self._workers.get(uid_of(pod))
        if worker is None:
            shown = name or spec_of(pod)["containers"][0]["name"]
            raise bad_request(f'container "{shown}" in pod "{name_of(pod)}" is waiting to start: ContainerCreating')
        found = worker.container(name)
        if found is None:
            raise bad_request(f"container {name} is not valid for pod {name_of(pod)}")
        return found

    async def execute(
        self, pod: Object, container: str, argv: list[str], stdin: AsyncIterator[bytes] | None
    ) -> ExecStream:
        """Start a program in a running container.

        Raises:
            ApiError: 404, the container does not run.
        """
        worker = self._container(pod, container)
        instance = worker.instance
        if instance is None or not instance.is_running:
            raise ApiError(404, "NotFound", f'container not found ("{worker.name}")')
        try:
            execution = await execute(instance.inside(argv), self._watchdog, stdin)
        except OSError as error:
            return FailedExecution(error)
        return _Attached(execution, instance)

    def usage(self, pod: Object) -> list[ContainerUsage]:
        """Return what each running container uses; those without two readings yet are left out."""
        worker = self._workers.get(uid_of(pod))
        if worker is None:
            return []
        measured = [(one.name, self._meter.usage(one.record.container_id)) for one in worker.containers]
        return [ContainerUsage(name, *found) for name, found in measured if found is not None]

    def node_usage(self, node: str) -> NodeUsage | None:
        """Return what the pods on a node use together; None before anything was measured."""
        pods = [worker.pod for worker in self._workers.values() if spec_of(worker.pod).get("nodeName") == node]
        used = [usage for pod in pods for usage in self.usage(pod)]
        return NodeUsage(sum(one.cpu_millicores for one in used), sum(one.memory_bytes for one in used))

    # Usage.

    async def _sample_usage(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(SAMPLE_SECONDS / self._options.speed, SHORTEST_SAMPLE_SECONDS))
            leaders = self._leaders()
            self._meter.sample(leaders, read_processes() if leaders else {}, loop.time())

    def _leaders(self) -> Mapping[str, frozenset[int]]:
        return {
            container.record.container_id: container.instance.leaders()
            for worker in self._workers.values()
            for container in worker.containers
            if container.instance is not None
        }


class _Attached:
    """An execution that its container knows of, so that it is measured and ended with it."""

    def __init__(self, execution: Execution, instance: Instance) -> None:
        self._execution = execution
        self._instance = instance
        instance.executions.add(execution)

    def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        return self._execution.__aiter__()

    async def wait(self) -> int:
        """Return the exit code."""
        return await self._execution.wait()

    async def close(self) -> None:
        """End the program."""
        with suppress(KeyError):
            self._instance.executions.remove(self._execution)
        await self._execution.close()
