"""A real Prometheus beside the sandbox: a child under the watchdog that scrapes the pods that run.

It is not a pod: nothing in the cluster can evict it. When it dies it is started again, after a pause.
"""

import asyncio
import json
import os
import random
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from selfheal_sandbox.api.errors import ApiError
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.controllers.keys import PODS
from selfheal_sandbox.kubelet import processes
from selfheal_sandbox.kubelet.watchdog import Watchdog
from selfheal_sandbox.monitoring.configuration import (
    CONFIGURATION_FILE,
    PORT,
    TARGETS_FILE,
    arguments,
    configuration,
    target_groups,
)
from selfheal_sandbox.monitoring.publication import Publication
from selfheal_sandbox.store.store import Change

_log = structlog.get_logger(__name__)

SETTLE_SECONDS = 0.2
"""Changes of pods that come together make one change of the targets."""
START_SECONDS = 30.0
POLL_SECONDS = 0.1
STOP_SECONDS = 2.0
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
STEADY_SECONDS = 60.0
"""A run that lasted this long makes the next pause short again."""


@dataclass(frozen=True, slots=True)
class MonitoringOptions:
    """What is needed to run Prometheus.

    Attributes:
        program: path of ``prometheus``.
        folder: for its configuration, data and log; emptied before each start.
        address: loopback address to listen on.
        speed: of the sandbox.
    """

    program: Path
    folder: Path
    address: str
    speed: float


class Monitoring:
    """Runs Prometheus for as long as the context lasts."""

    def __init__(self, objects: Objects, watchdog: Watchdog, options: MonitoringOptions) -> None:
        self._objects = objects
        self._watchdog = watchdog
        self._options = options
        self._publication = Publication(objects)
        self._pods_changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.starts = 0

    async def __aenter__(self) -> Self:
        """Begin to start it; nobody waits for it.

        Raises:
            OSError: its folder cannot be made.
        """
        folder = self._options.folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        (folder / CONFIGURATION_FILE).write_text(configuration(self._options.speed))
        self._pods_changed.set()
        self._unsubscribe = self._objects.store.subscribe(self._observe)
        self._tasks = [
            asyncio.create_task(self._keep_targets(), name="prometheus-targets"),
            asyncio.create_task(self._keep_running(), name="prometheus"),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, and remove what led to it and what it kept."""
        self._unsubscribe()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._publication.remove()
        shutil.rmtree(self._options.folder, ignore_errors=True)

    def _observe(self, change: Change) -> None:
        if change.key == PODS:
            self._pods_changed.set()

    async def _keep_targets(self) -> None:
        """Write the targets file whenever the pods in it change."""
        file = self._options.folder / TARGETS_FILE
        written = ""
        while True:
            await self._pods_changed.wait()
            self._pods_changed.clear()
            text = json.dumps(target_groups(self._objects.store.list(PODS)), indent=1)
            if text != written:
                fresh = file.with_suffix(".new")
                fresh.write_text(text)
                fresh.replace(file)
                written = text
            await asyncio.sleep(SETTLE_SECONDS)

    async def _keep_running(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            try:
                ending = f"ended with code {await self._run_once()}"
            except OSError as error:
                ending = f"did not start: {error.strerror}"
            except Exception as error:  # noqa: BLE001 (top of the loop: monitoring must not end with one odd failure)
                ending = f"failed: {error!r}"
            if loop.time() - started > STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            wait = pause * (0.75 + random.random() / 2)  # noqa: S311 (spreads attempts, protects nothing)
            _log.warning("prometheus ended", ending=ending, log=str(self._log_file), again_in=round(wait, 1))
            await asyncio.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    @property
    def _log_file(self) -> Path:
        return self._options.folder / "prometheus.log"

    async def _run_once(self) -> int:
        """Start it, publish it once it answers, and return its exit code when it ends.

        Raises:
            OSError: the program cannot be run.
        """
        program = await self._start()
        self.starts += 1
        publishing = asyncio.create_task(self._publish_when_listening())
        try:
            return await program.wait()
        finally:
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)
            with suppress(ApiError):
                self._publication.close()
            await _end(program)

    async def _start(self) -> processes.Program:
        options = self._options
        spec = processes.ProgramSpec(
            arguments(options.program, options.folder, options.address),
            {"PATH": os.defpath, "GOMAXPROCS": "1"},
            options.folder,
            container_id="prometheus",
        )
        log = os.open(self._log_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            return await processes.start(spec, self._watchdog, stdin=None, stdout=log, stderr=log)
        finally:
            os.close(log)

    async def _publish_when_listening(self) -> None:
        for _ in range(round(START_SECONDS / POLL_SECONDS)):
            if await _listens(self._options.address, PORT):
                break
            await asyncio.sleep(POLL_SECONDS)
        try:
            self._publication.open(self._options.address)
        except ApiError as error:
            _log.warning("prometheus not published", error=error.message)


async def _listens(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


async def _end(program: processes.Program) -> None:
    """End it, kindly at first."""
    program.send(signal.SIGTERM)
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            await program.wait()
    program.forget()
