"""Waiting for an event, but not for ever."""

import asyncio
from contextlib import suppress


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait until an event is set, for so long at most.

    Not with ``asyncio.wait_for``: before Python 3.12 that loses a cancellation which comes in the same turn of the loop
    as what is waited for (https://github.com/python/cpython/issues/86296). A task that waits again and again then goes
    on for ever, and so does whoever waits for its end.

    Returns:
        Whether it is set.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
