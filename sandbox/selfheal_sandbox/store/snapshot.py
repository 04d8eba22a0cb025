"""The store as a file: a header, then one object a line, so that a cluster can be switched off and on again.

Format 1 is UTF-8 text. The first line is the header, a JSON object: ``format``, ``revision`` of the store, when it was
``written`` (RFC 3339), the IP ``network`` of the cluster, the number of ``objects``, and the ``sha256`` of everything
after the header. Every other line is a JSON array: API group, plural resource name, the object.
"""

import hashlib
from dataclasses import dataclass

import msgspec

from selfheal_sandbox.store.objects import Key, Object, revision_of
from selfheal_sandbox.store.store import Store

FORMAT = 1


class SnapshotError(ValueError):
    """It cannot be read; the message says why."""


class Header(msgspec.Struct, frozen=True):
    """The first line."""

    format: int
    revision: int
    written: str
    network: str
    objects: int
    sha256: str


class _Version(msgspec.Struct):
    """What every version of the format has in its first line."""

    format: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a store held.

    Attributes:
        revision: of the store.
        written: when, RFC 3339.
        network: the IP network of its pods and Services, such as ``127.64.0.0/16``.
        objects: what there was, by key, each with the revision that it had.
    """

    revision: int
    written: str
    network: str
    objects: tuple[tuple[Key, Object], ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """A store at one moment, ready to be made into a file; taken quickly, as the store must not change meanwhile."""

    revision: int
    written: str
    network: str
    lines: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        """Return the content of the file."""
        body = b"".join(self.lines)
        digest = hashlib.sha256(body).hexdigest()
        header = Header(FORMAT, self.revision, self.written, self.network, len(self.lines), digest)
        return msgspec.json.encode(header) + b"\n" + body


def take(store: Store, written: str, network: str) -> Lines:
    """Return what a store holds now; each version of an object is encoded once, however often this is called."""
    lines = []
    for group, plural in store.keys():  # noqa: SIM118 (a store is no mapping)
        start = b"[" + msgspec.json.encode(group) + b"," + msgspec.json.encode(plural) + b","
        lines += [start + entry.raw + b"]\n" for entry in store.entries((group, plural))]
    return Lines(store.revision, written, network, tuple(lines))


def read(data: bytes) -> Snapshot:
    """Return what a file holds.

    Raises:
        SnapshotError: it is of a newer format, cut off, changed, or something else.
    """
    first, _, body = data.partition(b"\n")
    header = _header(first)
    if hashlib.sha256(body).hexdigest() != header.sha256:
        raise SnapshotError("it is cut off or was changed (its SHA-256 does not match)")
    try:
        rows = [msgspec.json.decode(line, type=tuple[str, str, Object]) for line in body.splitlines()]
        objects = tuple(((group, plural), obj) for group, plural, obj in rows if revision_of(obj) <= header.revision)
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise SnapshotError(f"an object in it cannot be read: {error}") from None
    if len(objects) != header.objects:
        raise SnapshotError(f"it holds {len(objects)} objects of {header.objects}")
    return Snapshot(header.revision, header.written, header.network, objects)


def _header(line: bytes) -> Header:
    try:
        version = msgspec.json.decode(line, type=_Version).format
        if version > FORMAT:
            raise SnapshotError(f"it has format {version}, and this version reads up to {FORMAT}")
        return msgspec.json.decode(line, type=Header)
    except msgspec.DecodeError as error:
        raise SnapshotError(f"it is no snapshot: {error}") from None
