"""How watching a revision makes it known good, and how that is kept."""

from dataclasses import replace
from typing import Any

import pytest

from selfheal_core.domain.applications import Parts, build_application
from selfheal_core.domain.known_good import (
    CONFIG_MAP_LABELS,
    KnownGood,
    ReleaseKey,
    Soak,
    SoakResult,
    config_map_body,
    config_map_data,
    config_map_name,
    decode_records,
    encode_record,
    joined,
    observe_soak,
    release_of_config_map,
    with_record,
)
from selfheal_core.domain.objects import ConfigMap, Metadata, OwnerReference
from selfheal_core.domain.snapshot import Snapshot
from tests.unit.domain.builders import APP, NOW, crashing, deployment, picture, revision, row

KEY = ReleaseKey("payments", "app-a")


def healthy(revision_number: int = 7, **workload: Any) -> Snapshot:
    rows = (row("app-a-1"), row("app-a-2"))
    running = deployment(release="app-a", revision=revision_number, **workload)
    return picture(*rows, applications=(build_application(Parts(APP, rows, [running]), None, NOW),))


def unhealthy(revision_number: int = 7) -> Snapshot:
    rows = (row("app-a-1"), crashing("app-a-2"))
    running = deployment(release="app-a", revision=revision_number, ready=1)
    return picture(*rows, applications=(build_application(Parts(APP, rows, [running]), None, NOW),))


def look(before: SoakResult | None, snapshot: Snapshot, now: float, **options: Any) -> SoakResult:
    soaks = before.soaks if before is not None else {}
    return observe_soak(soaks, snapshot, soak_seconds=60, observed_by="healerd", now=now, **options)


def test_a_revision_is_good_once_all_ready_for_its_soak_time() -> None:
    first = look(None, healthy(), NOW)
    early = look(first, healthy(), NOW + 59)
    done = look(early, healthy(), NOW + 60)
    assert first.records == early.records == ()
    expected = KnownGood(7, True, NOW, NOW + 60, "healerd", "registry/app:1.0")
    assert done.records == ((KEY, expected),)
    assert expected.healthy_seconds == 60


def test_an_interruption_starts_the_soak_again() -> None:
    first = look(None, healthy(), NOW)
    broken = look(first, unhealthy(), NOW + 30)
    again = look(broken, healthy(), NOW + 40)
    assert look(again, healthy(), NOW + 99).records == ()
    assert look(again, healthy(), NOW + 100).records[0][1].healthy_since == NOW + 40


def test_a_restart_within_the_soak_time_is_an_interruption() -> None:
    rows = (row("app-a-1", last_restart_at=NOW + 10, restarts=1), row("app-a-2"))
    running = deployment(release="app-a", revision=7)
    restarted = picture(*rows, applications=(build_application(Parts(APP, rows, [running]), None, NOW),))
    first = look(None, healthy(), NOW)
    assert look(first, restarted, NOW + 60).records == ()


def test_a_stretch_that_lasts_is_written_now_and_then() -> None:
    good = look(look(None, healthy(), NOW), healthy(), NOW + 60)
    assert look(good, healthy(), NOW + 359).records == ()
    assert look(good, healthy(), NOW + 360).records[0][1].healthy_until == NOW + 360


def test_what_nobody_watched_for_long_is_no_part_of_a_stretch() -> None:
    """The watch was lost, or healing paused: this watcher lives on and knows no more of the gap than a new one."""
    done = look(look(None, healthy(), NOW), healthy(), NOW + 60)
    again = look(done, healthy(), NOW + 7200)
    assert again.records == ()
    (record,) = look(again, healthy(), NOW + 7200 + 361).records
    assert record[1].healthy_seconds == 361


def test_a_gap_in_the_watching_is_no_failure_to_settle() -> None:
    assert look(look(None, healthy(), NOW), healthy(), NOW + 7200).records == ()


def test_a_later_failure_does_not_take_good_away() -> None:
    good = look(look(None, healthy(), NOW), healthy(), NOW + 60)
    assert look(good, unhealthy(), NOW + 5_000).records == ()


def test_a_shorter_later_stretch_does_not_replace_a_longer_one() -> None:
    good = look(None, healthy(), NOW)
    for seconds in (60, 500, 1_000):
        good = look(good, healthy(), NOW + seconds)
    broken = look(good, unhealthy(), NOW + 1_010)
    again = look(broken, healthy(), NOW + 1_020)
    for seconds in (1_500, 2_000):
        again = look(again, healthy(), NOW + seconds)
        assert again.records == ()
    assert look(again, healthy(), NOW + 2_400).records[0][1].healthy_since == NOW + 1_020


def test_a_revision_that_never_settles_is_recorded_as_not_good_once() -> None:
    first = look(None, unhealthy(), NOW)
    failed = look(first, unhealthy(), NOW + 120)
    assert failed.records == ((KEY, KnownGood(7, False, observed_by="healerd", image="registry/app:1.0")),)
    assert look(failed, unhealthy(), NOW + 500).records == ()


def test_a_revision_can_become_good_after_it_was_not() -> None:
    failed = look(look(None, unhealthy(), NOW), unhealthy(), NOW + 120)
    well = look(failed, healthy(), NOW + 130)
    assert look(well, healthy(), NOW + 190).records[0][1].good


