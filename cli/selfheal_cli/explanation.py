"""Why healerd would or would not remove a pod now, what it did, what changed, and the next step: the words of `x` and
of `selfheal explain`.

The decision is pure, so whoever looks can ask it: the same gates, in the same order, as healerd. What only healerd
remembers (its earlier removals and a budget's refusals) can't be known from outside, and is said to be so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from selfheal_cli import words
from selfheal_cli.next_step import NextStep, next_step, release_change, restarted_lately
from selfheal_core.domain.controller_status import by_controller, event_time
from selfheal_core.domain.escape import printable
from selfheal_core.domain.heal import Gate, GateAnswer, HealMemory, HealPolicy, examine, is_triggered
from selfheal_core.domain.objects import Event
from selfheal_core.domain.snapshot import Application, AppState, ControllerStatus, PodRow, PodState, Snapshot
from selfheal_core.domain.words import counted

GATE_QUESTIONS: Mapping[Gate, str] = {
    "watch": "data is fresh",
    "pause": "healing is on",
    "namespace": "namespace may be healed",
    "kind": "owner replaces it",
    "terminating": "not going already",
    "recovered": "not recovered",
    "retry": "not sent just now",
    "budget": "budget has not refused",
    "pacing": "owner's turn",
    "one per owner": "only one of its owner",
}
"""What each gate asks for, as a condition that lets the removal through."""
REMEMBERED: frozenset[Gate] = frozenset({"retry", "budget", "pacing"})
"""Gates that go by what healerd remembers."""
EVENT_WORDS: Mapping[str, str] = {
    "SelfhealEvicted": "evicted",
    "SelfhealHeld": "held back",
    "SelfhealDryRun": "would have evicted",
    "SelfhealFailed": "could not evict",
}
PROBED: frozenset[AppState | PodState] = frozenset({"unready", "degraded", "down"})
"""States for which the last thing that a probe said is evidence; the others' reasons quote it already."""
PROBE_SLACK_SECONDS = 60.0
"""A pod becomes unready after several probes failed; the event of the first one is that much older."""
NOTHING_DONE = "nothing in the last hour, which is as long as a cluster keeps Events by default"
Sign = Literal["open", "closed", "unknown"]


@dataclass(frozen=True, slots=True)
class GateWords:
    """One gate in words.

    Attributes:
        sign: Whether it would let the removal through; ``unknown`` where only healerd remembers.
        question: What it asks for.
        reason: Why it is closed or not known; "" where it is open.
    """

    sign: Sign
    question: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that healerd did, tried or held back, from its Event."""

    at: float
    verb: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that there is to say about one pod or application.

    Attributes:
        state: What is broken, since when and why, as one or two sentences.
        says: What it says itself: the last line before its last end, or what a failed probe got; "" if not known.
        decision: What healerd would decide now, and why, as a sentence.
        gates: In healerd's order; empty for an application without a triggered pod.
        deeds: Newest first.
        change: What changed before, as a sentence; "" if nothing is known.
        step: The safe next step.
    """

    name: str
    state: str
    says: str
    decision: str
    gates: tuple[GateWords, ...]
    deeds: tuple[Deed, ...]
    change: str
    step: NextStep


def explain_pod(row: PodRow, snapshot: Snapshot, policy: HealPolicy, now: float, last_words: str = "") -> Explanation:
    """Explain one pod.

    Args:
        row: The pod.
        snapshot: The picture that it is in.
        policy: healerd's own where it could be read, else the default one.
        now: Seconds since the epoch.
        last_words: Last line of the log of the run before; "" if not known.
    """
    app = snapshot.applications.get(row.app)
    answers = examine(row, snapshot, HealMemory(), policy, now)
    events = [event for event in app.events if event.involved_object.uid == row.uid] if app is not None else []
    return Explanation(
        name=f"pod {row.name}",
        state="".join(state_words(row, now)),
        says=last_words or (probe_words(events, row.since) if row.state in PROBED else ""),
        decision=decision_sentence(row, answers, policy, snapshot.controller),
        gates=tuple(gate_words(answer) for answer in answers),
        deeds=deeds(events),
        change=change_sentence(app, now),
        step=next_step(app, now) if app is not None else NextStep("", "nothing to do"),
    )


def explain_application(
    app: Application, snapshot: Snapshot, policy: HealPolicy, now: float, last_words: str = ""
) -> Explanation:
    """Explain an application by one that restarted too often of its pods, else by any; by the one in most trouble."""
    rows = [snapshot.pods[uid] for uid in app.pods if uid in snapshot.pods]
    worst = max(rows, key=lambda row: (is_triggered(row, policy), *_trouble(row)), default=None)
    about = explain_pod(worst, snapshot, policy, now) if worst is not None else None
    triggered = worst is not None and is_triggered(worst, policy)
    return Explanation(
        name=f"application {app.key.name}",
        state="".join(state_words(app, now)),
        says=last_words or application_probe_words(app),
        decision=about.decision if about is not None else "It has no pods, so there is nothing to remove.",
        gates=about.gates if about is not None and triggered else (),
        deeds=deeds(app.events),
        change=change_sentence(app, now),
        step=next_step(app, now),
    )


