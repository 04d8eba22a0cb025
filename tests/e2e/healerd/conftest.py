"""A sandbox for each module, with healerd in it and one application that can be broken."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from selfheal_core.files import chart
from tests.e2e.healerd.application import SYSTEM
from tests.e2e.sandbox_process import SandboxProcess, start_sandbox

SPEED = 50
"""Back-off of 10, 20 and 40 s becomes under one second."""
QUICK = "minReadySeconds=0,shutdown.drainSeconds=0,shutdown.preStopSleepSeconds=0,shutdown.lingerSeconds=1"
VALUES = f"practice=true,autoscaling.enabled=false,{QUICK}"
"""Without an autoscaler: what it takes back after a busy start is the pod that is being broken."""


@pytest.fixture(scope="module")
def requests_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "requests.jsonl"


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, tools: Mapping[str, Path], requests_log: Path
) -> Iterator[SandboxProcess]:
    """A sandbox with healerd in it and one application that can be broken."""
    log = ("--request-log", str(requests_log))
    home = tmp_path_factory.mktemp("healing")
    with start_sandbox(home, tools, name="healing", speed=SPEED, options=log) as running:
        wait = ("--create-namespace", "--wait", "--timeout", "60s")
        healerd = ("install", "healerd", str(chart("healerd")), "-n", SYSTEM, "--set", "knownGood.soakSeconds=2")
        running.helm(*healerd, *wait)
        running.helm("install", "web", str(chart("service")), "-n", "shop", "--set", VALUES, *wait)
        yield running
