"""How each fault is caused, and what is watched for until its layer has healed it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from types import MappingProxyType

from selfheal_core.cluster.kubernetes import paths
from selfheal_core.cluster.kubernetes.api_errors import NotFound, TooManyRequests
from selfheal_core.domain.applications import is_ready
from selfheal_core.domain.snapshot import Application, PodRow, Snapshot
from selfheal_core.domain.words import counted
from selfheal_core.errors import Refused, SelfhealError
from selfheal_core.files import chart
from selfheal_core.ops import faults
from selfheal_core.ops.action import Control, Step, World, application_in, pick_track
from selfheal_core.ops.eviction import replaced, siblings
from selfheal_core.ops.faults import Fault
from selfheal_core.ops.operation import Preview
from selfheal_core.ops.verify import Goal, Look, verify

UNREADY_SECONDS = 10.0
"""How long a pod stays unready: long enough to see it leave the Service."""
RETRY_SECONDS = 1.0
CRASH_LOOP_SECONDS = 240.0
"""Four restarts with back-offs of 10, 20 and 40 s between them, and as much again."""
DRAIN_SECONDS = 150.0
LEFT_TO_OTHERS = frozenset({"DaemonSet", "Node"})
"""Owners whose pods a drain leaves where they are."""
UPGRADE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What a run needs.

    Attributes:
        started_at: Seconds since the epoch.
    """

    world: World
    preview: Preview
    control: Control
    fault: Fault
    started_at: float

    @property
    def snapshot(self) -> Snapshot:
        """The present picture."""
        return self.world.observer.snapshot()

    @property
    def application(self) -> Application:
        """The application as it is now.

        Raises:
            Refused: It is gone.
        """
        application = application_in(self.snapshot, self.preview.target)
        if application is None:
            raise Refused(f"{self.preview.target.name} is gone")
        return application

    @property
    def pod(self) -> PodRow:
        """The pod that the preview named.

        Raises:
            Refused: It is gone.
        """
        row = self.snapshot.pods.get(self.preview.precondition["pod uid"])
        if row is None:
            raise Refused("the pod is gone")
        return row

    def pods(self) -> list[PodRow]:
        """The application's pods."""
        known = self.snapshot.pods
        return [known[uid] for uid in self.application.pods if uid in known]

    async def switch(self, row: PodRow, body: Mapping[str, object]) -> None:
        """Post the fault's switch to one pod.

        Raises:
            Refused: The pod has no such switch.
            ApiError: It does not answer.
        """
        where = paths.pod_proxy(row.namespace, row.name, faults.PRACTICE_PORT, self.fault.path)
        try:
            await self.world.client.create(where, dict(body))
        except NotFound as error:
            raise Refused(
                f"{row.name} has no practice switch {self.fault.path}",
                "choose app-a of the demo; its chart is installed with practice=true",
            ) from error

    def heal(self, goal: Goal, next_step: str) -> AsyncGenerator[Step, None]:
        """Watch until it is healed."""
        return verify(self.world, self.control, goal, started_at=self.started_at, next_step=next_step)


Run = Callable[[Scene], AsyncGenerator[Step, None]]


async def _restarted(scene: Scene) -> AsyncGenerator[Step, None]:
    """A crash or a hang: the same pod runs again with one more restart."""
    row = scene.pod
    scene.control.check()
    yield Step("running", f"{scene.fault.title}: {row.name}")
    await scene.switch(row, scene.fault.body)

    def goal(seen: Snapshot) -> Look:
        now = seen.pods.get(row.uid)
        if now is None:
            return Look(True, f"{row.name} is gone; something else replaced it")
        return restarted(row, now)

    async with aclosing(scene.heal(goal, f"see why: kubectl describe pod {row.name} -n {row.namespace}")) as steps:
        async for step in steps:
            yield step


def restarted(before: PodRow, now: PodRow) -> Look:
    """Whether a pod runs again with one more restart.

    Its state is not said then: a second restart within minutes reads as a crash loop, although this crash is healed.
    """
    since = f"{counted(now.restarts - before.restarts, 'restart')} since"
    if now.restarts > before.restarts and is_ready(now):
        return Look(True, f"{now.name} runs again and is ready, {since}")
    return Look(False, f"{now.name} is {now.state}, {since}: {now.reason}")


