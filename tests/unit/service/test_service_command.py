"""The command line: exit codes, refusals, start and idle cost, and `check`."""

import socket
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from selfheal_service.main import main
from tests.unit.service.conftest import StartService, service_environment


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "selfheal_service", *arguments]
    environment = service_environment(**variables)
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


def test_a_bad_setting_is_one_line_and_exit_2() -> None:
    result = run(SELFHEAL_SERVICE_PORT="http")
    assert result.returncode == 2
    assert result.stderr.startswith("selfheal-service: SELFHEAL_SERVICE_PORT='http': ")
    assert len(result.stderr.splitlines()) == 1


def test_an_unknown_setting_is_one_line_and_exit_2() -> None:
    result = run(SELFHEAL_SERVICE_PORTS="1")
    assert result.returncode == 2
    assert "did you mean SELFHEAL_SERVICE_PORT?" in result.stderr


def test_a_taken_port_is_one_line_that_says_what_to_set() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run(SELFHEAL_SERVICE_PORT=str(taken.getsockname()[1]))
    assert result.returncode == 1
    assert "Address already in use; set SELFHEAL_SERVICE_HOST or SELFHEAL_SERVICE_PORT" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_starts_with_well_under_a_second_of_cpu_and_idles_at_almost_none(start_service: StartService) -> None:
    service = start_service()
    started = service.cpu_seconds
    assert started < 0.9
    time.sleep(2.0)  # idle time is what is measured
    assert service.cpu_seconds - started <= 0.04


def test_check_passes_when_every_url_answers_200(start_service: StartService) -> None:
    service = start_service()
    urls = [f"http://127.0.0.1:{service.port}{path}" for path in ("/", "/health", "/ready")]
    result = CliRunner().invoke(main, ["check", *urls])
    assert result.exit_code == 0
    assert result.output.splitlines() == [f"ok {url}: 200 (attempt 1)" for url in urls]


def test_check_fails_with_the_status_it_met(start_service: StartService) -> None:
    service = start_service()
    url = f"http://127.0.0.1:{service.port}/nope"
    result = CliRunner().invoke(main, ["check", "--timeout", "0.1", url])
    assert result.exit_code == 1
    assert result.output == f"failed {url}: 404 (attempt 1)\n"


def test_check_tries_again_until_the_time_is_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    result = CliRunner().invoke(main, ["check", "--timeout", "1.5", f"http://127.0.0.1:{port}/"])
    assert result.exit_code == 1
    assert "refused" in result.output
    assert "(attempt 1)" not in result.output


@pytest.mark.parametrize("arguments", [["check"], ["check", "ftp://x"], ["serve-me"], ["check", "--timeout", "0"]])
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, arguments).exit_code == 2


def test_help_names_the_sub_command() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    assert "check" in result.output
