"""Builds the Quart application and what is wrapped around it."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from quart import Quart, Response, request
from structlog.typing import FilteringBoundLogger
from werkzeug.exceptions import HTTPException

from selfheal_service.asgi import ASGIApplication, Scope
from selfheal_service.burn import Burner
from selfheal_service.crash import CRASH_EXIT_CODE, CRASH_KEY, CrashAfterAnswer, exit_at_once
from selfheal_service.drain import CloseConnectionsWhileDraining
from selfheal_service.faults import FaultInjector
from selfheal_service.instrumentation import ROUTE_KEY, Instrumentation
from selfheal_service.logs import build_logger
from selfheal_service.metrics import RequestMetrics
from selfheal_service.settings import Settings
from selfheal_service.state import Phase, ServiceState, health_answer, ready_answer
from selfheal_service.tracing import NoTracing, Tracing

MAX_BODY_BYTES = 64 * 1024

_FAULTLESS_ROUTES = frozenset({"/health", "/ready", "/metrics", "/crash"})

_Json = dict[str, Any]


def create_app(
    settings: Settings,
    *,
    state: ServiceState | None = None,
    tracing: Tracing | None = None,
    log: FilteringBoundLogger | None = None,
    exit_process: Callable[[int], object] = exit_at_once,
) -> Quart:
    """Build one application; nothing in it is shared with another.

    Args:
        settings: How it runs.
        state: Its mutable state, for the server that drains it.
        tracing: Where spans go; nowhere by default.
        log: Where log lines go; standard output by default.
        exit_process: Called with the exit code once `/crash` has answered.

    Returns:
        The application, ready for an ASGI server.
    """
    state = state or ServiceState()
    tracing = tracing or NoTracing()
    log = log or build_logger(settings, tracing.identifiers)
    metrics = RequestMetrics(settings.name, settings.version)
    faults = FaultInjector()

    app = Quart("selfheal_service", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    _add_lifespan(app, state)
    _add_request_hooks(app, tracing, faults)
    _add_service_routes(app, settings, state)
    _add_operations_routes(app, metrics)
    if settings.practice:
        _add_practice(app, state, faults)
    app.register_error_handler(HTTPException, _json_error)
    draining = CloseConnectionsWhileDraining(cast("ASGIApplication", app.asgi_app), state)
    crashing = CrashAfterAnswer(Instrumentation(draining, metrics, log), exit_process)
    app.asgi_app = tracing.wrap(crashing)  # type: ignore[method-assign,assignment]
    return app


def _add_lifespan(app: Quart, state: ServiceState) -> None:
    @app.before_serving
    async def start() -> None:
        state.phase = Phase.SERVING


def _add_request_hooks(app: Quart, tracing: Tracing, faults: FaultInjector) -> None:
    @app.before_request
    async def remember_route() -> None:
        route = request.url_rule.rule if request.url_rule else None
        if route is not None:
            _scope()[ROUTE_KEY] = route
        tracing.name_span(request.method, route)

    @app.before_request
    async def inject_faults() -> tuple[_Json, int] | None:
        if request.path in _FAULTLESS_ROUTES or request.path.startswith("/practice"):
            return None
        if faults.latency_seconds:
            await asyncio.sleep(faults.latency_seconds)
        return ({"error": "injected fault"}, 500) if faults.next_fails() else None


def _add_service_routes(app: Quart, settings: Settings, state: ServiceState) -> None:
    @app.get("/")
    async def index() -> _Json:
        return {"service": settings.name, "status": "ok"}

    @app.get("/health")
    async def health() -> tuple[_Json, int]:
        answer = health_answer(state.switches)
        return dict(answer.body), answer.status

    @app.get("/ready")
    async def ready() -> tuple[_Json, int]:
        answer = ready_answer(state.phase, state.switches)
        return dict(answer.body), answer.status


def _add_operations_routes(app: Quart, metrics: RequestMetrics) -> None:
    @app.get("/metrics")
    async def expose_metrics() -> Response:
        body, content_type = metrics.exposition(request.headers.get("Accept", ""))
        return Response(body, content_type=content_type)

    @app.route("/crash", methods=["GET", "POST"])
    async def crash() -> tuple[_Json, int, dict[str, str]]:
        # Closing a socket with unread input resets the connection, and the answer with it.
        await request.get_data()
        _scope()[CRASH_KEY] = True
        return {"status": "crashing", "exit_code": CRASH_EXIT_CODE}, 202, {"Connection": "close"}


def _add_practice(app: Quart, state: ServiceState, faults: FaultInjector) -> None:
    from selfheal_service.practice import practice_routes

    burner = Burner()
    app.register_blueprint(practice_routes(state, faults, burner))

    @app.after_serving
    async def stop_burning() -> None:
        burner.stop()


def _scope() -> Scope:
    """The scope of the current request, where the wrappers look for what the application leaves them."""
    return cast("Scope", request.scope)


async def _json_error(error: HTTPException) -> tuple[_Json, int]:
    """Every error as JSON; 500 among them, which Quart has logged with its traceback."""
    return {"error": error.description or error.name}, error.code or 500
