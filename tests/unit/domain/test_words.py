"""Times, quantities, escapes and exits: the small words that everything else is made of."""

import pytest

from selfheal_core.domain.escape import cells, printable
from selfheal_core.domain.exits import exit_clause, last_line, run_seconds, short_exit
from selfheal_core.domain.objects import LabelRequirement, LabelSelector, Terminated
from selfheal_core.domain.quantities import cpu_millicores, memory_bytes
from selfheal_core.domain.selectors import matches
from selfheal_core.domain.times import ago, duration, parse_duration, parse_time, rfc3339, rfc3339_micro
from tests.unit.domain.builders import run_ended


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:10Z", 10.0),
        ("1970-01-01T00:00:10.250000Z", 10.25),
        ("1970-01-01T01:00:10+01:00", 10.0),
        ("1970-01-01T00:00:10", 10.0),
        ("", None),
        (None, None),
        ("yesterday", None),
    ],
)
def test_reads_times(text: str | None, seconds: float | None) -> None:
    assert parse_time(text) == seconds


def test_writes_times_as_kubernetes_does() -> None:
    assert rfc3339(10.9) == "1970-01-01T00:00:10Z"
    assert rfc3339_micro(10.25) == "1970-01-01T00:00:10.250000Z"


@pytest.mark.parametrize(
    ("seconds", "word"),
    [(-3, "0s"), (0, "0s"), (41.9, "41s"), (60, "1m"), (252, "4m"), (3600, "1h"), (86_399, "23h"), (3 * 86_400, "3d")],
)
def test_words_an_age_in_its_largest_unit(seconds: float, word: str) -> None:
    assert ago(seconds) == word


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0s"),
        (0, "0s"),
        (0.25, "0.2s"),
        (2.0, "2s"),
        (9.96, "9.9s"),
        (10.4, "10s"),
        (252, "4m12s"),
        (240, "4m"),
        (11_100, "3h5m"),
        (187_200, "2d4h"),
        (259_200, "3d"),
    ],
)
def test_words_a_length_in_two_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172_800), ("1.5h", 5400)]
)
def test_reads_a_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "10 m", "ten minutes", "1h-30m"])
def test_says_how_a_duration_is_written(text: str) -> None:
    with pytest.raises(ValueError, match="write 90s, 10m, 1h30m or 2d"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("quantity", "millicores"),
    [("250m", 250), ("1", 1000), (2, 2000), ("1.5", 1500), ("12345n", 1), ("0", 0), ("1k", 10**6)],
)
def test_reads_cpu(quantity: str | int, millicores: int) -> None:
    assert cpu_millicores(quantity) == millicores


@pytest.mark.parametrize(
    ("quantity", "size"),
    [("64Mi", 2**26), ("1Gi", 2**30), ("1e3", 1000), ("100k", 100_000), ("128974848", 128_974_848)],
)
def test_reads_memory(quantity: str, size: int) -> None:
    assert memory_bytes(quantity) == size


@pytest.mark.parametrize("quantity", ["", "many", "10Xi", "1 Gi", "NaN", "Infinity"])
def test_refuses_what_is_no_quantity(quantity: str) -> None:
    with pytest.raises(ValueError, match="no Kubernetes quantity"):
        cpu_millicores(quantity)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [text] 100%", "plain [text] 100%"),
        ("grün 東京", "grün 東京"),
        ("\x1b[31mred", "␛[31mred"),
        ("a\r\nb", "a␍␊b"),
        ("a\tb", "a    b"),
        ("\x9b2J", "\\u009b2J"),
        ("\x7f", "␡"),
        ("abc\u202edef", "abc\\u202edef"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("\ud800", "\\ud800"),
    ],
)
def test_shows_what_a_terminal_would_obey(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_colour_can_be_dropped_but_no_other_sequence() -> None:
    assert printable("\x1b[1;31mred\x1b[0m \x1b[2J", strip_colour=True) == "red ␛[2J"


def test_a_long_text_is_cut_and_says_so() -> None:
    assert printable("abcdef", limit=4) == "abc…"
    assert printable("abcd", limit=4) == "abcd"
    assert len(printable("\x1b" * 10_000_000, limit=80)) == 80


def test_counts_terminal_cells() -> None:
    assert (cells("abc"), cells("東京"), cells("e\u0301")) == (3, 4, 1)


def test_an_exit_in_short_and_in_words() -> None:
    ended = run_ended(1, lasted=2, message="line one\nthe end\n\n")
    assert short_exit(ended) == "1 Error"
    assert run_seconds(ended) == 2
    assert exit_clause(ended) == 'exits 1 after 2s: "the end"'


def test_an_exit_without_times_or_words() -> None:
    assert exit_clause(Terminated(exit_code=2)) == "exits 2"
    assert (short_exit(None), short_exit(Terminated(exit_code=2)), last_line(" \n ")) == ("", "2", "")
    assert exit_clause(Terminated(reason="ContainerStatusUnknown", exit_code=137)).startswith("was lost")


def test_selectors_read_labels_as_the_server_does() -> None:
    requirements = (
        LabelRequirement("tier", "In", ("web", "api")),
        LabelRequirement("track", "NotIn", ("canary",)),
        LabelRequirement("app", "Exists"),
        LabelRequirement("old", "DoesNotExist"),
    )
    selector = LabelSelector({"app": "a"}, requirements)
    assert matches(selector, {"app": "a", "tier": "web"})
    assert not matches(selector, {"app": "b", "tier": "web"})
    assert not matches(selector, {"app": "a", "tier": "db"})
    assert not matches(selector, {"app": "a", "tier": "web", "track": "canary"})
    assert not matches(selector, {"app": "a", "tier": "web", "old": ""})
    assert matches(LabelSelector(), {})
    assert not matches(LabelSelector(match_expressions=(LabelRequirement("a", "Near"),)), {"a": ""})
