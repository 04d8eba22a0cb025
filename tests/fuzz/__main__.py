"""``make fuzz``: random calls at the sandbox's API and at the real one, until the numbers are in.

``python -m tests.fuzz --sequences 3000 --seed 1`` prints progress, then each difference that is no allowed one as the
short sequence that shows it, and in how many sequences each allowed one was met. The exit code is 1 when there is a
difference.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.finding import made_smaller
from tests.fuzz.planted import BUGS
from tests.fuzz.session import Outcome, fuzz, joined, real_server
from tests.lab.api_server import ApiServer
from tests.lab.errors import LabError

DEFAULT_SEQUENCES = 3000
SHOWN_FINDINGS = 20
NICENESS = 10


def arguments_of(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line, read."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--sequences", type=int, default=DEFAULT_SEQUENCES, help="how many are played")
    parser.add_argument("--seed", type=int, default=1, help="other seeds make other sequences")
    parser.add_argument("--bug", choices=tuple(BUGS), default="", help="plant this bug in the sandbox first")
    parser.add_argument("--as-they-are", action="store_true", help="do not make the sequences that differ smaller")
    return parser.parse_args(arguments)


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


async def run(real: ApiServer, options: argparse.Namespace) -> Outcome:
    """Play everything and report it."""
    began = time.monotonic()
    async with joined(real, options.bug) as arena:
        outcome = await fuzz(arena, options.sequences, options.seed, say)
        seconds = time.monotonic() - began
        say(f"fuzz: {outcome.sequences} sequences in {seconds:.0f} s, {outcome.sequences / seconds:.1f} a second")
        found = outcome.distinct()
        for finding in found[:SHOWN_FINDINGS]:
            smaller = finding if options.as_they_are else await made_smaller(arena, finding)
            say(f"\ndifference in {' '.join(finding.signature)}:\n{smaller.shown()}")
    say(f"\nfuzz: {len(outcome.findings)} sequences with differences of {len(found)} kinds")
    say(outcome.excuses())
    return outcome


def main(arguments: Sequence[str]) -> int:
    """Fuzz; return the exit code."""
    options = arguments_of(arguments)
    os.nice(NICENESS)
    try:
        with tempfile.TemporaryDirectory(prefix="selfheal-fuzz-") as folder, real_server(Path(folder), say) as real:
            outcome = asyncio.run(run(real, options))
    except LabError as error:
        say(f"fuzz: {error}")
        return 2
    return 1 if outcome.findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
