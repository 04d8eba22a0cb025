"""Asking a loop in another thread: single answers, and streams with a bound."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, Generic, TypeVar

from selfheal_core.errors import ClusterUnreachable

T = TypeVar("T")
QUEUE_LIMIT = 64
"""Items of a stream that wait for the screens; the sender waits when it is full."""


class _End:
    """The stream is over."""


class _Pipe(Generic[T]):
    """Items on their way to a reader; a writer waits when too many of them wait, its end never does."""

    def __init__(self) -> None:
        self._items: asyncio.Queue[T | _End] = asyncio.Queue()
        self._slots = asyncio.Semaphore(QUEUE_LIMIT)

    async def fill(self, source: Callable[[], AsyncGenerator[T, None]]) -> None:
        """Move everything that a generator gives; what it raises is raised here."""
        try:
            async with aclosing(source()) as items:
                async for item in items:
                    await self._slots.acquire()
                    self._items.put_nowait(item)
        finally:
            self._items.put_nowait(_End())

    async def take(self) -> T | _End:
        """The next item."""
        item = await self._items.get()
        self._slots.release()
        return item


class Bridge:
    """The way into one loop from coroutines of another."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop runs; questions can be asked."""
        self._loop = loop

    def close(self) -> None:
        """The loop ends."""
        self._loop = None

    def tell(self, callback: Callable[[], object]) -> bool:
        """Call something in the loop soon; False if it does not run."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return False
        loop.call_soon_threadsafe(callback)
        return True

    async def ask(self, question: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine in the loop and wait for its answer; cancelling the wait cancels it there.

        Raises:
            ClusterUnreachable: The loop does not run.
        """
        loop = self._loop
        if loop is None or loop.is_closed():
            raise ClusterUnreachable("there is no connection to the cluster yet")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(question(), loop))

    async def stream(self, source: Callable[[], AsyncGenerator[T, None]]) -> AsyncGenerator[T, None]:
        """Iterate over a generator of the loop; closing this one closes that one and waits for it.

        Raises:
            ClusterUnreachable: The loop does not run.
        """
        pipe: _Pipe[T] = _Pipe()
        filling = asyncio.create_task(self.ask(lambda: pipe.fill(source)))
        try:
            while not isinstance(item := await self.ask(pipe.take), _End):
                yield item
            await filling
        finally:
            filling.cancel()
            await asyncio.gather(filling, return_exceptions=True)
