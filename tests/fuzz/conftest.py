"""What the comparison saw is told at the end of a run, passed or not."""

import pytest

SEEN = "what the comparison saw"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what each comparison recorded."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    for report in reports:
        for name, value in report.user_properties:
            if report.when == "call" and name == SEEN:
                terminalreporter.write_sep("-", report.nodeid.rpartition("::")[2])
                terminalreporter.write_line(str(value))
