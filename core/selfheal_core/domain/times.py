"""Times and how they are worded: RFC 3339 to seconds since the epoch and back, ages and durations for people."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise

_YEARS = range(1970, 9_999)
"""Years that can be told in any time zone. The API has no moments before its own; garbage has."""
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_SECONDS_OF = dict(_UNITS)
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[dhms])+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)([dhms])")


@lru_cache(maxsize=65_536)
def parse_time(text: str | None) -> float | None:
    """Read a time as the API server sends it.

    Args:
        text: RFC 3339, e.g. ``2026-11-26T16:41:07Z``, with or without a fraction; None or "" where there is none.

    Returns:
        Seconds since the epoch; None for no time, for text that is none, and for years that nothing can be from.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.year not in _YEARS:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def rfc3339(at: float) -> str:
    """Format as Kubernetes' ``Time``: UTC, whole seconds, e.g. ``2026-11-26T16:41:07Z``."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(at: float) -> str:
    """Format as Kubernetes' ``MicroTime`` (Leases), six decimals always, e.g. ``2026-11-26T16:41:07.250000Z``."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def ago(seconds: float) -> str:
    """Word an age in its largest unit, rounded down: ``41s``, ``4m``, ``3h``, ``12d``; below zero reads ``0s``."""
    whole = max(0, int(seconds))
    for letter, size in _UNITS:
        if whole >= size:
            return f"{whole // size}{letter}"
    return "0s"


def duration(seconds: float) -> str:
    """Word a length in its two largest units: ``41s``, ``4m12s``, ``3h5m``, ``2d4h``; a zero second unit is left out.

    Below ten seconds one decimal is kept (``1.4s``), because start-up and recovery times differ there.
    """
    if seconds < 0:
        return "0s"
    tenths = int(seconds * 10)
    if tenths < 100 and tenths % 10:
        return f"{tenths / 10:.1f}s"
    whole = int(seconds)
    for (letter, size), (next_letter, next_size) in pairwise(_UNITS):
        if whole >= size:
            rest = whole % size // next_size
            return f"{whole // size}{letter}{rest}{next_letter}" if rest else f"{whole // size}{letter}"
    return f"{whole}s"


def parse_duration(text: str) -> float:
    """Read a length as people type it: ``90s``, ``10m``, ``1h30m``, ``2d``.

    Returns:
        Seconds.

    Raises:
        ValueError: It is none; the text says what would be.
    """
    if not _DURATION.fullmatch(text):
        raise ValueError(f"'{text}' is no duration (write 90s, 10m, 1h30m or 2d)")
    return sum(float(number) * _SECONDS_OF[unit] for number, unit in _DURATION_PART.findall(text))
