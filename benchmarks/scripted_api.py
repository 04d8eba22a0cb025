"""An API server on paper, in a process of its own: many pods of a real size, and changes at a fixed rate.

``python -m benchmarks.scripted_api PODS CHANGES_PER_SECOND`` prints its port and serves until its standard input ends.
Answers are prepared bytes, so that the server takes little of the machine from the program that is measured.
"""

import asyncio
import json
import logging
import os
import random
import sys
from typing import Any

from benchmarks.reflector import SINCE, managed_fields

NAMESPACE = "load"
PODS_PER_APP = 50
POD_BYTES = 12_000
TICK_SECONDS = 0.05
CRASHING_SHARE = 0.05
EMPTY = b'{"kind":"List","metadata":{"resourceVersion":"1"},"items":[]}'
CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


def app_name(number: int) -> str:
    """The application of a pod."""
    return f"app-{number // PODS_PER_APP:03d}"


def pod_template() -> str:
    """A pod of about 12 KB with words in capitals where pods differ."""
    container = {
        "name": "app",
        "image": "registry.example/APP:2.3.0",
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
    }
    last = {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": SINCE, "finishedAt": SINCE}}
    status = {
        "name": "app",
        "ready": "READY",
        "restartCount": "RESTARTS",
        "image": "registry.example/APP:2.3.0",
        "state": "STATE",
        "lastState": last,
    }
    conditions = [{"type": kind, "status": "True", "lastTransitionTime": SINCE} for kind in CONDITIONS]
    metadata = {
        "name": "APP-7d9f8c6b5d-NUMBER",
        "namespace": NAMESPACE,
        "uid": "uid-NUMBER",
        "resourceVersion": "VERSION",
        "creationTimestamp": SINCE,
        "labels": {"app": "APP", "track": "stable", "pod-template-hash": "7d9f8c6b5d"},
        "ownerReferences": [
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": "APP-7d9f8c6b5d",
                "uid": "rs-APP",
                "controller": True,
            }
        ],
    }
    document: dict[str, Any] = {
        "metadata": metadata,
        "spec": {"nodeName": "node-1", "containers": [container]},
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.1",
            "startTime": SINCE,
            "conditions": conditions,
            "containerStatuses": [status],
        },
    }
    metadata["managedFields"] = managed_fields(POD_BYTES - len(json.dumps(document)))
    return json.dumps(document)


RUNNING = json.dumps({"running": {"startedAt": SINCE}})
CRASHED = json.dumps(
    {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}}
)


class World:
    """Pods and what happens to them."""

    def __init__(self, pods: int) -> None:
        self.version = pods + 1
        self.restarts = [0] * pods
        self.crashing = [number % 97 == 0 for number in range(pods)]
        self._template = pod_template()
        self._random = random.Random(1)

    def pod(self, number: int) -> bytes:
        """One pod as it is now."""
        crashing = self.crashing[number]
        return (
            self._template.replace('"READY"', "false" if crashing else "true")
            .replace('"RESTARTS"', str(self.restarts[number]))
            .replace('"STATE"', CRASHED if crashing else RUNNING)
            .replace("NUMBER", f"{number:05d}")
            .replace("APP", app_name(number))
            .replace("VERSION", str(self.version))
            .encode()
        )

    def change(self) -> bytes:
        """Something happens to one pod: it restarts; some begin to crash, some come back."""
        number = self._random.randrange(len(self.restarts))
        self.version += 1
        self.restarts[number] += 1
        if self._random.random() < CRASHING_SHARE:
            self.crashing[number] = not self.crashing[number]
        return b'{"type":"MODIFIED","object":%b}\n' % self.pod(number)

    def page(self, start: int, limit: int) -> bytes:
        """One page of the list."""
        end = min(start + limit, len(self.restarts))
        token = str(end) if end < len(self.restarts) else ""
        items = b",".join(self.pod(number) for number in range(start, end))
        head = b'{"kind":"PodList","metadata":{"resourceVersion":"%d","continue":"%b"},"items":['
        return head % (self.version, token.encode()) + items + b"]}"

    def workloads(self, kind: str) -> bytes:
        """Deployments or ReplicaSets of all applications."""
        names = sorted({app_name(number) for number in range(len(self.restarts))})
        items = [_workload(name, kind) for name in names]
        return json.dumps({"metadata": {"resourceVersion": "1"}, "items": items}).encode()

    def metrics(self) -> bytes:
        """CPU and memory of every pod."""
        usage = '{"name":"app","usage":{"cpu":"31m","memory":"48Mi"}}'
        items = ",".join(
            f'{{"metadata":{{"name":"{app_name(n)}-7d9f8c6b5d-{n:05d}","namespace":"{NAMESPACE}"}},"containers":[{usage}]}}'
            for n in range(len(self.restarts))
        )
        return f'{{"kind":"PodMetricsList","items":[{items}]}}'.encode()


