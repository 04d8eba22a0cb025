"""Where known good turns: what counts as healthy, which pods are looked at, and the seconds at the borders."""

from dataclasses import replace
from typing import Any

import pytest

from selfheal_core.domain.applications import Parts, build_application
from selfheal_core.domain.known_good import (
    CONFIG_MAP_LABELS,
    WATCHER_GAP_SECONDS,
    KnownGood,
    ReleaseKey,
    SoakResult,
    config_map_body,
    decode_records,
    joined,
    observe_soak,
)
from selfheal_core.domain.objects import ConfigMap
from selfheal_core.domain.rollback import choose_target
from selfheal_core.domain.snapshot import Application, PodRow, Snapshot
from tests.unit.domain.builders import APP, NOW, deployment, picture, revision, row

KEY = ReleaseKey("payments", "app-a")
READY = (row("app-a-1"), row("app-a-2"))


def application(*rows: PodRow, **workload: Any) -> Application:
    running = deployment(**{"release": "app-a", "revision": 7, **workload})
    return build_application(Parts(APP, rows, [running]), None, NOW)


def look(snapshot: Snapshot, now: float = NOW) -> SoakResult:
    return observe_soak({}, snapshot, soak_seconds=60, observed_by="healerd", now=now)


def is_healthy(*rows: PodRow, **workload: Any) -> bool:
    return look(picture(*rows, applications=(application(*rows, **workload),))).soaks[KEY].healthy_since is not None


@pytest.mark.parametrize(
    ("workload", "healthy"),
    [({}, True), ({"replicas": 0}, False), ({"observed": 1, "generation": 2}, False), ({"ready": 1}, False)],
)
def test_a_rollout_that_is_not_settled_or_has_nothing_to_run_is_not_healthy(
    workload: dict[str, Any], healthy: bool
) -> None:
    assert is_healthy(*READY, **workload) is healthy


@pytest.mark.parametrize("state", ["terminating", "completed"])
def test_a_pod_that_goes_does_not_count_and_hides_no_other(state: str) -> None:
    going = row("app-a-0", state=state, last_restart_at=NOW)

    assert is_healthy(going, *READY)
    assert not is_healthy(going, row("app-a-1", state="crash loop"), row("app-a-2"))


def test_a_pod_of_the_other_track_does_not_count() -> None:
    assert is_healthy(row("app-a-0", track="canary", state="crash loop"), *READY)


@pytest.mark.parametrize(("ago", "healthy"), [(60, True), (59, False)])
def test_a_restart_counts_for_as_long_as_the_soak(ago: float, healthy: bool) -> None:
    assert is_healthy(row("app-a-1", last_restart_at=NOW - ago), row("app-a-2")) is healthy


def test_a_pod_that_is_gone_from_the_picture_does_not_count() -> None:
    known = application(*READY)

    assert look(picture(READY[0], applications=(known,))).soaks[KEY].healthy_since == NOW


def test_an_application_without_a_release_hides_no_other() -> None:
    foreign = replace(application(*READY, release=""), key=APP._replace(name="aaa"))

    assert list(look(picture(*READY, applications=(foreign, application(*READY)))).soaks) == [KEY]


def good(since: float, until: float) -> KnownGood:
    return KnownGood(7, True, since, until, "healerd", "registry/app:1.0")


@pytest.mark.parametrize(("beyond", "since"), [(0, NOW - 5_000), (1, NOW)])
def test_a_watcher_goes_on_from_a_record_that_ended_lately_enough(beyond: float, since: float) -> None:
    ended = NOW - WATCHER_GAP_SECONDS - beyond

    assert joined(good(NOW - 5_000, ended), good(NOW, NOW + 9_000), watching_since=NOW).healthy_since == since


def test_the_config_map_is_the_whole_object() -> None:
    names = {"name": "selfheal-known-good-app-a", "namespace": "payments", "labels": dict(CONFIG_MAP_LABELS)}
    whole = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": names, "data": {}}

    assert config_map_body(KEY, []) == whole
    assert config_map_body(KEY, [], resource_version="9") == {**whole, "metadata": {**names, "resourceVersion": "9"}}


def test_the_sentence_of_a_revision_without_a_date_names_none() -> None:
    (target,) = choose_target([revision(6, deployed_at=None, image="app:1")], 7, NOW)

    assert target.sentence == "revision 6, app:1: never observed healthy"


def test_an_entry_that_cannot_be_read_hides_no_other() -> None:
    data = {"notes": "not a record", "6": '{"revision":6,"good":true}', "9": '{"revision":7,"good":true}'}

    assert decode_records(ConfigMap(data=data)) == {6: KnownGood(6, True)}


def test_a_track_without_a_release_hides_no_other() -> None:
    both = application(*READY)
    unreleased = replace(both.tracks[0], name="canary", release="")

    assert list(look(picture(*READY, applications=(replace(both, tracks=(unreleased, *both.tracks)),))).soaks) == [KEY]
