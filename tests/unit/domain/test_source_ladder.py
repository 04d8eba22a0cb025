"""When error rates come from the better source, and when from the plain one."""

from selfheal_core.domain.source_ladder import Ladder, answered, failed

NOW = 1_000.0
EVERY = 15.0


def on_top() -> Ladder:
    return answered(Ladder(), NOW, NOW)


def test_the_first_answer_decides_at_once() -> None:
    assert on_top().on_top
    assert failed(Ladder(), "refused", EVERY, NOW).fallen


def test_one_failure_is_no_reason_to_change() -> None:
    ladder = failed(on_top(), "late", EVERY, NOW + 15)
    assert ladder.on_top
    assert (ladder.failures, ladder.reason) == (1, "late")


def test_falls_at_the_second_failure_and_remembers_since_when() -> None:
    ladder = failed(failed(on_top(), "late", EVERY, NOW + 15), "refused", EVERY, NOW + 29)
    assert ladder.fallen
    assert (ladder.since, ladder.fresh_at, ladder.reason) == (NOW + 29, NOW, "refused")


def test_falls_at_once_where_the_data_is_older_than_two_intervals() -> None:
    assert failed(on_top(), "late", EVERY, NOW + 30).on_top
    assert failed(on_top(), "late", EVERY, NOW + 31).fallen


def test_failures_that_are_not_in_a_row_do_not_add_up() -> None:
    ladder = on_top()
    for step in range(1, 10):
        at = NOW + 15 * step
        ladder = failed(ladder, "late", EVERY, at) if step % 2 else answered(ladder, at, at)
        assert ladder.on_top


def test_comes_back_after_two_answers_in_a_row() -> None:
    fallen = failed(failed(on_top(), "late", EVERY, NOW + 15), "late", EVERY, NOW + 29)
    once = answered(fallen, NOW + 45, NOW + 45)
    assert once.fallen
    assert failed(once, "late", EVERY, NOW + 60).answers == 0
    twice = answered(once, NOW + 60, NOW + 60)
    assert (twice.on_top, twice.since, twice.reason) == (True, NOW + 60, "")
