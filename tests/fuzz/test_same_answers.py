"""The sandbox's API answers as the real one does."""

from collections.abc import Callable, Iterator

import pytest

from tests.fuzz.conftest import SEEN
from tests.fuzz.finding import made_smaller
from tests.fuzz.planted import BUGS
from tests.fuzz.session import fuzz, joined, real_server
from tests.lab.api_server import ApiServer

SEQUENCES = 200
SEED = 1
PLANTED_SEQUENCES = SEQUENCES
"""Those that differ nowhere without the bug, so that what is found is the bug."""
FIVE_MINUTES = 300.0

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(FIVE_MINUTES)]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with real_server(tmp_path_factory.mktemp("real"), print) as server:
        yield server


async def test_sequences_get_the_same_answers(real: ApiServer, record_property: Callable[[str, object], None]) -> None:
    async with joined(real) as arena:
        outcome = await fuzz(arena, SEQUENCES, SEED, print)
        shown = [(await made_smaller(arena, finding)).shown() for finding in outcome.distinct()[:3]]

    record_property(SEEN, f"{outcome.sequences} sequences, {outcome.calls} calls\n{outcome.excuses()}")
    assert not outcome.findings, "\n\n".join(shown)
    assert outcome.sequences == SEQUENCES


@pytest.mark.parametrize("bug", BUGS)
async def test_a_planted_bug_is_found_and_told_by_a_short_sequence(
    real: ApiServer, bug: str, record_property: Callable[[str, object], None]
) -> None:
    async with joined(real, bug) as arena:
        outcome = await fuzz(arena, PLANTED_SEQUENCES, SEED, print, stop_at=1)
        assert outcome.findings, f"{outcome.sequences} sequences found nothing"
        smallest = await made_smaller(arena, outcome.distinct()[0])

    record_property(SEEN, f"found in {outcome.sequences} sequences\n{smallest.shown()}")
    assert len(smallest.calls) < 8, smallest.shown()
