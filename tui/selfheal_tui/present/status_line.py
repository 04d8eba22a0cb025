"""The two lines at the top: where we are, how fresh the data is, and which tab is shown."""

from collections.abc import Iterable
from dataclasses import dataclass

from selfheal_cli import words
from selfheal_core.domain.escape import printable
from selfheal_core.domain.snapshot import ControllerStatus, Source, SourceCondition
from selfheal_core.domain.times import ago
from selfheal_tui.navigation import TABS, Tab
from selfheal_tui.present.glyphs import SEVERITY_OF_SOURCE, TONE_OF_SEVERITY, Glyphs, cut_end, cut_middle
from selfheal_tui.present.spans import Line, Span, line, width_of

_WORST: dict[SourceCondition, int] = {"lost": 0, "forbidden": 1, "stale": 2, "connecting": 3, "absent": 4, "live": 5}
QUIET_SECONDS = 15.0
"""A watch may be quiet for longer than this; a question without an answer beside it means that nobody is there."""
SLOW_LINK = "slow link"
LEFT_CELLS = 26
"""Cells that stay for where we are and whether we may write."""
MAIN_SOURCES: dict[Tab, tuple[str, ...]] = {
    "apps": ("pods", "replicasets", "deployments"),
    "pods": ("pods",),
    "history": ("releases", "deployments"),
    "journal": ("pods",),
}
"""Streams without which a tab's rows can't be trusted; of the journal, a file, those that its verbs are run on."""


@dataclass(frozen=True, slots=True)
class StatusFacts:
    """What the status line tells.

    Attributes:
        source: The stream of this screen that is worst off.
        all_alike: Whether all streams of this screen are in the same condition, so that it needs no name.
        unanswered: Why the newest question to the API server got no answer; "" if it got one.
        slow_link: Whether the terminal takes what is written only slowly.
        errors: The stream of error rates.
    """

    context: str
    namespaces: tuple[str, ...]
    read_only: bool
    controller: ControllerStatus
    source: Source | None
    all_alike: bool = True
    unanswered: str = ""
    slow_link: bool = False
    errors: Source | None = None


def worst_source(sources: Iterable[Source]) -> Source | None:
    """The source that is worst off; among equals the one whose data is oldest."""
    return min(sources, key=lambda source: (_WORST[source.condition], source.fresh_at or 0.0), default=None)


def status_line(facts: StatusFacts, now: float, glyphs: Glyphs, width: int) -> Line:
    """Context and namespace, read-only or not, healerd, where error rates come from; at the right the data's state.

    The state of the data comes first; on the left the error rates give way, then healerd, then the context is shortened
    in its middle.
    """
    slow = (Span(SLOW_LINK, "warn"), Span("  ")) if facts.slow_link else ()
    right = (*slow, *_source_words(facts, now, glyphs, max(20, width - LEFT_CELLS - width_of(slow))))
    scope = ",".join(facts.namespaces) or "all namespaces"
    where = printable(f"{facts.context}/{scope}")
    mode = Span("READ-ONLY", "warn") if facts.read_only else Span("read-write", "dim")
    room = width - width_of(right) - 2
    healer = _healer(facts.controller, room - len(where) - len(mode.text) - 4)
    left_room = room - len(mode.text) - 2 - (len(healer.text) + 2 if healer.text else 0)
    shown = cut_middle(where, max(4, left_room), glyphs.ellipsis)
    left = line(" ", Span(shown, "title"), "  ", mode, *(("  ", healer) if healer.text else ()))
    rates = _error_rates(facts.errors, now, width - width_of(left) - width_of(right) - 4)
    left = line(*left, *(("  ", rates) if rates.text else ()))
    gap = max(1, width - width_of(left) - width_of(right) - 1)
    return (*left, Span(" " * gap), *right)


def _healer(status: ControllerStatus, room: int) -> Span:
    text = printable(words.controller(status))
    healthy = status.present and status.ready >= max(1, status.desired)
    counted = f"healerd {words.ready(status.ready, status.desired)}" if status.present else text
    forms = (text, text.replace(" ready", ""), "healerd" if healthy else counted)
    fitting = next((form for form in forms if len(form) <= room), "")
    return Span(fitting, "dim" if healthy or status.present is None else "warn")


def _error_rates(source: Source | None, now: float, room: int) -> Span:
    """``errors: Prometheus, 12s``, as far as there is room for it."""
    told = words.source_origin(source, now) if source is not None and source.condition == "live" else ""
    text = printable(f"errors: {told}") if told else ""
    return Span(text if len(text) <= room else "", "warn" if source is not None and source.origin_note else "dim")


def _source_words(facts: StatusFacts, now: float, glyphs: Glyphs, room: int) -> Line:
    source = facts.source
    if source is None:
        return line(Span(f"{glyphs.info} connecting", "info"))
    age = now - source.fresh_at if source.condition == "live" and source.fresh_at is not None else 0.0
    if age > (QUIET_SECONDS if facts.unanswered else words.FRESH_SECONDS):
        why = f" ({words.short_reason(facts.unanswered)})" if facts.unanswered else ""
        return line(Span(cut_end(f"{glyphs.warn} silent {ago(age)}{why}", room, glyphs.ellipsis), "warn"))
    severity = SEVERITY_OF_SOURCE[source.condition]
    name = "" if source.condition == "live" or facts.all_alike else f"{source.name} "
    text = f"{glyphs.of(severity)} {name}{printable(words.source_state(source, now, brief=True))}"
    return line(Span(cut_end(text, room, glyphs.ellipsis), TONE_OF_SEVERITY[severity]))


def tabs_line(active: Tab, subject: str, right: Line, width: int) -> Line:
    """``1 Apps  [2 Pods] of app-a  3 History``, and what there is to say at the right.

    Args:
        active: The tab that is shown.
        subject: What of it, "" for all.
        right: Drawn at the right end; where there is no room for all of it, its last spans stay.
        width: Cells.
    """
    spans: list[Span] = [Span(" ")]
    for number, tab, title in TABS:
        spans += [Span(f"[{number} {title}]", "title") if tab == active else Span(f" {number} {title} ", "dim")]
        spans.append(Span(f" of {subject}  " if subject and tab == active else " ", "title"))
    room = width - width_of(tuple(spans)) - 2
    while right and width_of(right) > room:
        right = right[1:]
    return (*spans, Span(" " * (room - width_of(right) + 1)), *right) if right else tuple(spans)