def _workload(name: str, kind: str) -> dict[str, Any]:
    own = {"name": name, "uid": f"d-{name}"}
    if kind == "ReplicaSet":
        own = {"name": f"{name}-7d9f8c6b5d", "uid": f"rs-{name}"}
    metadata: dict[str, Any] = {**own, "namespace": NAMESPACE, "resourceVersion": "1", "generation": 1}
    metadata["labels"] = {"app": name}
    metadata["creationTimestamp"] = SINCE
    if kind == "ReplicaSet":
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": f"d-{name}", "controller": True}
        metadata["ownerReferences"] = [owner]
    counts = {"replicas": PODS_PER_APP, "readyReplicas": PODS_PER_APP, "availableReplicas": PODS_PER_APP}
    status = {**counts, "updatedReplicas": PODS_PER_APP, "observedGeneration": 1}
    selector = {"matchLabels": {"app": name}}
    return {"metadata": metadata, "spec": {"replicas": PODS_PER_APP, "selector": selector}, "status": status}


class Server:
    """Answers requests out of a world."""

    def __init__(self, world: World, changes_per_second: float) -> None:
        self._world = world
        self._rate = changes_per_second

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while request := await _read_request(reader):
                await self._respond(*request, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _respond(
        self, method: str, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        path, _, query = target.partition("?")
        params = dict(pair.partition("=")[::2] for pair in query.split("&"))
        if params.get("watch") in ("true", "1"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
            await self._stream(path, reader, writer)
            return
        body = self._body(method, path, params)
        status = b"200 OK" if body else b"404 Not Found"
        head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % (status, len(body)) + body)
        await writer.drain()

    def _body(self, method: str, path: str, params: dict[str, str]) -> bytes:
        if method == "POST":
            return b'{"status":{"allowed":true}}'
        if path == "/version":
            return b'{"gitVersion":"v1.32.3"}'
        kind = path.rpartition("/")[2]
        if "metrics.k8s.io" in path:
            return self._world.metrics()
        if kind == "pods":
            return self._world.page(int(params.get("continue") or 0), int(params.get("limit") or 10**9))
        if "labelSelector" in params:
            return EMPTY  # healerd, Helm's Secrets: not here
        if kind in ("deployments", "replicasets"):
            return self._world.workloads("Deployment" if kind == "deployments" else "ReplicaSet")
        return EMPTY

    async def _stream(self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """What a watch of a collection sees, until the client goes; only pods change."""
        if not path.endswith("/pods") or not self._rate:
            await reader.read()  # to its end
            return
        loop = asyncio.get_running_loop()
        began, sent = loop.time(), 0
        while not reader.at_eof() and not writer.is_closing():
            await asyncio.sleep(TICK_SECONDS)
            due = int((loop.time() - began) * self._rate)
            for _ in range(due - sent):
                chunk = self._world.change()
                writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            sent = due
            await writer.drain()


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, str] | None:
    """Method and target of the next request; None at the end."""
    line = await reader.readline()
    if not line:
        return None
    length = 0
    while (header := (await reader.readline()).strip().lower()) != b"":
        if header.startswith(b"content-length:"):
            length = int(header.partition(b":")[2])
    await reader.readexactly(length)
    method, target, _ = line.decode().split(" ")
    return method, target


async def serve(pods: int, changes_per_second: float) -> None:
    """Serve until standard input ends."""
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # a client that left is no news here
    server = await asyncio.start_server(Server(World(pods), changes_per_second).answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # streams that nobody reads any more need no farewell


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
