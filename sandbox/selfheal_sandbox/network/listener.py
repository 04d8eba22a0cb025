"""One port of one Service: accepts connections and gives each to an endpoint."""

import asyncio
import resource
import socket
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import structlog

from selfheal_sandbox.network.relay import Half
from selfheal_sandbox.network.routing import Endpoint

_log = structlog.get_logger(__name__)


def connection_limit() -> int:
    """Return how many clients one Service port may have: each takes two of the files this process may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(64, min(2000, soft // 4))


@dataclass(frozen=True, slots=True)
class ProxyLimits:
    """Bounds of the proxy.

    Attributes:
        connect_seconds: for one attempt to reach an endpoint; a loopback address answers or refuses at once.
        drain_seconds: how long connections to an endpoint that left may go on.
        connections: open at the same time for one Service port; more are refused.
        backlog: connections the kernel holds until they are accepted.
    """

    connect_seconds: float = 2.0
    drain_seconds: float = 300.0
    connections: int = field(default_factory=connection_limit)
    backlog: int = 512


def choose(endpoints: Iterable[Endpoint], active: Counter[Endpoint], last_used: dict[Endpoint, int]) -> Endpoint | None:
    """Return the endpoint with the fewest connections, among equals the one used longest ago; None without any."""
    return min(endpoints, key=lambda each: (active[each], last_used.get(each, -1)), default=None)


class Listener:
    """Spreads the connections to one address over endpoints.

    A connection that an endpoint refuses goes to the next one; nothing was sent yet, so nothing is lost.
    """

    def __init__(self, limits: ProxyLimits) -> None:
        self._limits = limits
        self._server: asyncio.Server | None = None
        self._endpoints: tuple[Endpoint, ...] = ()
        self._active: Counter[Endpoint] = Counter()
        self._last_used: dict[Endpoint, int] = {}
        self._turn = 0
        self._clients: dict[Half, asyncio.Task[None] | None] = {}
        self._serving: dict[Half, Endpoint] = {}
        self._drains: set[asyncio.TimerHandle] = set()
        self._failing: set[Endpoint] = set()
        self.refused = 0

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._clients)

    async def open(self, sock: socket.socket) -> None:
        """Accept connections on a bound socket."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Half(self._client_gone, self._accepted), sock=sock, backlog=self._limits.backlog
        )

    def route(self, endpoints: Collection[Endpoint]) -> None:
        """Give new connections to these endpoints from now on; connections to others may end by themselves."""
        left = set(self._endpoints) - set(endpoints)
        self._endpoints = tuple(endpoints)
        for endpoint in left:
            self._last_used.pop(endpoint, None)
            self._failing.discard(endpoint)
            if self._active[endpoint]:
                self._drain(endpoint)

    def close(self) -> None:
        """Stop accepting; open connections may end by themselves, for the time of a drain at most."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.route(())
        for client, dialling in list(self._clients.items()):
            if dialling is not None:
                client.reset()

    async def abort(self) -> None:
        """Stop accepting and break off everything."""
        self.close()
        for timer in self._drains:
            timer.cancel()
        self._drains.clear()
        tasks = [task for task in self._clients.values() if task is not None]
        for half in [*self._clients, *self._serving]:
            half.reset()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # A client's way to an endpoint

    def _accepted(self, client: Half) -> None:
        if len(self._clients) >= self._limits.connections or self._server is None:
            self.refused += 1
            client.reset()
            return
        self._clients[client] = asyncio.get_running_loop().create_task(self._serve(client))

    def _client_gone(self, client: Half) -> None:
        dialling = self._clients.pop(client, None)
        if dialling is not None:
            dialling.cancel()

    async def _serve(self, client: Half) -> None:
        """Find an endpoint for a client: each is tried once, those with few connections first."""
        tried: set[Endpoint] = set()
        while (endpoint := self._next(tried)) is not None:
            tried.add(endpoint)
            server = await self._connect(endpoint)
            if server is None:
                continue
            if client not in self._clients:
                server.reset()
                return
            self._clients[client] = None
            server.join(client)
            return
        self.refused += 1
        client.reset()

    def _next(self, tried: set[Endpoint]) -> Endpoint | None:
        candidates = [endpoint for endpoint in self._endpoints if endpoint not in tried]
        return choose(candidates, self._active, self._last_used)

    async def _connect(self, endpoint: Endpoint) -> Half | None:
        """Return a connection to an endpoint, None when it refuses or does not answer in time."""
        self._turn += 1
        self._last_used[endpoint] = self._turn
        self._active[endpoint] += 1
        server = Half(self._server_gone)
        self._serving[server] = endpoint
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._limits.connect_seconds):
                await loop.create_connection(lambda: server, endpoint.ip, endpoint.port)
        except (OSError, TimeoutError) as error:
            self._server_gone(server)
            self._note_failure(endpoint, error)
            return None
        except asyncio.CancelledError:
            server.reset()
            self._server_gone(server)
            raise
        self._failing.discard(endpoint)
        return server

    def _note_failure(self, endpoint: Endpoint, error: Exception) -> None:
        """Log that an endpoint does not answer, once until it answers again."""
        if endpoint not in self._failing:
            self._failing.add(endpoint)
            _log.info("endpoint does not answer", endpoint=f"{endpoint.ip}:{endpoint.port}", error=str(error))

    def _server_gone(self, server: Half) -> None:
        endpoint = self._serving.pop(server, None)
        if endpoint is None:
            return
        self._active[endpoint] -= 1
        if self._active[endpoint] <= 0:
            del self._active[endpoint]

    # Endpoints that left

    def _drain(self, endpoint: Endpoint) -> None:
        loop = asyncio.get_running_loop()
        leaving = [half for half, where in self._serving.items() if where == endpoint]

        def end() -> None:
            self._drains.discard(timer)
            if endpoint not in self._endpoints:
                for half in leaving:
                    half.reset()

        timer = loop.call_later(self._limits.drain_seconds, end)
        self._drains.add(timer)
