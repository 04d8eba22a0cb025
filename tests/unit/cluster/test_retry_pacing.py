"""Waits between attempts."""

from selfheal_core.cluster.kubernetes.backoff import Backoff, Pacing


def test_waits_double_up_to_the_ceiling() -> None:
    backoff = Backoff(Pacing(first_seconds=0.2, ceiling_seconds=30), random=lambda: 1.0)
    waits = [backoff.delay() for _ in range(10)]
    assert waits[:4] == [0.2, 0.4, 0.8, 1.6]
    assert waits[-2:] == [30, 30]


def test_jitter_takes_up_to_half_away() -> None:
    pacing = Pacing(first_seconds=0.2)
    assert Backoff(pacing, random=lambda: 0.0).delay() == 0.1
    assert Backoff(pacing, random=lambda: 1.0).delay() == 0.2


def test_never_undercuts_what_the_server_asks() -> None:
    assert Backoff(Pacing(), random=lambda: 0.0).delay(5) == 5
    assert Backoff(Pacing(), random=lambda: 1.0).delay(5) == 5.5


def test_starts_over_after_a_reset() -> None:
    backoff = Backoff(Pacing(first_seconds=0.2), random=lambda: 1.0)
    for _ in range(6):
        backoff.delay()
    backoff.reset()
    assert backoff.delay() == 0.2
