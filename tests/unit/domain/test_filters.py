"""The filter line of the console."""

import pytest

from selfheal_core.domain.applications import Parts, build_application
from selfheal_core.domain.filters import FIELDS, FilterError, parse_filter
from selfheal_core.domain.snapshot import AppKey, Application
from tests.unit.domain.builders import APP, NOW, crashing, deployment, row

POD = crashing("web-api-7d9f-x2x9k", restarts=6, created_at=NOW - 360, track="canary", node="node-2")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "web",
        "wapx2",
        "WEB",
        "!worker",
        "web !worker",
        "state:crash",
        "state!=running",
        "restarts>3",
        "restarts>=6",
        "restarts<=6",
        "restarts<7",
        "restarts=6",
        "restarts:6",
        "restarts!=5",
        "age<10m",
        "age>1m",
        "since<5m",
        "restarted<1m",
        "app=app-a",
        "track=canary",
        "node:node-2",
        "owner=app-a",
        "exit:error",
        "reason:exits",
        "severity=bad",
        "namespace=payments",
        "ready=0",
        "web state:crash restarts>3 age<10m app=app-a track=canary",
    ],
)
def test_matches(text: str) -> None:
    assert parse_filter(text).matches(POD, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "xyz",
        "!web",
        "state:running",
        "state=crash",
        "restarts>6",
        "restarts!=6",
        "age>10m",
        "app=app",
        "track=stable",
        "web restarts<3",
        "cpu>0",
    ],
)
def test_leaves_out(text: str) -> None:
    assert not parse_filter(text).matches(POD, NOW)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stat:crash", "did you mean 'state'?"),
        ("restarts>many", "no whole number; write restarts>3"),
        ("age<soon", "no age; write age<10m"),
        ("state>3", "can't be compared"),
        ("state:", "lacks a value; write state:text"),
        ("age<", "lacks a value; write age<10m"),
        ("!", "write !name"),
    ],
)
def test_says_what_would_be_right(text: str, words: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    assert words in str(caught.value)
    assert caught.value.exit_code == 2


def test_what_is_no_field_is_part_of_a_name() -> None:
    assert parse_filter("\x1b[2J:x").terms[0].field == "name"


def test_an_empty_filter_is_false_and_remembers_its_text() -> None:
    assert not parse_filter("  ")
    assert parse_filter(" web  !api ").text == "web  !api"


def test_unknown_figures_satisfy_no_comparison() -> None:
    pod = row(created_at=None, cpu_millicores=None)
    for text in ("age<10m", "age>10m", "cpu<5", "cpu>=0", "restarted>1s"):
        assert not parse_filter(text).matches(pod, NOW)


def application() -> Application:
    rows = [crashing("app-a-1"), row("app-a-2")]
    parts = Parts(APP, rows, [deployment(ready=1, revision=7, release="app-a")])
    return build_application(parts, None, NOW)


@pytest.mark.parametrize(
    "text", ["app-a", "state:crash", "restarts>3", "ready=1", "track=stable", "owner=app-a", "revision=7", "!mailer"]
)
def test_filters_applications_with_the_same_words(text: str) -> None:
    assert parse_filter(text).matches(application(), NOW)


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_can_be_asked_of_pods_and_applications(field: str) -> None:
    texts = (f"{field}:1", f"{field}:1m")
    for text in texts:
        try:
            wanted = parse_filter(text)
        except FilterError:
            continue
        assert wanted.matches(POD, NOW) in (True, False)
        assert wanted.matches(application(), NOW) in (True, False)
        break
    else:
        pytest.fail(f"no example of {field} can be read")


def test_a_key_is_no_surprise() -> None:
    assert application().key == AppKey("payments", "app-a")
