"""Request metrics of one application, in a registry of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder

UNMATCHED = "<unmatched>"
"""Route label of every path that no route serves: unknown paths add no series."""

OTHER_METHOD = "<other>"
"""Method label of every method outside RFC 9110 and RFC 5789."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})

DURATION_BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper edges; 0.5 s is the latency objective, so it is an edge."""

# The `_created` series double the count of series and no rule of the project reads them.
disable_created_metrics()  # type: ignore[no-untyped-call]


class RequestMetrics:
    """Counts and times requests."""

    def __init__(self, name: str, version: str) -> None:
        self._registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter(
            "http_requests", "Requests answered, by route template.", labels, registry=self._registry
        )
        self._durations = Histogram(
            "http_request_duration_seconds",
            "Time from the request's headers to the end of its answer.",
            labels,
            buckets=DURATION_BUCKETS_SECONDS,
            registry=self._registry,
        )
        self._in_flight = Gauge("http_requests_in_flight", "Requests being answered now.", registry=self._registry)
        build = Gauge("selfheal_service_build_info", "Always 1.", ("service", "version"), registry=self._registry)
        build.labels(name, version).set(1)
        ProcessCollector(registry=self._registry)

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Count the request as in flight for as long as the context lasts."""
        self._in_flight.inc()
        try:
            yield
        finally:
            self._in_flight.dec()

    def observe(self, method: str, route: str, status: int, duration_seconds: float) -> None:
        """Record one answered request; `route` is a template or `UNMATCHED`."""
        labels = (method_label(method), route, str(status))
        self._requests.labels(*labels).inc()
        self._durations.labels(*labels).observe(duration_seconds)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Everything in the text format that the `Accept` header asks for, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


def method_label(method: str) -> str:
    """Label value of a method; unknown ones share one."""
    return method if method in _METHODS else OTHER_METHOD
