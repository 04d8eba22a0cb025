"""Carries out what was decided, and says how it went. Nothing is decided here."""

from dataclasses import dataclass
from typing import Literal, Protocol

from healerd.rights import GRANT
from selfheal_core.cluster.kubernetes.api_errors import ApiError, BudgetRefusal, Conflict, Forbidden, NotFound
from selfheal_core.domain.heal import Evict

Result = Literal["evicted", "gone", "blocked", "failed", "dry-run"]


class Evictions(Protocol):
    """The one write of healerd's act step."""

    async def evict(
        self, namespace: str, pod: str, *, uid: str, dry_run: bool = False, grace_seconds: int | None = None
    ) -> None:
        """Ask the Eviction API to remove exactly this pod."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an eviction ended.

    Attributes:
        result: ``evicted``: the API server accepted. ``gone``: the pod went, or was replaced, meanwhile; nothing is
            left to do. ``blocked``: a disruption budget says no. ``failed``: refused, or in doubt; look again before
            repeating. ``dry-run``: the server would have accepted.
        message: The server's own words, where it said any.
        retry_after_seconds: What a budget's refusal asked for.
        in_doubt: It failed in a way that leaves open whether it was carried out.
    """

    action: Evict
    result: Result
    message: str = ""
    retry_after_seconds: float | None = None
    in_doubt: bool = False


async def evict(client: Evictions, action: Evict, *, dry_run: bool) -> Outcome:
    """Send one eviction with the pod's uid as its precondition.

    Args:
        client: Where to.
        action: Which pod, and why.
        dry_run: Ask the server to check only.
    """
    try:
        await client.evict(action.namespace, action.name, uid=action.uid, dry_run=dry_run)
    except (NotFound, Conflict) as error:
        return Outcome(action, "gone", error.what)
    except BudgetRefusal as error:
        return Outcome(action, "blocked", error.message or error.what, error.retry_after_seconds)
    except Forbidden as error:
        return Outcome(action, "failed", f"{error.what}; {GRANT}")
    except ApiError as error:
        # A server that fails, or is not heard, may have carried it out before; one that refuses has not.
        return Outcome(action, "failed", str(error), in_doubt=error.status == 0 or error.status >= 500)
    return Outcome(action, "dry-run" if dry_run else "evicted")
