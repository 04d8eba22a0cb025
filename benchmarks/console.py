"""The real console on a real terminal, 10,000 pods of 12 KB over HTTP, 200 changes a second.

Measured from outside: when the first rows are on the screen after exec, how long a key takes to be seen, and what the
console costs meanwhile. CPU time is the process's own; a busy machine makes the latencies longer, not that.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.report import Result, report
from benchmarks.scripted_api import NAMESPACE
from benchmarks.terminal import Terminal

PODS = 10_000
CHANGES_PER_SECOND = 200.0
COLUMNS, LINES = 160, 40
STARTS = 3
KEYS = 150
KEY_PAUSE_SECONDS = 0.12
QUIET_SECONDS = 15.0
CURSOR = "▸"
KEY_SECONDS = 5.0


@contextmanager
def server(pods: int, changes_per_second: float) -> Iterator[int]:
    """A scripted API server in a process of its own; gives its port."""
    command = [sys.executable, "-m", "benchmarks.scripted_api", str(pods), str(changes_per_second)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            assert process.stdin is not None
            process.stdin.close()


@contextmanager
def surroundings(port: int) -> Iterator[dict[str, str]]:
    """An environment with a kubeconfig for the server and folders of its own."""
    with TemporaryDirectory() as folder:
        cluster = {"name": "bench", "cluster": {"server": f"http://127.0.0.1:{port}"}}
        context = {"name": "bench", "context": {"cluster": "bench", "user": "bench", "namespace": NAMESPACE}}
        user = {"name": "bench", "user": {"token": "none"}}
        config = {"clusters": [cluster], "contexts": [context], "users": [user], "current-context": "bench"}
        kubeconfig = Path(folder) / "kubeconfig"
        kubeconfig.write_text(json.dumps(config))
        yield {
            **{name: value for name, value in os.environ.items() if not name.startswith("SELFHEAL_")},
            "KUBECONFIG": str(kubeconfig),
            "HOME": folder,
            "XDG_STATE_HOME": folder,
            "XDG_CONFIG_HOME": folder,
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
        }


def console(environ: dict[str, str]) -> Terminal:
    """The console on a terminal."""
    program = Path(sys.executable).with_name("selfheal-tui")
    return Terminal([str(program)], environ, COLUMNS, LINES)


def has_rows(text: str) -> bool:
    """Whether an application is on the screen."""
    return "app-0" in text


def all_loaded(text: str) -> bool:
    """Whether the heading counts every pod."""
    return f"/{PODS:,}" in text


def key_seconds(terminal: Terminal, key: str) -> float:
    """From writing a key to the moment that the cursor is seen on another line.

    Only the first column is looked at: reading the whole screen would take as long as what is measured.
    """
    before = terminal.column(0)
    began = time.monotonic()
    terminal.send(key)
    while (after := terminal.column(0)) == before or CURSOR not in after:
        if time.monotonic() - began > KEY_SECONDS:
            raise TimeoutError(f"the key was not seen on this screen:\n{terminal.text()}")
        terminal.read(0.05)
    return time.monotonic() - began


def percentile(values: list[float], share: float) -> float:
    """The value below which a share of all lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def first_rows(environ: dict[str, str]) -> list[float]:
    """Seconds from exec to the first rows, several times."""
    seen = []
    for _ in range(STARTS):
        with console(environ) as terminal:
            seen.append(terminal.wait_for(has_rows, 30.0))
    return seen


def under_load(environ: dict[str, str]) -> list[Result]:
    """Keys and costs on the pods' table while pods change."""
    with console(environ) as terminal:
        terminal.wait_for(has_rows, 30.0)
        terminal.send("2")
        loaded = terminal.wait_for(all_loaded, 60.0)
        terminal.watch(3.0)
        quiet_cpu, quiet_bytes, began = terminal.cpu_seconds(), terminal.bytes_read, time.monotonic()
        terminal.watch(QUIET_SECONDS)
        passed = time.monotonic() - began
        busy = (terminal.cpu_seconds() - quiet_cpu) / passed
        written = (terminal.bytes_read - quiet_bytes) / passed
        keys = press_keys(terminal)
        return [
            Result("all 10,000 pods listed after", loaded, "s"),
            Result("key to screen, median", statistics.median(keys) * 1000, "ms"),
            Result("key to screen, p95", percentile(keys, 0.95) * 1000, "ms", 50.0),
            Result("CPU at 200 changes/s", busy * 100, "% core", 10.0),
            Result("written to the terminal", written / 1024, "KiB/s", 30.0),
            Result("resident memory", terminal.resident_mebibytes(), "MiB", 150.0),
        ]


def press_keys(terminal: Terminal) -> list[float]:
    """Up and down, with pauses of uneven length, so that keys fall anywhere between two frames."""
    pauses = random.Random(1)
    seconds = []
    for number in range(KEYS):
        seconds.append(key_seconds(terminal, "k" if number % 30 >= 15 else "j"))
        terminal.watch(KEY_PAUSE_SECONDS * (0.5 + pauses.random()))
    return seconds


def results() -> list[Result]:
    """All figures."""
    with server(PODS, CHANGES_PER_SECOND) as port, surroundings(port) as environ:
        starts = first_rows(environ)
        load = under_load(environ)
    return [Result("first rows after exec, median", statistics.median(starts), "s", 1.0), *load]


if __name__ == "__main__":
    found = results()
    report("console", found)
    sys.exit(0 if all(result.met for result in found) else 1)
