"""PromQL that is built: what a name can't do to it, and what it counts."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal_core.domain import queries

HOSTILE = [
    'a"} or vector(1) #',
    "back\\slash",
    "new\nline",
    "\x1b]52;c;aGk=\x07",
    "\u202eabc",
    "\ud800",
    "\x00",
    "{}|.*",
]
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_ends_its_literal_early(text: str) -> None:
    literal = queries.quoted(text)
    assert LITERAL.fullmatch(literal)
    assert literal.isprintable()
    literal.encode()


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_a_literal_reads_as_the_text_it_was_made_from(text: str) -> None:
    literal = queries.quoted(text)
    assert LITERAL.fullmatch(literal)
    escapes = {"\\\\": "\\", '\\"': '"'}
    read = re.sub(
        r"\\u([0-9a-f]{4})|\\U([0-9a-f]{8})|\\.",
        lambda match: escapes.get(match[0]) or chr(int(match[1] or match[2], 16)),
        literal[1:-1],
    )
    assert read == text


def test_a_pattern_matches_exactly_the_names_it_was_made_from() -> None:
    assert queries.any_of(["a.b", "c"]) == r'"a\\.b|c"'


def test_the_pattern_of_probes_means_the_same_routes_as_the_list() -> None:
    routes = [*queries.PROBE_ROUTES, "/", "/health/x", "/healthzz", "/live", "/ready/", "/metric", "/readyx"]
    assert {route for route in routes if re.fullmatch(queries.PROBE_PATTERN, route)} == queries.PROBE_ROUTES


def test_one_question_asks_for_everything_and_fits_into_a_url() -> None:
    query = queries.application_figures([f"namespace-{number}" for number in range(20)], 60)
    for figure in (queries.RATE, queries.P95, queries.NEWEST, queries.SAMPLES):
        assert f'"figure", "{figure}", "", ""' in query
    assert query.count("(") == query.count(")")
    assert len(query) < 6_000


def test_every_namespace_is_asked_for_where_the_scope_is_all() -> None:
    assert "namespace=~" not in queries.application_figures([], 60)
    assert queries.application_figures(["a", "b"], 60).count('namespace=~"a|b"') == 6


def test_windows_are_whole_seconds() -> None:
    assert "[60s]" in queries.application_figures([], 60.4)
    assert queries.history("x", 900, 15) == "(x)[900s:15s]"


def test_the_ratio_of_an_application_names_it_with_escapes() -> None:
    query = queries.error_ratio("shop", 'a"b', 60)
    assert 'app="a\\"b"' in query
    assert 'namespace="shop"' in query
