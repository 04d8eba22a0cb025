"""Lists of conditions as objects carry them in their status: setting, removing and reading, without mutation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from selfheal_sandbox.store.objects import Object, now_rfc3339


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a condition should say; without a reason it says neither reason nor message."""

    type: str
    status: str
    reason: str
    message: str = ""


def find(conditions: Sequence[Object], condition_type: str) -> Object | None:
    """Return the condition of this type, or None."""
    return next((entry for entry in conditions if entry.get("type") == condition_type), None)


def without(conditions: Sequence[Object], condition_type: str) -> list[Object]:
    """Return the conditions except the one of this type."""
    return [entry for entry in conditions if entry.get("type") != condition_type]


def with_verdict(
    conditions: Sequence[Object], verdict: Verdict, now: datetime, *, updated: bool = False, refresh: bool = False
) -> list[Object]:
    """Return the conditions with one of them saying what the verdict says.

    The transition time changes only with the status. A condition that already says the same stays as it is.

    Args:
        conditions: the present conditions.
        verdict: what to say.
        now: the time.
        updated: whether conditions of this kind carry ``lastUpdateTime`` and go to the end of the list when they
            change (a Deployment's do).
        refresh: write a new ``lastUpdateTime`` even when nothing else changed.
    """
    old = find(conditions, verdict.type)
    same = old is not None and (old.get("status"), old.get("reason", "")) == (verdict.status, verdict.reason)
    if same and old is not None and old.get("message", "") == verdict.message and not refresh:
        return list(conditions)
    new = _condition(verdict, old, now, updated=updated)
    if old is None or updated:
        return [*without(conditions, verdict.type), new]
    return [new if entry is old else entry for entry in conditions]


def _condition(verdict: Verdict, old: Object | None, now: datetime, *, updated: bool) -> Object:
    time = now_rfc3339(now)
    kept = old.get("lastTransitionTime") if old and old.get("status") == verdict.status else None
    return {
        "type": verdict.type,
        "status": verdict.status,
        **({"lastUpdateTime": time} if updated else {}),
        "lastTransitionTime": kept or time,
        **({"reason": verdict.reason, "message": verdict.message} if verdict.reason else {}),
    }
