"""Copying bytes between a client and an endpoint, both ways, with back-pressure and half-closed connections."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import cast

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER of 0 seconds: closing sends a reset, so that the other side learns that something was lost."""


class Half(asyncio.Protocol):
    """One of the two connections of a relay.

    Until it is joined to the other one it reads nothing, or holds the little that was read: uvloop starts to read
    after `connection_made`, whatever was asked for in it.
    """

    def __init__(self, on_close: Callable[["Half"], None], on_open: Callable[["Half"], None] | None = None) -> None:
        self._on_close = on_close
        self._on_open = on_open
        self._transport: asyncio.Transport | None = None
        self._peer: Half | None = None
        self._ended = False
        self._broken = False
        self._early: list[bytes] = []

    @property
    def is_open(self) -> bool:
        """Whether the connection stands."""
        return self._transport is not None

    def join(self, peer: "Half") -> None:
        """Copy between the two from now on, both ways."""
        self._peer, peer._peer = peer, self
        for half in (self, peer):
            half._pass_on_early()
            if half._transport is not None:
                half._transport.resume_reading()

    def _pass_on_early(self) -> None:
        early, self._early = self._early, []
        for data in early:
            self.data_received(data)
        if self._ended:
            self.eof_received()

    def close(self) -> None:
        """Close once everything written has been sent."""
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Break the connection off, so that the other side sees a reset and not an orderly end."""
        if self._transport is None:
            return
        self._broken = True
        sock: socket.socket | None = self._transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; reading waits until there is somebody to read for."""
        # uvloop's transports behave as asyncio.Transport without inheriting from it.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.pause_reading()
        if self._on_open is not None:
            self._on_open(self)

    def data_received(self, data: bytes) -> None:
        """Pass data on."""
        if self._peer is None:
            self._early.append(data)
            if self._transport is not None:
                self._transport.pause_reading()
        elif self._peer._transport is not None:
            self._peer._transport.write(data)

    def eof_received(self) -> bool:
        """Pass the end of one direction on; the connection stays open for the other."""
        self._ended = True
        peer = self._peer
        if peer is None:
            return True
        if peer._transport is None:
            return False
        if peer._ended:
            peer.close()
            return False
        if peer._transport.can_write_eof():
            peer._transport.write_eof()
        return True

    def pause_writing(self) -> None:
        """The connection takes no more for now: do not read what would go to it."""
        if self._peer is not None and self._peer._transport is not None:
            self._peer._transport.pause_reading()

    def resume_writing(self) -> None:
        """The connection takes data again."""
        if self._peer is not None and self._peer._transport is not None:
            self._peer._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the other half the way this one ended."""
        self._transport = None
        peer, self._peer = self._peer, None
        if peer is not None:
            peer._peer = None
            if exc is not None or self._broken:
                peer.reset()
            else:
                peer.close()
        self._on_close(self)
