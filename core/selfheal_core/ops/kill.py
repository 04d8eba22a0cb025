"""Kill: evicts one pod, or deletes it at once where forced, and watches its replacement come up.

Several pods are killed one after another, each after the replacement of the one before is ready.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from selfheal_core.domain.snapshot import Application, PodRow, Snapshot
from selfheal_core.domain.words import counted
from selfheal_core.errors import BadUsage, Refused
from selfheal_core.ops import kill_many
from selfheal_core.ops.action import Control, Step, World, application_in, refusal, situation
from selfheal_core.ops.eviction import impossible, remove, replaced, siblings, trial
from selfheal_core.ops.operation import Choice, Impact, Preview, Target
from selfheal_core.ops.verify import Look, verify

FORCE_CHOICES = (
    Choice("no", "evict: it may stop cleanly, and its disruption budget is respected", recommended=True),
    Choice("yes", "force: it is deleted at once (grace 0), and its disruption budget is bypassed"),
)


class Kill:
    """The verb."""

    parameters = frozenset({"force", kill_many.PARAMETER})

    async def preview(self, world: World, target: Target, parameters: Mapping[str, str]) -> Preview:
        """Say which pod would go, and whether its budget allows it."""
        if kill_many.PARAMETER in parameters:
            return await kill_many.preview(world, target, parameters)
        now = world.clock()
        forced = _forced(parameters)
        snapshot = world.observer.snapshot()
        row = snapshot.pods.get(target.uid)
        application = application_in(snapshot, target)
        why = impossible(row, target.name)
        if why or row is None:
            return refusal("kill", target, Impact.ONE_APPLICATION, why, now)
        tried = await trial(world, row, forced=forced)
        impact = _impact(world, application, forced)
        owner = f"{row.owner.kind} {row.owner.name}" if row.owner is not None else "nothing"
        return Preview(
            verb="kill",
            target=target,
            impact=impact,
            title=f"Kill pod {row.name} in {row.namespace}{f' on {world.context}' if world.context else ''}",
            lines=(
                ("pod", f"{row.state}: {row.reason}; {counted(row.restarts, 'restart')}"),
                ("does", f"{_does(forced)}; {owner} makes a new one"),
                ("loses", "its logs and what it wrote to its own disk; read the logs first"),
                ("now", situation(application) if application is not None else "its application is not known"),
                ("dry run", tried.text),
            ),
            same_as=_same_as(row, forced),
            precondition={"pod uid": row.uid, "force": "yes" if forced else "no"},
            confirm_word=_confirm_word(world, target, impact),
            refusal=tried.refusal,
            parameters={"force": "yes" if forced else "no"},
            choices={"force": FORCE_CHOICES},
            computed_at=now,
        )

    def lease_subject(self, preview: Preview) -> str:  # noqa: ARG002 - one of the verbs' methods
        """None: the uid makes it safe to run beside anything."""
        return ""

    async def perform(self, world: World, preview: Preview, control: Control) -> AsyncGenerator[Step, None]:
        """Remove exactly this pod, then wait until a new pod of its owner is ready."""
        if kill_many.PARAMETER in preview.parameters:
            async with aclosing(kill_many.perform(world, preview, control)) as steps:
                async for step in steps:
                    yield step
            return
        started_at = world.clock()
        target = preview.target
        snapshot = world.observer.snapshot()
        row = snapshot.pods.get(target.uid)
        if row is None:
            raise Refused(f"pod {target.name} is gone already")
        before = frozenset(siblings(snapshot, row))
        forced = preview.parameters["force"] == "yes"
        yield Step("running", "deleting the pod" if forced else "evicting the pod")
        control.check()
        await remove(world, row, forced=forced)

        def goal(seen: Snapshot) -> Look:
            return replaced(seen, row, before)

        next_step = f"see why the new pod is not ready: kubectl describe pods -n {row.namespace} -l app={row.app.name}"
        async with aclosing(verify(world, control, goal, started_at=started_at, next_step=next_step)) as steps:
            async for step in steps:
                yield step


def _forced(parameters: Mapping[str, str]) -> bool:
    value = parameters.get("force", "no")
    if value not in ("yes", "no"):
        raise BadUsage(f"force is yes or no, not '{value}'")
    return value == "yes"


def _impact(world: World, application: Application | None, forced: bool) -> Impact:
    budget = application.budget if application is not None else None
    if budget is not None and budget.disruptions_allowed <= 0 and forced:
        return Impact.MANY
    return Impact.ONE_STEP if world.sandbox else Impact.ONE_APPLICATION


def _confirm_word(world: World, target: Target, impact: Impact) -> str:
    if impact is Impact.MANY:
        return world.context or target.namespace
    return target.application if impact is Impact.ONE_APPLICATION else ""


def _does(forced: bool) -> str:
    return "deletes it at once, without a clean stop or its budget" if forced else "evicts it, respecting its budget"


def _same_as(row: PodRow, forced: bool) -> str:
    command = f"kubectl delete pod {row.name} -n {row.namespace}"
    return f"{command} --grace-period=0 --force" if forced else f"{command}  # this one evicts instead"
