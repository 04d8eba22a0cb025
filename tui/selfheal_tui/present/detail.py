"""The selected application or pod in sentences: five questions, always in the same order.

What is broken and since when; what it says itself; what changed before; what the platform did, refused or will do; the
safe next step.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from selfheal_cli import words
from selfheal_cli.explanation import (
    application_probe_words,
    healer_absence,
    healer_events,
    probe_words,
    state_words,
)
from selfheal_cli.next_step import (
    PENDING,
    NextStep,
    changed_just_before,
    next_step,
    release_change,
)
from selfheal_core.domain.controller_status import event_time
from selfheal_core.domain.escape import printable
from selfheal_core.domain.objects import Event
from selfheal_core.domain.snapshot import Application, ControllerStatus, PodRow
from selfheal_core.domain.words import ratio
from selfheal_tui.present.applications import BUDGET_RATIO
from selfheal_tui.present.glyphs import TONE_OF_SEVERITY, Glyphs, plain
from selfheal_tui.present.history import RevisionRow
from selfheal_tui.present.spans import Line, Span, line

EVIDENCE_LIMIT = 200
HEALER_EVENTS_SHOWN = 2


@dataclass(frozen=True, slots=True)
class DetailFacts:
    """What the detail needs besides the object itself.

    Attributes:
        last_words: Last line of the previous run's log, "" if not known.
        keys: What to press instead of a built-in key, where a keymap says so.
    """

    now: float
    controller: ControllerStatus
    last_words: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)


def application_detail(app: Application, facts: DetailFacts, glyphs: Glyphs) -> list[Line]:
    """The five answers for an application, one line each, unwrapped."""
    answers = [
        _what_is_broken(app, facts.now),
        _what_it_says(facts.last_words or application_probe_words(app)),
        _what_changed(app, facts.now, glyphs),
        *_what_the_platform_did(app.events, facts, app.severity in ("warn", "bad")),
        step_line(next_step(app, facts.now), facts.keys),
    ]
    return [tuple(Span(plain(s.text, glyphs), s.tone) for s in answer) for answer in answers if answer]


def _what_is_broken(app: Application, now: float) -> Line:
    head, rest = state_words(app, now)
    return line(Span(head, TONE_OF_SEVERITY[app.severity]), f"{rest}{_failing(app) if app.severity == 'ok' else ''}")


def _failing(app: Application) -> str:
    """Requests that fail although the pods are ready."""
    share = app.errors.ratio if app.errors else None
    return f" {ratio(share)} of its requests fail." if share is not None and share > BUDGET_RATIO else ""


def _what_it_says(last_words: str) -> Line:
    if not last_words:
        return ()
    return line(Span("It says: ", "dim"), f"“{printable(last_words, limit=EVIDENCE_LIMIT)}”")


def _what_changed(app: Application, now: float, glyphs: Glyphs) -> Line:
    change = release_change(app, now)
    if change is None or change.current.deployed_at is None:
        return ()
    deployed = change.current.deployed_at
    number = change.current.number
    numbers = f"{change.before.number} {glyphs.arrow} {number}" if change.before else f"{number}"
    if change.current.status in PENDING:
        numbers += f" ({change.current.status})"
    images = _images(change.before.image if change.before else "", change.current.image, glyphs)
    when = f"{words.clock(deployed)} ({words.age(deployed, now)} ago)"
    label = "Before it: " if app.severity != "ok" and changed_just_before(app, change) else "Last change: "
    return line(Span(label, "dim"), f"revision {numbers} at {when}{images}.")


def _images(before: str, after: str, glyphs: Glyphs) -> str:
    if not after:
        return ""
    old, new = short_image(before), short_image(after)
    if not before or old == new:
        return printable(f", image {new}")
    same_name = old.rpartition(":")[0] == new.rpartition(":")[0]
    return printable(f", image {old} {glyphs.arrow} {new.rpartition(':')[2] if same_name else new}")


def short_image(image: str) -> str:
    """An image without its registry: ``app-a:2.3.0``."""
    return image.rpartition("/")[2]


def _what_the_platform_did(events: tuple[Event, ...], facts: DetailFacts, troubled: bool) -> list[Line]:
    ours = healer_events(events)[:HEALER_EVENTS_SHOWN]
    if ours:
        return [
            line(Span(f"healerd {words.clock(event_time(event))}: ", "dim"), printable(words.sentence(event.message)))
            for event in ours
        ]
    if not troubled:
        return []
    absence = healer_absence(facts.controller)
    if absence:
        return [line(Span("healerd: ", "dim"), f"{absence}; nothing heals this by itself.")]
    return [line(Span("healerd: ", "dim"), "has done nothing about it so far.")]


def step_line(step: NextStep, keys: Mapping[str, str]) -> Line:
    """``Safe next step: R  roll back to …``."""
    key = (Span(f"{keys.get(step.key, step.key)}  ", "key"),) if step.key else ()
    return (Span("Safe next step: ", "dim"), *key, Span(printable(step.sentence) + "."))


def pod_detail(pod: PodRow, app: Application | None, facts: DetailFacts, glyphs: Glyphs) -> list[Line]:
    """A pod in sentences."""
    head, rest = state_words(pod, facts.now)
    owner = f"{pod.owner.kind} {pod.owner.name}" if pod.owner else "nothing (a bare pod is not replaced)"
    place = f"On {pod.node or 'no node yet'}, {pod.pod_ip or 'no address yet'}, owned by {owner}."
    lines = [
        line(Span(head, TONE_OF_SEVERITY[pod.severity]), rest),
        line(Span(printable(place), "dim")),
        _what_it_says(facts.last_words),
    ]
    if app is not None:
        events = tuple(event for event in app.events if event.involved_object.uid == pod.uid)
        if pod.state == "unready" and not facts.last_words:
            lines.append(_what_it_says(probe_words(events, pod.since)))
        lines += _what_the_platform_did(events, facts, False)
    return [tuple(Span(plain(s.text, glyphs), s.tone) for s in answer) for answer in lines if answer]


def revision_detail(row: RevisionRow, glyphs: Glyphs) -> list[Line]:
    """A revision in sentences."""
    revision = row.revision
    deployed = "at an unknown time" if revision.deployed_at is None else f"at {words.moment(revision.deployed_at)}"
    chart = f", image {revision.image}" if revision.image else ""
    head = f"Revision {revision.number} of {revision.release}: {revision.status} {deployed}{chart}."
    lines: list[Line] = [line(printable(head)), line(Span("Health: ", "dim"), f"{words.known_good(revision)}.")]
    if row.running:
        lines.append(line(Span("This revision runs now. ", "title"), "R asks to which one to go back."))
    elif not row.target:
        why = "It is the newest one" if revision.status in ("deployed", "superseded") else "It never ran completely"
        lines.append(line(Span(f"{why}: no way back. ", "title"), "R asks to which one to go back."))
    else:
        lines.append(
            line(Span("R", "key"), f"  roll back to revision {revision.number}: shows what would change first.")
        )
    return [tuple(Span(plain(s.text, glyphs), s.tone) for s in answer) for answer in lines]