async def _unready(scene: Scene) -> AsyncGenerator[Step, None]:
    row = scene.pod
    scene.control.check()
    yield Step("running", f"{row.name} says that it is not ready")
    try:
        await scene.switch(row, scene.fault.body)
        await _wait_until(scene, lambda now: not _takes_requests(now, row), scene.fault.within_seconds)
        yield Step("verifying", f"{row.name} is not ready: it gets no requests, the other pods do")
        await _wait_until(scene, lambda now: row.uid not in now.pods, UNREADY_SECONDS)
    finally:
        with suppress(SelfhealError):
            await scene.switch(row, faults.READY_AGAIN)

    def goal(now: Snapshot) -> Look:
        back = _takes_requests(now, row)
        return Look(back or row.uid not in now.pods, f"{row.name} {'gets requests again' if back else 'is not ready'}")

    async with aclosing(scene.heal(goal, f"see why: kubectl describe pod {row.name} -n {row.namespace}")) as steps:
        async for step in steps:
            yield step


async def _crash_loop(scene: Scene) -> AsyncGenerator[Step, None]:
    row = scene.pod
    before = frozenset(siblings(scene.snapshot, row))
    async with aclosing(_crashes(scene, row)) as crashes:
        async for step in crashes:
            yield step

    def goal(seen: Snapshot) -> Look:
        now = seen.pods.get(row.uid)
        if now is not None and now.state != "terminating":
            return Look(False, f"{row.name} has {now.restarts} restarts; waiting for healerd to evict it")
        return replaced(seen, row, before)

    next_step = "press x on the pod: it says what healerd would do, and why not"
    async with aclosing(scene.heal(goal, next_step)) as steps:
        async for step in steps:
            yield step


async def _crashes(scene: Scene, row: PodRow) -> AsyncGenerator[Step, None]:
    """Crash a pod again each time it runs again, until healerd has its reason."""
    deadline = scene.world.clock() + CRASH_LOOP_SECONDS
    crashed_at_count = -1
    while scene.world.clock() < deadline:
        now = scene.snapshot.pods.get(row.uid)
        if now is None or now.state == "terminating" or now.worst_container_restarts >= faults.CRASHES:
            return
        scene.control.check()
        if now.worst_container_restarts > crashed_at_count and await _answered(scene, now):
            crashed_at_count = now.worst_container_restarts
            yield Step("running", f"crash {crashed_at_count + 1} of {faults.CRASHES} sent to {row.name}")
        await asyncio.sleep(RETRY_SECONDS)


async def _answered(scene: Scene, row: PodRow) -> bool:
    """Post the switch; False while the pod is between two runs and does not answer."""
    try:
        await scene.switch(row, scene.fault.body)
    except Refused:
        raise
    except SelfhealError:
        return False
    return True


async def _bad_release(scene: Scene) -> AsyncGenerator[Step, None]:
    release, namespace = scene.preview.precondition["release"], scene.preview.target.namespace
    helm = await scene.world.helm()
    values = await helm.get_values(release, namespace)
    image = values.get("image")
    bad = {**values, "image": {**(image if isinstance(image, dict) else {}), "tag": faults.BAD_TAG}}
    scene.control.check()
    yield Step("running", f"helm upgrades {release} to {faults.BAD_TAG}")
    revision = await helm.install_or_upgrade(
        release, namespace, chart("service"), bad, wait=False, timeout_seconds=UPGRADE_SECONDS
    )

    def goal(seen: Snapshot) -> Look:
        application = application_in(seen, scene.preview.target)
        now = pick_track(application, {}) if application is not None else None
        if application is None or now is None:
            return Look(False, f"{release} is not seen any more")
        newer = now.revision is not None and now.revision > revision
        ready = f"{application.ready} of {application.desired or 0} ready"
        text = f"revision {now.revision}: {application.state}, {ready}"
        return Look(newer and application.severity == "ok", text if newer else f"{text}; R rolls back")

    async with aclosing(scene.heal(goal, f"press R: it rolls {release} back")) as steps:
        async for step in steps:
            yield step