def _trouble(row: PodRow) -> tuple[int, int, str]:
    """The higher, the more an operator asks about this pod."""
    return -words.SEVERITY_ORDER.index(row.severity), row.worst_container_restarts, row.name


def state_words(about: Application | PodRow, now: float) -> tuple[str, str]:
    """``Crash loop since 12:03 (4m).`` and `` Container app exits 1.``; of what is well, the word and the rest."""
    since = f" since {words.clock(about.since)} ({words.length(now - about.since)})" if about.since else ""
    if isinstance(about, Application) and about.severity == "ok":
        return about.state.capitalize(), f"{since}.{_restarted(about, now)}"
    reason = f" {printable(words.sentence(about.reason))}" if about.reason else ""
    return f"{about.state.capitalize()}{since}.", reason


def _restarted(app: Application, now: float) -> str:
    """Restarts that are over: the word healthy alone would hide them."""
    if app.last_restart_at is None or not restarted_lately(app, now):
        return ""
    return f" {counted(app.restarts, 'restart')}, the last one {words.age(app.last_restart_at, now)} ago."


def application_probe_words(app: Application) -> str:
    """What the newest failed probe of an application got, where that is evidence."""
    return probe_words(app.events, app.since) if app.state in PROBED and app.severity != "info" else ""


def probe_words(events: Iterable[Event], since: float | None) -> str:
    """What the newest failed probe said, "" if none failed since then."""
    failed = [event for event in events if event.reason == "Unhealthy"]
    newest = max(failed, key=event_time, default=None)
    if newest is None or event_time(newest) < (since or 0.0) - PROBE_SLACK_SECONDS:
        return ""
    return newest.message


def decision_sentence(
    row: PodRow, answers: Iterable[GateAnswer], policy: HealPolicy, controller: ControllerStatus
) -> str:
    """``healerd would evict pod x now: container app restarted 6 times (limit 3).``."""
    absence = healer_absence(controller)
    who = f"healerd is {absence}; it" if absence else "healerd"
    if not is_triggered(row, policy):
        most = row.worst_container_restarts
        limit = f"no container restarted more than {policy.max_restarts} times (most: {most})"
        return f"{who} would leave pod {row.name} alone: {limit}."
    closed = next((answer for answer in answers if not answer.is_open), None)
    trigger = f"container {row.worst_container} restarted {row.worst_container_restarts} times"
    if closed is not None:
        return f"{who} would hold pod {row.name} back, although {trigger}: {closed.reason}."
    return f"{who} would evict pod {row.name} now: {trigger} (limit {policy.max_restarts})."


def gate_words(answer: GateAnswer) -> GateWords:
    """One gate's answer in words."""
    question = GATE_QUESTIONS[answer.gate]
    if not answer.is_open:
        return GateWords("closed", question, answer.reason)
    if answer.gate in REMEMBERED:
        return GateWords("unknown", question, "only healerd remembers; its Events say when this holds")
    return GateWords("open", question)


def deeds(events: Iterable[Event]) -> tuple[Deed, ...]:
    """What healerd wrote about it, newest first; what it wrote about a pod and about its owner counts once."""
    written = (
        Deed(event_time(event), EVENT_WORDS.get(event.reason, event.reason), words.sentence(event.message))
        for event in healer_events(events)
    )
    return tuple(dict.fromkeys(written))


def healer_events(events: Iterable[Event]) -> list[Event]:
    """Events that healerd wrote, newest first."""
    ours = [event for event in events if by_controller(event) or event.reason.startswith("Selfheal")]
    return sorted(ours, key=event_time, reverse=True)


def healer_absence(controller: ControllerStatus) -> str:
    """Why healerd does nothing at all: ``not installed here``, ``not running (0/1 ready)``; "" if it is at work."""
    if controller.present is False:
        return "not installed here"
    if controller.present and not controller.ready:
        figure = f"{controller.ready}/{controller.desired} ready" if controller.desired else "scaled to 0"
        return f"not running ({figure})"
    return ""


def change_sentence(app: Application | None, now: float) -> str:
    """``Revision 6 -> 7 was deployed 4m ago.``; "" if nothing is known."""
    change = release_change(app, now) if app is not None else None
    if change is None or change.current.deployed_at is None:
        return ""
    numbers = f"{change.before.number} -> {change.current.number}" if change.before else str(change.current.number)
    age = words.age(change.current.deployed_at, now)
    image = f", image {change.current.image.rpartition('/')[2]}" if change.current.image else ""
    return f"Revision {numbers} was deployed {age} ago{image}."
