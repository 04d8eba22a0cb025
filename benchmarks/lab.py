"""The real console on a real Kubernetes: 10,000 pods that kwok holds in the lab, on a terminal of 160x40.

`make bench-lab`; Linux and root. The pods' Deployments, ReplicaSets, scheduling and every change are the work of a real
API server and real controllers, on the same cores as the console. A process beside it changes pods at rates that rise
until they are not followed any more; the console's cost is told for the highest rate that was. `kubectl get pods -A`,
run on the same cluster just before, is the yardstick. The table goes to docs/reference/performance.md.
"""

import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.changer import Changer
from benchmarks.console import COLUMNS, LINES, all_loaded, cost, has_rows, percentile, press_keys
from benchmarks.performance_page import Machine, publish
from benchmarks.report import Result, report
from benchmarks.terminal import Terminal
from tests.contract.api import Api
from tests.lab.errors import LabError
from tests.lab.kwok import (
    Crowd,
    administrator,
    disperse_crowd,
    gather_crowd,
    running_kwok,
    wait_for_crowd,
)
from tests.lab.lab import running_lab
from tests.lab.state import Lab, LabFolder

CROWD = Crowd()
GATHER_SECONDS = 900.0
CALM_SHARE = 0.15
CALM_CHECK_SECONDS = 5.0
CALM_SECONDS = 180.0
"""After the last pod is ready, controllers still write what they saw. Nothing is measured before the API server takes
less than this share of a core, or all this time has passed."""
CPU_SECONDS = re.compile(rb"^process_cpu_seconds_total (\S+)$", re.MULTILINE)
STARTS = 3
ROWS_SECONDS = 30.0
LOADED_SECONDS = 60.0
SETTLE_SECONDS = 4.0
RATES = (50.0, 100.0, 200.0, 400.0, 800.0)
"""Changes a second, asked for one after the other."""
RATE_SECONDS = 8.0
FOLLOWED = 0.95
"""A rate is followed when so much of it is reached."""
KUBECTL_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where the console and kubectl are run.

    Attributes:
        kubeconfig: Of the lab's administrator.
        kubectl: The lab's own, of the same version as its API server.
        environ: For both.
    """

    kubeconfig: Path
    kubectl: Path
    environ: dict[str, str]


def place(lab: Lab, home: Path) -> Place:
    """The lab, seen by a user who has no settings."""
    own = {name: value for name, value in lab.environment().items() if not name.startswith("SELFHEAL_")}
    folders = dict.fromkeys(("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"), str(home))
    terminal = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    return Place(lab.kubeconfig, lab.programs["kubectl"], {**own, **folders, **terminal})


def console(at: Place) -> Terminal:
    """The console on the crowd's namespace."""
    program = Path(sys.executable).with_name("selfheal-tui")
    return Terminal([str(program), "--namespace", CROWD.namespace], at.environ, COLUMNS, LINES)


@contextmanager
def console_with_pods(at: Place) -> Iterator[tuple[Terminal, float]]:
    """The console on the table of pods, all of them loaded; gives it with the seconds from exec to that."""
    with console(at) as terminal:
        terminal.wait_for(has_rows, ROWS_SECONDS)
        terminal.send("2")
        terminal.wait_for(lambda text: all_loaded(text, CROWD.pods), LOADED_SECONDS)
        loaded = time.monotonic() - terminal.started_at
        terminal.watch(SETTLE_SECONDS)
        yield terminal, loaded


