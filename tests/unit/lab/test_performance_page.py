"""How figures come into the page, and which rate counts as sustained."""

import pytest

from benchmarks.lab import highest_followed
from benchmarks.performance_page import PAGE, Machine, bound, figure, replaced, table
from benchmarks.report import Result

MACHINE = Machine("Some processor", 2, 24.0, "Linux 6.1", 0.25)


def test_a_value_has_the_digits_that_it_is_worth() -> None:
    assert [figure(Result("x", value, "s")) for value in (0.954, 12.34, 1234.5)] == ["0.95 s", "12.3 s", "1,234 s"]


def test_a_bound_that_was_missed_says_so() -> None:
    assert bound(Result("x", 1.0, "s")) == ""
    assert bound(Result("x", 1.0, "s", 2.0)) == "at most 2 s"
    assert bound(Result("x", 3.0, "s", 2.0)) == "at most 2 s: **missed**"
    assert bound(Result("x", 3.0, "/s", 2.0, more_is_better=True)) == "at least 2 /s"


def test_the_table_tells_the_machine_and_each_figure() -> None:
    made = table([Result("first rows", 0.5, "s", 1.0)], MACHINE, "2026-01-02")

    assert made.splitlines() == [
        "| what | measured | bound |",
        "| --- | --- | --- |",
        "| first rows | 0.50 s | at most 1 s |",
        "| measured on 2026-01-02 | Some processor, 2 cores, 24 GiB, Linux 6.1 | load before: 0.2 |",
    ]


def test_only_what_is_between_the_marks_changes() -> None:
    page = "before\n<!-- measured: lab -->\nold\n<!-- end -->\nafter <!-- end -->\n"

    assert replaced(page, "lab", "new") == ("before\n<!-- measured: lab -->\n\nnew\n<!-- end -->\nafter <!-- end -->\n")
    assert replaced(replaced(page, "lab", "new"), "lab", "new") == replaced(page, "lab", "new")


def test_a_page_without_marks_is_not_written() -> None:
    with pytest.raises(ValueError, match="measured: lab"):
        replaced("nothing here", "lab", "new")


def test_the_page_has_the_marks() -> None:
    assert "new" in replaced(PAGE.read_text(), "lab", "new")


def test_the_highest_rate_is_the_last_that_was_followed() -> None:
    assert highest_followed({50.0: 49.9, 100.0: 99.0, 200.0: 130.0}) == 99.0


def test_where_none_was_followed_the_fastest_is_told() -> None:
    assert highest_followed({50.0: 31.0}) == 31.0
