"""Whether the data is current enough to act on, and which source is not, in words."""

from collections.abc import Iterable

from selfheal_core.domain.snapshot import Snapshot
from selfheal_core.domain.times import ago


def stale_reason(snapshot: Snapshot, sources: Iterable[str], within_seconds: float, now: float) -> str:
    """Name the first source that is not fresh, and its age; "" if all are.

    Args:
        snapshot: The present picture.
        sources: Names of the sources that have to be fresh.
        within_seconds: Greatest age.
        now: Seconds since the epoch.
    """
    for name in sources:
        if snapshot.fresh(name, now, within_seconds):
            continue
        source = snapshot.sources.get(name)
        if source is None:
            return f"{name} are not watched"
        why = f" ({source.reason})" if source.reason else ""
        if source.fresh_at is None:
            return f"{name} were never seen: {source.condition}{why}"
        condition = "silent" if source.condition == "live" else source.condition
        return f"{name} are {condition}, last seen {ago(now - source.fresh_at)} ago{why}"
    return ""
