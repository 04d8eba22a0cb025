"""Burns CPU on purpose, as a duty cycle in millicores, on threads that leave the event loop responsive."""

import hashlib
import math
import os
import sys
import threading
import time

PERIOD_SECONDS = 0.1
"""Length of one duty cycle, that of the kernel's CFS bandwidth control by default."""

# Hashing more than 2,047 bytes releases the interpreter lock (hashlib documentation); one block takes well under 1 ms.
_BLOCK = bytes(64 * 1024)
_NICENESS = 5


class Burner:
    """Runs at most one burn at a time; a new one replaces the old."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def burning(self) -> bool:
        """Whether any thread of a burn is still at work."""
        return any(thread.is_alive() for thread in self._threads)

    def start(self, millicores: int, duration_seconds: float) -> None:
        """Burn `millicores` for a while; 0 only stops what burns now."""
        self.stop()
        self._stop = threading.Event()
        until = time.monotonic() + duration_seconds
        self._threads = [
            threading.Thread(target=_burn, args=(share, until, self._stop), name="burn", daemon=True)
            for share in shares(millicores)
            if share
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop burning; the threads end within one block, this does not wait for them."""
        self._stop.set()


def shares(millicores: int) -> list[float]:
    """Split millicores over as few threads as can burn them; a share is of one core, at most 1."""
    threads = max(1, math.ceil(millicores / 1000))
    return [millicores / 1000 / threads] * threads


def _burn(share: float, until: float, stop: threading.Event) -> None:
    """Use `share` of one core until the monotonic time `until`, measured by the thread's own CPU clock."""
    if sys.platform == "linux":
        # A thread's niceness is its own on Linux: probes come first when cores are short.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
    while not stop.is_set() and (now := time.monotonic()) < until:
        period_end = min(now + PERIOD_SECONDS, until)
        _use_cpu(share * (period_end - now), period_end, stop)
        stop.wait(max(0.0, period_end - time.monotonic()))


def _use_cpu(cpu_seconds: float, period_end: float, stop: threading.Event) -> None:
    """Use CPU time, but not beyond the end of the period, so that a starved thread catches nothing up."""
    target = time.thread_time() + cpu_seconds
    while time.thread_time() < target and time.monotonic() < period_end and not stop.is_set():
        hashlib.sha256(_BLOCK)
