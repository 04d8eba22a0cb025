"""Frames of SPDY/3.1 as far as ``kubectl port-forward`` speaks it: bytes to frames and back, without any connection.

From the protocol's draft 3.1 (draft-mbelshe-httpbis-spdy). There is no flow control: the clients do none either.
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

_VERSION = 3
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY = 1, 2, 3, 6, 7
_FIN = 0x01
_CONTROL = 0x8000
REFUSED_STREAM = 3
PROTOCOL_ERROR = 1
FRAME_LIMIT_BYTES = 1024 * 1024
"""Longest frame that is read; clients send at most 32 KiB in one."""
HEADERS_LIMIT_BYTES = 64 * 1024
"""Longest header block that is unpacked."""

_DICTIONARY_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status"
)
_DICTIONARY_PAIRS = ("200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin")
_DICTIONARY_END = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,"
    "publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = (
    b"".join(struct.pack(">I", len(word)) + word.encode() for word in (*_DICTIONARY_WORDS.split(), *_DICTIONARY_PAIRS))
    + _DICTIONARY_END.encode()
)
"""What both sides' header compression starts from (2.6.10.1 of the draft)."""


class SpdyError(ValueError):
    """Bytes that are no SPDY/3.1, or more of it than is read."""


@dataclass(frozen=True, slots=True)
class SynStream:
    """The client opens a stream; names of headers are in lower case."""

    stream: int
    headers: Mapping[str, str]
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    """Content of a stream; ``fin`` ends one direction."""

    stream: int
    content: bytes
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """The client breaks a stream off."""

    stream: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Wants to be answered with the same number."""

    number: int


@dataclass(frozen=True, slots=True)
class GoAway:
    """The client is about to leave."""


Frame: TypeAlias = SynStream | Data | Reset | Ping | GoAway


class FrameReader:
    """Reads one direction of a connection; the compression of its headers runs through all of it."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes, cut anywhere, and return the frames that are complete; kinds without use here are left out.

        Raises:
            SpdyError: there is no going on with this connection.
        """
        self._buffer += data
        frames: list[Frame] = []
        while len(self._buffer) >= 8:
            first, second, rest = struct.unpack_from(">HHI", self._buffer)
            flags, length = rest >> 24, rest & 0xFFFFFF
            if length > FRAME_LIMIT_BYTES:
                raise SpdyError(f"a frame of {length} bytes; {FRAME_LIMIT_BYTES} is the limit")
            if len(self._buffer) < 8 + length:
                break
            body = bytes(self._buffer[8 : 8 + length])
            del self._buffer[: 8 + length]
            if not first & _CONTROL:
                frames.append(Data(first << 16 | second, body, bool(flags & _FIN)))
            elif (frame := self._control(first & ~_CONTROL, second, flags, body)) is not None:
                frames.append(frame)
        return frames

    def _control(self, version: int, kind: int, flags: int, body: bytes) -> Frame | None:
        if version != _VERSION:
            raise SpdyError(f"SPDY version {version}; 3 is known")
        try:
            match kind:
                case _ if kind == _SYN_STREAM:
                    stream = struct.unpack_from(">I", body)[0] & 0x7FFFFFFF
                    return SynStream(stream, self._headers(body[10:]), bool(flags & _FIN))
                case _ if kind == _RST_STREAM:
                    return Reset(struct.unpack_from(">I", body)[0] & 0x7FFFFFFF)
                case _ if kind == _PING:
                    return Ping(struct.unpack_from(">I", body)[0])
                case _ if kind == _GOAWAY:
                    return GoAway()
        except (struct.error, zlib.error, UnicodeDecodeError) as error:
            raise SpdyError(f"a control frame of kind {kind} cannot be read: {error}") from None
        return None

    def _headers(self, block: bytes) -> dict[str, str]:
        text = self._inflate.decompress(block, HEADERS_LIMIT_BYTES)
        if self._inflate.unconsumed_tail:
            raise SpdyError(f"headers of more than {HEADERS_LIMIT_BYTES} bytes")
        (count,) = struct.unpack_from(">I", text)
        place, words = 4, []
        for _ in range(min(count, HEADERS_LIMIT_BYTES) * 2):
            (length,) = struct.unpack_from(">I", text, place)
            words.append(text[place + 4 : place + 4 + length].decode())
            place += 4 + length
        return {name.lower(): value for name, value in zip(words[::2], words[1::2], strict=True)}


class FrameWriter:
    """Writes the other direction; what it returns has to be sent in the order in which it was asked for."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def syn_reply(self, stream: int) -> bytes:
        """Accept a stream, without headers."""
        block = self._deflate.compress(struct.pack(">I", 0)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return _control_frame(_SYN_REPLY, struct.pack(">I", stream) + block)

    def data(self, stream: int, content: bytes, *, fin: bool = False) -> bytes:
        """Send content; ``fin`` ends this direction."""
        return struct.pack(">II", stream, (_FIN if fin else 0) << 24 | len(content)) + content

    def reset(self, stream: int, status: int) -> bytes:
        """Break a stream off."""
        return _control_frame(_RST_STREAM, struct.pack(">II", stream, status))

    def ping(self, number: int) -> bytes:
        """Answer a ping."""
        return _control_frame(_PING, struct.pack(">I", number))


def _control_frame(kind: int, body: bytes) -> bytes:
    return struct.pack(">HHI", _CONTROL | _VERSION, kind, len(body)) + body
