"""The probes are counted, not claimed: each name is carried by one test, and the report adds up what those did."""

import re
from collections import Counter
from pathlib import Path

from tests.contract.probes import PROBES, Tally

MARK = re.compile(r'^@pytest\.mark\.probe\("([^"]+)"\)$', re.MULTILINE)


def test_each_probe_is_one_test() -> None:
    files = Path(__file__).parent.glob("test_*.py")
    carried = Counter(name for file in files for name in MARK.findall(file.read_text()))

    assert carried == Counter(PROBES)
    assert len(PROBES) == 98


def tally(*outcomes: tuple[str, str, str]) -> Tally:
    made = Tally()
    for cluster, probe, outcome in outcomes:
        made.add(cluster, probe, outcome)
    return made


def test_nothing_is_said_when_no_probe_ran() -> None:
    assert tally().lines() == []


def test_both_clusters_are_told_in_one_line() -> None:
    everything = [(cluster, probe, "passed") for cluster in ("sandbox", "lab") for probe in PROBES]

    assert tally(*everything).lines() == ["API probes: 98/98 on the sandbox, 98/98 on the lab"]


def test_a_probe_holds_when_it_holds_with_every_client() -> None:
    both = tally(("lab", "kubectl.get", "passed"), ("lab", "kubectl.get", "failed"), ("lab", "py.aio", "passed"))

    assert both.lines() == [
        "API probes: 1/98 on the lab",
        "  on the lab these do not hold: kubectl.get",
        "  on the lab 96 were not run",
    ]


def test_a_client_that_is_not_there_takes_nothing_away() -> None:
    assert tally(("lab", "kubectl.get", "skipped"), ("lab", "kubectl.get", "passed")).held("lab") == 1
    assert tally(("lab", "kubectl.get", "skipped")).held("lab") == 0
