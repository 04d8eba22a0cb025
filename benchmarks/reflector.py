"""10,000 pods of 12 KB through the reflector: CPU time and memory of the list, CPU time per watch event.

The server is the scripted one (``tests.faults``) in a process of its own, so that its time and memory are not counted.
Each way to list, as a stream and in pages, is measured in a new process, so that the peak of its memory is its own. CPU
time is measured, not wall time, so that a busy machine changes little; the ratio to ``json.loads`` of the same bytes
changes less still, and holds on any machine.
"""

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.report import Result, report
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import connect
from selfheal_core.cluster.kubernetes.reflector import Change, Reflector
from selfheal_core.domain.objects import Pod
from tests.faults.process import ServerProcess

IMPORTS_CPU_SECONDS = time.process_time()
PODS = 10_000
EVENTS = 20_000
PATH = "/api/v1/pods"
GIVE_UP_SECONDS = 120.0
WAYS = ("stream", "pages")


async def measure(way: str) -> None:
    """In a process of its own: list, say so on standard output, take the events, and print the figures as JSON."""
    connection = await connect()
    listed, first, streamed = asyncio.Event(), asyncio.Event(), asyncio.Event()
    seen = 0

    def take(change: Change[Pod]) -> None:
        nonlocal seen
        first.set()
        seen += change.kind == "modified"
        if seen == EVENTS:
            streamed.set()

    client = KubernetesClient(connection, user_agent="benchmark")
    client.streams_lists = way == "stream"
    reflector = Reflector(
        client,
        PATH,
        Pod,
        name="pods",
        on_change=take,
        on_source=lambda source: listed.set() if source.condition == "live" else None,
    )
    imports, wall = time.process_time(), time.perf_counter()
    task = asyncio.create_task(reflector.run())
    async with asyncio.timeout(GIVE_UP_SECONDS):
        await first.wait()
        first_seconds = time.perf_counter() - wall
        await listed.wait()
        figures = {"imports": imports, "first": first_seconds, "list": time.process_time() - imports}
        figures["list_mb"] = peak_mb()
        print("listed", flush=True)
        began = time.process_time()
        await streamed.wait()
    figures |= {"events": time.process_time() - began, "all_mb": peak_mb()}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await connection.close()
    print(json.dumps(figures), flush=True)


def peak_mb() -> float:
    """The most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(way: str, server: ServerProcess, kubeconfig: Path) -> dict[str, float]:
    """The figures of one way to list."""
    command = [sys.executable, "-m", "benchmarks.reflector", way]
    environ = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "listed":
            raise RuntimeError(f"the list by {way} did not come to its end")
        server.command(burst=EVENTS)
        figures: dict[str, float] = json.loads(process.stdout.readline())
        return figures


def json_seconds(url: str) -> float:
    """CPU seconds that the standard library needs to parse the same list."""
    token, seconds, items = "", 0.0, 0
    while True:
        with urllib.request.urlopen(f"{url}{PATH}?limit=500&continue={token}") as answer:
            body = answer.read()
        began = time.process_time()
        page = json.loads(body)
        seconds += time.process_time() - began
        items += len(page["items"])
        token = page["metadata"]["continue"]
        if not token:
            assert items == PODS
            return seconds


def results() -> list[Result]:
    """All figures."""
    with TemporaryDirectory() as folder, ServerProcess("--pods", str(PODS)) as server:
        kubeconfig = server.kubeconfig(Path(folder))
        found = {way: measured(way, server, kubeconfig) for way in WAYS}
        yardstick = json_seconds(server.url)
    best = found["stream"]
    rows = [Result("imports, CPU", best["imports"], "s")]
    for way, figures in found.items():
        rows += [
            Result(f"list of 10,000 pods of 12 KB by {way}, CPU", figures["list"], "s", target=0.6),
            Result(f"  first of them known after, by {way}", figures["first"], "s"),
            Result(f"  peak memory of the process, list by {way}", figures["list_mb"], "MB", target=120),
            Result(f"  the same, 20,000 events later, by {way}", figures["all_mb"], "MB", target=120),
            Result(
                f"  watch events per second of CPU, by {way}",
                EVENTS / figures["events"],
                "1/s",
                target=20_000,
                more_is_better=True,
            ),
        ]
    ratio = yardstick / best["list"]
    return [*rows, Result("json.loads of the same list, times slower", ratio, "x", target=4, more_is_better=True)]


def main() -> None:
    """Measure; fail where a target is missed."""
    found = results()
    report("reflector", found)
    sys.exit(not all(result.met for result in found))


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in WAYS:
        asyncio.run(measure(sys.argv[1]))
    else:
        main()
