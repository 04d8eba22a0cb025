"""Restart: replaces a workload's pods one by one, as ``kubectl rollout restart`` does, and watches it succeed."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from selfheal_core.cluster.kubernetes.api_errors import ApiError
from selfheal_core.cluster.kubernetes.client import PatchType
from selfheal_core.cluster.kubernetes.paths import path
from selfheal_core.cluster.kubernetes.requests import restart_patch
from selfheal_core.domain.snapshot import Application, OwnerKey, Snapshot, Track
from selfheal_core.ops.action import Control, Step, World, application_in, pick_track, refusal, situation
from selfheal_core.ops.operation import Impact, Preview, Target
from selfheal_core.ops.verify import Look, rollout_progress, settled, verify

PLURALS: Mapping[str, str] = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
"""Kinds that can be restarted."""
SPARE_READY = 3
"""With at least this many ready pods a restart costs no capacity worth asking twice about."""


class Restart:
    """The verb."""

    parameters = frozenset({"track"})

    async def preview(self, world: World, target: Target, parameters: Mapping[str, str]) -> Preview:
        """Say what would be restarted."""
        now = world.clock()
        application = world.application(target)
        if application is None:
            why = f"there is no application {target.application} in {target.namespace}"
            return refusal("restart", target, Impact.ONE_APPLICATION, why, now)
        track = pick_track(application, parameters)
        why = _impossible(track, target)
        if why or track is None or track.workload is None:
            return refusal("restart", target, Impact.ONE_APPLICATION, why, now)
        owner = track.workload
        impact = Impact.UNDOABLE if application.ready >= SPARE_READY else Impact.ONE_APPLICATION
        return Preview(
            verb="restart",
            target=target,
            impact=impact,
            title=f"Restart {target.name} in {target.namespace}{f' on {world.context}' if world.context else ''}",
            lines=(
                ("workload", f"{owner.kind} {owner.name}, {track.image or 'image unknown'}"),
                ("does", f"replaces {_pods(track.desired)} of the same version"),
                ("now", situation(application)),
                ("dry run", await _dry_run(world, owner)),
                ("runs in", "the cluster; it goes on if this connection drops"),
            ),
            same_as=f"kubectl rollout restart {_name(owner)} -n {owner.namespace}",
            precondition={
                "release": track.release,
                "workload": owner.uid,
                "image": track.image,
                "wanted pods": str(track.desired),
            },
            confirm_word=target.application if impact is Impact.ONE_APPLICATION else "",
            parameters={"track": track.name},
            computed_at=now,
        )

    def lease_subject(self, preview: Preview) -> str:
        """The release's, so that a restart and a rollback exclude each other; without one the application's."""
        return preview.precondition["release"] or preview.target.application

    async def perform(self, world: World, preview: Preview, control: Control) -> AsyncGenerator[Step, None]:
        """Change the template's restart annotation, then wait until every pod is new and ready."""
        started_at = world.clock()
        application = world.application(preview.target)
        track = _track(application, preview)
        if track is None or track.workload is None:
            yield Step("refused", f"{preview.target.name} is gone")
            return
        owner = track.workload
        control.check()
        yield Step("running", f"restarting {owner.kind} {owner.name}")
        control.check()
        generation = await _restart(world, owner)

        def goal(snapshot: Snapshot) -> Look:
            return _look(world, snapshot, preview, owner, generation)

        next_step = f"see what holds it up: kubectl rollout status {_name(owner)} -n {owner.namespace}"
        async with aclosing(verify(world, control, goal, started_at=started_at, next_step=next_step)) as steps:
            async for step in steps:
                yield step


def _impossible(track: Track | None, target: Target) -> str:
    if track is None or track.workload is None:
        return f"no workload is known that makes the pods of {target.application}, so nothing can restart them"
    if track.workload.kind not in PLURALS:
        return f"a {track.workload.kind} can't be restarted this way"
    if track.paused:
        owner = track.workload
        return f"its rollout is paused; first: kubectl rollout resume {_name(owner)} -n {owner.namespace}"
    if track.desired == 0:
        return "it is scaled to 0 replicas, so there is nothing to restart"
    return ""


def _track(application: Application | None, preview: Preview) -> Track | None:
    return application.track(preview.parameters["track"]) if application is not None else None


def _name(owner: OwnerKey) -> str:
    return f"{owner.kind.lower()}/{owner.name}"


def _path(owner: OwnerKey) -> str:
    return path("apps/v1", PLURALS[owner.kind], namespace=owner.namespace, name=owner.name)


def _patch(owner: OwnerKey, now: float) -> dict[str, Any]:
    """The restart, for exactly this workload: another one of the same name has another uid and refuses it."""
    return {**restart_patch(now), "metadata": {"uid": owner.uid}}


async def _restart(world: World, owner: OwnerKey) -> int:
    """Send the change; gives the generation that it made."""
    patched = await world.client.patch(_path(owner), _patch(owner, world.clock()), PatchType.STRATEGIC)
    return int(patched["metadata"]["generation"])


def _pods(count: int | None) -> str:
    if count == 1:
        return "its one pod with a fresh one"
    return f"its {'' if count is None else f'{count} '}pods one by one with fresh ones"


async def _dry_run(world: World, owner: OwnerKey) -> str:
    if world.read_only:
        return "not asked for: this console is read-only"
    try:
        await world.client.patch(_path(owner), _patch(owner, world.clock()), PatchType.STRATEGIC, dry_run=True)
    except ApiError as error:
        return f"refused by the server: {error.what}"
    return "accepted by the server"


def _look(world: World, snapshot: Snapshot, preview: Preview, owner: OwnerKey, generation: int) -> Look:
    application = application_in(snapshot, preview.target)
    track = _track(application, preview)
    if application is None or track is None:
        return Look(False, f"{preview.target.name} is not seen any more")
    workload = world.observer.workload(owner)
    if workload is None or workload.status.observed_generation < generation:
        return Look(False, "waiting for its controller to see the change")
    return Look(settled(application, track), rollout_progress(application, track))
