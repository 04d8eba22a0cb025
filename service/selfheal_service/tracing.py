"""Port to tracing. OpenTelemetry is imported only when an endpoint to send spans to is configured."""

import os
from collections.abc import Mapping
from typing import Protocol

from selfheal_service.asgi import ASGIApplication
from selfheal_service.settings import Settings, SettingsError

_ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Tracing(Protocol):
    """What the service needs of a tracing library."""

    def wrap(self, application: ASGIApplication) -> ASGIApplication:
        """Make one span per request around the application."""
        ...

    def name_span(self, method: str, route: str | None) -> None:
        """Name the current span by its route template; None when no route matched."""
        ...

    def identifiers(self) -> Mapping[str, str]:
        """`trace_id` and `span_id` of the current span, empty outside one."""
        ...

    def close(self) -> None:
        """Send what is queued, within a short deadline."""
        ...


class NoTracing:
    """Tracing that is off."""

    def wrap(self, application: ASGIApplication) -> ASGIApplication:
        """Leave the application as it is."""
        return application

    def name_span(self, method: str, route: str | None) -> None:
        """Name nothing."""

    def identifiers(self) -> Mapping[str, str]:
        """Know no span."""
        return {}

    def close(self) -> None:
        """Have nothing to send."""


def from_environment(settings: Settings) -> Tracing:
    """Tracing as the standard `OTEL_*` variables ask for it; off without an OTLP endpoint.

    Raises:
        SettingsError: OpenTelemetry refuses one of those variables.
    """
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if disabled or not any(os.environ.get(variable) for variable in _ENDPOINT_VARIABLES):
        return NoTracing()
    from selfheal_service.otel import OpenTelemetryTracing

    try:
        return OpenTelemetryTracing(settings)
    except ValueError as error:
        raise SettingsError(f"tracing cannot start, check the OTEL_* variables: {error}") from error
