"""An open answer of the API server, read line by line: a watch, a log."""

import asyncio
import fcntl
import sys
import termios
from collections import deque

import aiohttp

from selfheal_core.cluster.kubernetes.api_errors import ServerFault, StreamSilent, from_exception
from selfheal_core.cluster.kubernetes.coalesced_reads import ReadCoalescer

LINE_LIMIT_BYTES = 2**24
"""A line that is longer breaks the stream; an object of the API has at most 1.5 MB."""


class LineStream:
    """An open answer that is read line by line.

    Lines are cut here, a whole read at a time: asking the transport's own buffer for each costs as much as decoding it.

    Attributes:
        content_type: Of the answer, without parameters.
    """

    def __init__(self, response: aiohttp.ClientResponse, server: str, idle_seconds: float | None) -> None:
        self.content_type = response.content_type
        self._content = response.content
        self._server = server
        self._idle_seconds = idle_seconds
        self._lines: deque[bytes] = deque()
        self._rest = b""
        self._taken_bytes = 0
        transport = transport_of(response)
        self._socket = None if transport is None else transport.get_extra_info("socket")
        self._response = response
        self._coalescer: ReadCoalescer | None = None

    def coalesce_reads(self) -> None:
        """From here on, take what comes within a moment at once while the stream is busy (see ``coalesced_reads``)."""
        self._coalescer = ReadCoalescer(transport_of(self._response))

    @property
    def is_drained(self) -> bool:
        """Whether no complete line waits on our side of the socket."""
        return not self._lines

    @property
    def unread_bytes(self) -> int:
        """How much waits on our side of the socket."""
        return self._content.total_bytes - self._taken_bytes

    def backlog_bytes(self) -> int:
        """How much has arrived and waits to be read, on our side of the socket and in it."""
        if self._socket is None or self._socket.fileno() < 0:
            return self.unread_bytes
        found: bytes = fcntl.ioctl(self._socket.fileno(), termios.FIONREAD, bytes(4))
        return self.unread_bytes + int.from_bytes(found, sys.byteorder)

    async def readline(self) -> bytes:
        """The next line with its newline; without one at a cut, empty at the end.

        Raises:
            StreamSilent: Nothing came for the idle time.
            Unreachable: The connection broke.
            ServerFault: A line is longer than ``LINE_LIMIT_BYTES``.
        """
        if self._coalescer is not None:
            self._coalescer.count_line()
        while not self._lines:
            if self._coalescer is not None and not self._rest:
                await self._coalescer.gather()
            if not await self._read():
                self._lines.append(self._rest)
                self._rest = b""
        line = self._lines.popleft()
        self._taken_bytes += len(line)
        return line

    async def _read(self) -> bool:
        """Take all that has arrived, at least something, and cut it into lines; False at the end."""
        try:
            data = await self._content.readany()
        except TimeoutError as error:
            raise StreamSilent(f"{self._server} sent nothing for {self._idle_seconds:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise from_exception(error, self._server) from error
        if b"\n" not in data:
            self._rest += data
        else:
            first, *lines, last = data.split(b"\n")
            self._lines.append(b"%b%b\n" % (self._rest, first))
            self._lines.extend([line + b"\n" for line in lines])
            self._rest = last
        if len(self._rest) > LINE_LIMIT_BYTES:
            raise ServerFault(f"{self._server} sent a line that is too long")
        return bool(data)


def transport_of(response: aiohttp.ClientResponse) -> asyncio.Transport | None:
    """What an answer comes through; None once it has ended."""
    return None if response.connection is None else response.connection.transport
