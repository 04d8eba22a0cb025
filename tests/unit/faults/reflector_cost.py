"""What lists and events cost the reflector, and what plain JSON costs: measured in a process that holds nothing else.

Run by ``test_reflector_speed``. Among the objects and caches that thousands of tests leave behind, the same work takes
up to twice as long, and the yardstick does not grow alike.
"""

import asyncio
import json
import sys
import time
import urllib.request
from pathlib import Path

from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import connect
from selfheal_core.cluster.kubernetes.reflector import Change, Reflector
from selfheal_core.domain.objects import Pod
from tests.faults.process import ServerProcess

PODS = 500
EVENTS = 500
TRIES = 4


async def reflect(server: ServerProcess, kubeconfig: Path, streams_lists: bool) -> tuple[float, float]:
    """CPU seconds of a list, and of as many events."""
    connection = await connect(kubeconfig=kubeconfig, environ={})
    client = KubernetesClient(connection, user_agent="selfheal-tests")
    client.streams_lists = streams_lists
    listed, streamed = asyncio.Event(), asyncio.Event()
    modified = 0

    def take(change: Change[Pod]) -> None:
        nonlocal modified
        modified += change.kind == "modified"
        if modified == EVENTS:
            streamed.set()

    reflector = Reflector(client, "/api/v1/pods", Pod, name="pods", on_change=take, on_source=lambda _: listed.set())
    began = time.process_time()
    task = asyncio.create_task(reflector.run())
    async with asyncio.timeout(30):
        await listed.wait()
        list_seconds, began = time.process_time() - began, time.process_time()
        await asyncio.gather(asyncio.to_thread(server.command, burst=EVENTS), streamed.wait())
    event_seconds = time.process_time() - began
    assert len(reflector.store) == PODS
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await connection.close()
    return list_seconds, event_seconds


def json_seconds(server: ServerProcess) -> float:
    """CPU seconds of ``json.loads`` for the same list."""
    with urllib.request.urlopen(f"{server.url}/api/v1/pods") as answer:
        body = answer.read()
    began = time.process_time()
    assert len(json.loads(body)["items"]) == PODS
    return time.process_time() - began


async def measure(way: str, folder: Path) -> dict[str, float]:
    """The least CPU seconds of each, by turns, so that a slow minute of the machine meets all three."""
    with ServerProcess("--pods", str(PODS)) as server:
        kubeconfig = server.kubeconfig(folder)
        tries = [(*await reflect(server, kubeconfig, way == "stream"), json_seconds(server)) for _ in range(TRIES)]
    return dict(zip(("list", "events", "json"), map(min, zip(*tries, strict=True)), strict=True))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1], Path(sys.argv[2])))))
