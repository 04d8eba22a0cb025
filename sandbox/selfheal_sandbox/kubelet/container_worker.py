"""One container of a pod through all its runs: pull, start, watch, restart with back-off, stop."""

import asyncio
import os
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from selfheal_sandbox.kubelet.backoff import Backoff, in_words
from selfheal_sandbox.kubelet.environment import ConfigError
from selfheal_sandbox.kubelet.folders import log_file, termination_log
from selfheal_sandbox.kubelet.image_pull import ImagePull
from selfheal_sandbox.kubelet.images import Image
from selfheal_sandbox.kubelet.instance import Instance
from selfheal_sandbox.kubelet.log_files import ContainerLog, PipeReader
from selfheal_sandbox.kubelet.probes import (
    Action,
    ActionError,
    Probe,
    ProbeKind,
    ProbeState,
    Verdict,
    action_of,
    probe_of,
)
from selfheal_sandbox.kubelet.processes import ProgramSpec, start
from selfheal_sandbox.kubelet.runtime import Runtime
from selfheal_sandbox.kubelet.start_gate import StartSlot
from selfheal_sandbox.kubelet.states import ContainerRecord, Terminated, exit_reason, should_restart
from selfheal_sandbox.store.objects import Object, name_of, namespace_of, spec_of, uid_of

CONFIG_RETRY_SECONDS = 2.0
CANNOT_START = 128
"""Exit code of a container whose program could not be started, as a container runtime reports it."""

EventType = Literal["Normal", "Warning"]


class PodHost(Protocol):
    """What a container needs of its pod."""

    runtime: Runtime
    ip: str

    @property
    def pod(self) -> Object:
        """The pod as stored, its newest version."""
        ...

    @property
    def folder(self) -> Path:
        """Where the pod's files are."""
        ...

    def program_spec(self, container: Object, image: Image, container_id: str) -> ProgramSpec:
        """Return what to run; raises ConfigError when something it needs is missing."""
        ...

    def event(self, reason: str, message: str, event_type: EventType = "Normal") -> None:
        """Write an Event about the pod."""
        ...

    def publish(self) -> None:
        """Write the pod's status: a record changed."""
        ...


