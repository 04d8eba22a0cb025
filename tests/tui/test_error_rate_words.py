"""Where error rates come from, as people read it, and what was before the console looked."""

import pytest

from selfheal_cli import words
from selfheal_cli.text import source_sentences
from selfheal_core.domain.snapshot import AppKey, Application, ControllerStatus, ErrorRate, Snapshot, Source
from selfheal_tui.present.glyphs import UNICODE
from selfheal_tui.present.spans import text_of, width_of
from selfheal_tui.present.status_line import StatusFacts, status_line
from selfheal_tui.present.trends import SAMPLES, Trends

NOW = 1_000_000.0
FROM_PROMETHEUS = Source("errors", "live", NOW - 300, NOW - 12, origin="Prometheus", origin_since=NOW - 300)
FALLEN = Source("errors", "live", NOW - 300, NOW, "refused", None, "own scrape", NOW - 40, "Prometheus lost")
PODS = Source("pods", "live", NOW - 300, NOW)


def drawn(errors: Source, width: int = 160) -> str:
    facts = StatusFacts("prod", ("shop",), False, ControllerStatus(), PODS, errors=errors)
    spans = status_line(facts, NOW, UNICODE, width)
    assert width_of(spans) <= width
    return text_of(spans)


def test_the_status_line_says_where_from_and_how_old() -> None:
    assert "errors: Prometheus, 12s" in drawn(FROM_PROMETHEUS)
    assert "errors: own scrape (Prometheus lost 40s)" in drawn(FALLEN)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_where_there_is_no_room_it_gives_way_first(width: int) -> None:
    assert "live 0.0s" in drawn(FALLEN, width)


def test_a_source_that_is_in_trouble_is_not_said_to_come_from_anywhere() -> None:
    lost = Source("errors", "lost", NOW - 9, NOW - 60, "no answer", NOW + 5, "own scrape")
    assert "errors:" not in drawn(lost)


def test_the_text_forms_tell_of_a_fallback() -> None:
    assert source_sentences([FROM_PROMETHEUS, FALLEN], NOW) == ["errors: own scrape (Prometheus lost 40s)"]


def test_a_hostile_reason_reaches_no_terminal() -> None:
    hostile = Source("errors", "live", NOW, NOW, "", None, "own\x1b[2Jscrape", NOW, "\u202elost")
    assert drawn(hostile).isprintable()
    assert words.source_origin(PODS, NOW) == ""


KEY = AppKey("shop", "web")


def application(origin: str) -> Application:
    errors = ErrorRate(0.5, 1.0, None, 60.0, NOW, origin)
    return Application(KEY, "healthy", "ok", "", None, "", (), (), 1, 1, 0, None, errors=errors)


def seen(origin: str) -> Trends:
    trends = Trends()
    trends.record(Snapshot(1, NOW, applications={KEY: application(origin)}), NOW)
    return trends


def test_the_past_is_asked_for_once_and_of_prometheus_only() -> None:
    assert not seen("own scrape").wants_past(application("own scrape"))
    trends = seen("Prometheus")
    assert trends.wants_past(application("Prometheus"))
    assert not trends.wants_past(application("Prometheus"))


def test_the_past_is_put_before_what_was_seen() -> None:
    trends = seen("Prometheus")
    trends.put_past(KEY, [(-900.0, 9.0), (-885.0, 0.1), (-30.0, 0.2), (-15.0, 0.3), (0.0, 0.4)])
    errors = list(trends.of(KEY).errors)
    assert len(errors) == SAMPLES
    assert errors[0] == 0.1
    assert errors[-4:] == [None, 0.2, 0.3, 0.5]


def test_the_past_of_an_application_that_is_gone_changes_nothing() -> None:
    trends = Trends()
    trends.put_past(KEY, [(0.0, 1.0)])
    assert list(trends.of(KEY).errors) == []
