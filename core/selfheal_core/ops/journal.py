"""The operator's journal: what was asked, confirmed, done, refused and verified, one JSON object a line."""

import errno
import json
import os
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from selfheal_core.domain.escape import json_printable
from selfheal_core.errors import Refused
from selfheal_core.folders import state_folder

Step = Literal["intent", "confirmation", "result", "verification", "refused"]
LIMIT_BYTES = 5_000_000
_NEW_FILE = os.O_RDWR | os.O_APPEND | os.O_CREAT


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the journal.

    Attributes:
        at: Seconds since the epoch.
        text: What happened, in words.
        source: ``console``, ``cli`` or ``healerd``.
        reason: Why, in the operator's words.
        phase: The operation's phase after this step.
    """

    at: float
    operation_id: str
    step: Step
    verb: str
    namespace: str
    target: str
    text: str
    user: str
    host: str
    source: str
    context: str = ""
    reason: str = ""
    phase: str = ""


class Journal:
    """Appends to one bounded file, readable by its user only.

    Args:
        path: The file; its folder is made (0700) if need be.
        limit_bytes: At this size the file is kept as ``<name>.1`` (one older file) and a new one is begun.
    """

    def __init__(self, path: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self.path = path
        self._limit_bytes = limit_bytes

    def check(self) -> None:
        """Make sure that it can be written.

        Raises:
            Refused: It can't; the text says why and which file.
        """
        self._append(b"")

    def write(self, entry: Entry) -> None:
        """Append one entry and flush it to the disk.

        Raises:
            Refused: It can't be written.
        """
        self._append(as_line(entry))

    def _append(self, line: bytes) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._rotate(len(line))
            descriptor = os.open(self.path, _NEW_FILE, 0o600)
            try:
                os.fchmod(descriptor, 0o600)
                _write_whole(descriptor, line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise Refused(
                f"the journal {self.path} can't be written ({error.strerror}), so nothing is changed",
                f"make room or fix its rights: ls -ld {self.path.parent}",
            ) from error

    def _rotate(self, coming_bytes: int) -> None:
        if not self.path.exists() or self.path.stat().st_size + coming_bytes <= self._limit_bytes:
            return
        self.path.replace(self.path.with_name(self.path.name + ".1"))


def _write_whole(descriptor: int, line: bytes) -> None:
    """Append a line, after the end of one that a full disk had cut.

    Raises:
        OSError: It can't be written, or only its beginning could.
    """
    size = os.fstat(descriptor).st_size
    text = b"\n" + line if line and size and os.pread(descriptor, 1, size - 1) != b"\n" else line
    if os.write(descriptor, text) < len(text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def as_line(entry: Entry) -> bytes:
    """One entry as a line of JSON that a terminal can be shown; bytes that are no text (in ``reason``) become ``?``."""
    text = json.dumps(msgspec.to_builtins(entry), ensure_ascii=False, separators=(",", ":"))
    return json_printable(text.encode(errors="replace").decode()).encode() + b"\n"


def default_path(environ: Mapping[str, str]) -> Path:
    """``journal.jsonl`` in the folder of what is kept between runs."""
    return state_folder(environ) / "journal.jsonl"


def read_journal(path: Path, *, tail: int = 200) -> tuple[Entry, ...]:
    """The newest entries, oldest first; lines that can't be read are left out, a missing file gives none.

    Args:
        path: The file; its older part is read too if the new one has fewer entries than asked for.
        tail: Most entries.
    """
    entries: deque[Entry] = deque(maxlen=tail)
    for part in (path.with_name(path.name + ".1"), path):
        try:
            lines = part.read_bytes().splitlines()
        except OSError:
            continue
        entries.extend(entry for line in lines[-tail:] if (entry := _decode(line)) is not None)
    return tuple(entries)


def _decode(line: bytes) -> Entry | None:
    try:
        return msgspec.json.decode(line, type=Entry)
    except msgspec.MsgspecError:
        return None
