"""Waiting for something outside of this process that tells nobody when it happens; for tests anywhere."""

import time
from collections.abc import Callable
from typing import Any

POLL_SECONDS = 0.05


def until(condition: Callable[[], Any], seconds: float = 20.0, what: str | Callable[[], object] = "") -> Any:
    """Look at a condition again and again until it holds, and return what it returned.

    Args:
        condition: is looked at.
        seconds: how long it may take.
        what: is waited for; a function is called when it did not come, and tells what is there instead.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {seconds:g} s: {what() if callable(what) else what or condition}")
        time.sleep(POLL_SECONDS)
    return found
