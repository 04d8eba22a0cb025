"""Waits between attempts."""

from itertools import pairwise

from selfheal_core.cluster.kubernetes.backoff import JITTER, Backoff, Pacing


def test_waits_double_up_to_the_ceiling() -> None:
    backoff = Backoff(Pacing(first_seconds=1, ceiling_seconds=30), random=lambda: 0.0)
    assert [backoff.delay() for _ in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]


def test_jitter_makes_waits_longer_and_never_shorter() -> None:
    pacing = Pacing(first_seconds=2)
    assert Backoff(pacing, random=lambda: 0.0).delay() == 2
    assert Backoff(pacing, random=lambda: 1.0).delay() == 2 * (1 + JITTER)


def test_never_undercuts_what_the_server_asks() -> None:
    assert Backoff(Pacing(), random=lambda: 0.0).delay(5) == 5
    assert Backoff(Pacing(), random=lambda: 1.0).delay(5) == 5.5


def test_a_stream_that_had_lived_is_reopened_soon_and_only_once() -> None:
    backoff = Backoff(Pacing(reopen_seconds=0.2, first_seconds=1), random=lambda: 0.0)
    for _ in range(6):
        backoff.delay()
    backoff.reset()
    assert [backoff.delay() for _ in range(3)] == [0.2, 1, 2]


def test_a_server_that_fails_everything_gets_a_request_a_second_at_most_then_one_in_30_s() -> None:
    backoff = Backoff(Pacing(), random=lambda: 0.0)
    now, attempts = 0.0, [0.0]
    while now < 600:
        now += backoff.delay()
        attempts.append(now)
    pauses = [later - earlier for earlier, later in pairwise(attempts)]
    assert min(pauses) >= 1.0
    assert min(pauses[5:]) >= 30.0
    assert len([at for at in attempts if at < 60]) <= 7
