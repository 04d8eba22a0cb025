"""What may differ is told to users, and is little."""

import dataclasses
from pathlib import Path

from tests.fuzz.allowed import ALLOWED, LIMIT, judged
from tests.fuzz.calls import Call
from tests.fuzz.comparing import Difference

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "sandbox-limits.md"
HEADING = "## Answers that differ"


def lines_of_the_page() -> dict[str, str]:
    """Return what the page says of each allowed difference, by its name."""
    section = PAGE.read_text().partition(HEADING)[2].partition("\n## ")[0]
    rows = (line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| "))
    return {row[0]: row[1] for row in rows if row[0] not in ("what", "---")}


def test_every_allowed_difference_is_a_line_of_the_limits_and_the_other_way_round() -> None:
    assert lines_of_the_page() == {entry.name: entry.reason for entry in ALLOWED}


def test_little_is_allowed() -> None:
    assert 0 < len(ALLOWED) <= LIMIT
    assert len({entry.name for entry in ALLOWED}) == len(ALLOWED)


def test_each_is_about_one_field_or_verb() -> None:
    for entry in ALLOWED:
        assert entry.field != ".*" or entry.verbs != ".*", entry.name


def test_only_what_an_entry_is_about_is_excused() -> None:
    call = Call("list", "Pod", "GET", "/api/v1/namespaces/NS/pods")
    allowed = Difference(0, call, "items[].kind", "(nothing)", '"Pod"')
    defect = dataclasses.replace(allowed, field="items[].metadata.name")

    defects, excused = judged([allowed, defect])

    assert defects == [defect]
    assert list(excused.values()) == [1]