def kubectl(at: Place) -> list[Result]:
    """The yardstick: one list of everything, by the tool that everybody has."""
    began = time.monotonic()
    process = subprocess.Popen(
        [str(at.kubectl), "get", "pods", "-A"], env=at.environ, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        lines = sum(1 for _ in process.stdout)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0 or lines <= CROWD.pods:
        raise LabError(f"kubectl get pods -A ended with {process.returncode} and printed {lines} lines")
    return [
        Result("`kubectl get pods -A`, from exec to its end", time.monotonic() - began, "s"),
        Result("`kubectl get pods -A`, peak of memory", usage.ru_maxrss / 1024, "MiB"),
    ]


def starts(at: Place) -> list[Result]:
    """From exec to the first rows and to the whole list; the best of some starts, as others use the machine too."""
    first, whole = [], []
    for _ in range(STARTS):
        with console(at) as terminal:
            first.append(terminal.wait_for(has_rows, ROWS_SECONDS))
            terminal.send("2")
            terminal.wait_for(lambda text: all_loaded(text, CROWD.pods), LOADED_SECONDS)
            whole.append(time.monotonic() - terminal.started_at)
    return [
        Result(f"first rows after exec, best of {STARTS}", min(first), "s", 1.0),
        Result(f"whole list after exec, best of {STARTS}", min(whole), "s", 2.5),
    ]


def idle(at: Place) -> list[Result]:
    """Nothing happens to the pods."""
    with console_with_pods(at) as (terminal, _):
        share, _ = cost(terminal)
    return [Result("CPU while nothing changes", share, "% of a core", 2.0)]


def achieved(terminal: Terminal, changer: Changer, rate: float) -> float:
    """Changes a second that the lab takes when it is asked for a rate, while the console shows them."""
    changer.change(rate)
    terminal.watch(SETTLE_SECONDS)
    before, began = changer.answered(), time.monotonic()
    terminal.watch(RATE_SECONDS)
    return (changer.answered() - before) / (time.monotonic() - began)


def highest_followed(rates: dict[float, float]) -> float:
    """The highest rate that was followed, as it was measured; of those that were not, the fastest, if none was.

    Args:
        rates: What was reached, by what was asked for.
    """
    followed = [reached for asked, reached in rates.items() if reached >= FOLLOWED * asked]
    return max(followed or rates.values())


def find_rate(terminal: Terminal, changer: Changer) -> float:
    """Ask for more and more until it is not followed; the highest rate that the lab sustains, in changes a second."""
    rates: dict[float, float] = {}
    for asked in RATES:
        rates[asked] = achieved(terminal, changer, asked)
        print(f"  asked for {asked:g} changes/s, the lab took {rates[asked]:.0f}/s", flush=True)
        if rates[asked] < FOLLOWED * asked:
            break
    return highest_followed(rates)


def under_changes(at: Place) -> list[Result]:
    """Pods change as fast as the lab sustains it: cost, keys, memory."""
    with console_with_pods(at) as (terminal, _), Changer.running(at.kubeconfig, CROWD.namespace) as changer:
        sustained = find_rate(terminal, changer)
        changer.change(sustained)
        terminal.watch(SETTLE_SECONDS)
        before, began = changer.answered(), time.monotonic()
        share, _ = cost(terminal)
        keys = press_keys(terminal)
        rate = (changer.answered() - before) / (time.monotonic() - began)
        memory = terminal.resident_mebibytes()
    return [
        Result("highest rate of change that the lab sustains", rate, "changes/s", 50.0, more_is_better=True),
        Result("CPU at that rate", share, "% of a core", 10.0),
        Result("key to screen at that rate, median", statistics.median(keys) * 1000, "ms"),
        Result("key to screen at that rate, p95", percentile(keys, 0.95) * 1000, "ms", 50.0),
        Result("memory after it", memory, "MiB", 150.0),
    ]


def measure(lab: Lab, gathered_seconds: float) -> list[Result]:
    """Every figure of a lab with the crowd in it."""
    with tempfile.TemporaryDirectory() as home:
        at = place(lab, Path(home))
        made = Result(f"{CROWD.pods:,} pods made, placed and ready", CROWD.pods / gathered_seconds, "pods/s")
        return [made, *kubectl(at), *starts(at), *idle(at), *under_changes(at)]


def say(line: str) -> None:
    """Tell how far it is."""
    print(f"  {line}", flush=True)


@contextmanager
def crowded(lab: Lab, *, disperse_after: bool) -> Iterator[float]:
    """The crowd in a lab, for as long as the context lasts; gives the seconds until its last pod was ready.

    Args:
        lab: Where.
        disperse_after: Delete it at the end, which takes minutes; a lab that ends too need not be tidied up.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        running_kwok(lab.programs["kwok"], lab.kubeconfig, Path(folder)) as check,
    ):
        try:
            yield asyncio.run(gather(lab.kubeconfig, check))
        finally:
            if disperse_after:
                say(f"deleting {CROWD.pods:,} pods")
                asyncio.run(disperse(lab.kubeconfig))


async def gather(kubeconfig: Path, check: Callable[[], None]) -> float:
    """Make the crowd and wait for it; gives the seconds that took."""
    began = time.monotonic()
    async with administrator(kubeconfig) as api:
        await gather_crowd(api, CROWD)
        await wait_for_crowd(api, CROWD, say, check, GATHER_SECONDS)
        seconds = time.monotonic() - began
        say(f"{CROWD.pods:,} pods ready after {seconds:.0f} s; waiting until the API server is calm")
        await wait_for_calm(api)
    return seconds


async def wait_for_calm(api: Api) -> None:
    """Wait until the API server has little to do; other users of the lab may keep that from happening."""
    began = time.monotonic()
    share, before = 1.0, await cpu_seconds(api)
    while share > CALM_SHARE and time.monotonic() - began < CALM_SECONDS:
        await asyncio.sleep(CALM_CHECK_SECONDS)
        after = await cpu_seconds(api)
        share, before = (after - before) / CALM_CHECK_SECONDS, after
    say(f"it takes {share:.0%} of a core, {time.monotonic() - began:.0f} s later")


async def cpu_seconds(api: Api) -> float:
    """CPU time that the API server has used.

    Raises:
        LabError: It does not say.
    """
    found = CPU_SECONDS.search((await api.get("/metrics")).body)
    if found is None:
        raise LabError("the API server's /metrics do not hold process_cpu_seconds_total")
    return float(found[1])


async def disperse(kubeconfig: Path) -> None:
    """Delete the crowd."""
    async with administrator(kubeconfig) as api:
        await disperse_crowd(api, CROWD)


def main() -> None:
    """Bring the lab up unless one is, fill it, measure, and write the page."""
    machine = Machine.here()
    print(f"machine: {machine}", flush=True)
    try:
        stays_up = LabFolder.of().runner() is not None
        with running_lab(say) as lab, crowded(lab, disperse_after=stays_up) as seconds:
            results = measure(lab, seconds)
    except LabError as error:
        sys.exit(str(error))
    report("lab", results)
    publish("lab", results, machine)
    sys.exit(not all(result.met for result in results))


if __name__ == "__main__":
    main()
