"""A session of fuzzing: sequences are made, played several at a time and judged; those that differ are kept."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.allowed import ALLOWED, judged
from tests.fuzz.arena import Arena
from tests.fuzz.calls import Calls
from tests.fuzz.comparing import Difference
from tests.fuzz.finding import Finding
from tests.fuzz.sequences import generated
from tests.fuzz.servers import arena, sandbox_server
from tests.lab.api_server import PROGRAMS, ApiServer, running_api_server
from tests.lab.programs import programs

CHUNK = 100
"""Sequences that are made with one seed."""
AT_A_TIME = 6

Say = Callable[[str], None]


@dataclass(slots=True)
class Outcome:
    """What a session found."""

    sequences: int = 0
    calls: int = 0
    findings: list[Finding] = field(default_factory=list)
    excused: Counter[str] = field(default_factory=Counter)

    def distinct(self) -> list[Finding]:
        """Return one finding for each signature, the most frequent first."""
        by_signature: dict[tuple[str, str, str], list[Finding]] = {}
        for finding in self.findings:
            by_signature.setdefault(finding.signature, []).append(finding)
        groups = sorted(by_signature.values(), key=len, reverse=True)
        return [min(group, key=lambda finding: len(finding.calls)) for group in groups]

    def excuses(self) -> str:
        """Return a line for each allowed difference: in how many sequences it was met, be it none."""
        counts = sorted(((self.excused[entry.name], entry.name) for entry in ALLOWED), reverse=True)
        return "\n".join(f"  excused in {count} sequences: {name}" for count, name in counts)


async def fuzz(arena: Arena, count: int, start: int, say: Say, *, stop_at: int = 0) -> Outcome:
    """Play sequences and return what differed.

    Args:
        arena: where.
        count: how many sequences.
        start: seed of the first ones.
        say: told about progress.
        stop_at: end after so many findings; 0 never.
    """
    outcome = Outcome()
    for number, size in enumerate(_sizes(count)):
        made = await asyncio.to_thread(generated, size, start + number)
        await _play(arena, made, outcome, stop_at)
        say(f"{outcome.sequences} of {count} sequences, {outcome.calls} calls: {len(outcome.findings)} differ")
        if stop_at and len(outcome.findings) >= stop_at:
            break
    return outcome


def _sizes(count: int) -> Iterator[int]:
    whole, rest = divmod(count, CHUNK)
    yield from itertools.repeat(CHUNK, whole)
    if rest:
        yield rest


async def _lasting(arena: Arena, sequence: Calls, defects: list[Difference]) -> list[Difference]:
    """Return those that show once more: a watch that was late on a busy machine is no other answer."""
    again = judged((await arena.play(sequence)).differences())[0]
    signatures = {defect.signature for defect in again}
    return [defect for defect in defects if defect.signature in signatures]


async def _play(arena: Arena, made: list[Calls], outcome: Outcome, stop_at: int) -> None:
    waiting = iter(made)

    async def player() -> None:
        for sequence in waiting:
            played = await arena.play(sequence)
            defects, excused = judged(played.differences())
            outcome.sequences += 1
            outcome.calls += len(sequence)
            outcome.excused.update(excused.keys())
            if defects and (defects := await _lasting(arena, sequence, defects)):
                outcome.findings.append(Finding(played, tuple(defects)))
            if stop_at and len(outcome.findings) >= stop_at:
                return

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_A_TIME):
            group.create_task(player())


@asynccontextmanager
async def joined(real: ApiServer, bug: str = "") -> AsyncIterator[Arena]:
    """Give an arena of a real server and of a sandbox started for it, which may have a bug planted."""
    with sandbox_server(bug) as url:
        async with arena(real, url) as ready:
            yield ready


def real_server(folder: Path, say: Say) -> AbstractContextManager[ApiServer]:
    """Return the context of the real server, with every admission plugin that a cluster has."""
    return running_api_server(folder, programs(PROGRAMS, say), disabled_admission=())
