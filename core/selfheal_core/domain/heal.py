"""Which pods to remove, which not, and why: healerd's decision, pure.

The rule "any container restarted more than N times" is only the trigger; ``GATES`` decide what it leads to, in order,
and the first gate that fails is the recorded reason. A gate can only prevent an action, never cause one.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from selfheal_core.domain.freshness import stale_reason
from selfheal_core.domain.objects import Uid
from selfheal_core.domain.snapshot import OwnerKey, PodRow, Snapshot
from selfheal_core.domain.times import ago, duration
from selfheal_core.domain.words import counted

Gate = Literal[
    "watch", "pause", "namespace", "kind", "terminating", "recovered", "retry", "budget", "pacing", "one per owner"
]
PODS = "pods"
"""Name of the source that says which pods stand."""
RECOVERED_SECONDS = 600.0
"""A pod ready for as long as the kubelet takes to forget its back-off is recovered, whatever its restart count."""
STALE_SECONDS = 120.0
"""Above the API server's bookmark period of about a minute, so that a quiet watch does not count as stale."""
PACING_LIMIT_SECONDS = 6 * 3600.0
"""The interval between two removals of one owner's pods doubles up to this."""
BUDGET_WAIT_SECONDS = 30.0
"""How long to wait after a disruption budget's refusal that names no time."""
PROTECTED_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "DaemonSet": "a DaemonSet's pod comes back on the same node",
        "Job": "a Job counts and retries its own failures",
        "CronJob": "a CronJob's Job counts and retries its own failures",
        "Node": "a static pod is managed by its node, not by the API server",
    }
)
"""Owners whose pods are never removed, and why."""


@dataclass(frozen=True, slots=True)
class HealPolicy:
    """What healerd is allowed to do.

    Attributes:
        max_restarts: A container that restarted more often than this triggers.
        stale_seconds: Data older than this holds everything.
        retry_seconds: An eviction that was sent is not sent again for this long.
        owner_interval_seconds: Least time between two removals of one owner's pods; doubles with each one in a row.
        excluded_namespaces: Never touched; ``kube-system`` always belongs to them.
        own_namespace: Where healerd itself runs; never touched.
        paused: Hold everything; ``pause_reason`` says why.
        sources: Names of the sources that must be fresh.
    """

    max_restarts: int = 3
    stale_seconds: float = STALE_SECONDS
    retry_seconds: float = 60.0
    owner_interval_seconds: float = 120.0
    excluded_namespaces: frozenset[str] = frozenset({"kube-system"})
    own_namespace: str = ""
    paused: bool = False
    pause_reason: str = ""
    sources: tuple[str, ...] = (PODS, "replicasets", "deployments")


@dataclass(frozen=True, slots=True)
class Evict:
    """Remove exactly this pod through the Eviction API."""

    uid: Uid
    namespace: str
    name: str
    owner: OwnerKey
    reason: str
    container: str
    restarts: int


@dataclass(frozen=True, slots=True)
class Hold:
    """A triggered pod that is left alone, and the first gate that said so.

    Attributes:
        until: When the gate may open by itself; None if only a change can open it.
    """

    uid: Uid
    namespace: str
    name: str
    owner: OwnerKey | None
    gate: Gate
    reason: str
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """Removals of one owner's pods so far: how many in a row, the last at ``last_at``."""

    count: int
    last_at: float


@dataclass(frozen=True, slots=True)
class Sent:
    """An eviction that was sent.

    Attributes:
        at: When.
        owner: Uid of the pod's owner.
        pace_before: The owner's pace without it; None if there was none.
        in_doubt_since: When it was given up without an answer that says whether it was carried out; whether the pod
            still stands afterwards will. None where an answer came, or is still to come.
    """

    at: float
    owner: Uid
    pace_before: Pace | None = None
    in_doubt_since: float | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A disruption budget's last word on a pod."""

    until: float
    message: str


