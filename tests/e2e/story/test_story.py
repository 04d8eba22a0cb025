"""The demo as a script: it holds with everything in place, and names the layer that is missing otherwise."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import pytest

from selfheal_cli.demo.story import LAYERS
from selfheal_sandbox.tools.versions import Tool
from tests.pinned_tools import HELM_VERSIONS, program, version

pytestmark = pytest.mark.slow

SELFHEAL = Path(sysconfig.get_path("scripts")) / "selfheal"


def environment(home: Path, helm: Path | None = None) -> dict[str, str]:
    """A home of its own, but the tools of this one; with a ``helm``, that one is first on PATH."""
    cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    state = str(home / "state")
    changes = {"XDG_STATE_HOME": state, "XDG_CONFIG_HOME": str(home), "XDG_CACHE_HOME": cache}
    if helm is not None:
        programs = home / "bin"
        programs.mkdir()
        (programs / "helm").symlink_to(helm)
        changes["PATH"] = os.pathsep.join([str(programs), os.environ["PATH"]])
    return {**os.environ, **changes}


def play(home: Path, *arguments: str, helm: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SELFHEAL), "demo", "run", *arguments]
    surroundings = environment(home, helm)
    return subprocess.run(
        command, capture_output=True, text=True, timeout=280, env=surroundings, stdin=subprocess.DEVNULL, check=False
    )


def left_behind(home: Path) -> list[str]:
    """Processes whose environment says that they belong to this home."""
    mark = f"XDG_STATE_HOME={home / 'state'}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0") and int(process.name) != os.getpid():
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("helm", HELM_VERSIONS, ids=version)
def test_every_built_layer_holds(tmp_path: Path, helm: Tool) -> None:
    done = play(tmp_path, helm=program(helm))

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    for number, name in LAYERS.items():
        row = next(line for line in done.stdout.splitlines() if line.startswith(f"  {number}  "))
        assert name in row
        assert ("held in" in row) != (number == 7)
    assert "Rollback to 1" in done.stdout
    assert ", 0 failed" in done.stdout
    assert left_behind(tmp_path) == []
    assert list((tmp_path / "state/selfheal/sandbox").iterdir()) == []


@pytest.mark.timeout(120)
def test_without_healerd_layer_3_is_named(tmp_path: Path, tools: Mapping[str, Path]) -> None:
    done = play(tmp_path, "--healerd-replicas", "0", "--layer", "3", "--speed", "50")

    assert done.returncode == 1
    assert "layer 3 did not hold" in done.stderr
    assert left_behind(tmp_path) == []


@pytest.mark.timeout(60)
def test_a_story_that_is_stopped_takes_its_sandbox_down(tmp_path: Path, tools: Mapping[str, Path]) -> None:
    command = [sys.executable, str(SELFHEAL), "demo", "run", "--layer", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(tmp_path)) as story:
        assert story.stdout is not None
        for line in story.stdout:
            if "is ready after" in line:
                story.terminate()
        story.wait(30)

    assert story.returncode == 130
    assert left_behind(tmp_path) == []
