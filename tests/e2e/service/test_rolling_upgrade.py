"""Nobody notices a rolling upgrade: 2,000 requests at 100 a second and more, none of them fails, none is retried."""

import subprocess
import time
from pathlib import Path

import pytest

from selfheal_cli.demo.load import Load
from selfheal_core.files import chart
from tests.e2e.sandbox_process import SandboxProcess

pytestmark = pytest.mark.slow

REQUESTS = 2_000
PER_SECOND = 120.0
SERVICE_VALUES = ("--set", "minReadySeconds=1,autoscaling.enabled=false,replicas=2")


def upgrade(sandbox: SandboxProcess, namespace: str) -> "subprocess.Popen[bytes]":
    """Begin a rolling upgrade to the next version of the service."""
    command = [str(sandbox.tools["helm"]), "upgrade", "web", str(chart("service")), "-n", namespace]
    options = ["--reuse-values", "--set", "image.tag=1.1", "--wait", "--timeout", "60s"]
    return subprocess.Popen([*command, *options], env=dict(sandbox.environment), stdout=subprocess.DEVNULL)


@pytest.mark.timeout(120)
def test_no_request_fails_across_an_upgrade_that_begins_and_ends_inside_the_run(
    sandbox: SandboxProcess, namespace: str
) -> None:
    sandbox.helm(
        "install", "web", str(chart("service")), "-n", namespace, *SERVICE_VALUES, "--wait", "--timeout", "60s"
    )
    url = sandbox.command("url", "svc/web", "-n", namespace).out.strip()
    started = time.monotonic()

    with Load(url, requests_per_second=PER_SECOND) as load:
        time.sleep(1)  # the run begins before the upgrade
        upgrading = upgrade(sandbox, namespace)
        code = upgrading.wait(90)
        sent_at_the_end = load.sent
        while load.sent < max(REQUESTS, sent_at_the_end + 100) and time.monotonic() - started < 90:
            time.sleep(0.1)
    seconds = time.monotonic() - started

    pods = sandbox.get("pods", "-n", namespace, "-l", "app=web")["items"]
    images = {pod["spec"]["containers"][0]["image"] for pod in pods if not pod["metadata"].get("deletionTimestamp")}
    assert code == 0
    assert images == {"selfheal-service:1.1"}
    assert (load.failed, load.first_failure) == (0, "")
    assert load.sent >= REQUESTS
    assert load.sent / seconds >= 100


def test_the_load_client_counts_what_fails(tmp_path: Path) -> None:
    with Load("http://127.0.0.1:9", requests_per_second=100) as load:
        while load.sent < 4:
            time.sleep(0.01)

    assert load.failed == load.sent
    assert "no answer from" in load.first_failure
