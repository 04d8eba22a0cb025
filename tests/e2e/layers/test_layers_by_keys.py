"""Layer 4 by keys alone: the real console on a terminal of 80x24 names the bad release, and ``R`` takes it back."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from selfheal_cli.demo.stage import Stage
from selfheal_cli.demo.steps import APP, REPLICAS, all_ready
from selfheal_core.files import chart
from tests.e2e.console.test_rollback_by_keys import BAD, CONSOLE, ENTER, leave
from tests.e2e.layers.conftest import SEEN, Demo
from tests.e2e.layers.times import CACHE, remember

MISSPELT = "SELFHEAL_SERVICE_PROT"
"""What the bad release sets: the service refuses to start with a variable that it does not know."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def on_a_terminal(stage: Stage, home: Path) -> Mapping[str, str]:
    """What the console finds in its environment: the cluster, the tools, a journal of its own."""
    tools = {str(Path(path).parent) for name, path in stage.programs.items() if name in ("helm", "kubectl")}
    given = stage.environment()
    path = os.pathsep.join([*sorted(tools), given["PATH"]])
    return {**given, "PATH": path, "TERM": "xterm-256color", "LANG": "C.UTF-8", "XDG_STATE_HOME": str(home)}


def see(console: Terminal, stage: Stage, *words: str) -> None:
    """Wait until the screen shows all of the words."""
    console.wait_for(lambda screen: all(word in " ".join(screen.split()) for word in words), stage.profile.seconds(60))


def test_a_bad_release_is_rolled_back_by_keys(
    demo: Demo, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    stage = demo.cluster.stage
    all_ready(stage, REPLICAS)
    command = [CONSOLE, "--kubeconfig", str(stage.kubeconfig), "-n", stage.namespace]
    with Terminal(command, on_a_terminal(stage, tmp_path), 80, 24) as console:
        see(console, stage, APP, "healthy")
        stage.run("helm", "upgrade", APP, str(chart("service")), "-n", stage.namespace, *BAD)
        began = time.monotonic()
        see(console, stage, "crash loop", f"unknown variable {MISSPELT}", "Safe next step: R")
        stage.say(f"  after {time.monotonic() - began:.1f} s the console says why and what to press:\n{console.text()}")
        console.send("R")
        see(console, stage, f"Roll back {APP}", "type the name to go on")
        console.send("t")
        see(console, stage, f"Type {APP}")
        console.send(APP + ENTER)
        see(console, stage, "RECOVERED")
        seconds = time.monotonic() - began
        stage.say(f"  after {seconds:.1f} s:\n{console.text()}")
        leave(console, ENTER, "[ Back ]")
        see(console, stage, "[1 Apps]", "healthy")
        console.send("q")
        assert console.wait(10) == 0

    newest = stage.run("helm", "history", APP, "-n", stage.namespace, "-o", "json").json()[-1]
    assert newest["description"].startswith("Rollback to ")
    assert MISSPELT not in stage.run(*stage.kubectl("get", "deployment", APP, "-o", "json")).stdout
    all_ready(stage, REPLICAS)
    record_property(SEEN, "layer-4-by-keys")
    remember(CACHE, demo.cluster.name, "layer 4 by keys", seconds)
