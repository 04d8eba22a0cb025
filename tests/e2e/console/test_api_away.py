"""The API goes away and comes back: the console stays, tells the age of its data, changes nothing, recovers alone."""

import json
import os
import re
import sysconfig
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from benchmarks.terminal import Terminal
from selfheal_core.files import chart
from selfheal_core.ops.registry import built_verbs
from tests.e2e.console.gate import Gate
from tests.e2e.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

AWAY_SECONDS = float(os.environ.get("SELFHEAL_TEST_AWAY_SECONDS", "10"))
"""Long enough for several retries and for the age to grow; a minute shows nothing more, and takes a minute."""
CONSOLE = str(Path(sysconfig.get_path("scripts")) / "selfheal-tui")
WRITES = {"create", "update", "patch", "delete", "deletecollection"}
VALUES = ("--set", "minReadySeconds=0,autoscaling.enabled=false", "--wait", "--timeout", "60s")


@pytest.fixture
def gate(sandbox: SandboxProcess) -> Iterator[Gate]:
    with Gate(int(sandbox.url.rpartition(":")[2])) as opened:
        yield opened


@pytest.fixture
def environ(sandbox: SandboxProcess, gate: Gate, tmp_path: Path) -> Mapping[str, str]:
    """The sandbox's environment, but its API is behind the gate."""
    content = yaml.safe_load(sandbox.kubeconfig.read_text())
    content["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{gate.port}"
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(content))
    kubeconfig.chmod(0o600)
    kept = {**sandbox.environment, "KUBECONFIG": str(kubeconfig)}
    return {**kept, "TERM": "xterm-256color", "LANG": "C.UTF-8", "XDG_STATE_HOME": str(tmp_path / "state")}


def writes(log: Path, agent: str) -> list[str]:
    """Requests of a program that could change something; asking for our own rights changes nothing."""
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    return [
        f"{entry['verb']} {entry['path']}"
        for entry in entries
        if entry["userAgent"].startswith(agent) and entry["verb"] in WRITES and "accessreviews" not in entry["path"]
    ]


def age_seconds(screen: str) -> float:
    """For how long the status line says that the cluster has been lost."""
    found = re.search(r"lost (\d+(?:\.\d+)?)(s|m)", screen.splitlines()[0])
    return 0.0 if found is None else float(found[1]) * (60 if found[2] == "m" else 1)


def test_stays_says_so_changes_nothing_and_recovers(
    sandbox: SandboxProcess, namespace: str, gate: Gate, environ: Mapping[str, str], request_log: Path
) -> None:
    sandbox.helm("install", "web", str(chart("service")), "-n", namespace, *VALUES)
    before = len(writes(request_log, "selfheal-console"))
    with Terminal([CONSOLE, "-n", namespace], environ, 80, 24) as console:
        console.wait_for(lambda screen: "web" in screen and "healthy" in screen and "live" in screen, 20)

        gate.shut()
        console.wait_for(lambda screen: "lost" in screen.splitlines()[0], 15)
        lost_at = time.monotonic()
        for verb in built_verbs():
            if verb.target_kind == "pod":
                console.send("2")
                console.watch(0.5)
            console.send(verb.key)
            console.watch(1.0)
            assert "type the name" not in console.text(), f"{verb.name} was offered on lost data:\n{console.text()}"
            console.send("\x1b")
            console.watch(0.5)
        console.send("1")
        while time.monotonic() - lost_at < AWAY_SECONDS:
            console.watch(0.5)
        away = console.text()
        gate.open()
        back_after = console.wait_for(lambda screen: "live" in screen.splitlines()[0], 45)

        assert "web" in away, "the last data stays"
        assert "retrying" in away.splitlines()[0]
        assert age_seconds(away) >= AWAY_SECONDS - 5
        assert back_after < 45
        console.send("q")
        assert console.wait(5) == 0
    assert len(writes(request_log, "selfheal-console")) == before
