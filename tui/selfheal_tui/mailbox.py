"""How data crosses from the feed's thread to the screens: one place, newest wins, nobody waits."""

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Room for one thing. Putting replaces what was not taken yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._content: T | None = None

    def put(self, content: T) -> None:
        """Leave the newest."""
        with self._lock:
            self._content = content

    def take(self) -> T | None:
        """Take what is there, once; None if nothing came since."""
        with self._lock:
            content, self._content = self._content, None
        return content
