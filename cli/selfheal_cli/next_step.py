"""The safe next step for an application, which may be to wait."""

from dataclasses import dataclass

from selfheal_cli import words
from selfheal_core.domain.rollback import RollbackTarget, choose_target
from selfheal_core.domain.snapshot import Application, Revision, Track

CHANGE_BEFORE_SECONDS = 1_800.0
"""A trouble that began within half an hour of a new revision is laid to it; slow leaks show later than that."""
CLOCK_SKEW_SECONDS = 30.0
"""Release labels and container states are stamped by different machines."""
LATELY_SECONDS = 600.0
"""Ten minutes without a restart are also after what the kubelet forgets its restart back-off."""
PENDING = frozenset({"pending-install", "pending-upgrade", "pending-rollback"})
BROKEN = frozenset({"crash loop", "image error", "config error", "down", "unready", "degraded"})


@dataclass(frozen=True, slots=True)
class NextStep:
    """What to press, or "" for wait; and why."""

    key: str
    sentence: str


@dataclass(frozen=True, slots=True)
class ReleaseChange:
    """The running revision of a release, the one before it, and where it could go back to."""

    current: Revision
    before: Revision | None
    target: RollbackTarget | None


def troubled_track(app: Application) -> Track | None:
    """The track that matters: one that is not fully ready before one that is, stable before canary."""
    tracks = sorted(app.tracks, key=lambda track: (track.ready >= (track.desired or 0), track.name != "stable"))
    return tracks[0] if tracks else None


def release_change(app: Application, now: float) -> ReleaseChange | None:
    """What the release of the troubled track was changed from and to; None without a release.

    A revision that Helm is putting in place, or left half done, counts as the change: its pods may run already.
    """
    track = troubled_track(app)
    if track is None or not track.release or track.revision is None:
        return None
    revisions = [revision for revision in app.revisions if revision.release == track.release]
    pending = max((revision.number for revision in revisions if revision.status in PENDING), default=0)
    number = max(track.revision, pending)
    current = next((revision for revision in revisions if revision.number == number), None)
    if current is None:
        return None
    older = [revision for revision in revisions if revision.number < current.number]
    targets = choose_target(revisions, current.number, now)
    best = next((target for target in targets if target.recommended), None)
    return ReleaseChange(current, max(older, key=lambda revision: revision.number, default=None), best)


def changed_just_before(app: Application, change: ReleaseChange | None) -> bool:
    """Whether the trouble began soon after the running revision was deployed."""
    if change is None or change.current.deployed_at is None or app.since is None:
        return False
    return -CLOCK_SKEW_SECONDS <= app.since - change.current.deployed_at <= CHANGE_BEFORE_SECONDS


def next_step(app: Application, now: float) -> NextStep:
    """Choose the step that costs least and helps most likely.

    A release that broke soon after it was deployed goes back to one that was seen healthy; anything else is looked at
    first. Nothing is suggested on data that is not there.
    """
    if app.state == "no data":
        return NextStep("", "wait: nothing is known of it now, and nothing should be done on a guess")
    if app.desired == 0 and not app.ready:
        return NextStep("", "nothing to do while it is meant to be off; kubectl scale starts it")
    if app.state in BROKEN:
        return _for_broken(app, now)
    if app.state == "rolling out" and restarted_since_the_change(app, now):
        return NextStep("p", "read what the last run logged: a container restarted since the rollout began")
    if app.state in ("rolling out", "scaling"):
        return NextStep("", f"wait: it is {app.state}; {app.ready} of {app.desired or '?'} are ready")
    if app.state == "pending":
        return NextStep("d", "describe: see why the scheduler finds no place for it")
    if app.state == "canary":
        return NextStep("", "wait: a canary is being compared with stable")
    if app.severity == "ok" and restarted_lately(app, now):
        return NextStep("p", "read what the last run logged before it ended; it runs again")
    return NextStep("", "nothing to do")


def restarted_lately(app: Application, now: float) -> bool:
    """Whether a container restarted so lately that an application that runs again still deserves a look."""
    return app.last_restart_at is not None and now - app.last_restart_at < LATELY_SECONDS


def restarted_since_the_change(app: Application, now: float) -> bool:
    """Whether a container ended after the running revision was deployed: the first crash of what becomes a loop."""
    change = release_change(app, now)
    began = change.current.deployed_at if change is not None and change.current.deployed_at else app.since
    return app.last_restart_at is not None and began is not None and app.last_restart_at > began


def _words_of(revision: Revision) -> str:
    tag = revision.image.rpartition("/")[2].rpartition(":")[2]
    return f"revision {revision.number} ({f'{tag}, ' if tag else ''}{words.known_good(revision)})"


def _is_to_blame(app: Application, change: ReleaseChange, target: Revision) -> bool:
    """Whether the release broke soon after a change, and going back would change something.

    A revision that was seen healthy itself and runs the same image as the target is not what broke.
    """
    same = change.current.known_good is True and change.current.image == target.image
    return changed_just_before(app, change) and not same


def _for_broken(app: Application, now: float) -> NextStep:
    change = release_change(app, now)
    if change is not None and change.target is not None and _is_to_blame(app, change, change.target.revision):
        return NextStep("R", f"roll back to {_words_of(change.target.revision)}")
    if app.state == "unready":
        return NextStep("l", "read the logs: see why the probe fails")
    if app.state == "degraded" and app.desired is not None and app.ready >= app.desired:
        return NextStep("l", "read the logs: see why requests fail")
    if app.state in ("crash loop", "degraded", "down") and app.restarts:
        return NextStep("p", "read what the last run logged before it ended")
    if app.state in ("image error", "config error"):
        return NextStep("d", "describe: see what the kubelet says")
    return NextStep("enter", "look at its pods")
