"""Which of two sources of error rates to use: a better one that may be lost, and a plain one that is always there.

Pure. It falls back at the second failure in a row, or once what the better source said last is older than two of its
intervals; it comes back after two good answers, so that a source that comes and goes does not make figures jump. The
first answer of all decides at once.
"""

from dataclasses import dataclass, replace

FAILURES_TO_FALL = 2
ANSWERS_TO_RETURN = 2
INTERVALS_TO_FALL = 2


@dataclass(frozen=True, slots=True)
class Ladder:
    """Where we stand.

    Attributes:
        on_top: Whether the better source is used; None until it was asked.
        since: When that began.
        failures: Failures in a row.
        answers: Good answers in a row.
        fresh_at: Time of the newest sample that the better source gave; None before the first.
        reason: Why the last question failed; "" if it did not.
    """

    on_top: bool | None = None
    since: float = 0.0
    failures: int = 0
    answers: int = 0
    fresh_at: float | None = None
    reason: str = ""

    @property
    def fallen(self) -> bool:
        """Whether the better source was asked and is not used."""
        return self.on_top is False


def answered(ladder: Ladder, fresh_at: float, now: float) -> Ladder:
    """The better source gave figures.

    Args:
        ladder: Where we stood.
        fresh_at: Time of its newest sample.
        now: Seconds since the epoch.
    """
    count = ladder.answers + 1
    known = replace(ladder, failures=0, answers=count, fresh_at=fresh_at, reason="")
    enough = ladder.on_top is not False or count >= ANSWERS_TO_RETURN
    return _stand(known, now, on_top=enough)


def failed(ladder: Ladder, reason: str, interval_seconds: float, now: float) -> Ladder:
    """The better source gave no figures, or too old ones.

    Args:
        ladder: Where we stood.
        reason: Why.
        interval_seconds: How often it has news: the longer of its own interval and ours.
        now: Seconds since the epoch.
    """
    count = ladder.failures + 1
    known = replace(ladder, failures=count, answers=0, reason=reason)
    too_old = ladder.fresh_at is None or now - ladder.fresh_at > INTERVALS_TO_FALL * interval_seconds
    return _stand(known, now, on_top=ladder.on_top is True and count < FAILURES_TO_FALL and not too_old)


def _stand(ladder: Ladder, now: float, *, on_top: bool) -> Ladder:
    return ladder if ladder.on_top is on_top else replace(ladder, on_top=on_top, since=now)
