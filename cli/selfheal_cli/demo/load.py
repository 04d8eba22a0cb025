"""A client that sends requests at a steady rate and counts what fails. It never retries."""

import threading
import time
from types import TracebackType
from typing import Self

import httpx

DEADLINE_SECONDS = 5.0


class Load:
    """Requests from one thread per connection kind: half kept alive, half on new connections.

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
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._send, args=(kept,), daemon=True) for kept in (True, False)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(2 * DEADLINE_SECONDS)

    @property
    def summary(self) -> str:
        """What came of it, in one sentence."""
        return f"{self.sent} requests sent to {self._url}, {self.failed} failed"

    def _send(self, kept_alive: bool) -> None:
        headers = {} if kept_alive else {"connection": "close"}
        due = time.monotonic()
        with httpx.Client(trust_env=False, timeout=DEADLINE_SECONDS, headers=headers) as client:
            while not self._over.is_set():
                self._count(client)
                due = max(due + self._interval_seconds, time.monotonic() - 1)
                self._over.wait(max(0.0, due - time.monotonic()))

    def _count(self, client: httpx.Client) -> None:
        try:
            response = client.get(self._url)
            failure = "" if response.status_code == httpx.codes.OK else f"status {response.status_code}"
        except httpx.HTTPError as error:
            failure = f"{type(error).__name__}: {error}"
        with self._lock:
            self.sent += 1
            self.failed += bool(failure)
            self.first_failure = self.first_failure or failure