@dataclass(frozen=True, slots=True)
class HealMemory:
    """What has to be remembered between two decisions; never mutated.

    Attributes:
        sent: The eviction that was sent last, by pod.
        refusals: What a disruption budget answered, by pod.
        paces: Removals so far, by owner.
    """

    sent: Mapping[Uid, Sent] = field(default_factory=dict)
    refusals: Mapping[Uid, Refusal] = field(default_factory=dict)
    paces: Mapping[Uid, Pace] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HealDecision:
    """What to do now.

    Attributes:
        actions: Evictions to send, at most one per owner.
        holds: Every triggered pod that is left alone, with its reason.
        held: Why nothing at all may be done (stale data, pause); "" if that is not so.
        memory: What to pass to the next call, on the assumption that every action is carried out; the ``note_``
            functions correct it where that went otherwise.
    """

    actions: tuple[Evict, ...]
    holds: tuple[Hold, ...]
    memory: HealMemory
    held: str = ""


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """What one gate says about a pod.

    Attributes:
        reason: Why it is closed; "" where it is open.
        until: When it may open by itself; None if only a change can open it.
    """

    gate: Gate
    reason: str = ""
    until: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether this gate would let the pod be removed."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class _View:
    """What the gates look at."""

    row: PodRow
    memory: HealMemory
    policy: HealPolicy
    held_by: Gate | None
    held: str
    taken_owners: frozenset[Uid]
    now: float


def decide(snapshot: Snapshot, memory: HealMemory, policy: HealPolicy, now: float) -> HealDecision:
    """Decide which pods to remove.

    Args:
        snapshot: The present picture.
        memory: ``HealDecision.memory`` of the last call; ``HealMemory()`` at first.
        policy: What is allowed.
        now: Seconds since the epoch.
    """
    memory = _settled(_forgotten(memory, snapshot, now), snapshot, policy, now)
    held_by, held = _hold_everything(snapshot, policy, now)
    actions: list[Evict] = []
    holds: list[Hold] = []
    for row in _triggered(snapshot.pods.values(), policy):
        taken = frozenset(action.owner.uid for action in actions)
        hold = _first_closed_gate(_View(row, memory, policy, held_by, held, taken, now))
        if hold is not None:
            holds.append(hold)
        else:
            actions.append(_eviction(row, policy))
    for action in actions:
        memory = _note_sent(memory, action, now)
    return HealDecision(tuple(actions), tuple(holds), memory, held)


def is_triggered(row: PodRow, policy: HealPolicy) -> bool:
    """Whether a container of a pod restarted more often than the limit: the rule that the gates stand behind."""
    return row.worst_container_restarts > policy.max_restarts


def examine(
    row: PodRow, snapshot: Snapshot, memory: HealMemory, policy: HealPolicy, now: float
) -> tuple[GateAnswer, ...]:
    """What every gate says about one pod, in order: for people who ask why. ``decide`` stops at the first closed one.

    Args:
        row: The pod; need not be triggered.
        snapshot: The picture that it is in.
        memory: As for ``decide``; ``HealMemory()`` where it is not known, which leaves its gates open.
        policy: What is allowed.
        now: Seconds since the epoch.
    """
    others = (action for action in decide(snapshot, memory, policy, now).actions if action.uid != row.uid)
    held_by, held = _hold_everything(snapshot, policy, now)
    view = _View(row, memory, policy, held_by, held, frozenset(action.owner.uid for action in others), now)
    answers = []
    for gate, check in GATES:
        closed = check(view)
        name: Gate = held_by if gate == "watch" and held_by is not None else gate
        answers.append(GateAnswer(name) if closed is None else GateAnswer(name, *closed))
    return tuple(answers)


def note_budget_refusal(
    memory: HealMemory, action: Evict, message: str, now: float, retry_after_seconds: float | None = None
) -> HealMemory:
    """Remember that a disruption budget refused an eviction (HTTP 429): wait until its time, and say so.

    Args:
        memory: As returned by ``decide``.
        action: The eviction that was refused.
        message: The API server's own words.
        now: Seconds since the epoch.
        retry_after_seconds: What the server asked for; None if it named nothing.
    """
    wait = BUDGET_WAIT_SECONDS if retry_after_seconds is None else retry_after_seconds
    undone = note_not_sent(memory, action)
    return replace(undone, refusals={**undone.refusals, action.uid: Refusal(now + max(1.0, wait), message)})


def note_not_sent(memory: HealMemory, action: Evict) -> HealMemory:
    """Take an action back that may be decided anew at once."""
    undone = note_not_carried_out(memory, action)
    return replace(undone, sent={uid: sent for uid, sent in undone.sent.items() if uid != action.uid})


