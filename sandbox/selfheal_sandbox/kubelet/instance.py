"""One run of a container: its process, its log, its probes and hooks, from the start to the last process."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from selfheal_sandbox.kubelet import execution
from selfheal_sandbox.kubelet.log_files import ContainerLog, PipeReader
from selfheal_sandbox.kubelet.probes import Action, Probe, ProbeKind, ProbeState, Verdict, initial_state, observe
from selfheal_sandbox.kubelet.probing import Target, attempt
from selfheal_sandbox.kubelet.processes import Program, ProgramSpec, kill_container
from selfheal_sandbox.kubelet.runtime import Runtime

AFTER_HOOK_SECONDS = 2.0
"""What a container gets between SIGTERM and SIGKILL when its preStop hook used up the grace period (as a kubelet)."""

POST_START_LIMIT_SECONDS = 600.0


class Instance:
    """A running container.

    Attributes:
        program: its first process.
        log: what it writes.
        spec: how it was started; exec runs in the same surroundings.
        executions: programs that run in it besides its own.
    """

    def __init__(
        self,
        runtime: Runtime,
        spec: ProgramSpec,
        program: Program,
        output: PipeReader,
        log: ContainerLog,
        target_ip: str,
        started_at: datetime,
    ) -> None:
        self.spec = spec
        self.program = program
        self.log = log
        self.started_at = started_at
        self.executions: set[execution.Execution] = set()
        self._runtime = runtime
        self._output = output
        self._target = Target(target_ip, self._run_in_container, runtime.session)
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._exit: asyncio.Task[int] = asyncio.create_task(program.wait())
        self._is_started = asyncio.Event()
        self._probes: dict[ProbeKind, asyncio.Task[None]] = {}
        self._hook: asyncio.Task[None] | None = None
        self._kill: asyncio.Task[None] | None = None
        self._timers: list[asyncio.TimerHandle] = []

    @property
    def is_running(self) -> bool:
        """Whether the first process still runs."""
        return self.program.is_running

    def leaders(self) -> frozenset[int]:
        """Return the processes whose sessions make up the container."""
        return frozenset({self.program.pid, *(one.program.pid for one in self.executions)})

    async def wait(self) -> int:
        """Wait for the first process, end all others, and return its exit code."""
        try:
            return await asyncio.shield(self._exit)
        finally:
            await self._clean_up()

    async def _clean_up(self) -> None:
        tasks = [*self._probes.values(), *(task for task in (self._hook, self._kill) if task)]
        for task in tasks:
            task.cancel()
        for timer in self._timers:
            timer.cancel()
        self.program.forget()
        kill_container(self.spec.container_id)
        await asyncio.gather(*tasks, self._exit, return_exceptions=True)
        await asyncio.gather(*(one.close() for one in list(self.executions)))
        self._output.drain()
        self.log.end()

    def probe(self, probes: Sequence[Probe], report: Callable[[Probe, ProbeState, str | None], None]) -> None:
        """Start the probes; ``report`` is called with each result and the error of a failed one."""
        if not any(probe.kind is ProbeKind.STARTUP for probe in probes):
            self._is_started.set()
        for probe in probes:
            self._probes[probe.kind] = asyncio.create_task(self._probe(probe, report))

    async def _probe(self, probe: Probe, report: Callable[[Probe, ProbeState, str | None], None]) -> None:
        if probe.kind is not ProbeKind.STARTUP:
            await self._is_started.wait()
        await asyncio.sleep(self._began + probe.initial_delay_seconds - self._loop.time())
        state = initial_state(probe.kind)
        while state.verdict not in (Verdict.KILL, Verdict.STARTED):
            begun = self._loop.time()
            error = await attempt(probe.action, self._target, probe.timeout_seconds)
            state = observe(probe, state, error is None)
            report(probe, state, error)
            if state.verdict is Verdict.STARTED:
                self._is_started.set()
            await asyncio.sleep(begun + probe.period_seconds - self._loop.time())

    def run_hook(self, action: Action, failed: Callable[[str], None]) -> None:
        """Run the postStart hook; ``failed`` is called with what went wrong."""

        async def run() -> None:
            error = await attempt(action, self._target, POST_START_LIMIT_SECONDS)
            if error is not None:
                failed(error)

        self._hook = asyncio.create_task(run())

    def kill(
        self, grace_seconds: float, pre_stop: Action | None = None, failed: Callable[[str], None] | None = None
    ) -> None:
        """End the container within a grace period: preStop hook, SIGTERM, SIGKILL. A later call may shorten it."""
        for kind in (ProbeKind.LIVENESS, ProbeKind.STARTUP):
            if kind in self._probes:
                self._probes[kind].cancel()
        if grace_seconds <= 0:
            self.program.send(signal.SIGKILL)
        elif self._kill is None:
            self._kill = asyncio.create_task(self._stop(grace_seconds, pre_stop, failed))
        else:
            self._timers.append(self._loop.call_later(grace_seconds, self.program.send, signal.SIGKILL))

    async def _stop(self, grace_seconds: float, pre_stop: Action | None, failed: Callable[[str], None] | None) -> None:
        left = grace_seconds
        if pre_stop is not None:
            begun = self._loop.time()
            error = await attempt(pre_stop, self._target, grace_seconds)
            if error is not None and failed is not None:
                failed(error)
            left = max(AFTER_HOOK_SECONDS, begun + grace_seconds - self._loop.time())
        self.program.send(signal.SIGTERM)
        self._timers.append(self._loop.call_later(left, self.program.send, signal.SIGKILL))

    def inside(self, argv: Sequence[str]) -> ProgramSpec:
        """Return how to run a further program in the container."""
        return replace(self.spec, argv=[self.spec.translate(text) for text in argv])

    async def _run_in_container(self, argv: Sequence[str]) -> tuple[int, bytes]:
        return await execution.run(self.inside(argv), self._runtime.watchdog)