class ContainerWorker:
    """Runs one container until it need not run any more.

    Attributes:
        record: what the container does now.
        instance: its current run, or None.
        has_started: set when its process runs and its startup probe, if any, succeeded.

    Args:
        host: its pod.
        spec: the container as the pod's spec has it.
        record: where it goes on from.
        policy: restart policy: ``Always``, ``OnFailure`` or ``Never``.
    """

    def __init__(self, host: PodHost, spec: Object, record: ContainerRecord, policy: str) -> None:
        self.spec = spec
        self.name: str = spec["name"]
        self.record = record
        self.instance: Instance | None = None
        self.has_started = asyncio.Event()
        self._policy = policy
        self._host = host
        self._pull = ImagePull(host.runtime, spec, self._waiting, host.event, self._pause)
        self._logs: dict[str, ContainerLog] = {}
        self._stopping = asyncio.Event()
        self._starts = record.restart_count + 1 if record.has_run else 0
        self._slot: StartSlot | None = None

    def log_of(self, container_id: str) -> ContainerLog | None:
        """Return the log of a run, by the id in the container's status."""
        return self._logs.get(container_id)

    @property
    def is_finished(self) -> bool:
        """Whether it ended in a way after which it is not started again."""
        state = self.record.state
        return isinstance(state, Terminated) and not should_restart(self._policy, state.exit_code)

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    async def run(self) -> None:
        """Run the container again and again as its restart policy says, until `stop`."""
        backoff = Backoff()
        while not (self._stopping.is_set() or self.is_finished):
            image = await self._pull.image()
            end = await self._run_once(image) if image is not None else None
            if end is None:
                continue
            if self._stopping.is_set() or self.is_finished:
                return
            backoff = backoff.after_failure(self._host.runtime.backoff, end.ran_seconds)
            await self._back_off(end, backoff.delay_seconds)

    async def _back_off(self, end: Terminated, delay_seconds: float) -> None:
        if delay_seconds <= 0:
            return
        pod = self._host.pod
        whole_name = f"{name_of(pod)}_{namespace_of(pod)}({uid_of(pod)})"
        text = f"back-off {in_words(delay_seconds)} restarting failed container={self.name} pod={whole_name}"
        self._set(self.record.backing_off(end, text))
        self._host.event("BackOff", f"Back-off restarting failed container {self.name} in pod {whole_name}", "Warning")
        await self._pause(delay_seconds)

    async def _run_once(self, image: Image) -> Terminated | None:
        """Run the container once; None when it could not be tried (then a pause has passed) or must stop."""
        slot = self._slot = await self._host.runtime.gate.enter(unless=self._stopping)
        if slot is None:
            return None
        try:
            instance = await self._start(image)
            if isinstance(instance, Instance):
                return await self._watch(instance)
        finally:
            slot.release()
        if instance is None:
            await self._pause(self._host.runtime.at_speed(CONFIG_RETRY_SECONDS))
        return instance

    async def _start(self, image: Image) -> Instance | Terminated | None:
        """Make the process; a Terminated says why there is none, None that the cluster lacks something it needs."""
        container_id = uuid.uuid4().hex
        try:
            spec = self._host.program_spec(self.spec, image, container_id)
            probes = [probe for kind in ProbeKind if (probe := probe_of(self.spec, kind)) is not None]
        except (ConfigError, ActionError) as error:
            self._waiting("CreateContainerConfigError", str(error))
            self._host.event("Failed", f"Error: {error}", "Warning")
            return None
        log = self._new_log(container_id)
        termination_log(self._host.folder, self.name).unlink(missing_ok=True)
        reading, writing = os.pipe()
        try:
            program = await start(spec, self._host.runtime.watchdog, stdin=None, stdout=writing, stderr=writing)
        except OSError as error:
            os.close(reading)
            return self._cannot_start(container_id, log, error)
        finally:
            os.close(writing)
        output = PipeReader(reading, log.write)
        instance = Instance(self._host.runtime, spec, program, output, log, self._host.ip, self._now())
        self._host.event("Created", f"Created container: {self.name}")
        self._running(instance, probes, container_id)
        return instance

    def _running(self, instance: Instance, probes: list[Probe], container_id: str) -> None:
        kinds = {probe.kind for probe in probes}
        started = ProbeKind.STARTUP not in kinds
        ready = started and ProbeKind.READINESS not in kinds
        self._count_start()
        self.instance = instance
        self._set(self.record.running(instance.started_at, f"process://{container_id}", started=started, ready=ready))
        self._host.event("Started", f"Started container {self.name}")
        if self._stopping.is_set():
            instance.kill(0)
        instance.probe(probes, self._probed)
        if (hook := self._hook("postStart")) is not None:
            instance.run_hook(hook, self._post_start_failed)

    def _count_start(self) -> None:
        if self._starts:
            self.record = self.record.counting_restart()
        self._starts += 1

    async def _watch(self, instance: Instance) -> Terminated:
        try:
            exit_code = await instance.wait()
        finally:
            self.instance = None
        message = self._termination_message(instance, exit_code)
        return self._ended(exit_code, exit_reason(exit_code), instance.started_at, instance.spec.container_id, message)

    def _cannot_start(self, container_id: str, log: ContainerLog, error: OSError) -> Terminated:
        text = f"failed to start container: {error.strerror or error}"
        log.write(f"{text}\n".encode())
        log.end()
        self._host.event("Failed", f"Error: {text}", "Warning")
        self._count_start()
        return self._ended(CANNOT_START, "StartError", self._now(), container_id, text)

    def _ended(self, exit_code: int, reason: str, started_at: datetime, container_id: str, message: str) -> Terminated:
        end = Terminated(exit_code, reason, started_at, self._now(), f"process://{container_id}", message)
        self._set(self.record.terminated(end))
        return end

    def _new_log(self, container_id: str) -> ContainerLog:
        """Make the log of the next run, and delete those before the last."""
        log = ContainerLog(log_file(self._host.folder, self.name, self._starts), self._now)
        for old in list(self._logs)[:-1]:
            self._logs.pop(old).remove()
        self._logs[f"process://{container_id}"] = log
        return log

    def _termination_message(self, instance: Instance, exit_code: int) -> str:
        path = termination_log(self._host.folder, self.name)
        if path.is_file() and (text := path.read_bytes()[:4096].decode(errors="replace")):
            return text
        if self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError" and exit_code != 0:
            return instance.log.message()
        return ""

    def _probed(self, probe: Probe, state: ProbeState, error: str | None) -> None:
        """Take in a probe's result."""
        if error is not None:
            self._host.event("Unhealthy", f"{probe.kind.word} probe failed: {error}", "Warning")
        if state.verdict is Verdict.KILL:
            word = probe.kind.word.lower()
            self._host.event("Killing", f"Container {self.name} failed {word} probe, will be restarted")
            own_grace = probe.termination_grace_seconds
            self._kill(self._grace_seconds() if own_grace is None else own_grace)
        elif state.verdict is Verdict.STARTED:
            self._set(self.record.with_health(started=True, ready="readinessProbe" not in self.spec))
        elif state.verdict is not Verdict.UNCHANGED:
            self._set(self.record.with_health(started=True, ready=state.verdict is Verdict.READY))

    def _grace_seconds(self) -> float:
        return float(spec_of(self._host.pod).get("terminationGracePeriodSeconds", 30))

    def _post_start_failed(self, error: str) -> None:
        self._host.event("FailedPostStartHook", f"PostStartHook failed: {error}", "Warning")
        self._host.event("Killing", f"FailedPostStartHook: container {self.name}")
        self._kill(self._grace_seconds())

    def _pre_stop_failed(self, error: str) -> None:
        self._host.event("FailedPreStopHook", f"PreStopHook failed: {error}", "Warning")

    def stop(self, grace_seconds: float) -> None:
        """Make `run` end: kill the process within the grace period, and start none any more."""
        first = not self._stopping.is_set()
        self._stopping.set()
        if self.instance is not None:
            if first:
                self._host.event("Killing", f"Stopping container {self.name}")
            self._kill(grace_seconds)

    def _kill(self, grace_seconds: float) -> None:
        if self.instance is not None:
            self.instance.kill(grace_seconds, self._hook("preStop"), self._pre_stop_failed)

    def _hook(self, name: str) -> Action | None:
        handler = (self.spec.get("lifecycle") or {}).get(name)
        try:
            return action_of(handler, self.spec) if handler else None
        except ActionError as error:
            self._host.event(f"Failed{name[0].upper()}{name[1:]}Hook", str(error), "Warning")
            return None

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until `stop`."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _waiting(self, reason: str, message: str) -> None:
        self._set(self.record.waiting(reason, message))

    def _set(self, record: ContainerRecord) -> None:
        self.record = record
        if record.started:
            self.has_started.set()
        if record.ready and self._slot is not None:
            self._slot.release()
        self._host.publish()

    @property
    def _now(self) -> Callable[[], datetime]:
        return self._host.runtime.objects.clock
