"""Writes what a benchmark measured into docs/reference/performance.md, between its two marks."""

import os
import platform
import re
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Result

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "performance.md"


@dataclass(frozen=True, slots=True)
class Machine:
    """Where figures were measured.

    Attributes:
        processor: Its name.
        cores: How many of them.
        memory_gib: In all.
        system: Kernel.
        load: Mean number of runnable processes over the minute before.
    """

    processor: str
    cores: int
    memory_gib: float
    system: str
    load: float

    @classmethod
    def here(cls) -> "Machine":
        """This machine, now."""
        names = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        system = f"{platform.system()} {platform.release()}"
        return cls(names[0] if names else platform.machine(), os.cpu_count() or 1, memory, system, os.getloadavg()[0])

    def __str__(self) -> str:
        return f"{self.processor}, {self.cores} cores, {self.memory_gib:.0f} GiB, {self.system}"


def figure(result: Result) -> str:
    """A value as a reader wants it: no more digits than it is worth."""
    digits = 0 if result.value >= 100 else 1 if result.value >= 10 else 2
    return f"{result.value:,.{digits}f} {result.unit}"


def bound(result: Result) -> str:
    """What a value shall keep to, and whether it did not."""
    if result.target is None:
        return ""
    words = f"{'at least' if result.more_is_better else 'at most'} {result.target:g} {result.unit}"
    return words if result.met else f"{words}: **missed**"


def table(results: list[Result], machine: Machine, day: str) -> str:
    """The part between the marks: one line for each figure, then when and where."""
    rows = [(result.name, figure(result), bound(result)) for result in results]
    where = (f"measured on {day}", str(machine), f"load before: {machine.load:.1f}")
    return "".join(f"| {' | '.join(row)} |\n" for row in (("what", "measured", "bound"), ("---",) * 3, *rows, where))


def replaced(page: str, name: str, content: str) -> str:
    """A page with another content between the marks ``measured: NAME`` and ``end``.

    Raises:
        ValueError: The page has no such marks.
    """
    marks = re.compile(rf"(<!-- measured: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    found = marks.search(page)
    if found is None:
        raise ValueError(f"no part 'measured: {name}' in the page")
    return f"{page[: found.start()]}{found[1]}\n{content}\n{found[2]}{page[found.end() :]}"


def publish(name: str, results: list[Result], machine: Machine) -> None:
    """Write a table into the page."""
    day = time.strftime("%Y-%m-%d", time.gmtime())
    PAGE.write_text(replaced(PAGE.read_text(), name, table(results, machine, day)))
