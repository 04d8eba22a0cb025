import json
import stat
from pathlib import Path

from selfheal_sandbox.api.request_log import LogLine, RequestLog
from tests.unit.sandbox_api.conftest import Server

LINE = LogLine(time="2026-03-01T12:00:00Z", user="a", user_agent="b", verb="get", path="/api", code=200)


def test_a_log_that_grew_too_long_begins_anew_and_keeps_one_older_part(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    log = RequestLog(path, size_limit_bytes=150)
    for _ in range(5):
        log.write(LINE)
    log.close()

    assert len(path.read_text().splitlines()) == 1
    older = path.with_name("requests.jsonl.1")
    assert len(older.read_text().splitlines()) == 2
    assert stat.S_IMODE(older.stat().st_mode) == stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_log_is_appended_to_and_closed_for_good(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    for _ in range(2):
        log = RequestLog(path)
        log.write(LINE)
        log.close()
        log.write(LINE)

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["userAgent"] for line in lines] == ["b", "b"]


async def test_long_lines_are_read(server: Server) -> None:
    answer = await server.get("/api/v1/pods", labelSelector="a!=" + ",a!=".join(["b"] * 8000))

    assert answer.code == 200
