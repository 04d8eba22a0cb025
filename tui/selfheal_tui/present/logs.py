"""Log lines of one or many pods."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from selfheal_cli import words
from selfheal_cli.last_words import FAULT_KEYS, LEVEL_KEYS, MESSAGE_KEYS, first_of, json_fields, last_row, other_fields
from selfheal_core.domain.escape import printable
from selfheal_core.domain.snapshot import PodRow
from selfheal_core.domain.times import parse_time
from selfheal_tui.present.spans import Line, Span, Tone

LINE_LIMIT = 4_000
"""Characters kept of one log line."""
SINCE_CHOICES: tuple[int | None, ...] = (None, 3_600, 900, 300, 60)
"""How far back logs are read, in seconds; None for as far as the tail reaches."""
STAMP_LIMIT = 40
"""Characters of the longest timestamp that a server puts before a line."""
TAIL_LINES = 500
"""Lines read per container at first."""
POD_LIMIT = 24
"""Pods whose logs are merged; more would be more streams than a reader can follow."""


class LogLine(NamedTuple):
    """One line with where it comes from; ``at`` is None where the server gave no time."""

    at: float | None
    pod: str
    text: str


@dataclass(frozen=True, slots=True)
class LogRequest:
    """Which logs to read.

    Attributes:
        pods: Names; at most ``POD_LIMIT``.
        container: Name; "" for the first of each pod.
        previous: The run before the last restart; there is nothing to follow then.
    """

    namespace: str
    pods: tuple[str, ...]
    container: str = ""
    previous: bool = False
    since_seconds: int | None = None
    tail_lines: int = TAIL_LINES


def read_line(pod: str, raw: str) -> LogLine:
    """Split the server's timestamp from a line and make the rest safe for a terminal."""
    stamp, blank, text = raw.partition(" ")
    at = parse_time(stamp) if blank and len(stamp) <= STAMP_LIMIT else None
    said = text if at is not None else raw
    if len(said) <= LINE_LIMIT:
        return LogLine(at, pod, printable(said, limit=LINE_LIMIT, strip_colour=True))
    # Cut before anything looks at it: a line of ten million characters is not worth more than one of four thousand.
    left_out = f" … {len(said) - LINE_LIMIT:,} more characters left out"
    return LogLine(at, pod, printable(said[:LINE_LIMIT], limit=LINE_LIMIT, strip_colour=True) + left_out)


def pods_to_read(pods: list[PodRow], *, previous: bool) -> tuple[str, ...]:
    """Names of the pods whose logs to merge: those in trouble first, for previous logs only those that restarted."""
    chosen = [pod for pod in pods if pod.restarts or not previous]
    chosen.sort(key=lambda pod: (pod.severity == "ok", -pod.restarts, pod.name))
    return tuple(pod.name for pod in chosen[:POD_LIMIT])


POD_TONES: tuple[Tone, ...] = ("key", "info", "ok", "warn", "title", "unknown")


def log_spans(entry: LogLine, names: dict[str, str], tone: Tone, *, raw: bool) -> Line:
    """One line as drawn: when, the pod's short name where several are merged, the text in the tone of its level.

    Args:
        entry: The line.
        names: Short name by pod; empty where there is only one pod.
        tone: Of the short name.
        raw: Show JSON as it was logged.
    """
    text = entry.text if raw else readable(entry.text)
    when = (Span(f"{words.clock(entry.at)} ", "dim"),) if entry.at is not None else ()
    name = (Span(f"{names[entry.pod]} ", tone),) if names else ()
    return (*when, *name, Span(text, level_tone(text)))


def readable(text: str) -> str:
    """A JSON line as words: level, message, then the other fields; the time is drawn in front already.

    Anything else, JSON of another shape included, stays as it is.
    """
    fields = json_fields(text)
    message = first_of(fields, MESSAGE_KEYS)
    if not message:
        return text
    level = first_of(fields, LEVEL_KEYS)
    fault = [last_row(str(fields[key])) for key in FAULT_KEYS if fields.get(key)]
    told = filter(None, (level.upper(), message, *fault, *other_fields(fields)))
    return printable(" ".join(told), limit=LINE_LIMIT)


_LEVELS: tuple[tuple[Literal["bad", "warn"], tuple[str, ...]], ...] = (
    ("bad", ("error", "fatal", "panic", "critical", "traceback", "exception")),
    ("warn", ("warn",)),
)


def level_tone(text: str) -> Tone:
    """Guess from the words at a line's beginning how alarming it is."""
    start = text[:160].lower()
    for tone, needles in _LEVELS:
        if any(needle in start for needle in needles):
            return tone
    return "plain"


def short_names(pods: tuple[str, ...]) -> dict[str, str]:
    """The part of each pod's name after what all share; whole names where that would not tell them apart."""
    if len(pods) < 2:
        return {}
    shortest = min(pods, key=len)
    shared = 0
    while shared < len(shortest) and all(pod[shared] == shortest[shared] for pod in pods):
        shared += 1
    cut = shortest[:shared].rfind("-") + 1
    tails = {pod: pod[cut:] or pod for pod in pods}
    width = max(len(tail) for tail in tails.values())
    return {pod: tail.ljust(width) for pod, tail in tails.items()}
