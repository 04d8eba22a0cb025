"""Coalesced reads of a busy stream: what arrives within a moment is taken at once instead of piece by piece.

An API server sends each change as a piece of its own. At a thousand changes a second waking up for each of them costs
as much again as decoding it; left in the kernel's buffer for a fifth of a second, they come in a few large reads.
"""

import asyncio

GATHER_SECONDS = 0.2
"""How long a busy stream is left alone; less than anybody notices."""
BUSY_LINES = 20
"""Lines in that time (100 a second) from which gathering pays; quieter streams are read without any delay."""


class ReadCoalescer:
    """Leaves a transport alone for a moment whenever it was busy.

    Args:
        transport: Where the stream comes from; None if it has ended already.
    """

    def __init__(self, transport: asyncio.ReadTransport | None) -> None:
        self._transport = transport
        self._lines = 0
        self._since = asyncio.get_running_loop().time()

    def count_line(self) -> None:
        """A line was read."""
        self._lines += 1

    async def gather(self) -> None:
        """Call it when everything that has arrived is read; on a busy stream it lets more arrive first."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._since < GATHER_SECONDS:
            return
        busy = self._lines >= BUSY_LINES
        if busy:
            await self._leave_alone()
        self._lines, self._since = 0, loop.time()
        if busy:
            self._since -= GATHER_SECONDS  # what was gathered just now counts for the next decision

    async def _leave_alone(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.pause_reading()
        try:
            await asyncio.sleep(GATHER_SECONDS)
        finally:
            if not transport.is_closing():
                transport.resume_reading()