def note_not_carried_out(memory: HealMemory, action: Evict) -> HealMemory:
    """Remember that an eviction removed nothing: its owner's pace is as before; the pod itself waits to be retried."""
    sent = memory.sent.get(action.uid)
    return memory if sent is None else replace(memory, paces=_paces_without(sent, memory.paces))


def note_in_doubt(memory: HealMemory, action: Evict, now: float) -> HealMemory:
    """Remember that an eviction may have been carried out: it counts, unless the pod stands when it may be retried."""
    sent = memory.sent.get(action.uid)
    if sent is None:
        return memory
    return replace(memory, sent={**memory.sent, action.uid: replace(sent, in_doubt_since=now)})


def next_look_at(decision: HealDecision) -> float | None:
    """When a hold may open by itself; None if only a change of the cluster can open one."""
    return min((hold.until for hold in decision.holds if hold.until is not None), default=None)


def pacing_seconds(policy: HealPolicy, count: int) -> float:
    """Least time after the ``count``-th removal in a row: doubles each time, up to six hours."""
    doublings = min(max(0, count - 1), 32)
    return float(min(PACING_LIMIT_SECONDS, policy.owner_interval_seconds * 2**doublings))


def _triggered(rows: Iterable[PodRow], policy: HealPolicy) -> list[PodRow]:
    """Pods with a container above the limit, the worst first; ties by name, so that a decision is repeatable."""
    found = [row for row in rows if is_triggered(row, policy)]
    return sorted(found, key=lambda row: (-row.worst_container_restarts, row.namespace, row.name))


def _hold_everything(snapshot: Snapshot, policy: HealPolicy, now: float) -> tuple[Gate | None, str]:
    stale = stale_reason(snapshot, policy.sources, policy.stale_seconds, now)
    if stale:
        return "watch", stale
    if policy.paused:
        return "pause", f"healing is paused: {policy.pause_reason}" if policy.pause_reason else "healing is paused"
    return None, ""


def _first_closed_gate(view: _View) -> Hold | None:
    for gate, check in GATES:
        closed = check(view)
        if closed is not None:
            row = view.row
            name: Gate = view.held_by if gate == "watch" and view.held_by is not None else gate
            return Hold(row.uid, row.namespace, row.name, row.owner, name, *closed)
    return None


_Closed = tuple[str, float | None]


def _everything_held(view: _View) -> _Closed | None:
    return (view.held, None) if view.held_by is not None else None


def _namespace(view: _View) -> _Closed | None:
    namespace = view.row.namespace
    if namespace == view.policy.own_namespace:
        return f"namespace {namespace} is healerd's own", None
    if namespace == "kube-system" or namespace in view.policy.excluded_namespaces:
        return f"namespace {namespace} is excluded", None
    return None


def _kind(view: _View) -> _Closed | None:
    owner = view.row.owner
    if owner is None:
        return "nothing owns it, so nothing would replace it", None
    protected = PROTECTED_KINDS.get(owner.kind)
    return (protected, None) if protected is not None else None


def _terminating(view: _View) -> _Closed | None:
    if view.row.state == "terminating":
        return "it is being removed already", None
    if view.row.state in ("completed", "failed"):
        return "it has ended", None
    return None


def _recovered(view: _View) -> _Closed | None:
    row = view.row
    quiet = row.last_restart_at is None or view.now - row.last_restart_at >= RECOVERED_SECONDS
    if row.state == "running" and row.since is not None and view.now - row.since >= RECOVERED_SECONDS and quiet:
        return f"it recovered: ready for {duration(view.now - row.since)}", None
    return None


def _retry(view: _View) -> _Closed | None:
    sent = view.memory.sent.get(view.row.uid)
    if sent is None or view.now - sent.at >= view.policy.retry_seconds:
        return None
    return f"its eviction was sent {ago(view.now - sent.at)} ago", sent.at + view.policy.retry_seconds


def _budget(view: _View) -> _Closed | None:
    refusal = view.memory.refusals.get(view.row.uid)
    if refusal is None or view.now >= refusal.until:
        return None
    return (
        f"its disruption budget refused: {refusal.message}; asked again in {duration(refusal.until - view.now)}",
        refusal.until,
    )