def test_a_new_revision_starts_from_nothing() -> None:
    good = look(look(None, healthy(6), NOW), healthy(6), NOW + 60)
    fresh = look(good, healthy(7), NOW + 70)
    assert replace(fresh.soaks[KEY], workload=None) == Soak(
        7, "registry/app:1.0", NOW + 70, NOW + 70, looked_at=NOW + 70
    )


def test_a_rollout_under_way_is_not_healthy() -> None:
    first = look(None, healthy(updated=1, total=3), NOW)
    assert first.soaks[KEY].healthy_since is None


def test_an_inferred_revision_is_not_recorded() -> None:
    rows = (row("app-a-1"), row("app-a-2"))
    parts = Parts(APP, rows, [deployment(release="app-a")], revisions=[revision(7, "deployed")])
    snapshot = picture(*rows, applications=(build_application(parts, None, NOW),))
    assert look(None, snapshot, NOW).soaks == {}


def good(since: float, until: float) -> KnownGood:
    return KnownGood(7, True, since, until, "healerd", "registry/app:1.0")


def test_a_watcher_that_restarted_goes_on_from_the_record() -> None:
    assert joined(good(NOW - 5_000, NOW - 100), good(NOW, NOW + 60), watching_since=NOW - 5) == good(
        NOW - 5_000, NOW + 60
    )


@pytest.mark.parametrize("watching_since", [None, NOW - 1_000], ids=["trouble seen", "watched all the time"])
def test_a_stretch_that_this_watcher_saw_begin_is_not_joined_to_an_older_one(watching_since: float | None) -> None:
    older, seen = good(NOW - 200, NOW - 100), good(NOW, NOW + 60)
    assert joined(older, seen, watching_since=watching_since) == older


def test_a_stretch_that_was_taken_over_goes_on_growing() -> None:
    taken_over = joined(good(NOW - 5_000, NOW - 100), good(NOW, NOW + 60), watching_since=NOW - 5)
    assert joined(taken_over, good(NOW, NOW + 360), watching_since=NOW - 5) == good(NOW - 5_000, NOW + 360)


def test_the_longer_of_two_separate_stretches_stays_on_record() -> None:
    long_ago = good(NOW - 90_000, NOW - 80_000)
    assert joined(long_ago, good(NOW, NOW + 60), watching_since=NOW) == long_ago
    assert joined(good(NOW - 90_000, NOW - 89_990), good(NOW, NOW + 60), watching_since=NOW) == good(NOW, NOW + 60)


def test_a_revision_once_good_stays_good() -> None:
    assert joined(good(NOW - 100, NOW), KnownGood(7, False), watching_since=None) == good(NOW - 100, NOW)
    assert joined(KnownGood(7, False), good(NOW, NOW + 60), watching_since=None) == good(NOW, NOW + 60)
    assert joined(None, KnownGood(7, False), watching_since=None) == KnownGood(7, False)


def test_records_survive_the_config_map() -> None:
    records = [KnownGood(6, True, NOW - 100, NOW, "healerd", "app:1"), KnownGood(7, False)]
    body = config_map_body(KEY, records)
    data = config_map_data(records)
    assert body["data"] == data
    assert decode_records(ConfigMap(data=data)) == {6: records[0], 7: records[1]}
    assert data["7"] == '{"revision":7,"good":false}'


def test_another_workload_of_the_same_name_is_watched_anew() -> None:
    """A release that was uninstalled and installed again is at the same revision, and has shown nothing yet."""
    good = look(look(None, healthy(), NOW), healthy(), NOW + 60)
    again = look(good, healthy(uid="another"), NOW + 70)
    assert again.records == look(again, healthy(uid="another"), NOW + 129).records == ()
    assert look(again, healthy(uid="another"), NOW + 130).records[0][1].healthy_since == NOW + 70


def test_the_config_map_goes_with_its_owner() -> None:
    owner = OwnerReference("Deployment", "app-a", "uid-1", "apps/v1")
    metadata = config_map_body(KEY, [], owners=[owner], resource_version="7")["metadata"]
    assert metadata == {
        "name": "selfheal-known-good-app-a",
        "namespace": "payments",
        "labels": dict(CONFIG_MAP_LABELS),
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "app-a", "uid": "uid-1"}],
        "resourceVersion": "7",
    }
    unowned = config_map_body(KEY, [])["metadata"]
    assert isinstance(unowned, dict)
    assert "ownerReferences" not in unowned


def test_what_is_no_record_is_left_out() -> None:
    data = {"6": encode_record(KnownGood(6, True)), "7": "yes", "8": encode_record(KnownGood(9, True)), "x": "{}"}
    assert list(decode_records(ConfigMap(Metadata(), data))) == [6]


def test_the_config_map_is_bounded_and_keeps_good_ones() -> None:
    records = [KnownGood(number, number <= 3) for number in range(1, 60)]
    kept = [int(number) for number in config_map_data(records)]
    assert len(kept) == 20
    assert kept[:4] == [1, 2, 3, 43]


def test_names_lead_both_ways() -> None:
    assert release_of_config_map(config_map_name("app-a")) == "app-a"
    assert release_of_config_map("other") == ""


def test_a_revision_takes_on_what_is_on_record() -> None:
    known = with_record(revision(6), KnownGood(6, True, NOW - 50, NOW, image="app:1"))
    assert (known.known_good, known.healthy_seconds, known.image) == (True, 50, "app:1")
    assert with_record(revision(6), None) == revision(6)
    assert replace(known, known_good=None, healthy_seconds=None, image="") == revision(6)
