"""Break: makes something fail on purpose in a sandbox, and watches the platform heal it. Refused anywhere else."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from selfheal_core.domain.applications import is_ready
from selfheal_core.domain.snapshot import Application, PodRow, Snapshot
from selfheal_core.domain.times import duration
from selfheal_core.errors import BadUsage, SelfhealError, did_you_mean
from selfheal_core.ops.action import Control, Step, World, pick_track, refusal, situation
from selfheal_core.ops.fault_runs import RUNS, Scene
from selfheal_core.ops.faults import BAD_RELEASE, CPU_PEAK, CRASH, CRASH_LOOP, DRAIN, FAULTS, Fault, busiest_node
from selfheal_core.ops.operation import Choice, Impact, Preview, Target

ONLY_IN_A_SANDBOX = "things are broken on purpose only in a sandbox; start one with: selfheal-tui --sandbox"
SERVICE_CHART = "selfheal-service"
"""Name in ``chart/service/Chart.yaml``, which Helm keeps in each release."""
RUNS_IN = {
    True: "this program: keep it open, it takes back what it switched",
    False: "this program: keep it open to see it heal",
}
"""Where a fault runs, by whether it is taken back."""


class Break:
    """The verb."""

    parameters = frozenset({"fault"})

    async def preview(self, world: World, target: Target, parameters: Mapping[str, str]) -> Preview:
        """Say what would be broken, which layer heals it, and within how long."""
        now = world.clock()
        fault = _fault(parameters)
        application = world.application(target)
        snapshot = world.observer.snapshot()
        why = ONLY_IN_A_SANDBOX if not world.sandbox else ""
        if not why and application is None:
            why = f"there is no application {target.application} in {target.namespace}"
        if why or application is None:
            return refusal("break", target, Impact.ONE_STEP, why, now)
        pod = victim(snapshot, application)
        return Preview(
            verb="break",
            target=target,
            impact=Impact.ONE_STEP,
            title=f"Break {target.name} in {target.namespace} on {world.context}: {fault.title}",
            lines=(
                ("does", f"{fault.does}{_aim(fault, application, pod, snapshot)}"),
                ("heals", f"layer {fault.layer}: {fault.heals}"),
                ("within", f"about {duration(fault.within_seconds)}; sooner where the sandbox runs with --speed"),
                ("now", situation(application)),
                ("runs in", RUNS_IN[fault.taken_back]),
            ),
            same_as="",
            precondition=_precondition(fault, application, pod, snapshot),
            refusal=_impossible(fault, application, pod, snapshot) or await _foreign(world, fault, application),
            parameters={"fault": fault.name},
            choices={"fault": tuple(Choice(each.name, each.title) for each in FAULTS.values())},
            computed_at=now,
        )

    def lease_subject(self, preview: Preview) -> str:  # noqa: ARG002 - one of the verbs' methods
        """None: what heals it must not have to wait for it; helm itself lets no two changes of a release overlap."""
        return ""

    async def perform(self, world: World, preview: Preview, control: Control) -> AsyncGenerator[Step, None]:
        """Break it and watch it heal."""
        fault = FAULTS[preview.parameters["fault"]]
        scene = Scene(world, preview, control, fault, world.clock())
        async with aclosing(RUNS[fault.name](scene)) as steps:
            async for step in steps:
                yield step


def victim(snapshot: Snapshot, application: Application) -> PodRow | None:
    """The pod that is broken where one is enough: a ready one with the fewest restarts, the first by name."""
    rows = [snapshot.pods[uid] for uid in application.pods if uid in snapshot.pods]
    return min((row for row in rows if is_ready(row)), key=lambda row: (row.restarts, row.name), default=None)


def _fault(parameters: Mapping[str, str]) -> Fault:
    name = parameters.get("fault", CRASH.name)
    if name not in FAULTS:
        raise BadUsage(f"unknown fault '{name}'", did_you_mean(name, list(FAULTS)))
    return FAULTS[name]


def _aim(fault: Fault, application: Application, pod: PodRow | None, snapshot: Snapshot) -> str:
    if fault is DRAIN:
        return f": {_node(application, snapshot)}"
    return "" if fault in (BAD_RELEASE, CPU_PEAK) or pod is None else f": {pod.name}"


def _node(application: Application, snapshot: Snapshot) -> str:
    return busiest_node(snapshot.pods[uid].node for uid in application.pods if uid in snapshot.pods)


def _precondition(fault: Fault, application: Application, pod: PodRow | None, snapshot: Snapshot) -> dict[str, str]:
    track = pick_track(application, {})
    facts = {"release": track.release if track is not None else ""}
    if fault is DRAIN:
        facts["node"] = _node(application, snapshot)
    elif fault not in (BAD_RELEASE, CPU_PEAK) and pod is not None:
        facts["pod uid"] = pod.uid
    return facts


def _impossible(fault: Fault, application: Application, pod: PodRow | None, snapshot: Snapshot) -> str:
    if pod is None or application.severity in ("bad", "unknown"):
        return f"it is broken already ({application.state}); let it heal first"
    track = pick_track(application, {})
    if fault is BAD_RELEASE and (track is None or not track.release):
        return "it was not installed by Helm, so there is no release to upgrade"
    if fault is CPU_PEAK and application.autoscaler is None:
        return "it has no autoscaler, so nothing would answer to the load"
    if fault is CPU_PEAK and _at_its_most(application):
        return "its autoscaler is at its most replicas already"
    if fault is CRASH_LOOP and snapshot.controller.present is False:
        return "healerd is not installed here, so nothing would remove the pod: selfheal demo install"
    return ""


async def _foreign(world: World, fault: Fault, application: Application) -> str:
    """Why its release must not be upgraded with the chart that we have; "" if it is of that chart."""
    track = pick_track(application, {})
    if fault is not BAD_RELEASE or track is None or not track.release:
        return ""
    if track.revision is None:
        return f"it is not known which revision of {track.release} runs"
    try:
        body = await world.release_body(track.release, application.key.namespace, track.revision)
    except SelfhealError as error:
        return f"its release can't be read: {error.what}"
    if body.chart == SERVICE_CHART:
        return ""
    return f"it is of the chart {body.chart}; a bad release is made of the chart {SERVICE_CHART} only"


def _at_its_most(application: Application) -> bool:
    scaler = application.autoscaler
    return scaler is not None and (application.desired or 0) >= scaler.max_replicas