def _pacing(view: _View) -> _Closed | None:
    owner = view.row.owner
    pace = view.memory.paces.get(owner.uid) if owner is not None else None
    if owner is None or pace is None:
        return None
    until = pace.last_at + pacing_seconds(view.policy, pace.count)
    if view.now >= until:
        return None
    removed = f"{counted(pace.count, 'pod')} of {owner.kind} {owner.name} removed"
    return f"{removed}, the last {ago(view.now - pace.last_at)} ago; next one in {duration(until - view.now)}", until


def _one_per_owner(view: _View) -> _Closed | None:
    owner = view.row.owner
    if owner is None or owner.uid not in view.taken_owners:
        return None
    return f"another pod of {owner.kind} {owner.name} is being removed now", None


GATES: tuple[tuple[Gate, Callable[[_View], _Closed | None]], ...] = (
    ("watch", _everything_held),
    ("namespace", _namespace),
    ("kind", _kind),
    ("terminating", _terminating),
    ("recovered", _recovered),
    ("retry", _retry),
    ("budget", _budget),
    ("pacing", _pacing),
    ("one per owner", _one_per_owner),
)
"""Every gate in its order; ``watch`` stands for ``pause`` too, which holds everything as well."""


def _eviction(row: PodRow, policy: HealPolicy) -> Evict:
    assert row.owner is not None
    reason = (
        f"container {row.worst_container} restarted {row.worst_container_restarts} times"
        f" (limit {policy.max_restarts}): {row.reason}"
    )
    return Evict(row.uid, row.namespace, row.name, row.owner, reason, row.worst_container, row.worst_container_restarts)


def _note_sent(memory: HealMemory, action: Evict, now: float) -> HealMemory:
    pace = memory.paces.get(action.owner.uid)
    return HealMemory(
        sent={**memory.sent, action.uid: Sent(now, action.owner.uid, pace)},
        refusals={uid: refusal for uid, refusal in memory.refusals.items() if uid != action.uid},
        paces={**memory.paces, action.owner.uid: Pace(1 if pace is None else pace.count + 1, now)},
    )


def _forgotten(memory: HealMemory, snapshot: Snapshot, now: float) -> HealMemory:
    """Drop what no longer matters, so that memory stays bounded by what exists."""
    if not (memory.sent or memory.refusals or memory.paces):
        return memory
    troubled = {row.owner.uid for row in snapshot.pods.values() if row.owner is not None and _troubled(row, now)}
    return HealMemory(
        sent={uid: sent for uid, sent in memory.sent.items() if uid in snapshot.pods},
        refusals={uid: refusal for uid, refusal in memory.refusals.items() if uid in snapshot.pods},
        paces={
            uid: pace for uid, pace in memory.paces.items() if uid in troubled or now - pace.last_at < RECOVERED_SECONDS
        },
    )


def _settled(memory: HealMemory, snapshot: Snapshot, policy: HealPolicy, now: float) -> HealMemory:
    """Take back each eviction in doubt whose pod still stands: it was not carried out, and is due again."""
    pods = snapshot.sources.get(PODS)
    seen_at = pods.fresh_at if pods is not None else None
    sent, paces = dict(memory.sent), memory.paces
    for uid, one in memory.sent.items():
        if one.in_doubt_since is None or now - one.at < policy.retry_seconds:
            continue
        # A picture from before the doubt says nothing: what lost the answer may have lost the watch's news as well.
        looked = seen_at is not None and seen_at > one.in_doubt_since
        if looked and snapshot.pods[uid].state != "terminating":
            del sent[uid]
            paces = _paces_without(one, paces)
    return replace(memory, sent=sent, paces=paces)


def _paces_without(sent: Sent, paces: Mapping[Uid, Pace]) -> Mapping[Uid, Pace]:
    """Paces as if an eviction had not been sent; a later one of the same owner keeps its time."""
    pace = paces.get(sent.owner)
    if pace is None:
        return paces
    rest = Pace(pace.count - 1, pace.last_at) if pace.last_at > sent.at else sent.pace_before
    others = {owner: one for owner, one in paces.items() if owner != sent.owner}
    return others if rest is None else {**others, sent.owner: rest}


def _troubled(row: PodRow, now: float) -> bool:
    """Whether a pod has not been ready and quiet for as long as recovery takes."""
    if row.state != "running" or row.since is None or now - row.since < RECOVERED_SECONDS:
        return True
    return row.last_restart_at is not None and now - row.last_restart_at < RECOVERED_SECONDS
