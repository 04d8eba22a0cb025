"""State of an application in one word, with its reason: a table of rules, read from top to bottom."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from selfheal_core.domain.snapshot import (
    Application,
    AppState,
    Autoscaler,
    ErrorRate,
    PodRow,
    PodState,
    Severity,
    Track,
)
from selfheal_core.domain.tracks import CANARY

FAILING_RATIO = 0.1
"""An application that fails more than one request in ten is not healthy, however ready its pods are."""
FAILING_REQUESTS = 20.0
"""With fewer requests than this in the window a ratio says little."""


class Verdict(NamedTuple):
    """State of an application; ``reason`` is a sentence without a full stop."""

    state: AppState
    severity: Severity
    detail: str
    reason: str
    since: float | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at.

    Attributes:
        rows: Pods that count: neither completed nor replaced after a failure.
        states: The same pods by their state.
        old: Pods still of an older template.
        pods_known: False while the pods were never listed (connecting, forbidden).
    """

    tracks: Sequence[Track]
    rows: Sequence[PodRow]
    states: Mapping[PodState, Sequence[PodRow]]
    ready: int
    desired: int | None
    old: int
    autoscaler: Autoscaler | None
    changed_at: float | None
    pods_known: bool
    errors: ErrorRate | None = None

    def of(self, *states: PodState) -> list[PodRow]:
        """Pods in one of these states, the longest in it first."""
        found = [row for state in states for row in self.states.get(state, ())]
        return sorted(found, key=lambda row: (row.since is None, row.since or 0.0))

    @property
    def count(self) -> str:
        """Ready and wanted pods: ``1/2``."""
        return f"{self.ready}/{self.desired if self.desired is not None else len(self.rows)}"


def judge(facts: Facts) -> Verdict:
    """The first rule that has something to say decides."""
    for rule in RULES:
        verdict = rule(facts)
        if verdict is not None:
            return verdict
    return _healthy(facts)


def _no_data(facts: Facts) -> Verdict | None:
    if facts.pods_known:
        return None
    return Verdict("no data", "unknown", "", "its pods are not known yet", None)


def _nothing_wanted(facts: Facts) -> Verdict | None:
    if facts.desired == 0 and all(row.state == "terminating" for row in facts.rows):
        return Verdict("down", "info", "0/0", "it is scaled to 0 replicas: nothing is meant to run", None)
    return None


def _broken(facts: Facts) -> Verdict | None:
    """Pods whose containers can't run: the cause is the word, whatever else goes on."""
    causes: tuple[tuple[PodState, AppState], ...] = (
        ("crash loop", "crash loop"),
        ("image error", "image error"),
        ("config error", "config error"),
    )
    for pod_state, word in causes:
        rows = facts.of(pod_state)
        if rows:
            return Verdict(word, "bad", facts.count, _pods_say(rows, facts), rows[0].since)
    return None


def _stalled(facts: Facts) -> Verdict | None:
    for track in facts.tracks:
        if track.progress_deadline_exceeded:
            troubled = facts.of("unready", "pending", "starting")
            why = f": {_pods_say(troubled, facts)}" if troubled else ""
            return Verdict(
                "degraded",
                "bad",
                facts.count,
                f"its rollout did not progress within its deadline{why}",
                facts.changed_at,
            )
    return None


def _down(facts: Facts) -> Verdict | None:
    """Nothing takes traffic, and no rollout or start explains it."""
    if facts.ready or not facts.desired or facts.of("starting"):
        return None
    troubled = facts.of("unready", "failed", "unknown", "pending")
    if troubled and all(row.state == "pending" for row in troubled):
        return None
    if troubled:
        return Verdict("down", "bad", facts.count, f"no pod is ready: {_pods_say(troubled, facts)}", troubled[0].since)
    if _rolling(facts):
        return None
    return Verdict("down", "bad", facts.count, f"none of its {facts.desired} wanted pods exists", None)


def _pending(facts: Facts) -> Verdict | None:
    rows = [row for row in facts.of("pending") if row.severity in ("warn", "bad")]
    if not rows:
        return None
    severity: Severity = "bad" if any(row.severity == "bad" for row in rows) else "warn"
    return Verdict("pending", severity, facts.count, _pods_say(rows, facts), rows[0].since)


def _rollout(facts: Facts) -> Verdict | None:
    if not _rolling(facts):
        return None
    paused = [track for track in facts.tracks if track.paused]
    updated = sum(track.updated for track in facts.tracks)
    wanted = facts.desired if facts.desired is not None else updated
    troubled = facts.of("unready")
    reason = f"{updated} of {wanted} pods are of the new template"
    if paused:
        reason += ", and the rollout is paused"
    elif facts.old:
        reason += f", {facts.old} of the old one remain" + ("s" if facts.old == 1 else "")
    if troubled:
        reason += f"; {_pods_say(troubled, facts)}"
    severity: Severity = "warn" if troubled or paused else "info"
    return Verdict("rolling out", severity, f"{updated}/{wanted}", reason, facts.changed_at)


