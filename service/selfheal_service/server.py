"""Runs the application on uvicorn, and stops it without losing a request."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Generator
from typing import Any

import uvicorn
from quart import Quart
from structlog.typing import FilteringBoundLogger

from selfheal_service.settings import Settings
from selfheal_service.state import Phase, ServiceState

_TICK_SECONDS = 1.0
_LINGER_POLL_SECONDS = 0.05


def listen(host: str, port: int) -> socket.socket:
    """Bind and listen; `::` serves IPv4 as well.

    Raises:
        OSError: The address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, dualstack_ipv6=host == "::", backlog=1024)


class DrainingServer(uvicorn.Server):
    """A uvicorn server that stops in order.

    On SIGTERM it is draining: not ready, but serving, and every answer asks its client to close the connection. When
    the drain time is over it stops listening, still answers the last request of connections that were idle all along,
    and lets what is in flight finish. SIGINT skips the drain time; a second SIGINT skips everything.
    """

    def __init__(self, app: Quart, settings: Settings, state: ServiceState, log: FilteringBoundLogger) -> None:
        super().__init__(_uvicorn_config(app, settings))
        self._settings = settings
        self._state = state
        self._log = log
        self._drained = asyncio.Event()
        self._backlog: socket.socket | None = None

    async def run_on(self, listener: socket.socket) -> None:
        """Serve connections of a listening socket until a signal has been dealt with."""
        # A second descriptor keeps the queue of the kernel alive for a moment when uvicorn closes the first.
        self._backlog = listener.dup()
        host, port = listener.getsockname()[:2]
        self._log.info("listening", host=host, port=port, practice=self._settings.practice)
        await self.serve(sockets=[listener])
        self._log.info("stopped")

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Handle signals in the event loop and, unlike uvicorn, do not raise them again: the process exits 0."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._drain, self._settings.drain_seconds)
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        yield

    def _drain(self, seconds: float) -> None:
        if self._state.phase is Phase.DRAINING:
            return
        self._state.phase = Phase.DRAINING
        self._log.info("draining", seconds=seconds)
        asyncio.get_running_loop().call_later(seconds, self._drained.set)

    def _interrupt(self) -> None:
        if self._drained.is_set():
            self.force_exit = True
        self._drain(0)
        self._drained.set()

    async def main_loop(self) -> None:
        """Wait for the end of the drain, waking once a second (uvicorn: ten times) for the `Date` header."""
        await self.on_tick(0)
        while not self._drained.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._drained.wait()
            await self.on_tick(0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, wait for idle connections, then for requests in flight."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.finish_seconds
        await self._stop_listening(sockets or [])
        await self._await_idle_connections(min(deadline, loop.time() + self._settings.linger_seconds))
        self.config.timeout_graceful_shutdown = max(1, round(deadline - loop.time()))
        await super().shutdown()

    async def _stop_listening(self, sockets: list[socket.socket]) -> None:
        """Close the listener but serve what already waits in its queue, which the kernel would reset."""
        for server in self.servers:
            server.close()
        for listener in sockets:
            listener.close()
        if self._backlog is None:
            return
        with self._backlog as backlog:
            backlog.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    connection, _ = backlog.accept()
                    await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> asyncio.Protocol:
        protocol_class: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = protocol_class(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol

    async def _await_idle_connections(self, deadline: float) -> None:
        """Wait until no connection is idle, or the deadline.

        An idle connection has not been told to close, so its client may be sending on it at any moment. When that
        request comes, its answer says `Connection: close`.
        """
        loop = asyncio.get_running_loop()
        while self._has_idle_connection() and loop.time() < deadline and not self.force_exit:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(_LINGER_POLL_SECONDS)

    def _has_idle_connection(self) -> bool:
        connections: set[Any] = self.server_state.connections
        return any(connection.cycle is None or connection.cycle.response_complete for connection in connections)


def _uvicorn_config(app: Quart, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        interface="asgi3",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=settings.keep_alive_seconds,
    )
