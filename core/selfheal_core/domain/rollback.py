"""To which revision a release should go back, and why: always an explicit number, known good first."""

from collections.abc import Sequence
from dataclasses import dataclass

from selfheal_core.domain.snapshot import Revision
from selfheal_core.domain.times import ago, duration

_USABLE = frozenset({"deployed", "superseded"})
"""Helm statuses of revisions that were once carried out completely; pending, failed and uninstalled ones never are."""


@dataclass(frozen=True, slots=True)
class RollbackTarget:
    """A revision that a release can go back to.

    Attributes:
        sentence: What is known of it, for the line that helps to choose.
        recommended: At most one target is.
    """

    revision: Revision
    sentence: str
    recommended: bool = False


def choose_target(revisions: Sequence[Revision], current: int | None, now: float) -> tuple[RollbackTarget, ...]:
    """List the revisions of one release that it can be rolled back to, the best first.

    Order: known good ones, newest first; then those never observed; last those that were observed and were not
    healthy. The first is recommended unless it was observed unhealthy. ``superseded`` alone proves nothing: Helm gives
    it to revisions that never worked as well.

    Args:
        revisions: Of one release, in any order.
        current: The revision that runs now; it and later ones that were never known good are no way back.
        now: Seconds since the epoch.
    """
    usable = [
        revision
        for revision in revisions
        if revision.status in _USABLE
        and revision.number != current
        and (current is None or revision.number < current or revision.known_good)
    ]
    usable.sort(key=lambda revision: (_rank(revision), revision.number), reverse=True)
    return tuple(
        RollbackTarget(revision, _sentence(revision, now), position == 0 and revision.known_good is not False)
        for position, revision in enumerate(usable)
    )


def _rank(revision: Revision) -> int:
    if revision.known_good:
        return 2
    return 1 if revision.known_good is None else 0


def _sentence(revision: Revision, now: float) -> str:
    deployed = "" if revision.deployed_at is None else f", deployed {ago(now - revision.deployed_at)} ago"
    image = f", {revision.image}" if revision.image else ""
    return f"revision {revision.number}{image}{deployed}: {known_good_words(revision)}"


def known_good_words(revision: Revision) -> str:
    """Say what was observed of a revision: ``known good, healthy for 3d`` or that nothing was."""
    if revision.known_good is None:
        return "never observed healthy"
    if not revision.known_good:
        return "observed, and not healthy for long enough"
    if revision.healthy_seconds is None:
        return "known good"
    return f"known good, healthy for {duration(revision.healthy_seconds)}"
