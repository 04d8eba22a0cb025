"""The safe next step for an application: the one line that a tired operator reads last. It may be "wait"."""

from typing import NamedTuple

from selfheal_core.domain.rollback import RollbackTarget, choose_target
from selfheal_core.domain.snapshot import Application, Track

_BROKEN = frozenset({"crash loop", "image error", "config error", "down", "degraded"})
_UNDER_WAY = frozenset({"rolling out", "scaling", "canary"})


class Advice(NamedTuple):
    """What to do.

    Attributes:
        verb: Name of the verb in the registry; "" where the advice is to look or to wait.
        text: A clause, e.g. ``roll back to revision 6 (known good, healthy for 3d)``.
        revision: The verb's parameter ``revision``; "" for none.
    """

    verb: str
    text: str
    revision: str = ""


def next_step(application: Application, now: float) -> Advice:
    """Advise from what is known; never a change that nothing speaks for.

    Args:
        application: As it is now.
        now: Seconds since the epoch.
    """
    if application.state == "healthy":
        return Advice("", "nothing to do")
    if application.state == "no data":
        return Advice("", "wait for data; nothing can be said or changed before")
    if application.state in _UNDER_WAY and application.severity != "bad":
        return Advice("", f"wait: {application.reason}")
    if application.desired == 0:
        return Advice("", "nothing to do while it is scaled to 0 on purpose")
    if application.state == "pending":
        return Advice("", "describe the pending pod; a restart or a rollback gives it no node")
    if application.state in _BROKEN:
        return _way_back(application, now) or _look(application, now)
    return Advice("", "read the logs of the pods that are not ready, and wait for their readiness probe")


def _way_back(application: Application, now: float) -> Advice | None:
    """The rollback that is known to have worked, if there is one."""
    for track in application.tracks:
        if track.release:
            found = _known_good(application, track, now)
            if found is not None:
                return found
    return None


def _known_good(application: Application, track: Track, now: float) -> Advice | None:
    for target in _targets(application, track, now):
        if target.revision.known_good:
            return Advice("rollback", f"roll back to {target.sentence}", str(target.revision.number))
    return None


def _targets(application: Application, track: Track, now: float) -> tuple[RollbackTarget, ...]:
    revisions = [revision for revision in application.revisions if revision.release == track.release]
    newest = max((revision.number for revision in revisions), default=None)
    return choose_target(revisions, newest, now)


def _look(application: Application, now: float) -> Advice:
    found = (target for track in application.tracks if track.release for target in _targets(application, track, now))
    target = next(found, None)
    back = f"; to go back there is only {target.sentence}" if target is not None else ""
    if application.state == "image error":
        return Advice("", f"check the image's name, tag and registry; a restart pulls the same one again{back}")
    if application.state == "config error":
        return Advice("", f"check the ConfigMaps and Secrets that it names; a restart does not create them{back}")
    changed = f", and look at the last change ({application.change})" if application.change else ""
    return Advice("", f"read the previous logs{changed}{back}")
