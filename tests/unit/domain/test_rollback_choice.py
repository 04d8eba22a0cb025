"""Which revision a release is taken back to."""

from selfheal_core.domain.rollback import choose_target, known_good_words
from tests.unit.domain.builders import NOW, revision


def numbers(*revisions: object, current: int | None = 7) -> list[int]:
    return [target.revision.number for target in choose_target(revisions, current, NOW)]  # type: ignore[arg-type]


def test_known_good_comes_before_newer_revisions_of_which_nothing_is_known() -> None:
    history = (revision(7, "deployed"), revision(6), revision(5, known_good=True), revision(4, known_good=True))
    assert numbers(*history) == [5, 4, 6]


def test_never_offers_pending_failed_or_uninstalled_revisions() -> None:
    statuses = ("failed", "pending-upgrade", "pending-install", "pending-rollback", "uninstalled", "unknown")
    history = [revision(number, status) for number, status in enumerate(statuses, start=1)]
    assert numbers(revision(7, "deployed"), *history) == []


def test_the_revision_before_a_failed_upgrade_is_the_deployed_one() -> None:
    assert numbers(revision(7, "failed"), revision(6, "deployed"), revision(5)) == [6, 5]


def test_recommends_exactly_one_and_says_why() -> None:
    history = (revision(6, known_good=True, healthy_seconds=259_200.0, image="app:2.2.4"), revision(5))
    first, second = choose_target(history, 7, NOW)
    assert (first.recommended, second.recommended) == (True, False)
    assert first.sentence == "revision 6, app:2.2.4, deployed 4h ago: known good, healthy for 3d"
    assert second.sentence == "revision 5, deployed 5h ago: never observed healthy"


def test_never_recommends_what_was_observed_unhealthy() -> None:
    history = (revision(6, known_good=False), revision(5))
    assert [(target.revision.number, target.recommended) for target in choose_target(history, 7, NOW)] == [
        (5, True),
        (6, False),
    ]
    assert not choose_target(history[:1], 7, NOW)[0].recommended


def test_a_later_revision_is_a_way_only_if_known_good() -> None:
    assert numbers(revision(9), revision(8, known_good=True), revision(6), current=7) == [8, 6]


def test_any_carried_out_revision_will_do_when_the_current_one_is_unknown() -> None:
    assert numbers(revision(2), revision(1), current=None) == [2, 1]


def test_words_for_what_was_observed() -> None:
    assert known_good_words(revision(1, known_good=True)) == "known good"
    assert known_good_words(revision(1, known_good=False)) == "observed, and not healthy for long enough"
