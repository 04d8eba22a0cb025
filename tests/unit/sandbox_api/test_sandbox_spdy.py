"""SPDY frames: read however the bytes are cut, written as a client reads them."""

import itertools
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal_sandbox.network.spdy import (
    DICTIONARY,
    FRAME_LIMIT_BYTES,
    HEADERS_LIMIT_BYTES,
    Data,
    FrameReader,
    FrameWriter,
    GoAway,
    Ping,
    Reset,
    SpdyError,
    SynStream,
)
from tests.unit.sandbox_api.spdy_client import ClientWriter

DICTIONARY_ADLER32 = 0xE3C6A7C2
"""Identifies the dictionary in every header block (2.6.10.1 of the draft)."""


def conversation(client: ClientWriter) -> bytes:
    return b"".join(
        [
            client.syn_stream(1, {"streamtype": "error", "port": "8080", "requestid": "0"}),
            client.control(4, struct.pack(">I", 0)),
            client.data(1, b"", fin=True),
            client.syn_stream(3, {"StreamType": "data", "port": "8080", "requestid": "0"}),
            client.data(3, b"GET / HTTP/1.1"),
            client.control(6, struct.pack(">I", 7)),
            client.control(3, struct.pack(">II", 3, 5)),
            client.control(7, struct.pack(">II", 0, 0)),
        ]
    )


FRAMES = [
    SynStream(1, {"streamtype": "error", "port": "8080", "requestid": "0"}),
    Data(1, b"", fin=True),
    SynStream(3, {"streamtype": "data", "port": "8080", "requestid": "0"}),
    Data(3, b"GET / HTTP/1.1"),
    Ping(7),
    Reset(3),
    GoAway(),
]


def test_the_dictionary_is_the_protocols_own() -> None:
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, DICTIONARY_ADLER32)


@given(st.lists(st.integers(0, 400), max_size=30))
def test_frames_are_read_however_the_bytes_are_cut(cuts: list[int]) -> None:
    reader, data = FrameReader(), conversation(ClientWriter())
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})

    pieces = [data[begin:end] for begin, end in itertools.pairwise(places)]
    assert [frame for piece in pieces for frame in reader.feed(piece)] == FRAMES


@pytest.mark.parametrize(
    "data",
    [
        ClientWriter().control(1, b"\0" * 10, version=2),
        ClientWriter().control(1, b"\0" * 10 + b"no header block"),
        ClientWriter().control(1, b"\0" * 3),
        ClientWriter().control(6, b""),
        ClientWriter().syn_stream(1, {"bomb": "a" * (HEADERS_LIMIT_BYTES + 1)}),
        struct.pack(">II", 1, FRAME_LIMIT_BYTES + 1),
    ],
)
def test_what_cannot_be_read_is_told(data: bytes) -> None:
    with pytest.raises(SpdyError):
        FrameReader().feed(data)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_frames_or_an_error(data: bytes) -> None:
    try:
        FrameReader().feed(data)
    except SpdyError:
        return


def test_replies_are_compressed_as_one_stream() -> None:
    writer, inflate = FrameWriter(), zlib.decompressobj(zdict=DICTIONARY)

    for stream in (1, 3):
        frame = writer.syn_reply(stream)
        assert struct.unpack_from(">HHII", frame) == (0x8003, 2, len(frame) - 8, stream)
        assert inflate.decompress(frame[12:]) == b"\0\0\0\0"


def test_data_ends_and_resets_are_written() -> None:
    writer = FrameWriter()

    assert FrameReader().feed(writer.data(5, b"abc") + writer.data(5, b"", fin=True) + writer.ping(9)) == [
        Data(5, b"abc"),
        Data(5, b"", fin=True),
        Ping(9),
    ]
    assert FrameReader().feed(writer.reset(5, 3)) == [Reset(5)]
