"""A look at what a machine has of all that a lab could leave on it."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from tests.lab.cgroups import ROOT, group_name
from tests.lab.namespaces import descendants


@dataclass(frozen=True)
class Machine:
    """What a lab could leave on a machine."""

    interfaces: frozenset[str]
    routes: frozenset[str]
    rules: frozenset[str]
    mounts: frozenset[str]
    groups: frozenset[str]

    @classmethod
    def now(cls, lab: str) -> "Machine":
        """Look at it, past a lab of another name, which may be in another network namespace."""
        mounts = [line.split(" ", 2)[2] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        rules = ["nft list ruleset", "iptables-save", "ip6tables-save", "iptables-legacy-save"]
        groups = [str(path) for path in ROOT.rglob("*/") if path.is_dir()]
        return cls(
            interfaces=frozenset(path.name for path in Path("/sys/class/net").iterdir()),
            routes=frozenset(output("ip route").splitlines()),
            rules=frozenset(rule for command in rules for rule in without_counters(output(command))),
            mounts=frozenset(mounts),
            groups=frozenset(path for path in groups if "/selfheal-lab-" not in path or f"/{group_name(lab)}-" in path),
        )

    def added_to(self, before: "Machine") -> dict[str, set[str]]:
        """Return what is there now and was not before, without what is the same."""
        found = {one.name: getattr(self, one.name) - getattr(before, one.name) for one in fields(self)}
        return {name: set(added) for name, added in found.items() if added}


def without_counters(listing: str) -> list[str]:
    """Return the lines of a firewall's rules, without comments and without counts of packets, which go on."""
    lines = (line for line in listing.splitlines() if line[:1] != "#")
    return [re.sub(r"\[\d+:\d+\]|packets \d+ bytes \d+", "", line) for line in lines]


def output(command: str) -> str:
    if shutil.which(command.split()[0]) is None:
        return ""
    return subprocess.run(command.split(), capture_output=True, text=True, timeout=20, check=False).stdout


Process = tuple[int, str]
"""A process and the time of its start, so that a number that is used again is another."""


def processes_of(runner: int) -> set[Process]:
    """Return the processes of a lab."""
    return _with_start(descendants(runner))


def all_processes() -> set[Process]:
    """Return every process of the machine."""
    return _with_start(int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def alive(processes: Iterable[Process]) -> set[Process]:
    """Return those that still run."""
    return {(pid, started) for pid, started in processes if start_time(pid) == started}


def _with_start(pids: Iterable[int]) -> set[Process]:
    return {(pid, started) for pid in pids if (started := start_time(pid))}


def start_time(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def namespaces(processes: Iterable[Process]) -> set[str]:
    """Return the namespaces that processes are in; the number of one that has ended is soon that of another."""
    found = set()
    for pid, _ in processes:
        try:
            found |= {str(link.readlink()) for link in Path(f"/proc/{pid}/ns").iterdir()}
        except OSError:  # it has just ended
            continue
    return found
