"""Asking a loop in another thread: single answers, and streams with a bound."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

from selfheal_core.errors import ClusterUnreachable

T = TypeVar("T")
QUEUE_LIMIT = 64
"""Items of a stream that wait for the screens; the sender waits when it is full."""


class _End:
    """The stream is over, because of an error if there is one."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


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
        queue: asyncio.Queue[T | _End] = await self.ask(_new_queue)
        pump = asyncio.create_task(self.ask(lambda: _pump(source, queue)))
        try:
            while not isinstance(item := await self.ask(queue.get), _End):
                yield item
            if item.error is not None:
                raise item.error
        finally:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)


async def _new_queue() -> asyncio.Queue[Any]:
    return asyncio.Queue(QUEUE_LIMIT)


async def _pump(source: Callable[[], AsyncGenerator[T, None]], queue: asyncio.Queue[T | _End]) -> None:
    """Move items from a generator into the queue; its end and its error go the same way."""
    error: BaseException | None = None
    try:
        async with aclosing(source()) as items:
            async for item in items:
                await queue.put(item)
    except Exception as fault:  # noqa: BLE001 - handed to the reader, who raises it
        error = fault
    await queue.put(_End(error))
