"""What containers use, measured on their processes: CPU time over a window, and resident memory."""

import os
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
WINDOW_SAMPLES = 3
"""CPU is averaged over the time between the newest sample and the second before it."""


@dataclass(frozen=True, slots=True)
class ProcessSample:
    """One process as the kernel counts it; CPU time includes that of ended children it waited for."""

    pid: int
    parent: int
    session: int
    cpu_ticks: int
    resident_pages: int


def parse_stat(text: str) -> ProcessSample:
    """Read one line of ``/proc/PID/stat`` (proc(5); the name in brackets may hold anything)."""
    before, _, after = text.rpartition(")")
    values = after.split()
    return ProcessSample(
        pid=int(before.split("(", 1)[0]),
        parent=int(values[1]),
        session=int(values[3]),
        cpu_ticks=sum(int(value) for value in values[11:15]),
        resident_pages=int(values[21]),
    )


def read_processes() -> dict[int, ProcessSample]:
    """Return all processes of this machine that can be read."""
    samples: dict[int, ProcessSample] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stream:
                sample = parse_stat(stream.read())
        except OSError:  # it ended meanwhile
            continue
        samples[sample.pid] = sample
    return samples


def family(processes: Mapping[int, ProcessSample], leaders: frozenset[int]) -> list[ProcessSample]:
    """Return the leaders, everything in their sessions, and all descendants of those."""
    known: dict[int, bool] = {}

    def belongs(pid: int) -> bool:
        if pid in known:
            return known[pid]
        sample = processes.get(pid)
        if sample is None:
            return False
        known[pid] = False  # ends a cycle, which a pid given again while reading could make
        known[pid] = pid in leaders or sample.session in leaders or belongs(sample.parent)
        return known[pid]

    return [sample for pid, sample in processes.items() if belongs(pid)]


@dataclass(frozen=True, slots=True)
class Reading:
    """CPU time used so far, and memory now, at one moment."""

    at_seconds: float
    cpu_seconds: float
    memory_bytes: int


@dataclass(slots=True)
class UsageMeter:
    """Keeps the newest readings of each container (keyed by anything that names it for its life)."""

    readings: dict[str, deque[Reading]] = field(default_factory=dict)

    def sample(
        self, leaders: Mapping[str, frozenset[int]], processes: Mapping[int, ProcessSample], now_seconds: float
    ) -> None:
        """Take a reading of these containers, and forget all others."""
        for gone in self.readings.keys() - leaders.keys():
            del self.readings[gone]
        for container, pids in leaders.items():
            reading = _reading(family(processes, pids), now_seconds)
            self.readings.setdefault(container, deque(maxlen=WINDOW_SAMPLES)).append(reading)

    def usage(self, container: str) -> tuple[int, int] | None:
        """Return (CPU millicores, memory bytes), or None before there are two readings."""
        readings = self.readings.get(container) or deque()
        if len(readings) < 2:
            return None
        first, last = readings[0], readings[-1]
        spent = max(0.0, last.cpu_seconds - first.cpu_seconds)
        return round(1000 * spent / (last.at_seconds - first.at_seconds)), last.memory_bytes


def _reading(members: Iterable[ProcessSample], now_seconds: float) -> Reading:
    processes = list(members)
    ticks = sum(process.cpu_ticks for process in processes)
    pages = sum(process.resident_pages for process in processes)
    return Reading(now_seconds, ticks / TICKS_PER_SECOND, pages * PAGE_BYTES)
