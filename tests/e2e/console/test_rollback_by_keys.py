"""The night shift on 80x24: a bad release crashes, the console names it, and ``R`` takes it back. By keys alone."""

import contextlib
import json
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from selfheal_core.files import chart
from tests.e2e.conftest import SPEED
from tests.e2e.console.test_api_away import writes
from tests.e2e.sandbox_process import SandboxProcess, start_sandbox
from tests.polling import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

CONSOLE = str(Path(sysconfig.get_path("scripts")) / "selfheal-tui")
AGENT = "selfheal-console"
APP = "web"
GOOD = ("--set", "minReadySeconds=0,autoscaling.enabled=false", "--wait", "--timeout", "60s")
# The service refuses to start with a variable that it does not know, and says which one was meant.
BAD = (
    *("--reuse-values", "--set", "extraEnv[0].name=SELFHEAL_SERVICE_PROT", "--set-string", "extraEnv[0].value=1"),
    *("--wait=hookOnly", "--timeout", "60s"),
)
ESC = "\x1b"
ENTER = "\r"
SECONDS = 30.0


@pytest.fixture
def environ(sandbox: SandboxProcess, tools: Mapping[str, Path], tmp_path: Path) -> Mapping[str, str]:
    """A terminal's environment, with helm on the path and a journal of its own."""
    path = f"{tools['helm'].parent}:{sandbox.environment['PATH']}"
    own = {"PATH": path, "TERM": "xterm-256color", "LANG": "C.UTF-8", "XDG_STATE_HOME": str(tmp_path / "state")}
    return {**sandbox.environment, **own}


@pytest.fixture
def crashing(sandbox: SandboxProcess, namespace: str) -> Iterator[str]:
    """A namespace in which a good release was followed by one that crashes."""
    sandbox.helm("install", APP, str(chart("service")), "-n", namespace, *GOOD)
    sandbox.helm("upgrade", APP, str(chart("service")), "-n", namespace, *BAD)
    yield namespace
    sandbox.helm("uninstall", APP, "-n", namespace, check=False)


@pytest.fixture
def practice(
    tmp_path_factory: pytest.TempPathFactory, tools: Mapping[str, Path], request_log: Path
) -> Iterator[SandboxProcess]:
    """The sandbox that ``--sandbox`` finds running, with a log of the requests it answers."""
    log = ("--request-log", str(request_log.with_name("practice.jsonl")))
    home = tmp_path_factory.mktemp("practice")
    with start_sandbox(home, tools, name="default", speed=SPEED, options=log) as running:
        yield running


def practice_environ(practice: SandboxProcess, environ: Mapping[str, str]) -> dict[str, str]:
    """A terminal's environment in the home of the practice sandbox."""
    return {**practice.environment, "PATH": environ["PATH"], "KUBECONFIG": ""}


def revisions(sandbox: SandboxProcess, namespace: str, release: str = APP) -> list[tuple[int, str]]:
    """Number and description of each revision, as Helm has them."""
    history = json.loads(sandbox.helm("history", release, "-n", namespace, "-o", "json").out)
    return [(entry["revision"], entry["description"]) for entry in history]


def processes_of(home: Path) -> list[str]:
    """Command lines of the processes whose home is this one."""
    mark = f"HOME={home}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


def see(console: Terminal, *words: str) -> str:
    """Wait until the screen shows all of the words."""
    console.wait_for(lambda screen: all(word in " ".join(screen.split()) for word in words), SECONDS)
    return console.text()


def press(console: Terminal, key: str, *words: str) -> str:
    """Press a key and wait for what it shows."""
    console.send(key)
    return see(console, *words)


def leave(console: Terminal, key: str, button: str) -> None:
    """Press a key that closes the dialog with that button, and wait until it is gone."""
    console.send(key)
    console.wait_for(lambda screen: button not in screen, SECONDS)


def release_version(sandbox: SandboxProcess, revision: int) -> str:
    """The resourceVersion of a revision's Secret: whatever touched it shows."""
    secret = sandbox.get("secret", f"sh.helm.release.v1.app-a.v{revision}", "-n", "demo")
    return str(secret["metadata"]["resourceVersion"])


