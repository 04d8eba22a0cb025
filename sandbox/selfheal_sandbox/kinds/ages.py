"""Durations as `kubectl get` shows them (k8s.io/apimachinery/pkg/util/duration, HumanDuration)."""

from datetime import datetime

from selfheal_sandbox.store.objects import parse_rfc3339

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
YEAR = 365 * DAY


def human_duration(seconds: float) -> str:
    """A duration in at most two units, coarser as it grows: `45s`, `3m20s`, `5h`, `2d3h`."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    if total < 2 * MINUTE:
        return f"{max(total, 0)}s"
    if total < 10 * MINUTE:
        return _two_units(total, MINUTE, "m", 1, "s")
    if total < 3 * HOUR:
        return f"{total // MINUTE}m"
    if total < 8 * HOUR:
        return _two_units(total, HOUR, "h", MINUTE, "m")
    if total < 2 * DAY:
        return f"{total // HOUR}h"
    if total < 8 * DAY:
        return _two_units(total, DAY, "d", HOUR, "h")
    if total < 2 * YEAR:
        return f"{total // DAY}d"
    if total < 8 * YEAR:
        return _two_units(total, YEAR, "y", DAY, "d")
    return f"{total // YEAR}y"


def _two_units(total: int, large: int, large_name: str, small: int, small_name: str) -> str:
    rest = total % large // small
    return f"{total // large}{large_name}" + (f"{rest}{small_name}" if rest else "")


def age(timestamp: str | None, now: datetime) -> str:
    """How long ago an RFC 3339 time was; `<unknown>` for none."""
    if not timestamp:
        return "<unknown>"
    try:
        since = parse_rfc3339(timestamp)
    except ValueError:
        return "<invalid>"
    return human_duration((now - since).total_seconds())
