"""What a linter found, and which findings are accepted for a written reason."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

ACCEPTED = Path(__file__).with_name("accepted.yaml")
KEYS = {"linter", "check", "places", "reason"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of one linter.

    Attributes:
        linter: its name.
        check: its identifier of the rule.
        place: what it is about: a file, or ``RENDERING:Kind/name``.
        detail: what it says.
    """

    linter: str
    check: str
    place: str
    detail: str


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Findings that stay: those of one rule at places that match one of the patterns (``*`` and ``?``)."""

    linter: str
    check: str
    places: tuple[str, ...]
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Return whether this accepts a finding."""
        same_rule = (self.linter, self.check) == (finding.linter, finding.check)
        return same_rule and any(fnmatchcase(finding.place, pattern) for pattern in self.places)


def read_acceptances(path: Path = ACCEPTED) -> tuple[Acceptance, ...]:
    """Return what is accepted.

    Raises:
        ValueError: an entry lacks a key, has another one, or gives no reason.
    """
    acceptances = []
    for entry in yaml.safe_load(path.read_text()):
        if set(entry) != KEYS or not entry["reason"].strip() or not entry["places"]:
            raise ValueError(f"{path.name}: {entry} needs exactly {', '.join(sorted(KEYS))}, none of them empty")
        acceptances.append(Acceptance(entry["linter"], entry["check"], tuple(entry["places"]), entry["reason"]))
    return tuple(acceptances)


def not_accepted(findings: Iterable[Finding], acceptances: Iterable[Acceptance]) -> tuple[Finding, ...]:
    """Return the findings that nothing accepts."""
    known = tuple(acceptances)
    return tuple(finding for finding in findings if not any(one.covers(finding) for one in known))


def outdated(linter: str, findings: Iterable[Finding], acceptances: Iterable[Acceptance]) -> tuple[str, ...]:
    """Return the accepted places of a linter at which its rule finds nothing any more, one sentence each."""
    found = tuple(findings)
    return tuple(
        f"{linter} {one.check} finds nothing at {place} any more: take that place out of {ACCEPTED.name}"
        for one in acceptances
        if one.linter == linter
        for place in one.places
        if not any(one.check == each.check and fnmatchcase(each.place, place) for each in found)
    )
