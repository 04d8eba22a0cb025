"""At most a few containers start at the same time, so that probes and the API stay responsive on a small machine."""

import asyncio

SLOTS = 2
LIMIT_SECONDS = 5.0


class StartGate:
    """Hands out slots; a container holds one from its start until it is ready, ends, or the time limit passes."""

    def __init__(self, slots: int = SLOTS, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._free = asyncio.Semaphore(slots)
        self._limit_seconds = limit_seconds

    async def enter(self, unless: asyncio.Event) -> "StartSlot | None":
        """Wait for a slot and take it; None as soon as ``unless`` is set."""
        acquired = asyncio.create_task(self._free.acquire())
        given_up = asyncio.create_task(unless.wait())
        try:
            await asyncio.wait({acquired, given_up}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            given_up.cancel()
            if not acquired.done():
                acquired.cancel()
        if unless.is_set():
            await asyncio.gather(acquired, return_exceptions=True)
            if not acquired.cancelled():
                self._free.release()
            return None
        return StartSlot(self._free, self._limit_seconds)


class StartSlot:
    """One container's permission to start."""

    def __init__(self, free: asyncio.Semaphore, limit_seconds: float) -> None:
        self._free: asyncio.Semaphore | None = free
        self._timer = asyncio.get_running_loop().call_later(limit_seconds, self.release)

    def release(self) -> None:
        """Let the next container start; a second call does nothing."""
        if self._free is not None:
            self._timer.cancel()
            self._free.release()
            self._free = None
