"""ASGI wrapper that counts, times and logs every request once its answer is out."""

import time

from structlog.typing import FilteringBoundLogger

from selfheal_service.asgi import ASGIApplication, Message, Receive, Scope, Send
from selfheal_service.metrics import UNMATCHED, RequestMetrics

ROUTE_KEY = "selfheal_service.route"
"""Scope key under which the application leaves the route template that matched."""

CLIENT_CLOSED_REQUEST = 499
"""Status recorded when the client left before the answer began (nginx's convention)."""

_QUIET_ROUTES = frozenset({"/health", "/ready", "/metrics"})
_LOGGED_PATH_CHARACTERS = 200


class Instrumentation:
    """Wraps an application; websocket and lifespan pass through."""

    def __init__(self, application: ASGIApplication, metrics: RequestMetrics, log: FilteringBoundLogger) -> None:
        self._application = application
        self._metrics = metrics
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request through the wrapped application and record it."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        status = CLIENT_CLOSED_REQUEST

        async def remember_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = time.perf_counter()
        with self._metrics.in_flight():
            try:
                await self._application(scope, receive, remember_status)
            finally:
                self._record(scope, status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, duration_seconds: float) -> None:
        method = scope["method"]
        route = scope.get(ROUTE_KEY, UNMATCHED)
        self._metrics.observe(method, route, status, duration_seconds)
        report = self._log.debug if route in _QUIET_ROUTES and status < 400 else self._log.info
        report(
            "request",
            method=method,
            route=route,
            path=scope["path"][:_LOGGED_PATH_CHARACTERS],
            status=status,
            duration_ms=round(duration_seconds * 1000, 3),
        )
