"""`selfheal-service check`: asks URLs until each answers 200 or the time is over."""

import random
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

_ATTEMPT_SECONDS = 3.0
_BACK_OFF_SECONDS = (0.2, 0.6)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Outcome for one URL; `detail` says what the last attempt met."""

    url: str
    passed: bool
    attempts: int
    detail: str


def check(url: str, timeout_seconds: float) -> CheckResult:
    """Ask one URL until it answers 200, with jittered pauses, or until the time is over."""
    deadline = time.monotonic() + timeout_seconds
    attempts = 0
    while True:
        attempts += 1
        detail = attempt(url, min(_ATTEMPT_SECONDS, max(0.1, deadline - time.monotonic())))
        pause = random.uniform(*_BACK_OFF_SECONDS)  # noqa: S311 - jitter
        if detail == "200" or time.monotonic() + pause >= deadline:
            return CheckResult(url, detail == "200", attempts, detail)
        time.sleep(pause)


def attempt(url: str, timeout_seconds: float) -> str:
    """One GET without proxies.

    Returns:
        The status as text, or why there was none.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout_seconds) as response:
            return str(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return str(error.code)
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error))
