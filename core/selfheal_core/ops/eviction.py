"""Removing one pod: whether it makes sense, what the server says to it, doing it, and seeing its replacement."""

from typing import NamedTuple

from selfheal_core.cluster.kubernetes.api_errors import ApiError, BudgetRefusal, Conflict, NotFound
from selfheal_core.cluster.kubernetes.paths import path
from selfheal_core.domain.applications import is_ready
from selfheal_core.domain.objects import Uid
from selfheal_core.domain.snapshot import PodRow, Snapshot
from selfheal_core.domain.words import counted
from selfheal_core.errors import Refused
from selfheal_core.ops.action import World
from selfheal_core.ops.verify import Look


class Trial(NamedTuple):
    """What the server says to a dry run of the eviction.

    Attributes:
        refusal: Why the eviction would be refused; "" if it would not.
    """

    text: str
    refusal: str = ""


def impossible(row: PodRow | None, name: str) -> str:
    """Why removing a pod makes no sense; "" if it does."""
    if row is None:
        return f"pod {name} is gone"
    if row.owner is None:
        by_hand = f"kubectl delete pod {row.name} -n {row.namespace}"
        return f"nothing owns it, so nothing would replace it; if you mean it: {by_hand}"
    if row.owner.kind == "Node":
        return "it is a static pod: its node would start it again at once"
    if row.state == "terminating":
        return f"it is being removed already: it {row.reason}"
    return ""


async def trial(world: World, row: PodRow, *, forced: bool) -> Trial:
    """Ask the server what it would say."""
    if forced:
        return Trial("not asked for: force bypasses what an eviction checks")
    if world.read_only:
        return Trial("not asked for: this console is read-only")
    try:
        await world.client.evict(row.namespace, row.name, uid=row.uid, dry_run=True)
    except BudgetRefusal as error:
        text = f"its disruption budget refuses: {error.message or error.what}"
        return Trial(text, f"{text}; wait for a healthy replacement, or force")
    except (NotFound, Conflict):
        return Trial("the pod is gone", f"pod {row.name} is gone")
    except ApiError as error:
        return Trial(f"refused by the server: {error.what}")
    return Trial("accepted by the server")


async def remove(world: World, row: PodRow, *, forced: bool) -> None:
    """Send the removal; a pod that is gone already is fine.

    Raises:
        Refused: Its budget says no, or it is another pod by now.
    """
    try:
        if forced:
            where = path("v1", "pods", namespace=row.namespace, name=row.name)
            await world.client.delete(where, uid=row.uid, grace_seconds=0)
        else:
            await world.client.evict(row.namespace, row.name, uid=row.uid)
    except BudgetRefusal as error:
        raise Refused(
            f"its disruption budget refuses: {error.message or error.what}", "wait for a healthy replacement, or force"
        ) from error
    except Conflict as error:
        raise Refused(f"pod {row.name} is another one by now", "look at the list again") from error
    except NotFound:
        return


def siblings(snapshot: Snapshot, row: PodRow) -> list[Uid]:
    """All pods of the same owner."""
    return [uid for uid, other in snapshot.pods.items() if other.owner == row.owner]


def replaced(snapshot: Snapshot, row: PodRow, before: frozenset[Uid]) -> Look:
    """Whether the pod is gone and a new one of its owner is ready, or none is due any more.

    Args:
        snapshot: The present picture.
        row: The pod as it was.
        before: Pods of its owner before it was removed.
    """
    old = snapshot.pods.get(row.uid)
    if old is not None and old.state != "terminating":
        return Look(False, f"{row.name} is still there")
    new = [snapshot.pods[uid] for uid in siblings(snapshot, row) if uid not in before]
    ready = next((pod for pod in new if is_ready(pod)), None)
    if ready is not None and old is None:
        return Look(True, f"{row.name} is gone and {ready.name} is ready")
    if ready is not None:
        return Look(False, f"{ready.name} is ready, {row.name} is still stopping")
    if new:
        return Look(False, f"{new[0].name} is {new[0].state}: {new[0].reason}")
    if old is None and (enough := _enough(snapshot, row)):
        return Look(True, f"{row.name} is gone and {enough}")
    return Look(False, f"{row.name} is {'gone' if old is None else 'stopping'}, no new pod yet")


def _enough(snapshot: Snapshot, row: PodRow) -> str:
    """Why no new pod will come although one went: its application was scaled down meanwhile; "" if one is due."""
    application = snapshot.applications.get(row.app)
    wanted = application.desired if application is not None else None
    ready = sum(is_ready(snapshot.pods[uid]) for uid in siblings(snapshot, row))
    if wanted is None or ready < wanted:
        return ""
    return f"no new one is due: {row.app.name} wants {counted(wanted, 'pod')} by now, all ready"