async def _cpu_peak(scene: Scene) -> AsyncGenerator[Step, None]:
    before = scene.application.desired or 0
    rows = [row for row in scene.pods() if is_ready(row)]
    scene.control.check()
    yield Step("running", f"{len(rows)} pods burn {faults.BURN_MILLICORES}m each")

    def goal(seen: Snapshot) -> Look:
        application = application_in(seen, scene.preview.target)
        if application is None:
            return Look(False, "it is not seen any more")
        wanted = application.desired or 0
        used = "no data" if application.cpu_percent is None else f"{application.cpu_percent}% of the request"
        text = f"{application.ready} of {wanted} ready, CPU {used}"
        return Look(wanted > before and application.ready >= wanted, text)

    try:
        for row in rows:
            scene.control.check()
            await scene.switch(row, scene.fault.body)
        next_step = f"see why: kubectl describe hpa -n {scene.preview.target.namespace}"
        async with aclosing(scene.heal(goal, next_step)) as steps:
            async for step in steps:
                yield step
    finally:
        for row in rows:
            with suppress(SelfhealError):
                await scene.switch(row, faults.BURN_NOTHING)


async def _drain(scene: Scene) -> AsyncGenerator[Step, None]:
    node = scene.preview.precondition["node"]
    scene.control.check()
    yield Step("running", f"node {node} takes no new pods; evicting those it has")
    try:
        await _cordon(scene, node, on=True)
        async with aclosing(_evict_all(scene, node)) as evictions:
            async for step in evictions:
                yield step
    finally:
        await _cordon(scene, node, on=False)

    def goal(seen: Snapshot) -> Look:
        application = application_in(seen, scene.preview.target)
        ready, wanted = (application.ready, application.desired or 0) if application is not None else (0, 1)
        return Look(ready >= wanted, f"node {node} is drained and open again; {ready} of {wanted} ready")

    async with aclosing(scene.heal(goal, f"see what is left: kubectl get pods -A -o wide | grep {node}")) as steps:
        async for step in steps:
            yield step


async def _evict_all(scene: Scene, node: str) -> AsyncGenerator[Step, None]:
    """Evict the node's pods, asking again where a disruption budget says wait."""
    deadline = scene.world.clock() + DRAIN_SECONDS
    said = ""
    while left := await _pods_on(scene, node):
        if scene.world.clock() > deadline:
            raise SelfhealError(
                f"node {node} still has {counted(len(left), 'pod')}", "their disruption budgets let none of them go"
            )
        held = ""
        for namespace, name, uid in left:
            scene.control.check()
            try:
                await scene.world.client.evict(namespace, name, uid=uid)
            except TooManyRequests:
                held = f"the disruption budget holds {name} until another pod is ready"
            except NotFound:
                continue
        text = held or f"{counted(len(left), 'pod')} still to go"
        if text != said:
            said = text
            yield Step("running", text)
        await asyncio.sleep(RETRY_SECONDS)


async def _pods_on(scene: Scene, node: str) -> list[tuple[str, str, str]]:
    """Namespace, name and uid of the pods on a node that a drain moves."""
    answer = await scene.world.client.get_json("/api/v1/pods", params={"fieldSelector": f"spec.nodeName={node}"})
    found = []
    for item in answer.get("items", []):
        metadata = item["metadata"]
        owners = {owner["kind"] for owner in metadata.get("ownerReferences", [])}
        if owners and not owners & LEFT_TO_OTHERS:
            found.append((metadata["namespace"], metadata["name"], metadata["uid"]))
    return found


async def _cordon(scene: Scene, node: str, *, on: bool) -> None:
    await scene.world.client.patch(paths.path("v1", "nodes", name=node), {"spec": {"unschedulable": on}})


def _takes_requests(snapshot: Snapshot, row: PodRow) -> bool:
    now = snapshot.pods.get(row.uid)
    return now is not None and is_ready(now)


async def _wait_until(scene: Scene, holds: Callable[[Snapshot], bool], seconds: float) -> Snapshot:
    """Wait for a picture, or until the time is up or a stop was asked for; gives the newest one."""
    with suppress(TimeoutError):
        await scene.world.observer.wait_for(lambda now: bool(scene.control.stopping) or holds(now), seconds)
    return scene.snapshot


RUNS: Mapping[str, Run] = MappingProxyType(
    {
        faults.CRASH.name: _restarted,
        faults.HANG.name: _restarted,
        faults.UNREADY.name: _unready,
        faults.CRASH_LOOP.name: _crash_loop,
        faults.BAD_RELEASE.name: _bad_release,
        faults.CPU_PEAK.name: _cpu_peak,
        faults.DRAIN.name: _drain,
    }
)
"""What causes each fault and watches it heal, by the fault's name."""
