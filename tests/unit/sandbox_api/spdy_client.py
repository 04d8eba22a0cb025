"""What a client of port-forward writes: SPDY frames of its side."""

import struct
import zlib
from collections.abc import Mapping

from selfheal_sandbox.network.spdy import DICTIONARY


class ClientWriter:
    """Writes frames as a client does."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def syn_stream(self, stream: int, headers: Mapping[str, str]) -> bytes:
        text = struct.pack(">I", len(headers))
        for word in (word for pair in headers.items() for word in pair):
            text += struct.pack(">I", len(word)) + word.encode()
        block = self._deflate.compress(text) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return self.control(1, struct.pack(">IIH", stream, 0, 0) + block)

    def control(self, kind: int, body: bytes, version: int = 3) -> bytes:
        return struct.pack(">HHI", 0x8000 | version, kind, len(body)) + body

    def data(self, stream: int, content: bytes, *, fin: bool = False) -> bytes:
        return struct.pack(">II", stream, fin << 24 | len(content)) + content
