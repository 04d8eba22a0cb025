"""A session of fuzzing: sequences are made, played several at a time, judged, and those that differ made smaller."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.allowed import judged
from tests.fuzz.arena import Arena, Played
from tests.fuzz.calls import Calls
from tests.fuzz.comparing import Difference
from tests.fuzz.sequences import generated, sequences
from tests.fuzz.servers import arena, sandbox_server
from tests.lab.api_server import PROGRAMS, ApiServer, running_api_server
from tests.lab.programs import programs

CHUNK = 100
"""Sequences that are made with one seed."""
AT_A_TIME = 6
SHRINK_RUNS = 150
"""Sequences that are played to make one smaller."""
PLAY_SECONDS = 60.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """A sequence that differs, and the seed and size of the chunk in which it was made."""

    chunk_seed: int
    chunk_size: int
    played: Played
    differences: tuple[Difference, ...]

    @property
    def signature(self) -> tuple[str, str, str]:
        """What makes two findings the same."""
        return self.differences[0].signature

    def shown(self) -> str:
        """Return the sequence up to its first difference, with both answers to it, for people."""
        first = self.differences[0]
        shown = self.played.calls[: first.index]
        lines = [f"  {number}. {call.shown()}" for number, call in enumerate(shown, 1)]
        real, sandbox = self.played.pairs[first.index]
        lines += [f"  {first.index + 1}. {first.call.shown()}", f"     Kubernetes: {real.shown()}"]
        lines += [f"     sandbox:    {sandbox.shown()}"]
        here = [difference for difference in self.differences if difference.index == first.index]
        lines += [f"     {each.field}: Kubernetes {each.real} | sandbox {each.sandbox}" for each in here]
        return "\n".join(lines)


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
        return [min(group, key=lambda finding: finding.differences[0].index) for group in groups]

    def excuses(self) -> str:
        """Return a line for each allowed difference that was met."""
        return "\n".join(f"  excused in {count} sequences: {name}" for name, count in self.excused.most_common())


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
        chunk_seed = start + number
        made = await asyncio.to_thread(generated, size, chunk_seed)
        await _play(arena, chunk_seed, made, outcome)
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


async def _play(arena: Arena, chunk_seed: int, made: list[Calls], outcome: Outcome) -> None:
    waiting = iter(made)

    async def player() -> None:
        for sequence in waiting:
            played = await arena.play(sequence)
            defects, excused = judged(played.differences())
            outcome.sequences += 1
            outcome.calls += len(sequence)
            outcome.excused.update(excused.keys())
            if defects and (defects := await _lasting(arena, sequence, defects)):
                outcome.findings.append(Finding(chunk_seed, len(made), played, tuple(defects)))

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_A_TIME):
            group.create_task(player())


def shrunk(finding: Finding, play: Callable[[Calls], Played]) -> Finding:
    """Return the smallest sequence that differs in the same way, as Hypothesis finds it.

    It makes the sequences of the finding's chunk once more, and from the one that differed goes on to smaller ones.

    Args:
        finding: what to make smaller.
        play: plays a sequence; called at most about `SHRINK_RUNS` times.
    """
    smallest = finding
    original = finding.played.calls
    runs = 0
    known: dict[str, bool] = {}

    def differs(sequence: Calls) -> bool:
        nonlocal smallest, runs
        if not runs and sequence != original[: len(sequence)]:
            return False  # not yet at the one that differed
        key = repr(sequence)
        if key not in known:
            known[key] = False
            if runs < SHRINK_RUNS:
                runs += 1
                played = play(sequence)
                defects = judged(played.differences())[0]
                known[key] = any(defect.signature == finding.signature for defect in defects)
                if known[key] and len(sequence) <= len(smallest.played.calls):
                    same_first = sorted(defects, key=lambda defect: defect.signature != finding.signature)
                    smallest = Finding(finding.chunk_seed, finding.chunk_size, played, tuple(same_first))
        return known[key]

    @seed(finding.chunk_seed)
    @settings(
        max_examples=finding.chunk_size,
        phases=(Phase.generate, Phase.shrink),
        database=None,
        deadline=None,
        derandomize=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(sequences())
    def search(sequence: Calls) -> None:
        assert not differs(sequence)

    with suppress(AssertionError):  # that is what it looks for
        search()
    return _without_needless_calls(smallest, play)


def _without_needless_calls(finding: Finding, play: Callable[[Calls], Played]) -> Finding:
    """Return the finding with only those calls before its first difference that it needs."""
    smallest, index = finding, finding.differences[0].index
    while index > 0:
        index -= 1
        calls = smallest.played.calls[: smallest.differences[0].index + 1]
        if calls[-1].verb == "end state":
            calls = calls[:-1]
        played = play(calls[:index] + calls[index + 1 :])
        defects = [each for each in judged(played.differences())[0] if each.signature == finding.signature]
        if defects:
            smallest = Finding(finding.chunk_seed, finding.chunk_size, played, tuple(defects))
    return smallest


async def made_smaller(arena: Arena, finding: Finding) -> Finding:
    """Return what `shrunk` returns, without holding up the loop."""
    loop = asyncio.get_running_loop()

    def play(sequence: Calls) -> Played:
        return asyncio.run_coroutine_threadsafe(arena.play(sequence), loop).result(PLAY_SECONDS)

    return await asyncio.to_thread(shrunk, finding, play)


@asynccontextmanager
async def joined(real: ApiServer, bug: str = "") -> AsyncIterator[Arena]:
    """Give an arena of a real server and of a sandbox started for it, which may have a bug planted."""
    with sandbox_server(bug) as url:
        async with arena(real, url) as ready:
            yield ready


def real_server(folder: Path, say: Say) -> AbstractContextManager[ApiServer]:
    """Return the context of the real server, with every admission plugin that a cluster has."""
    return running_api_server(folder, programs(PROGRAMS, say), disabled_admission=())
