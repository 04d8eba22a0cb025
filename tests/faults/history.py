"""What happened to a collection, as the lines of a watch."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

KEPT_LINES = 4_000
BATCH_LINES = 50


class TooOld(Exception):  # noqa: N818 - the word that the API uses
    """A version that is no longer kept."""


class History:
    """Lines of a watch in order, the newest few thousand of them; whoever is further behind gets ``TooOld``.

    Attributes:
        version: Of the newest change.
        oldest: Watches from before this version are refused.
    """

    def __init__(self, version: int) -> None:
        self.version = version
        self.oldest = 0
        self._first = 0
        self._lines: deque[tuple[int, bool, bytes]] = deque()
        self._moved = asyncio.Condition()
        self._positions: dict[object, int] = {}

    async def tell(self, line: bytes, *, bookmark: bool = False) -> None:
        """Something happened at the present version."""
        self.add(line, bookmark=bookmark)
        await self.notify()

    def add(self, line: bytes, *, bookmark: bool = False) -> None:
        """The same, without waking who waits for it."""
        self._lines.append((self.version, bookmark, line))
        while len(self._lines) > KEPT_LINES:
            self.oldest = self._lines.popleft()[0]
            self._first += 1

    async def notify(self) -> None:
        """Wake those who wait for lines."""
        async with self._moved:
            self._moved.notify_all()

    def forget(self) -> None:
        """Compact: everything from before is gone."""
        self._first += len(self._lines)
        self._lines.clear()
        self.oldest = self.version

    @property
    def is_watched(self) -> bool:
        """Whether anybody reads."""
        return bool(self._positions)

    async def caught_up(self) -> None:
        """Wait until every watch has sent everything."""
        async with self._moved:
            await self._moved.wait_for(lambda: all(position >= self._end for position in self._positions.values()))

    async def since(self, version: int) -> AsyncIterator[list[bytes]]:
        """Lines after a version, in batches, as they come; for ever.

        Raises:
            TooOld: The version, or the next line for a slow reader, is no longer kept.
        """
        if version < self.oldest:
            raise TooOld
        token = object()
        self._positions[token] = position = self._first
        try:
            while True:
                if position < self._first:
                    raise TooOld
                end = min(self._end, position + BATCH_LINES)
                batch = [self._lines[number - self._first] for number in range(position, end)]
                due = [line for at, bookmark, line in batch if at > version or (bookmark and at >= version)]
                if due:
                    yield due
                self._positions[token] = position = end
                async with self._moved:
                    self._moved.notify_all()
                    await self._moved.wait_for(lambda: self._end > position)  # noqa: B023 - waited for right here
        finally:
            del self._positions[token]

    @property
    def _end(self) -> int:
        return self._first + len(self._lines)
