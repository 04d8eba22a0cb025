import logging
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from selfheal_service.otel import OneLinePerOutage, OpenTelemetryTracing
from selfheal_service.settings import Settings
from selfheal_service.tracing import NoTracing, from_environment
from tests.unit.service.conftest import StartService, make_subject, service_environment

SETTINGS = Settings(name="web", version="1.2", log_level="debug")


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter) -> Iterator[OpenTelemetryTracing]:
    tracing = OpenTelemetryTracing(SETTINGS, exporter)
    yield tracing
    tracing.close()


async def test_one_span_per_request_named_by_route(
    tracing: OpenTelemetryTracing, exporter: InMemorySpanExporter
) -> None:
    client = make_subject(SETTINGS, tracing).app.test_client()
    for path in ("/", "/health", "/no/such/path"):
        await client.get(path)
    tracing.close()
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["GET /", "GET /health", "GET"]
    assert spans[0].attributes is not None
    assert spans[0].attributes["http.route"] == "/"
    assert spans[0].resource.attributes["service.name"] == "web"
    assert spans[0].resource.attributes["service.version"] == "1.2"


async def test_standard_resource_variables_add_to_the_name_and_win_over_it(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = InMemorySpanExporter()
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=web-1,service.version=9")
    tracing = OpenTelemetryTracing(SETTINGS, exporter)
    await make_subject(SETTINGS, tracing).app.test_client().get("/")
    tracing.close()
    attributes = exporter.get_finished_spans()[0].resource.attributes
    assert (attributes["service.name"], attributes["service.version"]) == ("web", "9")
    assert attributes["k8s.pod.name"] == "web-1"


async def test_log_lines_carry_the_identifiers_of_their_span(
    tracing: OpenTelemetryTracing, exporter: InMemorySpanExporter
) -> None:
    subject = make_subject(SETTINGS, tracing)
    await subject.app.test_client().get("/")
    tracing.close()
    context = exporter.get_finished_spans()[0].context
    assert context is not None
    line = next(line for line in subject.log if line["event"] == "request")
    assert (line["trace_id"], line["span_id"]) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")


async def test_a_trace_begun_by_the_caller_is_continued(
    tracing: OpenTelemetryTracing, exporter: InMemorySpanExporter
) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
    await make_subject(SETTINGS, tracing).app.test_client().get("/", headers=headers)
    tracing.close()
    context = exporter.get_finished_spans()[0].context
    assert context is not None
    assert f"{context.trace_id:032x}" == trace_id


def test_tracing_is_off_without_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", raising=False)
    assert isinstance(from_environment(SETTINGS), NoTracing)


def test_tracing_is_off_when_the_sdk_is_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert isinstance(from_environment(SETTINGS), NoTracing)


def test_nothing_that_is_not_used_is_imported() -> None:
    program = """
import sys
import selfheal_service.main, selfheal_service.server
from selfheal_service.app import create_app
from selfheal_service.settings import Settings
from selfheal_service.tracing import from_environment
create_app(Settings(), tracing=from_environment(Settings()))
unwanted = ("opentelemetry", "kubernetes", "aiohttp", "httpx", "requests", "textual", "selfheal_core")
print([name for name in sys.modules if name.split(".")[0] in unwanted])
"""
    run = subprocess.run(
        [sys.executable, "-c", program], env=service_environment(), capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


class _Outages(SpanExporter):
    """Answers with the given results, in order."""

    def __init__(self, *results: SpanExportResult) -> None:
        self._results = iter(results)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return next(self._results)


def test_an_outage_is_reported_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    bad, good = SpanExportResult.FAILURE, SpanExportResult.SUCCESS
    exporter = OneLinePerOutage(_Outages(good, bad, bad, bad, good, good, bad))
    with caplog.at_level(logging.WARNING):
        for _ in range(7):
            exporter.export([])
    assert [message.split(" and ")[0] for message in caplog.messages] == [
        "spans cannot be exported",
        "spans are exported again",
        "spans cannot be exported",
    ]


class _Collector(BaseHTTPRequestHandler):
    """Keeps the bodies of OTLP requests."""

    bodies: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        self.bodies.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Stay silent."""


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    bodies: list[tuple[str, bytes]] = []
    server = HTTPServer(("127.0.0.1", 0), type("Collector", (_Collector,), {"bodies": bodies}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", bodies
    server.shutdown()
    thread.join()
    server.server_close()


def get(port: int, path: str) -> int:
    from http.client import HTTPConnection

    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_spans_reach_a_collector_before_the_process_ends(
    start_service: StartService, collector: tuple[str, list[tuple[str, bytes]]]
) -> None:
    endpoint, bodies = collector
    service = start_service(name="traced", drain_seconds=0, otel={"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})
    assert get(service.port, "/") == 200
    service.terminate()
    assert service.process.wait(20) == 0
    assert [path for path, _ in bodies] == ["/v1/traces"]
    assert b"GET /" in bodies[0][1]
    assert b"traced" in bodies[0][1]


def test_a_dead_collector_costs_at_most_a_line_and_delays_no_exit(start_service: StartService) -> None:
    otel = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": "50"}
    service = start_service(drain_seconds=0, otel=otel)
    for _ in range(20):
        assert get(service.port, "/") == 200
    service.terminate()
    assert service.process.wait(20) == 0
    complaints = [line for line in service.log if line["level"] not in ("info", "debug")]
    assert len(complaints) <= 1
    assert len(service.log) == len(service.output.read_text().splitlines())


def test_a_bad_tracing_variable_is_one_line_and_exit_2() -> None:
    environment = service_environment(
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_BSP_MAX_QUEUE_SIZE="-1", SELFHEAL_SERVICE_PORT="0"
    )
    run = subprocess.run(
        [sys.executable, "-m", "selfheal_service"], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert "OTEL_*" in run.stderr
    assert len(run.stderr.splitlines()) == 1
