"""Rollback: takes a Helm release back to an explicit revision, and says whether that helped."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import NamedTuple

from selfheal_core.cluster.helm.client import HelmError
from selfheal_core.domain.snapshot import Application, Snapshot
from selfheal_core.domain.words import ratio
from selfheal_core.errors import SelfhealError
from selfheal_core.ops.action import Control, Step, World, application_in, refusal, situation
from selfheal_core.ops.manifest_diff import Objects, image_in, parse_manifest, summary, unified
from selfheal_core.ops.operation import Impact, Preview, Target
from selfheal_core.ops.rollback_plan import Plan, choices, keeps, make_plan, precondition, revision_words
from selfheal_core.ops.verify import Look, rollout_progress, settled, verify

TIMEOUT_SECONDS = 300.0
ERRORS_WAIT_SECONDS = 90.0
"""After the pods are ready, errors are waited for this long; then the pods alone decide."""
BETTER = 0.5
"""Errors count as recovered below this share of what they were, or below ``GOOD_RATIO``."""
GOOD_RATIO = 0.01
HELM_WITH_DRY_RUN = 4
"""Helm 3 can't dry-run a rollback on the server."""


class Rollback:
    """The verb."""

    parameters = frozenset({"revision", "track"})

    async def preview(self, world: World, target: Target, parameters: Mapping[str, str]) -> Preview:
        """Say from which revision to which, what that changes, and how the application is now."""
        now = world.clock()
        application = world.application(target)
        if application is None:
            why = f"there is no application {target.application} in {target.namespace}"
            return refusal("rollback", target, Impact.ONE_APPLICATION, why, now)
        plan = make_plan(application, parameters, now)
        if isinstance(plan, str):
            return refusal("rollback", target, Impact.ONE_APPLICATION, plan, now)
        release, number = plan.track.release, plan.chosen.revision.number
        manifests, dry_run = await asyncio.gather(_manifests(world, plan), _dry_run(world, plan))
        return Preview(
            verb="rollback",
            target=target,
            impact=Impact.ONE_APPLICATION,
            title=f"Roll back {target.name} in {target.namespace}{f' on {world.context}' if world.context else ''}",
            lines=(
                ("from", revision_words(plan.newest, image_in(manifests.before), now)),
                ("to", revision_words(plan.chosen.revision, image_in(manifests.after), now)),
                ("changes", manifests.unknown or summary(manifests.before, manifests.after)),
                ("keeps", keeps(application)),
                ("now", situation(application)),
                ("dry run", dry_run),
                ("runs in", "this program: keep it open until helm has ended"),
            ),
            same_as=f"helm rollback {release} {number} -n {target.namespace} --wait --timeout 5m",
            precondition=precondition(plan),
            confirm_word=target.application,
            parameters={"revision": str(number), "track": plan.track.name},
            choices={"revision": choices(plan.targets)},
            diff=unified(manifests.before, manifests.after, f"revision {plan.newest.number}", f"revision {number}"),
            computed_at=now,
        )

    def lease_subject(self, preview: Preview) -> str:
        """The release."""
        return preview.precondition["release"]

    async def perform(self, world: World, preview: Preview, control: Control) -> AsyncGenerator[Step, None]:
        """Run helm, then watch pods and errors."""
        started_at = world.clock()
        release, number = preview.precondition["release"], int(preview.parameters["revision"])
        history = f"helm history {release} -n {preview.target.namespace}"
        application = world.application(preview.target)
        helm = await world.helm()
        control.check()
        yield Step("running", f"helm rolls {release} back to revision {number}")
        control.check()
        rolling = asyncio.create_task(
            helm.rollback(release, preview.target.namespace, number, wait=True, timeout_seconds=TIMEOUT_SECONDS)
        )
        try:
            async with aclosing(_while_rolling(world, preview, rolling)) as steps:
                async for step in steps:
                    yield step
            await rolling
        except HelmError as error:
            yield Step("failed", error.what, error.next_step or history)
            return
        finally:
            rolling.cancel()
            await asyncio.gather(rolling, return_exceptions=True)
        goal = _Goal(world, preview, application)
        next_step = f"read the logs, or choose another revision: {history}"
        async with aclosing(verify(world, control, goal, started_at=started_at, next_step=next_step)) as steps:
            async for step in steps:
                yield step


