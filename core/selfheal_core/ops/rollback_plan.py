"""What a rollback would do, worked out from what is known; nothing here asks the cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selfheal_core.domain.rollback import RollbackTarget, choose_target, known_good_words
from selfheal_core.domain.snapshot import Application, Revision, Track
from selfheal_core.domain.times import ago
from selfheal_core.errors import BadUsage
from selfheal_core.ops.action import pick_track
from selfheal_core.ops.operation import Choice


@dataclass(frozen=True, slots=True)
class Plan:
    """A rollback that can be done."""

    application: Application
    track: Track
    newest: Revision
    targets: tuple[RollbackTarget, ...]
    chosen: RollbackTarget


def make_plan(application: Application, parameters: Mapping[str, str], now: float) -> Plan | str:
    """Work out what to do, or why nothing can be done.

    Args:
        application: As it is now.
        parameters: ``revision`` and ``track``, each if the operator named one.
        now: Seconds since the epoch.

    Raises:
        BadUsage: The revision or the track does not exist.
    """
    track = pick_track(application, parameters)
    if track is None or track.workload is None:
        return f"no workload of {application.key.name} is known"
    if not track.release:
        owner = track.workload
        undo = f"kubectl rollout undo {owner.kind.lower()}/{owner.name} -n {owner.namespace}"
        return (
            f"{owner.kind} {owner.name} was not installed by Helm, so there is no release to roll back; by hand: {undo}"
        )
    revisions = sorted(
        (revision for revision in application.revisions if revision.release == track.release),
        key=lambda revision: -revision.number,
    )
    if not revisions:
        return (
            f"the history of release {track.release} is not known: reading it takes the right to list secrets; "
            f"check with: kubectl auth can-i list secrets -n {application.key.namespace}"
        )
    newest = revisions[0]
    targets = choose_target(revisions, newest.number, now)
    _check_wish(track.release, revisions, targets, parameters)
    if not targets:
        return f"release {track.release} has no earlier revision that was carried out; the newest is {newest.number}"
    return _chosen(Plan(application, track, newest, targets, targets[0]), parameters, revisions)


def _check_wish(
    release: str, revisions: Sequence[Revision], targets: Sequence[RollbackTarget], parameters: Mapping[str, str]
) -> None:
    """Refuse a revision that the release does not have.

    Raises:
        BadUsage: It is no number, or there is no such revision.
    """
    wish = parameters.get("revision")
    if wish is None:
        return
    possible = ", ".join(str(target.revision.number) for target in targets)
    next_step = f"possible: {possible}" if possible else f"the newest is {revisions[0].number}, and none is before it"
    if not wish.isdecimal():
        raise BadUsage(f"'{wish}' is no revision number", next_step)
    if int(wish) not in {revision.number for revision in revisions}:
        raise BadUsage(f"release {release} has no revision {wish}", next_step)


def _chosen(plan: Plan, parameters: Mapping[str, str], revisions: Sequence[Revision]) -> Plan | str:
    """The plan with the revision that the operator named, or why it can't be that one."""
    wish = parameters.get("revision")
    if wish is None:
        return plan
    for target in plan.targets:
        if target.revision.number == int(wish):
            return Plan(plan.application, plan.track, plan.newest, plan.targets, target)
    known = next(revision for revision in revisions if revision.number == int(wish))
    if known.number == plan.newest.number:
        return f"revision {wish} is the newest one already"
    possible = ", ".join(str(target.revision.number) for target in plan.targets)
    return f"revision {wish} is {known.status}: it was never carried out completely; possible: {possible}"


def choices(targets: Sequence[RollbackTarget]) -> tuple[Choice, ...]:
    """The revisions that the operator can choose from, the best first."""
    return tuple(Choice(str(target.revision.number), target.sentence, target.recommended) for target in targets)


def precondition(plan: Plan) -> dict[str, str]:
    """Facts that must still hold; readiness counts as broken or not, since a crashing pod flickers."""
    return {
        "release": plan.track.release,
        "newest revision": str(plan.newest.number),
        "its status": plan.newest.status,
        "target": f"revision {plan.chosen.revision.number} ({plan.chosen.revision.secret_uid})",
        "workload": plan.track.workload.uid if plan.track.workload is not None else "",
        "health": "healthy" if plan.application.severity == "ok" else "not healthy",
    }


def revision_words(revision: Revision, image: str, now: float) -> str:
    """A revision on one line: number, image, age, and what was observed of it."""
    shown = revision.image or image
    shown = f"  {shown}" if shown else ""
    deployed = f"  deployed {ago(now - revision.deployed_at)} ago" if revision.deployed_at is not None else ""
    status = "" if revision.status in ("deployed", "superseded") else f"  {revision.status}"
    return f"revision {revision.number}{shown}{deployed}{status}  {known_good_words(revision)}"


def keeps(application: Application) -> str:
    """What a rollback leaves as it is."""
    scaler = application.autoscaler
    replicas = f"replicas (HPA holds {scaler.desired_replicas}), " if scaler is not None else ""
    return f"{replicas}volumes, CRDs, and whatever hooks or migrations did"
