"""ASGI wrapper that ends the process once the answer to a crash request is out."""

import asyncio
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from selfheal_service.asgi import ASGIApplication, Receive, Scope, Send

CRASH_KEY = "selfheal_service.crash"
"""Scope key that the application sets to ask for the crash."""

CRASH_EXIT_CODE = 1

_FLUSH_SECONDS = 0.05
"""uvloop writes to the socket at the end of a loop iteration; this leaves it many."""


def exit_at_once(code: int) -> NoReturn:
    """End the process like a crash: no clean-up, but logs already written are not lost."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class CrashAfterAnswer:
    """Wraps an application; `exit_process` is called with the exit code after the answer was sent."""

    def __init__(self, application: ASGIApplication, exit_process: Callable[[int], object]) -> None:
        self._application = application
        self._exit_process = exit_process

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request through the wrapped application, then crash if it asked for it."""
        await self._application(scope, receive, send)
        if CRASH_KEY in scope:
            await asyncio.sleep(_FLUSH_SECONDS)
            self._exit_process(CRASH_EXIT_CODE)
