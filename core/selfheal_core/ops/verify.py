"""Waits until the cluster shows that an operation helped, and says so, or says that it did not."""

from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple

from selfheal_core.domain.freshness import stale_reason
from selfheal_core.domain.snapshot import Application, Snapshot, Track
from selfheal_core.domain.times import duration
from selfheal_core.ops.action import Control, Step, World

LOOK_SECONDS = 1.0
FRESH_SECONDS = 120.0
SOURCES = ("pods", "deployments")


class Look(NamedTuple):
    """What one look at the cluster shows.

    Attributes:
        done: The goal is reached.
        text: How far it is, in words.
    """

    done: bool
    text: str


Goal = Callable[[Snapshot], Look]


async def verify(
    world: World, control: Control, goal: Goal, *, started_at: float, next_step: str
) -> AsyncGenerator[Step, None]:
    """Look until the goal is reached and lasts, or time is up; the last step is final.

    Args:
        world: Whose observer is asked.
        control: A request to stop ends the watching; what was written stays.
        goal: Judges a snapshot.
        started_at: When the operation began, for "in 1m14s".
        next_step: What to do if it is not reached.
    """
    deadline = world.clock() + world.verify_seconds
    said = ""
    held_since: float | None = None
    while True:
        look = _looked(world, goal)
        now = world.clock()
        held_since = (held_since or now) if look.done else None
        if held_since is not None and now - held_since >= world.steady_seconds:
            yield Step("recovered", f"RECOVERED in {duration(now - started_at)}: {look.text}")
            return
        if control.stopping:
            yield Step("cancelled", f"{control.stopping}; what was sent stays: {look.text}", next_step)
            return
        if now >= deadline and held_since is None:
            yield Step("not verified", f"NOT VERIFIED after {duration(now - started_at)}: {look.text}", next_step)
            return
        text = look.text if held_since is None else f"{look.text}; watching that it lasts"
        if text != said:
            said = text
            yield Step("verifying", text)
        due = deadline if held_since is None else held_since + world.steady_seconds
        await _until_it_differs(world, control, goal, look, min(LOOK_SECONDS, due - now))


def rollout_progress(application: Application, track: Track) -> str:
    """How far a rollout is: ``1 of 2 updated, 0 of 2 ready`` and what holds it up."""
    wanted = "?" if track.desired is None else str(track.desired)
    trouble = f"; {application.reason}" if application.severity in ("bad", "warn") else ""
    return f"{track.updated} of {wanted} updated, {track.ready} of {wanted} ready{trouble}"


def settled(application: Application, track: Track) -> bool:
    """Whether a track's rollout is complete: seen by its controller, all pods new and available, nothing broken."""
    if track.desired is None or not track.generation_observed or application.severity == "bad":
        return False
    complete = track.updated == track.desired and track.ready == track.desired and track.available == track.desired
    return complete and application.state not in ("rolling out", "pending", "no data")


def _looked(world: World, goal: Goal) -> Look:
    snapshot = world.observer.snapshot()
    stale = stale_reason(snapshot, SOURCES, FRESH_SECONDS, world.clock())
    return Look(False, f"nothing can be said: {stale}") if stale else goal(snapshot)


async def _until_it_differs(world: World, control: Control, goal: Goal, look: Look, seconds: float) -> None:
    try:
        await world.observer.wait_for(
            lambda _: bool(control.stopping) or _looked(world, goal) != look, max(0.05, seconds)
        )
    except TimeoutError:
        return
