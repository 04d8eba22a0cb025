"""The reflector is several times cheaper than plain JSON of the same bytes: a ratio, which holds on any machine."""

import asyncio
import gc
import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import connect
from selfheal_core.cluster.kubernetes.reflector import Change, Reflector
from selfheal_core.domain.objects import Pod
from tests.faults.process import ServerProcess

PODS = 500
EVENTS = 500
TRIES = 4
TIMES_FASTER = 3
"""Measured: 8 to 10 times on a quiet machine."""


@pytest.fixture(autouse=True)
def frozen_heap() -> Iterator[None]:
    """What all the other tests left behind is not for the collector to walk through in the middle of a measurement."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with ServerProcess("--pods", str(PODS)) as running:
        yield running


async def reflect(server: ServerProcess, folder: Path, streams_lists: bool) -> tuple[float, float]:
    """CPU seconds of a list, and of as many events."""
    connection = await connect(kubeconfig=server.kubeconfig(folder), environ={})
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


@pytest.mark.slow
@pytest.mark.parametrize("streams_lists", [True, False], ids=["stream", "pages"])
async def test_lists_and_events_cost_a_fraction_of_plain_json(
    server: ServerProcess, tmp_path: Path, streams_lists: bool
) -> None:
    measured = [await reflect(server, tmp_path, streams_lists) for _ in range(TRIES)]
    yardstick = min(json_seconds(server) for _ in range(TRIES))
    assert min(seconds for seconds, _ in measured) * TIMES_FASTER <= yardstick
    assert min(seconds for _, seconds in measured) * TIMES_FASTER <= yardstick
