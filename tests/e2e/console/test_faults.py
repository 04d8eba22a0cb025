"""The console while the API misbehaves: never a wrong "live", never a write on stale data, and back by itself.

Against the scripted server in a process of its own, on a real terminal.
"""

import os
import re
import sysconfig
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.terminal import Terminal
from tests.faults.process import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

CONSOLE = str(Path(sysconfig.get_path("scripts")) / "selfheal-tui")
COLUMNS, LINES = 140, 30
START_SECONDS = 40.0
NOTICE_SECONDS = 4.0
"""A stream that breaks is first reopened, which takes up to 2 s, before anybody is told; the screen lags a little."""
RENEWAL_SECONDS = 15.0
SCREEN_SECONDS = 2.0
ANSWER_SECONDS = 20.0
SILENCE_SECONDS = 40.0
"""Within this a question goes unanswered: one is asked every 15 s, and given 10 s."""


def environment(folder: Path, kubeconfig: Path) -> Mapping[str, str]:
    """A home of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SELFHEAL_")}
    homes = {name: str(folder) for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
    return {**kept, **homes, "KUBECONFIG": str(kubeconfig), "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}


class Console:
    """The console over a scripted server."""

    def __init__(self, server: ServerProcess, terminal: Terminal) -> None:
        self.server = server
        self.terminal = terminal

    @property
    def status(self) -> str:
        """The state and age of the data, at the right of the first line."""
        return self.terminal.lines()[0].strip()[-70:].strip()

    def until_status(self, word: str, seconds: float) -> float:
        return self.terminal.wait_for(lambda screen: word in screen.splitlines()[0], seconds)

    def claims(self, seconds: float, until: Callable[[str], bool] = lambda _: False) -> list[tuple[float, str]]:
        """What the status says over a time, or until it says something; with the time since now."""
        began = time.monotonic()
        seen: list[tuple[float, str]] = []
        while (passed := time.monotonic() - began) < seconds and not (seen and until(seen[-1][1])):
            self.terminal.watch(0.25)
            seen.append((passed, self.status))
        return seen

    def try_to_kill(self) -> None:
        """The keys that remove a pod, with the name that is to be typed and the confirmation."""
        for key in ("2", "K", "t"):
            self.terminal.send(key)
            self.terminal.watch(0.7)
        asked = re.search(r"Type (\S+), then Enter", self.terminal.text())
        for keys in (asked[1] if asked else "app-000", "\r", "\x1b", "\x1b"):
            self.terminal.send(keys)
            self.terminal.watch(0.4)

    def kill(self) -> None:
        """The same keys, each once the screen asks for it."""
        for key, word in (("2", "[2 Pods]"), ("K", "type the name to go on"), ("t", ", then Enter")):
            self.terminal.send(key)
            self.terminal.wait_for(lambda screen, word=word: word in screen, ANSWER_SECONDS)  # type: ignore[misc]
        asked = re.search(r"Type (\S+), then Enter", self.terminal.text())
        assert asked is not None, self.terminal.text()
        self.terminal.send(f"{asked[1]}\r")

    def writes(self) -> list[str]:
        """Paths of the requests that could change something."""
        return [str(request["path"]) for request in self.server.requests() if request["kind"] == "write"]


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    with ServerProcess("--pods", "100", "--rate", "5") as running:
        yield running


Open = Callable[[], Console]


@pytest.fixture
def open_console(server: ServerProcess, tmp_path: Path) -> Iterator[Open]:
    """Starts the console and waits until it is live; it must still be there at the end."""
    opened: list[Console] = []

    def start() -> Console:
        kubeconfig = server.kubeconfig(tmp_path)
        terminal = Terminal([CONSOLE], environment(tmp_path, kubeconfig), COLUMNS, LINES)
        opened.append(Console(server, terminal))
        opened[-1].until_status("live", START_SECONDS)
        return opened[-1]

    yield start
    for console in opened:
        try:
            assert console.terminal.wait(0.0) is None, console.terminal.text()
            assert "Traceback" not in console.terminal.text()
        finally:
            console.terminal.close()


Collection = tuple[str, str]
"""Path and field selector of what is listed and watched."""


def collection(request: Mapping[str, Any]) -> Collection:
    return request["path"], request["selector"]


def collections_asked(requests: Iterable[Mapping[str, Any]], *kinds: str) -> set[Collection]:
    return {collection(request) for request in requests if request["kind"] in kinds}


def assert_never_live(claims: list[tuple[float, str]]) -> None:
    wrong = [(at, status) for at, status in claims if at > NOTICE_SECONDS and "live" in status]
    assert not wrong, wrong


def test_a_token_that_is_revoked_and_renewed(open_console: Open, server: ServerProcess, tmp_path: Path) -> None:
    console = open_console()
    server.command(tokens=["renewed"])
    server.command(cut=True)
    claims = console.claims(NOTICE_SECONDS + 2)
    assert_never_live(claims)
    assert "credentials refused" in claims[-1][1]
    assert "app-000" in console.terminal.text(), "what was known stays"
    console.try_to_kill()
    server.kubeconfig(tmp_path, user={"token": "renewed"})
    console.until_status("live", RENEWAL_SECONDS + SCREEN_SECONDS)
    assert console.writes() == []


def test_a_version_that_is_gone(open_console: Open, server: ServerProcess) -> None:
    console = open_console()
    follows = collections_asked(server.requests(), "watch", "stream")
    before = len(server.requests())
    server.command(compact=True)
    # Each watch that goes on where it was hears it once; those after a new list are served.
    server.fault(
        "status", on="watch", code=410, reason="Expired", message="too old resource version", times=len(follows)
    )
    server.command(cut=True)
    console.terminal.watch(NOTICE_SECONDS)
    console.until_status("live", 15)
    listed = [request for request in server.requests()[before:] if request["kind"] in ("list", "stream")]
    counts = Counter(map(collection, listed))
    assert all(counts[key] for key in follows if key[0].endswith(("/pods", "/replicasets", "/deployments")))
    assert max(counts[key] for key in follows) <= 3, "listed anew, and not again and again"


def test_a_server_that_asks_to_wait(open_console: Open, server: ServerProcess) -> None:
    console = open_console()
    server.fault("status", code=429, reason="TooManyRequests", message="slow down", retry_after=2)
    before = len(server.requests())
    server.command(cut=True)
    claims = console.claims(NOTICE_SECONDS + 2)
    asked = [request for request in server.requests()[before:] if request["kind"] in ("watch", "stream", "list")]
    assert_never_live(claims)
    assert "retrying in" in claims[-1][1]
    assert max(Counter(map(collection, asked)).values()) <= 3
    server.command(mend=True)
    console.until_status("live", 20)


def test_a_server_that_falls_silent(open_console: Open, server: ServerProcess) -> None:
    console = open_console()
    server.freeze()
    claims = console.claims(SILENCE_SECONDS, until=lambda status: "live" not in status)
    for at, status in claims:
        told = re.search(r"(?:live|silent|stale|lost) (\d+(?:\.\d+)?)s", status)
        assert told is not None, status
        assert float(told[1]) >= at - SCREEN_SECONDS, f"{at:.1f} s after the last word it says: {status}"
    assert "live" not in claims[-1][1]
    console.try_to_kill()
    server.thaw()
    console.until_status("live", 30)
    assert console.writes() == []


def test_neither_namespaces_nor_reviews_are_allowed(open_console: Open, server: ServerProcess) -> None:
    server.fault("status", on="list", path="/namespaces", code=403, reason="Forbidden", message="no")
    server.fault("status", on="review", code=403, reason="Forbidden", message="no")
    console = open_console()
    console.terminal.send("n")
    console.terminal.wait_for(lambda screen: "not allowed to list namespaces" in screen, 10)
    console.terminal.send("\x1b")
    console.terminal.watch(0.5)
    console.terminal.send("2")
    console.terminal.wait_for(lambda screen: "[2 Pods]" in screen, 5)
    console.terminal.send("K")
    console.terminal.wait_for(lambda screen: "Kill pod" in screen, 10)
    console.terminal.send("\x1b")
    console.until_status("live", 10)
    assert console.writes() == []


@pytest.mark.parametrize("offset_seconds", [3600.0, -3600.0])
def test_ages_are_told_by_the_clock_that_wrote_them(
    open_console: Open, server: ServerProcess, offset_seconds: float
) -> None:
    server.command(clock=offset_seconds)
    terminal = open_console().terminal
    terminal.send("2")
    terminal.wait_for(lambda screen: "1 Error" in screen, 10)

    # The pods of the server are an hour old, by its own clock.
    ages = re.findall(r"1 Error +(\S+)", terminal.text())

    assert ages
    assert set(ages) == {"1h"}


def test_a_cluster_whose_clock_is_an_hour_off(open_console: Open, server: ServerProcess) -> None:
    server.command(clock=3600)
    console = open_console()
    for _, status in console.claims(2):
        told = re.search(r"live (\d+(?:\.\d+)?)s", status)
        assert told is not None, status
        assert float(told[1]) < 10
    # The data is not taken for an hour old: it may be acted on. (So these keys would have written in the other tests.)
    console.kill()
    end = time.monotonic() + ANSWER_SECONDS
    while not console.writes() and time.monotonic() < end:
        console.terminal.watch(0.1)
    assert [path.rpartition("/")[2] for path in console.writes()] == ["eviction"]
