import io
import logging

import pytest

from selfheal_service.logs import build_logger, forward_standard_logging
from selfheal_service.settings import Settings
from tests.unit.service.conftest import Subject


async def test_a_request_is_one_json_line_with_its_route(subject: Subject) -> None:
    await subject.app.test_client().get("/?token=secret")
    (line,) = [line for line in subject.log if line["event"] == "request"]
    assert {key: line[key] for key in ("method", "route", "path", "status", "level", "service", "version")} == {
        "method": "GET",
        "route": "/",
        "path": "/",
        "status": 200,
        "level": "info",
        "service": "web",
        "version": "1.2",
    }


async def test_probes_are_quiet_unless_they_fail(subject: Subject) -> None:
    async with subject.app.test_app() as app:
        client = app.test_client()
        await client.get("/ready")
        await client.post("/practice/ready", json={"ready": False})
        await client.get("/ready")
    levels = [line["level"] for line in subject.log if line.get("route") == "/ready"]
    assert levels == ["debug", "info"]


async def test_text_from_the_network_cannot_forge_a_line(subject: Subject) -> None:
    await subject.app.test_client().get("/%0a%7B%22event%22%3A%22forged%22%7D%1b[31m")
    assert [line["event"] for line in subject.log] == ["request"]
    assert "\x1b" not in subject.log_stream.getvalue()


async def test_an_unexpected_error_is_500_and_still_recorded(subject: Subject) -> None:
    @subject.app.get("/broken")
    async def broken() -> str:
        raise RuntimeError("bug")

    logging.getLogger("selfheal_service").disabled = True
    try:
        response = await subject.app.test_client().get("/broken")
    finally:
        logging.getLogger("selfheal_service").disabled = False
    assert response.status_code == 500
    assert "bug" not in str(await response.get_json())
    assert subject.log[-1]["status"] == 500


def test_lines_below_the_level_are_left_out() -> None:
    stream = io.StringIO()
    log = build_logger(Settings(log_level="warning"), dict, stream)
    log.info("quiet")
    log.warning("loud")
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()


@pytest.fixture
def root_logger() -> logging.Logger:
    return logging.getLogger()


def test_warnings_of_libraries_become_json_lines_with_tracebacks(root_logger: logging.Logger) -> None:
    handlers, level = root_logger.handlers[:], root_logger.level
    root_logger.handlers = []
    stream = io.StringIO()
    try:
        forward_standard_logging(build_logger(Settings(), dict, stream))
        try:
            raise ValueError("cause")
        except ValueError:
            logging.getLogger("library").exception("failed %d times", 3)
    finally:
        root_logger.handlers = handlers
        root_logger.setLevel(level)
    assert '"event": "failed 3 times"' in stream.getvalue()
    assert "ValueError: cause" in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 1
