"""The filter line: ``web !api state:crash restarts>3 age<10m app=app-a track=canary``.

Words are joined by "and". A plain word matches the name fuzzily (its letters in that order), ``!word`` excludes names
that contain the word, ``field:text`` matches a part, ``field=text`` the whole, ``!=`` its opposite, and ``<`` ``<=``
``>`` ``>=`` compare numbers and ages.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from selfheal_core.domain.escape import printable
from selfheal_core.domain.snapshot import Application, PodRow
from selfheal_core.domain.times import parse_duration
from selfheal_core.errors import BadUsage, did_you_mean

Operator = Literal["fuzzy", "without", ":", "=", "!=", "<", "<=", ">", ">="]
_TERM = re.compile(r"(?P<field>[A-Za-z_]+)(?P<operator>!=|<=|>=|:|=|<|>)(?P<value>.*)", re.DOTALL)


class FilterError(BadUsage):
    """A filter that can't be read; says which word and what would be right."""


Row = PodRow | Application


def _pod_text(read: Callable[[PodRow], str], otherwise: Callable[[Application], str]) -> Callable[[Row], str]:
    return lambda row: read(row) if isinstance(row, PodRow) else otherwise(row)


def _workload_name(row: PodRow) -> str:
    return row.owner.name if row.owner is not None else ""


def _tracks(app: Application) -> str:
    return " ".join(track.name for track in app.tracks)


def _revisions(app: Application) -> str:
    return " ".join(str(track.revision) for track in app.tracks if track.revision is not None)


_TEXTS: Mapping[str, Callable[[Row], str]] = {
    "name": _pod_text(lambda row: row.name, lambda app: app.key.name),
    "namespace": _pod_text(lambda row: row.namespace, lambda app: app.key.namespace),
    "app": _pod_text(lambda row: row.app.name, lambda app: app.key.name),
    "track": _pod_text(lambda row: row.track, _tracks),
    "state": lambda row: row.state,
    "severity": lambda row: row.severity,
    "reason": lambda row: row.reason,
    "node": _pod_text(lambda row: row.node, lambda _: ""),
    "owner": _pod_text(_workload_name, lambda app: " ".join(_owners(app))),
    "exit": _pod_text(lambda row: row.last_exit, lambda _: ""),
    "revision": _pod_text(lambda row: row.template_hash, _revisions),
}


def _owners(app: Application) -> list[str]:
    return [track.workload.name for track in app.tracks if track.workload is not None]


def _age(row: Row, now: float) -> float | None:
    born = row.created_at if isinstance(row, PodRow) else row.since
    return None if born is None else now - born


def _since(row: Row, now: float) -> float | None:
    return None if row.since is None else now - row.since


def _ready(row: Row, _now: float) -> float | None:
    return float(row.ready_containers if isinstance(row, PodRow) else row.ready)


def _cpu(row: Row, _now: float) -> float | None:
    return row.cpu_millicores if isinstance(row, PodRow) else row.cpu_percent


_NUMBERS: Mapping[str, Callable[[Row, float], float | None]] = {
    "restarts": lambda row, _: float(row.restarts),
    "ready": _ready,
    "cpu": _cpu,
}
_AGES: Mapping[str, Callable[[Row, float], float | None]] = {
    "age": _age,
    "since": _since,
    "restarted": lambda row, now: None if row.last_restart_at is None else now - row.last_restart_at,
}
FIELDS: tuple[str, ...] = (*_TEXTS, *_NUMBERS, *_AGES)
"""Every field that a filter can name, for help and completion."""


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a filter; ``value`` is lower case, ``number`` is set for comparisons."""

    field: str
    operator: Operator
    value: str
    number: float = 0.0

    def matches(self, row: Row, now: float) -> bool:
        """Whether the row satisfies this word; an unknown figure satisfies no comparison."""
        if self.field in _TEXTS:
            return self._matches_text(_TEXTS[self.field](row).lower())
        read = _NUMBERS.get(self.field) or _AGES[self.field]
        figure = read(row, now)
        return figure is not None and self._compares(figure)

    def _matches_text(self, text: str) -> bool:
        match self.operator:
            case "fuzzy":
                return fuzzy(self.value, text)
            case "without":
                return self.value not in text
            case ":":
                return self.value in text
            case "!=":
                return self.value != text and self.value not in text.split()
            case _:
                return self.value == text or (
                    self.field in ("track", "owner", "revision") and self.value in text.split()
                )

    def _compares(self, figure: float) -> bool:
        match self.operator:
            case "<":
                return figure < self.number
            case "<=":
                return figure <= self.number
            case ">":
                return figure > self.number
            case ">=":
                return figure >= self.number
            case "!=":
                return figure != self.number
            case _:
                return figure == self.number


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter line, read. An empty one matches everything."""

    text: str = ""
    terms: tuple[Term, ...] = ()

    def matches(self, row: Row, now: float) -> bool:
        """Whether a pod or an application satisfies every word."""
        for term in self.terms:  # noqa: SIM110 - half the time of all(): 50,000 rows are asked at each letter typed
            if not term.matches(row, now):
                return False
        return True

    def __bool__(self) -> bool:
        return bool(self.terms)


def parse_filter(text: str) -> Filter:
    """Read a filter line.

    Raises:
        FilterError: A field is unknown, or a number or an age can't be read.
    """
    return Filter(text.strip(), tuple(_parse_term(word) for word in text.split()))


def fuzzy(needle: str, text: str) -> bool:
    """Whether the letters of ``needle`` occur in ``text`` in that order."""
    return needle in text or _in_that_order(needle).match(text) is not None


@lru_cache(maxsize=64)
def _in_that_order(needle: str) -> re.Pattern[str]:
    """A pattern for the letters with anything between them; what may be between never backtracks."""
    return re.compile("".join(f"[^{re.escape(letter)}]*{re.escape(letter)}" for letter in needle))


def _parse_term(word: str) -> Term:
    match = _TERM.fullmatch(word)
    if match is None:
        return _name_term(word)
    field, value = match["field"].lower(), match["value"].lower()
    operator: Operator = match["operator"]  # type: ignore[assignment]  # the pattern allows no other
    if field not in FIELDS:
        raise FilterError(f"filter has no field '{printable(field, limit=40)}'", did_you_mean(field, list(FIELDS)))
    if not value:
        raise FilterError(f"filter word '{printable(word, limit=60)}' lacks a value", f"write {_example(field)}")
    if field in _TEXTS:
        if operator not in (":", "=", "!="):
            raise FilterError(f"'{field}' is text and can't be compared with {operator}", f"write {field}:{value}")
        return Term(field, operator, value)
    return Term(field, "=" if operator == ":" else operator, value, _number(field, value))


def _name_term(word: str) -> Term:
    if not word.startswith("!"):
        return Term("name", "fuzzy", word.lower())
    if len(word) == 1:
        raise FilterError("filter word '!' excludes nothing", "write !name")
    return Term("name", "without", word[1:].lower())


def _number(field: str, value: str) -> float:
    try:
        return parse_duration(value) if field in _AGES else float(int(value))
    except ValueError:
        raise FilterError(
            f"'{printable(value, limit=40)}' is no {'age' if field in _AGES else 'whole number'}",
            f"write {_example(field)}",
        ) from None


def _example(field: str) -> str:
    if field in _AGES:
        return f"{field}<10m"
    return f"{field}>3" if field in _NUMBERS else f"{field}:text"
