"""Kill: evicts one pod, or deletes it at once where forced, and watches its replacement come up."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import NamedTuple

from selfheal_core.cluster.kubernetes.api_errors import ApiError, Conflict, NotFound, TooManyRequests
from selfheal_core.cluster.kubernetes.paths import path
from selfheal_core.domain.applications import is_ready
from selfheal_core.domain.objects import Uid
from selfheal_core.domain.snapshot import Application, PodRow, Snapshot
from selfheal_core.domain.words import counted
from selfheal_core.errors import BadUsage, Refused
from selfheal_core.ops.action import Control, Step, World, application_in, refusal, situation
from selfheal_core.ops.operation import Choice, Impact, Preview, Target
from selfheal_core.ops.verify import Look, verify

FORCE_CHOICES = (
    Choice("no", "evict: it may stop cleanly, and its disruption budget is respected", recommended=True),
    Choice("yes", "force: it is deleted at once (grace 0), and its disruption budget is bypassed"),
)


class _Trial(NamedTuple):
    """What the server says to a dry run of the eviction."""

    text: str
    refusal: str = ""


class Kill:
    """The verb."""

    parameters = frozenset({"force"})

    async def preview(self, world: World, target: Target, parameters: Mapping[str, str]) -> Preview:
        """Say which pod would go, and whether its budget allows it."""
        now = world.clock()
        forced = _forced(parameters)
        snapshot = world.observer.snapshot()
        row = snapshot.pods.get(target.uid)
        application = application_in(snapshot, target)
        why = _impossible(row, target)
        if why or row is None:
            return refusal("kill", target, Impact.ONE_APPLICATION, why, now)
        trial = await _trial(world, row, forced)
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
                ("dry run", trial.text),
            ),
            same_as=_same_as(row, forced),
            precondition={"pod uid": row.uid, "force": "yes" if forced else "no"},
            confirm_word=_confirm_word(world, target, impact),
            refusal=trial.refusal,
            parameters={"force": "yes" if forced else "no"},
            choices={"force": FORCE_CHOICES},
            computed_at=now,
        )

    def lease_subject(self, preview: Preview) -> str:  # noqa: ARG002 - one of the verbs' methods
        """None: the uid makes it safe to run beside anything."""
        return ""

    async def perform(self, world: World, preview: Preview, control: Control) -> AsyncGenerator[Step, None]:
        """Remove exactly this pod, then wait until a new pod of its owner is ready."""
        started_at = world.clock()
        target = preview.target
        snapshot = world.observer.snapshot()
        row = snapshot.pods.get(target.uid)
        if row is None:
            raise Refused(f"pod {target.name} is gone already")
        before = frozenset(_siblings(snapshot, row))
        forced = preview.parameters["force"] == "yes"
        yield Step("running", "deleting the pod" if forced else "evicting the pod")
        control.check()
        await _remove(world, row, forced)

        def goal(seen: Snapshot) -> Look:
            return _look(seen, row, before)

        next_step = f"see why the new pod is not ready: kubectl describe pods -n {row.namespace} -l app={row.app.name}"
        async with aclosing(verify(world, control, goal, started_at=started_at, next_step=next_step)) as steps:
            async for step in steps:
                yield step


def _forced(parameters: Mapping[str, str]) -> bool:
    value = parameters.get("force", "no")
    if value not in ("yes", "no"):
        raise BadUsage(f"force is yes or no, not '{value}'")
    return value == "yes"


def _impossible(row: PodRow | None, target: Target) -> str:
    if row is None:
        return f"pod {target.name} is gone"
    if row.owner is None:
        by_hand = f"kubectl delete pod {row.name} -n {row.namespace}"
        return f"nothing owns it, so nothing would replace it; if you mean it: {by_hand}"
    if row.owner.kind == "Node":
        return "it is a static pod: its node would start it again at once"
    if row.state == "terminating":
        return f"it is being removed already: it {row.reason}"
    return ""


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


async def _trial(world: World, row: PodRow, forced: bool) -> _Trial:
    if forced:
        return _Trial("not asked for: force bypasses what an eviction checks")
    if world.read_only:
        return _Trial("not asked for: this console is read-only")
    try:
        await world.client.evict(row.namespace, row.name, uid=row.uid, dry_run=True)
    except TooManyRequests as error:
        text = f"its disruption budget refuses: {error.message or error.what}"
        return _Trial(text, f"{text}; wait for a healthy replacement, or force")
    except (NotFound, Conflict):
        return _Trial("the pod is gone", f"pod {row.name} is gone")
    except ApiError as error:
        return _Trial(f"refused by the server: {error.what}")
    return _Trial("accepted by the server")


async def _remove(world: World, row: PodRow, forced: bool) -> None:
    """Send the removal.

    Raises:
        Refused: Its budget says no, or it is another pod by now.
    """
    try:
        if forced:
            where = path("v1", "pods", namespace=row.namespace, name=row.name)
            await world.client.delete(where, uid=row.uid, grace_seconds=0)
        else:
            await world.client.evict(row.namespace, row.name, uid=row.uid)
    except TooManyRequests as error:
        raise Refused(
            f"its disruption budget refuses: {error.message or error.what}", "wait for a healthy replacement, or force"
        ) from error
    except Conflict as error:
        raise Refused(f"pod {row.name} is another one by now", "look at the list again") from error
    except NotFound:
        return


def _siblings(snapshot: Snapshot, row: PodRow) -> list[Uid]:
    return [uid for uid, other in snapshot.pods.items() if other.owner == row.owner]


def _look(snapshot: Snapshot, row: PodRow, before: frozenset[Uid]) -> Look:
    old = snapshot.pods.get(row.uid)
    if old is not None and old.state != "terminating":
        return Look(False, f"{row.name} is still there")
    new = [snapshot.pods[uid] for uid in _siblings(snapshot, row) if uid not in before]
    ready = next((pod for pod in new if is_ready(pod)), None)
    if ready is not None and old is None:
        return Look(True, f"{row.name} is gone and {ready.name} is ready")
    if ready is not None:
        return Look(False, f"{ready.name} is ready, {row.name} is still stopping")
    if new:
        return Look(False, f"{new[0].name} is {new[0].state}: {new[0].reason}")
    return Look(False, f"{row.name} is {'gone' if old is None else 'stopping'}, no new pod yet")
