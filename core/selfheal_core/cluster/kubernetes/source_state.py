"""State and age of one source: which condition it is in, since when, and who is told.

Ages come from our own clock alone: when *we* heard something, never what time the server says it is.
"""

from collections.abc import Callable
from dataclasses import replace

from selfheal_core.cluster.kubernetes.api_errors import ApiError, Forbidden, Gone, NotFound, Unauthorized
from selfheal_core.domain.snapshot import Source, SourceCondition

CREDENTIALS_REFUSED = "credentials refused (401); log in again, and the new ones are taken up without a restart"


class SourceState:
    """State and age of a source; tells when it changes in more than its age.

    Args:
        name: Of the source.
        clock: Seconds since the epoch.
        on_source: Is told.
    """

    def __init__(self, name: str, clock: Callable[[], float], on_source: Callable[[Source], None]) -> None:
        self._clock = clock
        self._on_source = on_source
        self._told = Source(name, "connecting", clock())
        self._fresh_at: float | None = None

    @property
    def source(self) -> Source:
        """As of now."""
        return replace(self._told, fresh_at=self._fresh_at)

    def prove(self) -> None:
        """The data is current as of now."""
        self._fresh_at = self._clock()
        if self._told.condition != "live":
            self._tell("live", "", None)

    def fail(self, error: ApiError, *, broken: bool, retry_in_seconds: float) -> None:
        """An attempt ended, and it is worth telling."""
        self._tell(condition_after(error, broken=broken), reason_of(error), self._clock() + retry_in_seconds)

    def _tell(self, condition: SourceCondition, reason: str, retry_at: float | None) -> None:
        since = self._told.since if self._told.condition == condition else self._clock()
        self._told = Source(self._told.name, condition, since, self._fresh_at, reason, retry_at)
        self._on_source(self._told)


def condition_after(error: ApiError, *, broken: bool) -> SourceCondition:
    """The condition of a source whose last attempt ended like this. Pure.

    Args:
        error: How it ended.
        broken: Whether the server had taken the watch before.
    """
    if isinstance(error, Forbidden):
        return "forbidden"
    if isinstance(error, NotFound):
        return "absent"
    return "stale" if broken or isinstance(error, Gone) else "lost"


def reason_of(error: ApiError) -> str:
    """Why a source is not live, in words that also say what helps, where that is known. Pure."""
    return CREDENTIALS_REFUSED if isinstance(error, Unauthorized) else error.what
