"""The request log: one JSON line for each answered request."""

import os
from pathlib import Path
from typing import IO

import msgspec

SIZE_LIMIT_BYTES = 20 * 1024 * 1024
"""A log that grew beyond this is renamed to ``NAME.1`` (replacing an older one), and a new one begun."""


class LogLine(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What is told of a request; never its body, its query or its token.

    Attributes:
        user: whose token it was.
        impersonated_user: in whose name it was sent, where that is somebody else.
    """

    time: str
    user: str
    user_agent: str
    verb: str
    path: str
    code: int
    impersonated_user: str = ""


class RequestLog:
    """Appends lines to a file that only its owner may read.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path, *, size_limit_bytes: int = SIZE_LIMIT_BYTES) -> None:
        self._path = path
        self._size_limit_bytes = size_limit_bytes
        self._file = self._open()

    def write(self, line: LogLine) -> None:
        """Append a line; after `close` it goes nowhere."""
        if self._file.closed:
            return
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()
        if self._file.tell() > self._size_limit_bytes:
            self._file.close()
            self._path.replace(self._path.with_name(self._path.name + ".1"))
            self._file = self._open()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _open(self) -> IO[bytes]:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return os.fdopen(descriptor, "ab")
