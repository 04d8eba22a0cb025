"""Applications in process, and real processes of the service on loopback."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from quart import Quart

from selfheal_service.app import create_app
from selfheal_service.logs import build_logger
from selfheal_service.settings import Settings
from selfheal_service.state import ServiceState
from selfheal_service.tracing import NoTracing, Tracing

START_DEADLINE_SECONDS = 20.0


@dataclass
class Subject:
    """An application under test, with what can be seen of it from outside."""

    app: Quart
    state: ServiceState
    exit_codes: list[int]
    log_stream: io.StringIO

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log_stream.getvalue().splitlines()]


def make_subject(settings: Settings, tracing: Tracing | None = None) -> Subject:
    state, exit_codes, stream = ServiceState(), list[int](), io.StringIO()
    tracing = tracing or NoTracing()
    log = build_logger(settings, tracing.identifiers, stream)
    app = create_app(settings, state=state, tracing=tracing, log=log, exit_process=exit_codes.append)
    return Subject(app, state, exit_codes, stream)


@pytest.fixture
def subject() -> Subject:
    return make_subject(Settings(name="web", version="1.2", practice=True, log_level="debug"))


@dataclass
class ServiceProcess:
    """A real process of the service."""

    process: subprocess.Popen[bytes]
    output: Path
    port: int = 0

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.read_text().splitlines() if line.startswith("{")]

    @property
    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def await_log(self, event: str) -> dict[str, Any]:
        deadline = time.monotonic() + START_DEADLINE_SECONDS
        while time.monotonic() < deadline:
            for line in self.log:
                if line["event"] == event:
                    return line
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise AssertionError(f"no {event!r} in the log:\n{self.output.read_text()}")

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)


StartService = Callable[..., ServiceProcess]


def service_environment(**variables: str) -> dict[str, str]:
    """The environment of this process without settings of the service or of tracing, plus variables."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SELFHEAL_SERVICE_", "OTEL_"))}
    return kept | variables


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[StartService]:
    """Start the service with settings given as keywords (`drain_seconds=1`) and wait until it listens."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*, otel: dict[str, str] | None = None, **settings: object) -> ServiceProcess:
        variables = {f"SELFHEAL_SERVICE_{name.upper()}": str(value) for name, value in settings.items()}
        environment = service_environment(**{"SELFHEAL_SERVICE_PORT": "0"} | variables | (otel or {}))
        output = tmp_path / f"service-{len(started)}.log"
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "selfheal_service"], env=environment, stdout=stream, stderr=subprocess.STDOUT
            )
        started.append(process)
        service = ServiceProcess(process, output)
        service.port = service.await_log("listening")["port"]
        return service

    yield start
    for process in started:
        process.kill()
        process.wait()
