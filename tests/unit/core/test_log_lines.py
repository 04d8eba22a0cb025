"""A log record is one line, and a terminal that is shown the file obeys nothing in it."""

import logging
import subprocess
import sys

from selfheal_core.log_lines import OneLine

SAID = "\x1b[2J\r\nforged\x9b31m\u202e\x00"


def formatted(record: logging.LogRecord) -> str:
    return OneLine("%(levelname)s %(message)s").format(record)


def test_a_record_is_one_printable_line() -> None:
    line = formatted(logging.LogRecord("x", logging.WARNING, "", 1, "it said %s", (SAID,), None))

    assert line.isprintable()
    assert line.startswith("WARNING it said ␛[2J␍␊forged")


def test_so_is_a_traceback() -> None:
    try:
        raise ValueError(SAID)
    except ValueError:
        line = formatted(logging.LogRecord("x", logging.ERROR, "", 1, "failed", (), sys.exc_info()))

    assert line.isprintable()
    assert "ValueError: ␛[2J" in line


def test_a_record_that_nobody_handles_reaches_the_terminal_as_text() -> None:
    script = (
        "import logging\nfrom selfheal_core.command_line import guarded\n"
        f"guarded('x', lambda: logging.getLogger('a').warning('it said %s', {SAID!r}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=30)

    assert done.stderr.decode().removesuffix("\n").isprintable()
    assert "forged" in done.stderr.decode()
