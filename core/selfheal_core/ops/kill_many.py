"""Kill of several marked pods: one after another, each once the one before is replaced, up to the first refusal."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from selfheal_core.domain.objects import Uid
from selfheal_core.domain.snapshot import PodRow, Snapshot
from selfheal_core.domain.words import counted
from selfheal_core.errors import SelfhealError
from selfheal_core.ops.action import Control, Step, World, application_in, refusal
from selfheal_core.ops.eviction import Trial, impossible, remove, replaced, siblings, trial
from selfheal_core.ops.operation import Impact, Preview, Target
from selfheal_core.ops.verify import Look, verify

PARAMETER = "pods"
"""Name of the parameter that holds the pods' uids, separated by commas."""
LIMIT = 25
"""Most pods of one operation; more than that is a drain or a restart, which know what they do."""


async def preview(world: World, target: Target, parameters: Mapping[str, str]) -> Preview:
    """List every pod that would go, with its owner, its budget and what the server says to it.

    Args:
        world: What a verb may use.
        target: One of the pods; all have to be in its namespace.
        parameters: The uids, and ``force``, which is for one pod at a time.
    """
    now = world.clock()
    uids = parameters[PARAMETER].split(",")
    snapshot = world.observer.snapshot()
    rows = [snapshot.pods[uid] for uid in uids if uid in snapshot.pods]
    why = _impossible(rows, len(uids), target.namespace, parameters)
    if why:
        return refusal("kill", target, Impact.MANY, why, now)
    trials = [await trial(world, row, forced=False) for row in rows]
    listed = tuple(_described(snapshot, row, tried) for row, tried in zip(rows, trials, strict=True))
    where = f" on {world.context}" if world.context else ""
    return Preview(
        verb="kill",
        target=target,
        impact=Impact.MANY,
        title=f"Kill {counted(len(rows), 'pod')} in {target.namespace}{where}",
        lines=(
            ("does", "evicts them one by one, each after the one before is replaced; stops at the first refusal"),
            ("loses", "their logs and what they wrote to their own disks; read the logs first"),
            *((f"{number} of {len(rows)}", text) for number, text in enumerate(listed, 1)),
        ),
        same_as=f"kubectl delete pod {' '.join(row.name for row in rows)} -n {target.namespace}  # this one evicts",
        precondition={f"pod {row.name}": row.uid for row in rows},
        confirm_word=world.context or target.namespace,
        refusal=f"the first one can't go: {trials[0].refusal}" if trials[0].refusal else "",
        parameters=dict(parameters),
        diff="\n".join(listed),
        computed_at=now,
    )


async def perform(world: World, preview: Preview, control: Control) -> AsyncGenerator[Step, None]:
    """Evict one pod after another."""
    started_at = world.clock()
    uids = preview.parameters[PARAMETER].split(",")
    gone: list[str] = []
    last = Step("failed", "no pod was left to kill")
    for number, uid in enumerate(uids, 1):
        snapshot = world.observer.snapshot()
        row = snapshot.pods.get(uid)
        if row is None:
            continue
        yield Step("running", f"{number} of {len(uids)}: evicting {row.name}")
        try:
            control.check()
            await remove(world, row, forced=False)
        except SelfhealError as error:
            if not gone:
                raise
            yield Step("failed", f"stopped at {row.name}: {error.what}; {_done(gone, len(uids))}", error.next_step)
            return
        gone.append(row.name)
        before = frozenset(siblings(snapshot, row))
        async with aclosing(_replacement(world, control, row, before, started_at)) as steps:
            async for last in steps:
                if last.phase == "verifying":
                    yield last._replace(text=f"{number} of {len(uids)}: {last.text}")
        if last.phase != "recovered":
            break
    yield last._replace(text=f"{last.text}; {_done(gone, len(uids))}")


def _replacement(
    world: World, control: Control, row: PodRow, before: frozenset[Uid], started_at: float
) -> AsyncGenerator[Step, None]:
    def goal(seen: Snapshot) -> Look:
        return replaced(seen, row, before)

    next_step = f"see why the new pod is not ready: kubectl describe pods -n {row.namespace} -l app={row.app.name}"
    return verify(world, control, goal, started_at=started_at, next_step=next_step)


def _impossible(rows: list[PodRow], asked: int, namespace: str, parameters: Mapping[str, str]) -> str:
    if not rows:
        return f"all {asked} pods are gone"
    if len(rows) > LIMIT:
        return f"{len(rows)} pods are more than the {LIMIT} of one operation; restart the workload or drain the node"
    if parameters.get("force", "no") != "no":
        return "force is for one pod at a time"
    others = sorted({row.namespace for row in rows} - {namespace})
    if others:
        return f"the pods are in several namespaces ({', '.join([namespace, *others])}); take those of one at a time"
    whys = [f"{row.name}: {why}" for row in rows if (why := impossible(row, row.name))]
    return "; ".join(whys[:3])


def _described(snapshot: Snapshot, row: PodRow, tried: Trial) -> str:
    """``app-a-x2x9k: crash loop; Deployment app-a; PDB app-a allows 1; accepted by the server``."""
    owner = f"{row.owner.kind} {row.owner.name}" if row.owner is not None else "no owner"
    application = application_in(snapshot, Target("pod", row.namespace, row.name, row.app.name, row.uid))
    budget = application.budget if application is not None else None
    allows = f"PDB {budget.name} allows {budget.disruptions_allowed}" if budget is not None else "no PDB"
    return f"{row.name}: {row.state}; {owner}; {allows}; {tried.text}"


def _done(gone: list[str], of: int) -> str:
    return f"{len(gone)} of {of} evicted ({', '.join(gone)})" if gone else f"none of {of} was evicted"
