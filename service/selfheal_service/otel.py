"""Tracing through OpenTelemetry: OTLP over HTTP, exported in the background."""

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any, cast

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from selfheal_service.asgi import ASGIApplication, Scope
from selfheal_service.settings import Settings

CLOSE_SECONDS = 1.0
"""How long a collector that does not answer may hold up the end of the process."""

_log = logging.getLogger(__name__)


class OneLinePerOutage(SpanExporter):
    """Exporter that reports the first failure of an outage and its end, and nothing in between."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export a batch; the SDK drops it when this fails."""
        result = self._exporter.export(spans)
        failed = result is not SpanExportResult.SUCCESS
        if failed and not self._failing:
            _log.warning("spans cannot be exported and are dropped until the collector answers")
        elif self._failing and not failed:
            _log.warning("spans are exported again")
        self._failing = failed
        return result

    def shutdown(self) -> None:
        """Close the wrapped exporter."""
        self._exporter.shutdown()


class OpenTelemetryTracing:
    """`Tracing` by the OpenTelemetry SDK; the exporter reads the standard `OTEL_*` variables itself."""

    def __init__(self, settings: Settings, exporter: SpanExporter | None = None) -> None:
        # The SDK and its exporter log every failed batch and retry; OneLinePerOutage speaks for them.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._provider = TracerProvider(resource=_resource(settings), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OneLinePerOutage(exporter or OTLPSpanExporter())))

    def wrap(self, application: ASGIApplication) -> ASGIApplication:
        """Make one span per request around the application."""
        wrapped = OpenTelemetryMiddleware(
            application,
            default_span_details=_span_details,
            tracer_provider=self._provider,
            exclude_spans=["send", "receive"],
        )
        return cast("ASGIApplication", wrapped)

    def name_span(self, method: str, route: str | None) -> None:
        """Name the current span `METHOD route`, or `METHOD` alone, as the HTTP conventions ask."""
        if route is None:
            return
        span = trace.get_current_span()
        span.update_name(f"{method} {route}")
        span.set_attribute("http.route", route)

    def identifiers(self) -> Mapping[str, str]:
        """`trace_id` and `span_id` of the current span in hexadecimal, empty outside one."""
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return {}
        return {"trace_id": trace.format_trace_id(context.trace_id), "span_id": trace.format_span_id(context.span_id)}

    def close(self) -> None:
        """Send what is queued; gives up after `CLOSE_SECONDS`, for the SDK itself would wait 30 s."""
        closing = threading.Thread(target=self._provider.shutdown, name="close-tracing", daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)


def _span_details(scope: Scope) -> tuple[str, dict[str, Any]]:
    """Name of a span before its route is known: the method, so that unknown paths add no names."""
    return scope["method"] if scope["type"] == "http" else scope["type"], {}


def _resource(settings: Settings) -> Resource:
    """Who sends the spans; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win over our own name."""
    own = Resource.create({"service.name": settings.name, "service.version": settings.version})
    return own.merge(OTELResourceDetector().detect())
