"""A sequence that differs, and how it is made smaller.

Calls are dropped, in blocks that get smaller, as long as the same difference stays. What a call says is left as it is:
it comes from small pools, so that a short sequence is a readable one, and nobody has to wait for it.
"""

from dataclasses import dataclass

from tests.fuzz.allowed import judged
from tests.fuzz.arena import Arena, Played
from tests.fuzz.calls import Calls
from tests.fuzz.comparing import Difference


@dataclass(frozen=True, slots=True)
class Finding:
    """A sequence that was played, and its differences that nothing excuses; at least one."""

    played: Played
    differences: tuple[Difference, ...]

    @property
    def signature(self) -> tuple[str, str, str]:
        """What makes two findings the same."""
        return self.differences[0].signature

    @property
    def calls(self) -> Calls:
        """The calls, without those that list the end state."""
        return tuple(call for call in self.played.calls if call.verb != "end state")

    def shown(self) -> str:
        """Return the sequence with both answers to the call that differs first, for people."""
        first = self.differences[0]
        real, sandbox = self.played.pairs[first.index]
        here = [difference for difference in self.differences if difference.index == first.index]
        answers = [f"     Kubernetes: {real.shown()}", f"     sandbox:    {sandbox.shown()}"]
        answers += [f"     {each.field}: Kubernetes {each.real} | sandbox {each.sandbox}" for each in here]
        lines: list[str] = []
        for index, call in enumerate(self.played.calls):
            if call.verb != "end state" or index == first.index:
                lines += [f"  {index + 1}. {call.shown()}", *(answers if index == first.index else [])]
        return "\n".join(lines)


async def made_smaller(arena: Arena, finding: Finding) -> Finding:
    """Return the finding with only those calls that its first difference needs."""
    smallest = finding
    block = max(1, len(finding.calls) // 2)
    while block:
        end = len(smallest.calls)
        while end > 0:
            start = max(0, end - block)
            calls = smallest.calls
            smallest = await _still_found(arena, smallest, calls[:start] + calls[end:]) or smallest
            end = start
        block //= 2
    return smallest


async def _still_found(arena: Arena, finding: Finding, fewer: Calls) -> Finding | None:
    """Return what fewer calls show if it is the same difference."""
    played = await arena.play(fewer)
    same = [each for each in judged(played.differences())[0] if each.signature == finding.signature]
    return Finding(played, tuple(same)) if same else None
