"""Container logs as text: how output becomes stored lines, and which stored lines a reader asked for.

A stored line is what the container runtime interface prescribes: ``TIME stream TAG text``, where the tag is ``F`` for
a full line and ``P`` for a part of a line that was too long.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from selfheal_sandbox.api.ports import LogOptions

LINE_LIMIT_BYTES = 16 * 1024
"""Longer lines are stored in parts."""


def stamp(now: datetime) -> bytes:
    """Return a time as logs carry it: UTC with nine decimals, so that times sort as text."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z").encode()


@dataclass(slots=True)
class LineSplitter:
    """Cuts a stream of bytes into stored lines."""

    pending: bytes = b""

    def feed(self, chunk: bytes, now: datetime) -> bytes:
        """Return the stored form of all lines completed by this chunk."""
        *lines, self.pending = (self.pending + chunk).split(b"\n")
        prefix = stamp(now) + b" stdout "
        stored = [part for line in lines for part in _stored(line, prefix)]
        while len(self.pending) >= LINE_LIMIT_BYTES:
            part, self.pending = self.pending[:LINE_LIMIT_BYTES], self.pending[LINE_LIMIT_BYTES:]
            stored.append(prefix + b"P " + part + b"\n")
        return b"".join(stored)

    def end(self, now: datetime) -> bytes:
        """Return the stored form of a last line that has no line break."""
        rest, self.pending = self.pending, b""
        return b"".join(_stored(rest, stamp(now) + b" stdout ")) if rest else b""


def _stored(line: bytes, prefix: bytes) -> Iterator[bytes]:
    while len(line) > LINE_LIMIT_BYTES:
        yield prefix + b"P " + line[:LINE_LIMIT_BYTES] + b"\n"
        line = line[LINE_LIMIT_BYTES:]
    yield prefix + b"F " + line + b"\n"


def since_of(options: LogOptions, now: datetime) -> bytes:
    """Return the stamp of the earliest wanted line, or an empty one for all lines."""
    if options.since_seconds is not None:
        return stamp(now - timedelta(seconds=options.since_seconds))
    return stamp(options.since_time) if options.since_time is not None else b""


def shown(line: bytes, since: bytes, *, timestamps: bool) -> bytes:
    """Return what a reader sees of one stored line; empty for a line before ``since``."""
    time, _, tag, text = line.split(b" ", 3)
    if time < since:
        return b""
    body = text if tag == b"F" else text.removesuffix(b"\n")
    return time + b" " + body if timestamps else body


def select(lines: Iterable[bytes], options: LogOptions, now: datetime) -> Iterator[bytes]:
    """Yield what a reader sees of a stored log: the last ``tail_lines`` lines, then of those the ones wanted."""
    wanted = lines if options.tail_lines is None else deque(lines, maxlen=options.tail_lines)
    since = since_of(options, now)
    for line in wanted:
        if visible := shown(line, since, timestamps=options.timestamps):
            yield visible


def last_message(lines: Iterable[bytes], *, limit_lines: int = 80, limit_bytes: int = 2048) -> str:
    """Return the end of a log as a termination message (``FallbackToLogsOnError``; limits of a kubelet)."""
    text = b"".join(shown(line, b"", timestamps=False) for line in deque(lines, maxlen=limit_lines))
    return text[-limit_bytes:].decode(errors="replace")
