"""Keeps a sandbox's objects in a file, so that the next start finds them: now and then, and at the end.

The file holds everything that the API serves, Secrets included, so only its owner may read it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from selfheal_sandbox import private_file
from selfheal_sandbox.controllers.keys import LEASES
from selfheal_sandbox.state import StateError, command
from selfheal_sandbox.store.objects import now_rfc3339
from selfheal_sandbox.store.snapshot import Snapshot, SnapshotError, read, take
from selfheal_sandbox.store.store import Change, Store

_log = logging.getLogger(__name__)

PAUSE_SECONDS = 5.0
"""How long a change may wait before it is on disk: what a killed sandbox loses at most, unless it is very large."""
SHARE = 50
"""A write that takes long is followed by a pause of this many times as long, so that it costs at most 2 % of a core."""
RENEWALS_SECONDS = 300.0
"""How long the renewals of Leases, which never stop, may wait on their own."""


def load(path: Path, name: str) -> Snapshot | None:
    """Return the snapshot of the sandbox of this name, or None when there is none.

    Raises:
        StateError: it cannot be read; the message says what to type.
    """
    try:
        return read(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = error.strerror or str(error)
    except SnapshotError as error:
        reason = str(error)
    advice = f"start without it, which overwrites it: {command('up', name)} --fresh"
    raise StateError(f"cannot restore the snapshot {path}: {reason}; {advice}")


class SnapshotWriter:
    """Writes the store to a file; an async context manager, whose end writes it once more.

    Attributes:
        writes: how often it was written.
        errors: how often that failed.
    """

    def __init__(
        self,
        store: Store,
        path: Path,
        clock: Callable[[], datetime],
        network: str,
        *,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self._store = store
        self._path = path
        self._clock = clock
        self._network = network
        self._pause_seconds = pause_seconds
        self._changed = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        self.writes = 0
        self.errors = 0

    async def __aenter__(self) -> Self:
        self._unsubscribe = self._store.subscribe(self._observe)
        self._changed.set()
        self._task = asyncio.create_task(self._keep_writing(), name="snapshots")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unsubscribe()
        self._task.cancel()
        # A write that is on its way goes on in its thread; the last one must come after it.
        await asyncio.gather(self._task, *([self._writing] if self._writing else []), return_exceptions=True)
        await self._write()

    def _observe(self, change: Change) -> None:
        if change.key != LEASES:
            self._changed.set()

    async def _keep_writing(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RENEWALS_SECONDS):
                    await self._changed.wait()
            took_seconds = await self._write()
            await asyncio.sleep(max(self._pause_seconds, SHARE * took_seconds))

    async def _write(self) -> float:
        """Write once, and return for how many seconds that kept a core busy at most; a failure is logged."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        self._changed.clear()
        lines = take(self._store, now_rfc3339(self._clock()), self._network)
        self._writing = asyncio.create_task(asyncio.to_thread(lambda: private_file.write(self._path, lines.to_bytes())))
        try:
            await asyncio.shield(self._writing)
            self.writes += 1
        except OSError as error:
            self.errors += 1
            _log.warning("the snapshot %s was not written: %s", self._path, error.strerror or error)
        return loop.time() - begun
