"""10,000 pods of 12 KB through the reflector: CPU time and memory of the list, CPU time per watch event.

CPU time is measured, not wall time, so that a busy machine changes little; the ratio to ``json.loads`` of the same
bytes changes less still, and holds on any machine.
"""

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from benchmarks.report import Result, report
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import connect
from selfheal_core.cluster.kubernetes.reflector import Change, Reflector
from selfheal_core.domain.objects import Pod

PODS = 10_000
PAGE = 500
EVENTS = 20_000
POD_BYTES = 12_000
GIVE_UP_SECONDS = 120.0


SINCE = "2026-01-01T00:00:00Z"
CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


def managed_fields(length: int) -> list[dict[str, Any]]:
    """What makes real pods long and is never read here."""
    entry = '{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}}'
    fields = {f'k:{{"type":"{number}"}}': json.loads(entry) for number in range(length // (len(entry) + 33))}
    return [{"manager": "kubelet", "operation": "Update", "fieldsV1": fields}]


def template() -> dict[str, Any]:
    """A pod of 12 KB as an API server sends it."""
    container = {"name": "app", "image": "registry.internal/web:v2.3.0", "ports": [{"containerPort": 8080}]}
    status = {"name": "app", "ready": True, "restartCount": 0, "state": {"running": {"startedAt": SINCE}}}
    conditions = [{"type": kind, "status": "True", "lastTransitionTime": SINCE} for kind in CONDITIONS]
    metadata = {
        "name": "web-NUMBER",
        "namespace": "payments",
        "uid": "uid-NUMBER",
        "resourceVersion": "VERSION",
        "creationTimestamp": SINCE,
        "labels": {"app": "web", "pod-template-hash": "5d5f6c7b8"},
        "ownerReferences": [{"kind": "ReplicaSet", "name": "web-5d5f6c7b8", "uid": "rs", "controller": True}],
    }
    statuses = [status, {**status, "name": "sidecar"}]
    containers = [container, {**container, "name": "sidecar"}]
    document = {
        "metadata": metadata,
        "spec": {"nodeName": "node-1", "containers": containers},
        "status": {"phase": "Running", "conditions": conditions, "containerStatuses": statuses},
    }
    metadata["managedFields"] = managed_fields(POD_BYTES - len(json.dumps(document)))
    return document


TEMPLATE = json.dumps(template())


def pod(number: int, version: int) -> bytes:
    """One of many pods that differ in name, uid and version."""
    return TEMPLATE.replace("NUMBER", f"{number:05d}").replace("VERSION", str(version)).encode()


def pages() -> list[bytes]:
    """The list in pages, in order; each names the next one."""
    items = [pod(number, number + 1) for number in range(PODS)]
    starts = range(0, PODS, PAGE)
    tokens = [str(start + PAGE) if start + PAGE < PODS else "" for start in starts]
    return [
        b'{"kind":"PodList","metadata":{"resourceVersion":"20000","continue":"%b"},"items":[%b]}'
        % (token.encode(), b",".join(items[start : start + PAGE]))
        for start, token in zip(starts, tokens, strict=True)
    ]


def events() -> bytes:
    """One chunk of a watch per event."""
    lines = (b'{"type":"MODIFIED","object":%b}\n' % pod(number % PODS, 30_000 + number) for number in range(EVENTS))
    return b"".join(b"%x\r\n%b\r\n" % (len(line), line) for line in lines)


async def serve() -> None:
    """Serve the list and one watch on a free port, which is printed; runs until it is stopped."""
    listed, streamed = pages(), events()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await read_head(reader):
            if b"watch=true" in head:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
                writer.write(streamed)
                await writer.drain()
                await asyncio.Event().wait()
            _, _, token = head.partition(b"continue=")
            body = listed[int(token.split(b"&")[0].split(b" ")[0] or 0) // PAGE if token else 0]
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)
            await writer.drain()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def read_head(reader: asyncio.StreamReader) -> bytes:
    """The first line of a request; empty at the end."""
    try:
        return (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0]
    except asyncio.IncompleteReadError:
        return b""


@contextmanager
def server() -> Iterator[str]:
    """The server as a process of its own, so that its CPU time is not ours."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.reflector", "serve"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.wait()


def write_kubeconfig(file: Path, url: str) -> None:
    """A kubeconfig for the server."""
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    cluster = {"name": "c", "cluster": {"server": url}}
    user = {"name": "u", "user": {"token": "t"}}
    document = {"current-context": "x", "contexts": [context], "clusters": [cluster], "users": [user]}
    file.write_text(yaml.safe_dump(document))


async def measure(kubeconfig: Path) -> tuple[float, float, float, float]:
    """CPU seconds of the list, seconds to its first page, MB of memory at its end, CPU seconds of the events."""
    connection = await connect(kubeconfig=kubeconfig)
    listed, first, streamed = asyncio.Event(), asyncio.Event(), asyncio.Event()
    seen = 0

    def take(change: Change[Pod]) -> None:
        nonlocal seen
        first.set()
        seen += change.kind == "modified"
        if seen == EVENTS:
            streamed.set()

    reflector = Reflector(
        KubernetesClient(connection, user_agent="benchmark"),
        "/api/v1/pods",
        Pod,
        name="pods",
        on_change=take,
        on_source=lambda source: listed.set() if source.condition == "live" else None,
        page_size=PAGE,
    )
    began, wall = time.process_time(), time.perf_counter()
    task = asyncio.create_task(reflector.run())
    async with asyncio.timeout(GIVE_UP_SECONDS):
        await first.wait()
        first_seconds = time.perf_counter() - wall
        await listed.wait()
        list_seconds = time.process_time() - began
        memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        began = time.process_time()
        await streamed.wait()
    event_seconds = time.process_time() - began
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await connection.close()
    return list_seconds, first_seconds, memory_mb, event_seconds


def json_seconds() -> float:
    """CPU seconds that the standard library needs to parse the same list."""
    bodies = pages()
    began = time.process_time()
    parsed = [json.loads(body) for body in bodies]
    seconds = time.process_time() - began
    assert sum(len(page["items"]) for page in parsed) == PODS
    return seconds


def main() -> None:
    """Measure, and fail if the reflector lost its lead over plain JSON."""
    with TemporaryDirectory() as folder, server() as url:
        kubeconfig = Path(folder) / "kubeconfig"
        write_kubeconfig(kubeconfig, url)
        list_seconds, first_seconds, memory_mb, event_seconds = asyncio.run(measure(kubeconfig))
    ratio = json_seconds() / list_seconds
    results = [
        Result("list of 10,000 pods of 12 KB, CPU", list_seconds, "s"),
        Result("first page known after", first_seconds, "s"),
        Result("memory at the end of the list, peak", memory_mb, "MB", target=150),
        Result("json.loads of the same list, times slower", ratio, "x", target=4, more_is_better=True),
        Result("watch events per second of CPU", EVENTS / event_seconds, "1/s"),
    ]
    report("reflector", results)
    sys.exit(not all(result.met for result in results))


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    else:
        main()
