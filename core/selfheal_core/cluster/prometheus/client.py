"""Questions to Prometheus, asked by ``prometheus-api-client`` off the loop.

That library knows the API and is synchronous: it runs in a worker thread, one question at a time. The bytes travel over
the loop's own connections all the same, through a session that hands each request back to the loop. So the deadline is
the loop's, nothing is retried in secret, and when a question is cancelled its thread ends with it.
"""

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from selfheal_core.cluster.prometheus.answers import Answer, read_answer, read_error
from selfheal_core.cluster.prometheus.errors import PrometheusError
from selfheal_core.cluster.prometheus.transport import RawAnswer, Transport

if TYPE_CHECKING:
    from requests import PreparedRequest

DEADLINE_SECONDS = 5.0
GRACE_SECONDS = 1.0
"""How much longer than the deadline a thread may wait for the loop."""


class Exchange:
    """Carries the requests of one question from the worker thread to the loop; `abort` ends the wait."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: Transport, deadline_seconds: float) -> None:
        self.where = transport.where
        self._loop = loop
        self._transport = transport
        self._deadline_seconds = deadline_seconds
        self._lock = threading.Lock()
        self._under_way: Future[RawAnswer] | None = None
        self._aborted = False

    def send(self, request: "PreparedRequest") -> RawAnswer:
        """Send a request from the worker thread and wait for its answer.

        Raises:
            PrometheusError: There is none.
        """
        parts = urlsplit(request.url or "")
        params = dict(parse_qsl(str(parts.query), keep_blank_values=True))
        with self._lock:
            if self._aborted:
                raise self._late()
            answer = self._transport.get(str(parts.path), params, self._deadline_seconds)
            self._under_way = asyncio.run_coroutine_threadsafe(answer, self._loop)
        try:
            return self._under_way.result(self._deadline_seconds + GRACE_SECONDS)
        except TimeoutError:
            self._under_way.cancel()
            raise self._late() from None

    def abort(self) -> None:
        """Make the worker thread end now."""
        with self._lock:
            self._aborted = True
            if self._under_way is not None:
                self._under_way.cancel()

    def _late(self) -> PrometheusError:
        return PrometheusError(
            f"no answer from {self.where} within {self._deadline_seconds:g} s", trouble="unreachable"
        )


class Prometheus:
    """Asks one Prometheus.

    Args:
        transport: The way to it; closed with this.
        deadline_seconds: For each question, waiting for the one before it included.
    """

    def __init__(self, transport: Transport, *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self.where = transport.where
        self._transport = transport
        self._deadline_seconds = deadline_seconds
        self._one_at_a_time = asyncio.Lock()

    async def query(self, expression: str) -> Answer:
        """Evaluate an expression now, by Prometheus' own clock.

        Raises:
            PrometheusError: There is no usable answer.
        """
        exchange = Exchange(asyncio.get_running_loop(), self._transport, self._deadline_seconds)
        try:
            async with asyncio.timeout(self._deadline_seconds + GRACE_SECONDS), self._one_at_a_time:
                return await _in_thread(exchange, expression, self._deadline_seconds)
        except TimeoutError:
            raise PrometheusError(
                f"no answer from {self.where} within {self._deadline_seconds:g} s", trouble="unreachable"
            ) from None

    async def close(self) -> None:
        """Close the way to it."""
        await self._transport.close()


async def _in_thread(exchange: Exchange, expression: str, deadline_seconds: float) -> Answer:
    """Ask in a worker thread; when this is cancelled, the thread ends before it returns."""
    thread = asyncio.ensure_future(asyncio.to_thread(_ask, exchange, expression, deadline_seconds))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        exchange.abort()
        await asyncio.wait({thread}, timeout=GRACE_SECONDS)
        if thread.done() and not thread.cancelled():
            thread.exception()  # has been seen, so that the loop does not report it
        raise


def _ask(exchange: Exchange, expression: str, deadline_seconds: float) -> Answer:
    """Run in the worker thread."""
    from selfheal_core.cluster.prometheus.library import connect  # 50 ms to import, and only needed here

    bounds = {"timeout": f"{deadline_seconds:g}s"}
    with connect(exchange.send, lambda answer: _read(answer, exchange.where)) as connection:
        answer: Answer = connection.custom_query(expression, params=bounds)
        return answer


def _read(answer: RawAnswer, where: str) -> Answer:
    if answer.status != 200:
        raise read_error(answer.status, answer.body, where)
    return read_answer(answer.body, where)
