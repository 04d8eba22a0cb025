"""What healerd logs, libraries included: one JSON object a line; no terminal obeys it, and no secret is in it."""

import json
import subprocess
import sys

SCRIPT = """
import logging, structlog
from healerd.main import configure_logs
configure_logs()
structlog.get_logger().info("eviction", pod="\\x1b[2J\\x7f\\u202e")
logging.getLogger("library").warning("it said %s", "\\x9b31m\\nforged")
def call(token):
    raise ValueError("\\x1b]52;c;aGk=\\x07")
try:
    call("opensesame"[::-1])
except ValueError:
    logging.getLogger("library").exception("failed")
"""


def records() -> tuple[str, list[dict[str, object]]]:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True, timeout=30)
    assert done.stderr == b""
    text = done.stdout.decode()
    return text, [json.loads(line) for line in text.splitlines()]


def test_each_record_is_one_line_of_json_that_can_be_shown() -> None:
    text, found = records()

    assert text.replace("\n", "").isprintable()
    assert [record["event"] for record in found] == ["eviction", "it said \x9b31m\nforged", "failed"]
    assert [record["level"] for record in found] == ["info", "warning", "error"]
    assert found[0]["pod"] == "\x1b[2J\x7f\u202e"


def test_a_traceback_shows_no_values_of_variables() -> None:
    text, found = records()

    assert "ValueError" in str(found[2]["exception"])
    assert "emasesnepo" not in text
