"""Names of the streams of data that the observer follows, and how several of one name read as one.

A name here is the key in ``Snapshot.sources`` and the word a person reads when that stream is stale.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selfheal_core.domain.snapshot import Source, SourceCondition

PODS = "pods"
REPLICA_SETS = "replicasets"
DEPLOYMENTS = "deployments"
STATEFUL_SETS = "statefulsets"
DAEMON_SETS = "daemonsets"
JOBS = "jobs"
AUTOSCALERS = "autoscalers"
BUDGETS = "budgets"
EVENTS = "events"
NODES = "nodes"
RELEASES = "releases"
KNOWN_GOOD = "known-good"
METRICS = "metrics"
ERRORS = "errors"
CONTROLLER = "healerd"

HEALING_SOURCES = frozenset({PODS, REPLICA_SETS, DEPLOYMENTS, STATEFUL_SETS})
"""What healerd follows: no Secrets, no metrics. Jobs and DaemonSets show in a pod's own owner reference."""

ALL_SOURCES = HEALING_SOURCES | {
    DAEMON_SETS,
    JOBS,
    AUTOSCALERS,
    BUDGETS,
    EVENTS,
    NODES,
    RELEASES,
    KNOWN_GOOD,
    METRICS,
    ERRORS,
    CONTROLLER,
}
"""What the console follows."""

_WORST_FIRST: Mapping[SourceCondition, int] = {
    "lost": 0,
    "stale": 1,
    "connecting": 2,
    "forbidden": 3,
    "absent": 4,
    "live": 5,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a source takes its data from now, if that can be one of several places.

    Attributes:
        origin: ``Prometheus`` or ``own scrape``.
        since: When it began to come from there; None while it was never different.
        note: Why not from a better place, in two words: ``Prometheus lost``; "" where there is none.
        reason: The same at length.
        fresh_at: Time of the newest sample; None where it is that of the round.
    """

    origin: str
    since: float | None = None
    note: str = ""
    reason: str = ""
    fresh_at: float | None = None


def combined(sources: Sequence[Source]) -> Source:
    """The streams of one source, one per namespace or part, read as one: as bad as the worst, as old as the oldest.

    Args:
        sources: At least one, all of the same name.
    """
    if len(sources) == 1:
        return sources[0]
    worst = min(sources, key=lambda source: _WORST_FIRST[source.condition])
    known = [source.fresh_at for source in sources if source.fresh_at is not None]
    return Source(
        name=worst.name,
        condition=worst.condition,
        since=worst.since,
        fresh_at=min(known) if len(known) == len(sources) else None,
        reason=worst.reason,
        retry_at=worst.retry_at,
        origin=worst.origin,
        origin_since=worst.origin_since,
        origin_note=worst.origin_note,
    )
