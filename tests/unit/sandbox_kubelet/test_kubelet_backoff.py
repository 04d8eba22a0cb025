import pytest

from selfheal_sandbox.kubelet.backoff import Backoff, BackoffPolicy, in_words

POLICY = BackoffPolicy()


def delays(ends: list[float]) -> list[float]:
    """The delays after containers that ran this long."""
    state, found = Backoff(), []
    for ran_seconds in ends:
        state = state.after_failure(POLICY, ran_seconds)
        found.append(state.delay_seconds)
    return found


def test_first_failure_restarts_at_once_then_delays_double_up_to_five_minutes() -> None:
    assert delays([0.0] * 9) == [0, 10, 20, 40, 80, 160, 300, 300, 300]


def test_ten_minutes_of_running_start_over() -> None:
    assert delays([1, 1, 1, 600, 1]) == [0, 10, 20, 0, 10]


def test_just_under_ten_minutes_of_running_does_not_start_over() -> None:
    assert delays([1, 1, 599.9]) == [0, 10, 20]


def test_speed_divides_every_number() -> None:
    assert BackoffPolicy().at_speed(10) == BackoffPolicy(1.0, 30.0, 60.0)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(10, "10s"), (2.5, "2.5s"), (160, "2m40s"), (300, "5m0s"), (0.1, "100ms"), (1.25, "1.25s")],
)
def test_durations_are_worded_as_go_prints_them(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
