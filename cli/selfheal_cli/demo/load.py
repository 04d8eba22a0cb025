"""A client that sends requests at a steady rate and counts what fails. It never retries."""

import asyncio
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from selfheal_core.cluster.http.client import HttpClient, NoAnswer

DEADLINE_SECONDS = 5.0
KEPT_ALIVE: Mapping[str, str] = {}
NEW_CONNECTION: Mapping[str, str] = {"connection": "close"}


class Load:
    """Requests half over kept connections, half each over a new one, in a thread of its own.

    Used as a context manager: it sends while the block runs.

    Args:
        url: Address of the Service.
        requests_per_second: Of both kinds together.
    """

    def __init__(self, url: str, *, requests_per_second: float) -> None:
        self.sent = 0
        self.failed = 0
        self.first_failure = ""
        self._url = url
        self._interval_seconds = 2 / requests_per_second
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send_both()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(2 * DEADLINE_SECONDS)

    @property
    def summary(self) -> str:
        """What came of it, in one sentence."""
        return f"{self.sent} requests sent to {self._url}, {self.failed} failed"

    async def _send_both(self) -> None:
        async with HttpClient(self._url, deadline_seconds=DEADLINE_SECONDS) as client:
            await asyncio.gather(self._send(client, KEPT_ALIVE), self._send(client, NEW_CONNECTION))

    async def _send(self, client: HttpClient, headers: Mapping[str, str]) -> None:
        """Send at the rate; after late answers at most one second is caught up."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not self._over.is_set():
            await self._count(client, headers)
            due = max(due + self._interval_seconds, loop.time() - 1)
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def _count(self, client: HttpClient, headers: Mapping[str, str]) -> None:
        try:
            answer = await client.get("/", headers=headers)
            failure = "" if answer.status == 200 else f"status {answer.status}"
        except NoAnswer as error:
            failure = str(error)
        self.sent += 1
        self.failed += bool(failure)
        self.first_failure = self.first_failure or failure
