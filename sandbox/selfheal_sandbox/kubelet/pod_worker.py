"""One pod from its binding to a node to its end."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from selfheal_sandbox.api.deletion import DeleteOptions
from selfheal_sandbox.api.errors import ApiError
from selfheal_sandbox.controllers.keys import NODES, PODS
from selfheal_sandbox.kubelet.container_worker import ContainerWorker, EventType
from selfheal_sandbox.kubelet.images import Image
from selfheal_sandbox.kubelet.pod_containers import PodContainers
from selfheal_sandbox.kubelet.pod_files import PodFiles
from selfheal_sandbox.kubelet.pod_status import PodFacts, pod_status
from selfheal_sandbox.kubelet.processes import ProgramSpec
from selfheal_sandbox.kubelet.program import PodSurroundings, program_spec
from selfheal_sandbox.kubelet.runtime import COMPONENT, Runtime
from selfheal_sandbox.kubelet.unsupported import unsupported
from selfheal_sandbox.kubelet.volumes import MountError, ServiceAccountFiles, VolumeContext
from selfheal_sandbox.store.objects import (
    Object,
    is_terminating,
    name_of,
    namespace_of,
    parse_rfc3339,
    spec_of,
    status_of,
    uid_of,
)

_log = logging.getLogger(__name__)
MOUNT_RETRY_SECONDS = 1.0
REFRESH_SECONDS = 0.5
"""How long after a change of a ConfigMap or Secret the volumes that show it follow (a cluster takes up to a minute)."""


class PodWorker:
    """Runs one pod; its `run` is a task that ends when the pod is gone.

    Attributes:
        pod: the pod as stored, its newest version.
        ip: its address; "" until it has one.
        containers: its containers, those of its init phase included.
    """

    def __init__(self, runtime: Runtime, pod: Object) -> None:
        self.runtime = runtime
        self.pod = pod
        self.ip = ""
        self.containers = PodContainers(self, pod)
        self._files = PodFiles(runtime.options.folder / uid_of(pod))
        self._start_time = _start_time(pod) or runtime.objects.clock()
        self._stop = asyncio.Event()
        self._grace_seconds: float | None = None
        self._is_gone = False
        self._refresh: asyncio.TimerHandle | None = None
        self._is_mounted = False
        self._failure: Mapping[str, str] = {}

    @property
    def folder(self) -> Path:
        """Where the pod's files are."""
        return self._files.folder

    def container(self, name: str) -> ContainerWorker | None:
        """Return a container by name; the first one that is no init container for an empty name."""
        return next((one for one in self.containers if name in ("", one.name)), None)

    # What the kubelet tells the pod.

    def update(self, pod: Object) -> None:
        """Take in a new version of the pod; its deletion, perhaps with less grace than before, is acted on."""
        self.pod = pod
        if is_terminating(pod):
            self.stop(float(pod["metadata"].get("deletionGracePeriodSeconds") or 0))

    def removed(self) -> None:
        """The pod is gone from the store: end its processes at once."""
        self._is_gone = True
        self.stop(0)

    def stop(self, grace_seconds: float) -> None:
        """End the pod within a grace period; a later call may shorten it."""
        if self._grace_seconds is not None and grace_seconds >= self._grace_seconds:
            return
        self._grace_seconds = grace_seconds
        self._stop.set()
        self.containers.stop(grace_seconds)

    def sources_changed(self) -> None:
        """A ConfigMap or Secret of the pod's namespace changed: write the volumes again, soon."""
        if self._is_mounted and self._refresh is None:
            self._refresh = asyncio.get_running_loop().call_later(REFRESH_SECONDS, self._write_volumes_again)

    def _write_volumes_again(self) -> None:
        self._refresh = None
        if self._stop.is_set():
            return
        try:
            self._files.fill(self._volume_context())
        except MountError as error:
            _log.info("pod %s/%s keeps its volumes as they are: %s", namespace_of(self.pod), name_of(self.pod), error)

    # The life of the pod.

    async def run(self) -> None:
        """Run the pod until it is gone from the store or, when the kubelet closes, until its processes ended."""
        try:
            await self._try_to_run()
            await self._stop.wait()
        finally:
            await self._clean_up()
        self._confirm_deletion()

    async def _try_to_run(self) -> None:
        try:
            if await self._prepare():
                await self._run_containers()
        except Exception as error:  # noqa: BLE001 - the top of a pod's task: a fault here must not reach other pods
            _log.exception("pod %s/%s: the kubelet gives it up", namespace_of(self.pod), name_of(self.pod))
            self._refuse(f"the sandbox failed: {error!r}")

    async def _prepare(self) -> bool:
        """Make everything the containers need; False when the pod stops before, or is not for the sandbox."""
        if problems := unsupported(self.pod):
            self._refuse(f"{'; '.join(problems)} (docs/reference/sandbox-limits.md)")
            return False
        if self.containers.has_run:
            self.event("SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
        self.ip = self.runtime.network.allocate_pod_ip()
        self._files.create(self.pod)
        self.publish()
        while not self._stop.is_set():
            try:
                self._files.fill(self._volume_context())
            except MountError as error:
                self.event("FailedMount", str(error), "Warning")
                await self._pause(self.runtime.at_speed(MOUNT_RETRY_SECONDS))
                continue
            self._is_mounted = True
            return True
        return False

    def _refuse(self, message: str) -> None:
        for container in self.containers.main:
            container.record = container.record.waiting("CreateContainerConfigError", message)
        self.publish()
        self.event("Failed", f"Error: {message}", "Warning")

    async def _run_containers(self) -> None:
        """Run the containers to their ends; without a restart policy that forbids it, that is when the pod stops."""
        limit = spec_of(self.pod).get("activeDeadlineSeconds")
        timer = asyncio.get_running_loop().call_later(limit, self._expire) if limit else None
        await self.containers.run()
        if timer is not None:
            timer.cancel()
        self.publish()

    def _expire(self) -> None:
        """The pod's time is up: end it; it stays as a failed one until somebody deletes it."""
        text = "Pod was active on the node longer than the specified deadline"
        self._failure = {"reason": "DeadlineExceeded", "message": text}
        self.event("DeadlineExceeded", text)
        self.containers.stop(float(spec_of(self.pod).get("terminationGracePeriodSeconds", 30)))

    async def _clean_up(self) -> None:
        if self._refresh is not None:
            self._refresh.cancel()
        if self.ip:
            self.runtime.network.release_pod_ip(self.ip)
        await asyncio.to_thread(self._files.remove)

    def _confirm_deletion(self) -> None:
        """Tell the API that nothing of the pod is left, so that it may go."""
        if self._is_gone or not is_terminating(self.pod):
            return
        options = DeleteOptions(grace_period_seconds=0, uid=uid_of(self.pod))
        try:
            self.runtime.objects.delete(PODS, namespace_of(self.pod), name_of(self.pod), options=options)
        except ApiError as error:
            _log.debug("pod %s/%s was removed by another: %s", namespace_of(self.pod), name_of(self.pod), error.message)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return

    # What the containers need of their pod.

    def program_spec(self, container: Object, image: Image, container_id: str) -> ProgramSpec:
        """Return what to run for a container.

        Raises:
            ConfigError: something it needs is missing.
        """
        surroundings = PodSurroundings(self.pod, self.ip, self._files, self._lookup, self._allocatable())
        return program_spec(self.runtime, surroundings, container, image, container_id)

    def event(self, reason: str, message: str, event_type: EventType = "Normal") -> None:
        """Write an Event about the pod."""
        self.runtime.objects.record_event(self.pod, reason, message, type=event_type, component=COMPONENT)

    def publish(self) -> None:
        """Write the pod's status from the records of its containers."""
        if self._is_gone:
            return
        facts = PodFacts(
            self.ip,
            self._start_time,
            stopping=self._stop.is_set(),
            failure=self._failure,
            initial=self.containers.initial_records,
        )
        status = pod_status(self._current(), self.containers.records, facts, self.runtime.objects.clock())
        self.runtime.objects.set_status(PODS, self.pod, status)

    def _current(self) -> Object:
        stored = self.runtime.objects.store.get(PODS, namespace_of(self.pod), name_of(self.pod))
        return stored if stored is not None and uid_of(stored) == uid_of(self.pod) else self.pod

    def _volume_context(self) -> VolumeContext:
        return VolumeContext(self._current(), self._lookup, self._allocatable(), self._account)

    def _account(self) -> ServiceAccountFiles:
        options = self.runtime.options
        account = spec_of(self.pod).get("serviceAccountName") or "default"
        return ServiceAccountFiles(options.token_for(namespace_of(self.pod), account), options.ca_certificate)

    def _lookup(self, plural: str, name: str) -> Object | None:
        return self.runtime.objects.store.get(("", plural), namespace_of(self.pod), name)

    def _allocatable(self) -> dict[str, str]:
        node = self.runtime.objects.store.get(NODES, "", spec_of(self.pod).get("nodeName") or "")
        return (status_of(node).get("allocatable") or {}) if node else {}


def _start_time(pod: Object) -> datetime | None:
    """Return when an earlier kubelet took the pod on; None when none did."""
    told = status_of(pod).get("startTime")
    return parse_rfc3339(told) if told else None
