"""Whatever the cluster says, a terminal is sent nothing that it would obey, and every column stays where it is."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from wcwidth import wcswidth

from selfheal_core.domain.escape import cells, printable

HOSTILE = [
    "\x1b[2J\x1b[H",
    "\x1b]52;c;c2VjcmV0\x07",
    "\x1b]8;;http://198.51.100.7/\x1b\\click\x1b]8;;\x1b\\",
    "\x9b31m\x9d0;title\x9c",
    "\x1bP$q\x1b\\",
    "\u202egnp.exe\u202c\u2066x\u2069",
    "\r\nforged line\n\x08\x08\x08",
    "[bold red]markup[/] [@click=app.quit]x[/]",
    "a\u0300\u0301\u0302\u0303\u0304\u0305 zalgo",
    "\u0301 accent without a letter",
    "zero\u200bwidth\u200d\ufeffjoined",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f \U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd",
    "\u5bb9\u5668\u304c\u843d\u3061\u305f \ud55c\uae00 \uff21",
    b"\xff\xfe\xc3(".decode(errors="replace"),
    "\ud800 lone surrogate",
]


def obeyed(text: str) -> list[str]:
    """Characters that a terminal would act on rather than draw."""
    return [each for each in text if unicodedata.category(each) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")]


@given(st.text(st.one_of(st.characters(), st.sampled_from("".join(HOSTILE)))))
def test_nothing_that_a_terminal_obeys_comes_through(text: str) -> None:
    assert obeyed(printable(text)) == []
    assert obeyed(printable(text, strip_colour=True)) == []


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_is_drawn_not_obeyed(text: str) -> None:
    shown = printable(text)

    assert obeyed(shown) == []
    assert cells(shown) == cell_len(shown) == wcswidth(shown)


def test_every_character_takes_the_cells_that_we_think_it_takes() -> None:
    """By our count, by the library that draws, and by the table that terminals use; alone and after a letter."""
    differing = []
    for before in ("", "a"):
        for character in map(chr, range(sys.maxunicode + 1)):
            shown = printable(before + character)
            contested_by_choice = unicodedata.category(character) == "Mc"
            if not cells(shown) == cell_len(shown) == wcswidth(shown) and not contested_by_choice:
                differing.append(f"{before}U+{ord(character):04X}")

    # One tone mark of Ahom, which the two tables count differently.
    assert set(differing) <= {"aU+1171E"}


@given(st.text(st.characters(exclude_categories=("Cs", "Mc"))))
def test_a_line_takes_the_cells_that_we_think_it_takes(text: str) -> None:
    shown = printable(text)

    assert cells(shown) == cell_len(shown)


@given(st.text(), st.integers(min_value=1, max_value=80))
def test_no_text_is_longer_than_its_limit(text: str, limit: int) -> None:
    assert len(printable(text, limit=limit)) <= limit


def test_printing_twice_changes_nothing() -> None:
    for text in HOSTILE:
        assert printable(printable(text)) == printable(text)


@pytest.mark.timeout(20)
def test_ten_megabytes_are_cut_without_reading_all_of_them() -> None:
    text = "\x1b[31m\u202e" * 2_000_000

    assert len(printable(text, limit=200)) == 200
