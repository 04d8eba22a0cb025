"""`selfheal-service visit`: asks a URL again and again, so that a demo has traffic to show."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from selfheal_service.check import attempt

_ANSWER_SECONDS = 3.0
OK = "200"


@dataclass(slots=True)
class Tally:
    """What came of the visits so far."""

    sent: int = 0
    failed: int = 0


def visit(url: str, *, per_second: float, stopped: threading.Event, tell: Callable[[str], None]) -> Tally:
    """Ask until stopped, at a steady rate that is never caught up after late answers.

    Args:
        url: What to ask.
        per_second: Visits per second.
        stopped: Ends the visits.
        tell: Told whenever the answer turns from good to bad or back, never once per visit.
    """
    tally, before = Tally(), OK
    while not stopped.is_set():
        due = time.monotonic() + 1 / per_second
        answer = attempt(url, _ANSWER_SECONDS)
        tally.sent += 1
        tally.failed += answer != OK
        if answer != before:
            tell(f"{url} answers {answer} (visit {tally.sent}, {tally.failed} failed)")
        before = answer
        stopped.wait(max(0.0, due - time.monotonic()))
    return tally