def _unready(facts: Facts) -> Verdict | None:
    rows = facts.of("unready", "unknown")
    if not rows:
        return None
    return Verdict("unready", "warn", facts.count, _pods_say(rows, facts), rows[0].since)


def _canary(facts: Facts) -> Verdict | None:
    canary = next((track for track in facts.tracks if track.name == CANARY), None)
    rows = [row for row in facts.rows if row.track == CANARY]
    if not rows and (canary is None or not canary.desired):
        return None
    share = f"{len(rows)} of {len(facts.rows)} pods"
    revision = f"canary revision {canary.revision}" if canary is not None and canary.revision else "a canary"
    return Verdict("canary", "info", share, f"{revision} runs beside stable in {share}", None)


def _scaling(facts: Facts) -> Verdict | None:
    scaler = facts.autoscaler
    if scaler is None or not scaler.desired_replicas or facts.desired is None:
        return None
    present = len([row for row in facts.rows if row.state not in ("terminating", "failed")])
    if scaler.desired_replicas == present and facts.ready >= scaler.desired_replicas:
        return None
    arrow = f"{facts.ready} -> {scaler.desired_replicas}"
    return Verdict(
        "scaling", "info", arrow, f"its autoscaler goes from {facts.ready} to {scaler.desired_replicas} pods", None
    )


def _degraded(facts: Facts) -> Verdict | None:
    if facts.desired is None:
        failed = facts.of("failed")
        return Verdict("degraded", "bad", facts.count, _pods_say(failed, facts), failed[0].since) if failed else None
    if facts.ready >= facts.desired:
        return None
    troubled = facts.of("failed", "starting", "pending", "terminating")
    why = f": {_pods_say(troubled, facts)}" if troubled else ""
    since = troubled[0].since if troubled else None
    return Verdict(
        "degraded", "warn", facts.count, f"{facts.ready} of {facts.desired} wanted pods are ready{why}", since
    )


def _failing(facts: Facts) -> Verdict | None:
    """All pods are ready, and requests fail all the same."""
    errors = facts.errors
    if errors is None or errors.ratio is None or errors.ratio <= FAILING_RATIO:
        return None
    if (errors.requests_per_second or 0.0) * errors.window_seconds < FAILING_REQUESTS:
        return None
    reason = f"{errors.ratio:.0%} of its requests fail, though {facts.count} pods are ready"
    return Verdict("degraded", "warn", "", reason, None)


RULES: tuple[Callable[[Facts], Verdict | None], ...] = (
    _no_data,
    _nothing_wanted,
    _broken,
    _stalled,
    _down,
    _pending,
    _rollout,
    _unready,
    _canary,
    _scaling,
    _degraded,
    _failing,
)
"""The first rule that has something to say decides; if none has, the application is healthy."""


def _healthy(facts: Facts) -> Verdict:
    if not facts.rows:
        return Verdict("healthy", "ok", "", "its pods have completed", None)
    since = max((row.since for row in facts.states.get("running", ()) if row.since is not None), default=None)
    return Verdict("healthy", "ok", facts.count, f"{facts.ready} of {facts.ready} pods are ready", since)


def _rolling(facts: Facts) -> bool:
    """Whether a rollout is under way: its controller has not caught up, or old pods remain, or new ones lack."""
    if facts.old:
        return True
    for track in facts.tracks:
        wanted = track.desired or 0
        if not track.generation_observed or track.updated < wanted:
            return True
    return False


def _pods_say(rows: Sequence[PodRow], facts: Facts) -> str:
    """The first pod's own sentence, and how many share its state."""
    alike = len(facts.states[rows[0].state])
    total = len(facts.rows)
    return f"{rows[0].reason}, in {alike} of {total} pods" if total > 1 else rows[0].reason


def continued_since(verdict: Verdict, previous: Application | None, now: float) -> float | None:
    """When the state began: kept while the word stays the same, else as the pods tell, else now if we saw it change.

    Pods that were ready all along do not tell when trouble of another kind ended: healthy is never older than that.
    What follows a time without data was not seen to begin.
    """
    if previous is None:
        return verdict.since
    if previous.state == verdict.state:
        known = [since for since in (previous.since, verdict.since) if since is not None]
        return (max if verdict.state == "healthy" else min)(known, default=None)
    if verdict.since is None:
        return now if previous.severity != "unknown" else None
    older = verdict.state == "healthy" and previous.since is not None and verdict.since < previous.since
    return now if older else verdict.since
