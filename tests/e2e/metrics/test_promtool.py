"""What the service and healerd show on /metrics passes Prometheus's own linter, as their charts deploy them."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal_core.files import chart
from selfheal_sandbox.tools.fetch import FetchError
from selfheal_sandbox.tools.prometheus import resolve
from tests.e2e.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

RELEASES = ("healerd", "service")
WAIT = ("--create-namespace", "--wait", "--timeout", "60s")
QUICK = (
    "practice=true,minReadySeconds=0,shutdown.drainSeconds=0,shutdown.preStopSleepSeconds=0,shutdown.lingerSeconds=1"
)


@pytest.fixture(scope="module")
def promtool() -> Path:
    try:
        return resolve("promtool")
    except FetchError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def namespace(sandbox: SandboxProcess) -> Iterator[str]:
    """A namespace with both programs; healerd is on paper only, since other tests share the sandbox."""
    name = "linted"
    sandbox.helm("install", "service", str(chart("service")), "-n", name, "--set", QUICK, *WAIT)
    sandbox.helm("install", "healerd", str(chart("healerd")), "-n", name, "--set", "dryRun=true", *WAIT)
    yield name
    for release in RELEASES:
        sandbox.helm("uninstall", release, "-n", name)


def page(sandbox: SandboxProcess, namespace: str, service: str, path: str) -> str:
    url = f"/api/v1/namespaces/{namespace}/services/{service}:http/proxy/{path}"
    return sandbox.kubectl("get", "--raw", url, check=path == "metrics").out


def complaints(promtool: Path, text: str) -> str:
    done = subprocess.run(
        [str(promtool), "check", "metrics"], input=text, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode == 0) == (not done.stderr), f"{done.returncode}: {done.stderr}"
    return done.stdout + done.stderr


@pytest.mark.parametrize("release", RELEASES)
def test_metrics_pass_promtool(sandbox: SandboxProcess, namespace: str, promtool: Path, release: str) -> None:
    for path in ("", "nowhere"):
        page(sandbox, namespace, release, path)

    text = page(sandbox, namespace, release, "metrics")

    assert "# TYPE" in text
    assert complaints(promtool, text) == ""


def test_a_badly_named_metric_does_not_pass(promtool: Path) -> None:
    assert "total" in complaints(promtool, "# HELP requests Requests.\n# TYPE requests counter\nrequests 1\n")
