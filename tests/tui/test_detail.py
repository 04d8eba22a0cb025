"""The detail answers five questions in order, and its next step is the one that costs least."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from selfheal_cli.explanation import explain_application
from selfheal_cli.next_step import next_step
from selfheal_core.domain.heal import HealPolicy
from selfheal_core.domain.objects import Event
from selfheal_core.domain.snapshot import Application, AppState, ControllerStatus, Snapshot
from selfheal_tui.present.detail import DetailFacts, application_detail, pod_detail, revision_detail
from selfheal_tui.present.explain import explanation_lines
from selfheal_tui.present.glyphs import ASCII, UNICODE
from selfheal_tui.present.history import revision_rows
from selfheal_tui.present.spans import text_of
from selfheal_tui.showcase import DAY, NOW

HEALERD = ControllerStatus(present=True, ready=1, desired=1)


def app_of(shown: Snapshot, name: str) -> Application:
    return next(app for app in shown.applications.values() if app.key.name == name)


def told(app: Application, last_words: str = "", healerd: ControllerStatus = HEALERD) -> list[str]:
    facts = DetailFacts(NOW, healerd, last_words)
    return [text_of(spans) for spans in application_detail(app, facts, UNICODE)]


def test_the_five_answers_come_in_order(shown: Snapshot) -> None:
    said = told(app_of(shown, "app-a"), 'KeyError: "DB_URL"')
    assert said == [
        "Crash loop since 16:41:07 (4m12s). Container app exits 1 after 2s in 1 of 2 pods.",
        'It says: “KeyError: "DB_URL"”',
        "Before it: revision 6 → 7 at 16:40:31 (4m ago), image app-a:2.2.4 → 2.3.0.",
        "healerd 16:43:50: Did not evict: the owner had an action 40s ago, next one in 20s at the earliest.",
        "Safe next step: R  roll back to revision 6 (2.2.4, known good, healthy for 3d).",
    ]


def test_ascii_sentences_are_ascii(shown: Snapshot) -> None:
    facts = DetailFacts(NOW, ControllerStatus(), "it broke")
    for spans in application_detail(app_of(shown, "app-a"), facts, ASCII):
        assert text_of(spans).isascii()


def test_a_release_that_broke_long_after_it_was_deployed_is_not_blamed(shown: Snapshot) -> None:
    app = app_of(shown, "app-a")
    old = tuple(replace(r, deployed_at=NOW - DAY) if r.number == 7 else r for r in app.revisions)
    aged = replace(app, revisions=old)
    assert next_step(aged, NOW).key == "p"
    assert any(text.startswith("Last change: ") for text in told(aged))


def test_nothing_known_good_means_no_rollback_is_suggested_blindly(shown: Snapshot) -> None:
    app = app_of(shown, "app-a")
    bad = tuple(replace(revision, known_good=False) for revision in app.revisions)
    assert next_step(replace(app, revisions=bad), NOW).key != "R"


@pytest.mark.parametrize(
    ("state", "key", "words"),
    [
        ("rolling out", "", "wait"),
        ("no data", "", "wait"),
        ("scaling", "", "wait"),
        ("pending", "d", "describe"),
        ("healthy", "", "nothing to do"),
    ],
)
def test_the_safe_step_may_be_to_wait(shown: Snapshot, state: AppState, key: str, words: str) -> None:
    step = next_step(replace(app_of(shown, "checkout"), state=state), NOW)
    assert step.key == key
    assert words in step.sentence


def test_without_healerd_it_is_said_that_nothing_heals_this(shown: Snapshot) -> None:
    app = replace(app_of(shown, "app-a"), events=())
    assert "healerd: not installed here; nothing heals this by itself." in told(app, healerd=ControllerStatus(False))
    off = ControllerStatus(True, desired=0)
    assert "healerd: not running (scaled to 0); nothing heals this by itself." in told(app, healerd=off)
    about = explain_application(app, replace(shown, controller=off), HealPolicy(), NOW)
    page = "".join(text_of(s) for s in explanation_lines(about, NOW, UNICODE, observed=True, keys={}))
    assert "healerd is not running (scaled to 0)" in page
    assert "healerd: has done nothing about it so far." in told(app)


def test_what_is_scaled_to_0_on_purpose_is_left_alone(shown: Snapshot) -> None:
    app = replace(app_of(shown, "app-a"), state="down", severity="info", desired=0, ready=0, events=())
    assert next_step(app, NOW).key == ""
    assert not any(text.startswith("healerd") for text in told(app))


def test_a_good_revision_is_not_rolled_back_to_the_same_image(shown: Snapshot) -> None:
    app = replace(app_of(shown, "app-a"), state="unready")
    image = next(r.image for r in app.revisions if r.number == 6)
    same = tuple(replace(r, known_good=True, image=image) if r.number == 7 else r for r in app.revisions)
    assert next_step(app, NOW).key == "R"
    assert next_step(replace(app, revisions=same), NOW).key == "l"


def test_a_revision_that_helm_left_half_done_is_the_change_before_the_trouble(shown: Snapshot) -> None:
    app = app_of(shown, "app-a")
    stuck = replace(app.revisions[0], number=8, status="pending-upgrade", deployed_at=NOW - 300, known_good=None)
    said = told(replace(app, revisions=(stuck, *app.revisions)))
    assert any(text.startswith("Before it: revision 7 → 8 (pending-upgrade)") for text in said)


def test_healthy_does_not_hide_restarts_and_failing_requests(shown: Snapshot) -> None:
    app = app_of(shown, "checkout")
    errors = replace(app.errors, ratio=0.05) if app.errors else None
    restarted = replace(app, restarts=3, last_restart_at=NOW - 14, errors=errors)
    assert told(restarted)[0].endswith("3 restarts, the last one 14s ago. 5.0% of its requests fail.")
    assert next_step(restarted, NOW).key == "p"
    assert next_step(replace(restarted, last_restart_at=NOW - DAY), NOW).key == ""


def test_ready_pods_whose_requests_fail_send_to_the_logs(shown: Snapshot) -> None:
    app = replace(app_of(shown, "checkout"), state="degraded", severity="warn", revisions=())
    assert (next_step(app, NOW).key, next_step(app, NOW).sentence) == ("l", "read the logs: see why requests fail")


def test_what_a_failed_probe_said_is_evidence(shown: Snapshot) -> None:
    app = app_of(shown, "app-a")
    at = datetime.fromtimestamp(NOW - 10, UTC).isoformat()
    probe = Event(reason="Unhealthy", message="Readiness probe failed: 503", last_timestamp=at)
    unready = replace(app, state="unready", since=NOW - 20, events=(probe,))
    assert "It says: “Readiness probe failed: 503”" in told(unready)
    assert not any("It says" in text for text in told(replace(unready, since=NOW + 3600)))


def test_control_characters_in_a_log_line_do_not_reach_the_screen(shown: Snapshot) -> None:
    said = "\n".join(told(app_of(shown, "app-a"), "\x1b[2Jall is well\u202e"))
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "[2J" in said


def test_a_pod_says_what_is_wrong_where_it_is_and_what_it_logged(shown: Snapshot) -> None:
    pod = next(pod for pod in shown.pods.values() if pod.state == "crash loop")
    facts = DetailFacts(NOW, shown.controller, "KeyError")
    said = [text_of(spans) for spans in pod_detail(pod, app_of(shown, "app-a"), facts, UNICODE)]
    assert said[0] == "Crash loop since 16:41:07 (4m12s). Container app exits 1 after 2s."
    assert "owned by Deployment app-a" in said[1]
    assert said[2] == "It says: “KeyError”"
    assert said[3].startswith("healerd 16:43:50")


def test_a_revision_says_whether_it_was_seen_healthy(shown: Snapshot) -> None:
    rows = {row.revision.number: row for row in revision_rows(shown, app_of(shown, "app-a").key).values()}
    assert "Health: known good, healthy for 3d." in [text_of(s) for s in revision_detail(rows[6], UNICODE)]
    assert "Health: never observed healthy." in [text_of(s) for s in revision_detail(rows[7], UNICODE)]