def test_a_bad_release_is_named_read_about_and_rolled_back(
    practice: SandboxProcess, environ: Mapping[str, str], request_log: Path
) -> None:
    """The console brings the demo into the cluster itself; every way out of a dialog leaves the cluster untouched."""
    log = request_log.with_name("practice.jsonl")
    with Terminal([CONSOLE, "--sandbox"], {**environ, **practice_environ(practice, environ)}, 80, 24) as console:
        console.wait_for(lambda screen: "app-a" in screen and "healthy" in screen, 60)
        practice.helm("upgrade", "app-a", str(chart("service")), "-n", "demo", *BAD)
        see(console, "crash loop", "unknown variable SELFHEAL_SERVICE_PROT", "Safe next step: R")
        before, release = len(writes(log, AGENT)), release_version(practice, 2)

        press(console, "2", "[2 Pods]")
        console.send("/")
        console.send("state:crash")
        press(console, ENTER, "hidden", "1/1")
        press(console, "p", "previous run", "did you mean SELFHEAL_SERVICE_PORT")
        press(console, ESC, "[2 Pods]")
        press(console, ESC, "1/4")
        press(console, ESC, "[1 Apps]")

        press(console, "R", "Roll back app-a", "revision 1", "[ Cancel ]", "type the name to go on")
        leave(console, ENTER, "[ Cancel ]")
        press(console, "R", "type the name to go on")
        press(console, "t", "Type app-a")
        press(console, "app-b" + ENTER, "nothing was sent")
        press(console, ESC, "[ Cancel ]")
        leave(console, ESC, "[ Cancel ]")
        assert len(writes(log, AGENT)) == before
        assert release_version(practice, 2) == release
        assert [number for number, _ in revisions(practice, "demo", "app-a")] == [1, 2]

        press(console, "R", "type the name to go on")
        press(console, "t", "Type app-a")
        press(console, "app-a" + ENTER, "RECOVERED")
        leave(console, ENTER, "[ Back ]")
        see(console, "app-a", "healthy")
        press(console, "3", "[3 History]", "deployed, runs")
        press(console, "@", "[8 Journal]", "RECOVERED", "Asked for by")
        press(console, ESC, "[1 Apps]")
        console.send("q")
        assert console.wait(10) == 0

    assert revisions(practice, "demo", "app-a")[-1] == (3, "Rollback to 1")
    pods = practice.get("pods", "-n", "demo", "-l", "app=app-a")["items"]
    assert all(status["ready"] for pod in pods for status in pod["status"]["containerStatuses"])


def test_read_only_shows_everything_and_changes_nothing(
    sandbox: SandboxProcess, crashing: str, environ: Mapping[str, str], request_log: Path
) -> None:
    before = len(writes(request_log, AGENT))
    with Terminal([CONSOLE, "-n", crashing, "--read-only"], environ, 80, 24) as console:
        see(console, "READ-ONLY", "crash loop")
        press(console, "R", "Roll back web", "[ Cancel ]")
        press(console, "tweb" + ENTER, "read-only")
        console.send("q")
    assert len(writes(request_log, AGENT)) == before
    assert [number for number, _ in revisions(sandbox, crashing)] == [1, 2]


def test_a_closed_terminal_leaves_no_process(crashing: str, environ: Mapping[str, str]) -> None:
    with Terminal([CONSOLE, "-n", crashing], environ, 80, 24) as console:
        see(console, "[1 Apps]")
        pid = console.pid
        console.hang_up()
        until(lambda: console.wait(0.0) is not None, 10, "the console ends with its terminal")
    assert not Path(f"/proc/{pid}").exists()


def test_practice_begins_from_nothing_and_leaves_nothing(environ: Mapping[str, str], tmp_path: Path) -> None:
    """``--sandbox`` starts a cluster, and quitting ends it."""
    with Terminal([CONSOLE, "--sandbox"], {**environ, "HOME": str(tmp_path), "KUBECONFIG": ""}, 80, 24) as console:
        console.wait_for(lambda screen: "app-a" in screen and "healthy" in screen, 60)
        console.send("q")
        assert console.wait(20) == 0

    assert processes_of(tmp_path) == []