class _Goal:
    """Recovered: all pods of the newest revision are ready, and errors fell if they were known and bad."""

    def __init__(self, world: World, preview: Preview, before: Application | None) -> None:
        self._world = world
        self._preview = preview
        errors = before.errors if before is not None else None
        self._ratio_before = errors.ratio if errors is not None else None
        self._ready_at: float | None = None

    def __call__(self, snapshot: Snapshot) -> Look:
        application = application_in(snapshot, self._preview.target)
        track = application.track(self._preview.parameters["track"]) if application is not None else None
        if application is None or track is None:
            return Look(False, f"{self._preview.target.name} is not seen any more")
        if track.revision is None or track.revision <= int(self._preview.precondition["newest revision"]):
            return Look(False, f"waiting to see the new revision; {rollout_progress(application, track)}")
        if not settled(application, track):
            self._ready_at = None
            return Look(False, rollout_progress(application, track))
        if self._ready_at is None:
            self._ready_at = self._world.clock()
        return self._errors(application, f"{track.ready} of {track.desired} ready on revision {track.revision}")

    def _errors(self, application: Application, ready: str) -> Look:
        """Compare errors measured wholly after the pods were ready with those before."""
        before = self._ratio_before
        if before is None or before < GOOD_RATIO or self._ready_at is None:
            return Look(True, ready)
        errors = application.errors
        fresh = errors is not None and errors.measured_at - errors.window_seconds >= self._ready_at
        if errors is None or not fresh or errors.ratio is None:
            if self._world.clock() - self._ready_at >= ERRORS_WAIT_SECONDS:
                return Look(True, f"{ready}; errors not known since (they were {ratio(before)})")
            return Look(False, f"{ready}; waiting for a fresh error rate (it was {ratio(before)})")
        change = f"errors {ratio(before)} -> {ratio(errors.ratio)} over {errors.window_seconds:.0f}s"
        better = errors.ratio < GOOD_RATIO or errors.ratio <= before * BETTER
        return Look(better, f"{ready}; {change}")


class _Manifests(NamedTuple):
    """What the newest and the chosen revision install; ``unknown`` says why that can't be told."""

    before: Objects
    after: Objects
    unknown: str = ""


async def _manifests(world: World, plan: Plan) -> _Manifests:
    numbers = (plan.newest.number, plan.chosen.revision.number)
    try:
        before, after = await asyncio.gather(*(_manifest(world, plan, number) for number in numbers))
        return _Manifests(parse_manifest(before), parse_manifest(after))
    except (SelfhealError, ValueError) as error:
        return _Manifests({}, {}, f"not known: {error}")


async def _manifest(world: World, plan: Plan, number: int) -> str:
    return (await world.release_body(plan.track.release, plan.newest.namespace, number)).manifest


async def _dry_run(world: World, plan: Plan) -> str:
    if world.read_only:
        return "not asked for: this console is read-only"
    try:
        helm = await world.helm()
        if int(helm.version.lstrip("v").partition(".")[0]) < HELM_WITH_DRY_RUN:
            return "not available with Helm 3"
        await helm.rollback(
            plan.track.release,
            plan.newest.namespace,
            plan.chosen.revision.number,
            wait=False,
            dry_run=True,
            timeout_seconds=30,
        )
    except SelfhealError as error:
        return f"refused: {error.what}"
    return "accepted by the server"


async def _while_rolling(world: World, preview: Preview, rolling: "asyncio.Task[None]") -> AsyncGenerator[Step, None]:
    """Say how far the pods are while helm works."""
    said = ""
    while not rolling.done():
        await asyncio.wait({rolling}, timeout=1.0)
        application = world.application(preview.target)
        track = application.track(preview.parameters["track"]) if application is not None else None
        if application is None or track is None or rolling.done():
            continue
        text = rollout_progress(application, track)
        if text != said:
            said = text
            yield Step("running", text)
