"""Decodes lists and watch lines. Pure; tolerant of single objects that do not fit our structs."""

import re
from collections.abc import Mapping
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar

import msgspec

from selfheal_core.cluster.kubernetes.api_errors import ServerFault, Status
from selfheal_core.domain.objects import ListMetadata, Metadata, Uid


class HasMetadata(Protocol):
    """What is needed of an object."""

    @property
    def metadata(self) -> Metadata:
        """Its identity and version."""


T = TypeVar("T", bound=HasMetadata)
Outer = TypeVar("Outer")
EventKind = Literal["stored", "deleted", "bookmark", "listed", "error", "unreadable"]
"""listed: the bookmark at the end of a list that came as a stream."""
INITIAL_EVENTS_END = "k8s.io/initial-events-end"
"""Annotation of that bookmark (Kubernetes KEP-3157, WatchList)."""
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for text that does not fit, is not JSON, not UTF-8, or nested too deep."""
NO_UTF8 = b"\xff"
ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""An escape of JSON; ``half`` is one of a surrogate pair without the other."""
SPOILT_CONTROLS = bytes(NO_UTF8[0] if code < 0x20 and code not in b"\t\n\r" else code for code in range(256))
CHANGES: Mapping[str, EventKind] = {"ADDED": "stored", "MODIFIED": "stored", "DELETED": "deleted"}


class WatchEvent(NamedTuple, Generic[T]):
    """One line of a watch.

    Attributes:
        version: Resource version to go on from; "" for an error, and where it can't be read.
        object: Set for ``stored`` and ``deleted``.
        status: Set for ``error``.
        uid: Set for ``unreadable``, where it can be read: the object that is not what it was any more.
    """

    kind: EventKind
    version: str
    object: T | None = None
    status: Status = Status()
    uid: Uid = ""


class Page(NamedTuple, Generic[T]):
    """One page of a list.

    Attributes:
        unreadable: How many objects did not fit their struct and were left out.
    """

    items: list[T]
    metadata: ListMetadata
    unreadable: int


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    type: str = ""
    object: msgspec.Raw = msgspec.Raw(b"{}")


class _Version(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    resource_version: str = ""
    annotations: dict[str, str] | None = None


class _Versioned(msgspec.Struct, frozen=True, gc=False):
    metadata: _Version = _Version()


class _Identity(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    uid: Uid = ""
    resource_version: str = ""


class _Identified(msgspec.Struct, frozen=True, gc=False):
    metadata: _Identity = _Identity()


class _RawPage(msgspec.Struct, frozen=True, gc=False):
    metadata: ListMetadata = ListMetadata()
    items: list[msgspec.Raw] | None = None


class Decoder(Generic[T]):
    """Decodes the lists and watch lines of one type.

    Args:
        type: Struct of the objects.
    """

    def __init__(self, type: type[T]) -> None:  # noqa: A002
        items = ("items", list[type] | None, None)  # type: ignore[valid-type]
        self._page = _decoder("TypedPage", ("metadata", ListMetadata, ListMetadata()), items)
        self._typed = _decoder("TypedEvent", ("type", str), ("object", type))
        self._object = msgspec.json.Decoder(type)
        self._envelope = msgspec.json.Decoder(_Envelope)
        self._versioned = msgspec.json.Decoder(_Versioned)
        self._identified = msgspec.json.Decoder(_Identified)
        self._status = msgspec.json.Decoder(Status)
        self._raw_page = msgspec.json.Decoder(_RawPage)

    def page(self, body: bytes) -> Page[T]:
        """Decode one page of a list, leaving out objects that do not fit.

        Raises:
            ServerFault: It is not JSON, or not a list.
        """
        try:
            decoded = self._page.decode(body)
            return Page(decoded.items or [], decoded.metadata, 0)
        except UNREADABLE:
            return self._page_one_by_one(body)

    def event(self, line: bytes) -> WatchEvent[T]:
        """Decode one line of a watch.

        Raises:
            ServerFault: It is not JSON, or it was cut before its newline.
        """
        if not line.endswith(b"\n"):
            raise ServerFault("the stream was cut in the middle of a line")
        try:
            # Nearly all lines take this way, which reads them once only.
            typed = self._typed.decode(line)
            if typed.type in CHANGES:
                return WatchEvent(CHANGES[typed.type], typed.object.metadata.resource_version, typed.object)
        except UNREADABLE:
            pass
        return self._rare_event(line)

    def _rare_event(self, line: bytes) -> WatchEvent[T]:
        """Decode a line that is no change, or whose object does not fit."""
        try:
            envelope = _tolerantly(self._envelope, line)
            if envelope.type in CHANGES:
                known = self._identity(envelope.object)
                return WatchEvent("unreadable", known.resource_version, uid=known.uid)
            if envelope.type == "BOOKMARK":
                mark = self._versioned.decode(envelope.object).metadata
                last = (mark.annotations or {}).get(INITIAL_EVENTS_END) == "true"
                return WatchEvent("listed" if last else "bookmark", mark.resource_version)
            # An ERROR, or a bare Status as a proxy in between may send it.
            return WatchEvent("error", "", None, self._status.decode(envelope.object if envelope.type else line))
        except msgspec.ValidationError as error:
            raise ServerFault("a line of the watch makes no sense") from error
        except UNREADABLE as error:
            raise ServerFault("a line of the watch is not JSON") from error

    def _identity(self, body: bytes) -> _Identity:
        """Which object it is, as far as that can be read at all."""
        try:
            return self._identified.decode(body).metadata
        except UNREADABLE:
            return _Identity()

    def _page_one_by_one(self, body: bytes) -> Page[T]:
        """Decode each object by itself; text that is none (not UTF-8, half a surrogate pair) spoils only its own."""
        try:
            raw = _tolerantly(self._raw_page, body)
        except msgspec.ValidationError as error:
            raise ServerFault("the answer is not a list") from error
        except UNREADABLE as error:
            raise ServerFault("the list is not JSON") from error
        items = []
        for text in raw.items or ():
            try:
                items.append(self._object.decode(text))
            except UNREADABLE:
                continue
        return Page(items, raw.metadata, len(raw.items or ()) - len(items))


def _tolerantly(decoder: "msgspec.json.Decoder[Outer]", body: bytes) -> Outer:
    """Decode what is around objects, whatever characters are inside of them.

    Inside an object that is kept raw, bytes that are not UTF-8 are passed over, but halves of surrogate pairs and
    control characters are not; so they become such bytes, and spoil that object only.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return decoder.decode(ESCAPE.sub(_spoilt, body.translate(SPOILT_CONTROLS)))


def _spoilt(escape: "re.Match[bytes]") -> bytes:
    return NO_UTF8 if escape["half"] else escape[0]


def _decoder(name: str, *fields: Any) -> msgspec.json.Decoder[Any]:
    """A decoder of a struct that holds objects of a type that is only known now."""
    return msgspec.json.Decoder(msgspec.defstruct(name, fields, frozen=True, gc=False))
