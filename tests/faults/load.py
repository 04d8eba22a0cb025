"""Many pods of a real size, and changes at a fixed rate: the load of the benchmarks.

Bytes are put together from prepared pieces, so that the server takes little of the machine from what is measured.
"""

import asyncio
import json
import random
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from tests.faults.history import History

NAMESPACE = "load"
PODS_PER_APP = 50
POD_BYTES = 12_000
TICK_SECONDS = 0.05
BURST_EVENTS = 500
BOOKMARK_SECONDS = 30.0
CRASHING_SHARE = 0.05
AGE_SECONDS = 3_600.0
"""Everything is an hour old when the server starts."""
EMPTY = b'{"kind":"List","metadata":{"resourceVersion":"1"},"items":[]}'
CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
WORDS = re.compile(r'"READY"|"RESTARTS"|"STATE"|NUMBER|APP|VERSION')


class Load:
    """Pods of many applications, and what happens to them.

    Args:
        pods: How many.
        changes_per_second: Events, once somebody watches pods.
        clock_offset_seconds: What its timestamps are off.
        pod_bytes: Of one pod.
    """

    def __init__(
        self,
        pods: int,
        changes_per_second: float = 0.0,
        clock_offset_seconds: float = 0.0,
        pod_bytes: int = POD_BYTES,
    ) -> None:
        self.pods = History(pods + 1)
        self.others = History(1)
        self.changes_per_second = changes_per_second
        self.restarts = [0] * pods
        self.versions = list(range(1, pods + 1))
        self.crashing = [number % 97 == 0 for number in range(pods)]
        self._random = random.Random(1)
        self._pod_bytes = pod_bytes
        self._since = ""
        self._pieces: list[bytes] = []
        self._states: tuple[bytes, bytes] = (b"", b"")
        self.clock_offset_seconds = 0.0
        self.set_clock_offset(clock_offset_seconds)

    def set_clock_offset(self, seconds: float) -> None:
        """Put all timestamps off by this."""
        self.clock_offset_seconds = seconds
        self._since = datetime.fromtimestamp(time.time() - AGE_SECONDS + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = json.dumps(pod_template(self._since, self._pod_bytes))
        found = [(match.start(), match.end()) for match in WORDS.finditer(text)]
        edges = [0, *(edge for pair in found for edge in pair), len(text)]
        # Every second piece is a word that stands for something.
        self._pieces = [text[start:end].encode() for start, end in pairwise(edges)]
        running = {"running": {"startedAt": self._since}}
        crashed = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}}
        self._states = json.dumps(running).encode(), json.dumps(crashed).encode()

    def history(self, path: str) -> History | None:
        """What to watch; only pods change."""
        return self.pods if _is_pods(path) else self.others

    def answer(self, method: str, path: str, query: Mapping[str, str]) -> bytes | None:
        """The answer to anything that a console or doctor asks."""
        if "accessreviews" in path:
            return b'{"status":{"allowed":true}}'
        if path.endswith("/eviction"):
            return b'{"kind":"Status","apiVersion":"v1","status":"Success"}'
        if method != "GET":
            return None
        if path == "/version":
            return b'{"gitVersion":"v1.32.3"}'
        kind = path.rpartition("/")[2]
        if "metrics.k8s.io" in path:
            return self._metrics()
        if _is_pods(path):
            return self._page(query.get("continue", ""), int(query.get("limit") or 10**9))
        if kind == "namespaces":
            items = [{"metadata": {"name": NAMESPACE, "uid": "ns", "resourceVersion": "1"}}]
            return json.dumps({"metadata": {"resourceVersion": "1"}, "items": items}).encode()
        return self._list(self._others(path)) if "labelSelector" not in query else EMPTY

    def all(self, path: str) -> Iterator[bytes]:
        """Every object of a collection as JSON."""
        if _is_pods(path):
            return (self.pod(number) for number in range(len(self.restarts)))
        return (json.dumps(item).encode() for item in self._others(path))

    def pod(self, number: int) -> bytes:
        """One pod as it is now."""
        crashing = self.crashing[number]
        values = {
            b'"READY"': b"false" if crashing else b"true",
            b'"RESTARTS"': b"%d" % self.restarts[number],
            b'"STATE"': self._states[crashing],
            b"NUMBER": b"%05d" % number,
            b"APP": app_name(number).encode(),
            b"VERSION": b"%d" % self.versions[number],
        }
        pieces = self._pieces.copy()
        pieces[1::2] = [values[word] for word in pieces[1::2]]
        return b"".join(pieces)

    def change(self) -> None:
        """Something happens to one pod: it restarts; some begin to crash, some come back."""
        number = self._random.randrange(len(self.restarts))
        self.pods.version += 1
        self.versions[number] = self.pods.version
        self.restarts[number] += 1
        if self._random.random() < CRASHING_SHARE:
            self.crashing[number] = not self.crashing[number]
        self.pods.add(b'{"type":"MODIFIED","object":%b}\n' % self.pod(number))

    async def burst(self, events: int) -> None:
        """So many changes as fast as they are read."""
        for done in range(0, events, BURST_EVENTS):
            for _ in range(min(BURST_EVENTS, events - done)):
                self.change()
            await self.pods.notify()
            await self.pods.caught_up()

    async def run(self) -> None:
        """Let changes happen at the present rate while pods are watched, and mark versions, until cancelled."""
        loop = asyncio.get_running_loop()
        last, owed, marked = loop.time(), 0.0, loop.time()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = loop.time()
            owed += (now - last) * self.changes_per_second * self.pods.is_watched
            last = now
            for _ in range(int(owed)):
                self.change()
            if int(owed):
                await self.pods.notify()
            owed -= int(owed)
            if now - marked >= BOOKMARK_SECONDS:
                marked = now
                await self.mark()

    async def mark(self) -> None:
        """Send every watch a bookmark."""
        for history in (self.pods, self.others):
            line = b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"%d"}}}\n' % history.version
            await history.tell(line, bookmark=True)

    def _page(self, token: str, limit: int) -> bytes:
        """One page; all have the version of the first, so that what changes between two of them is watched later."""
        place, _, known = token.partition("@")
        start, version = int(place or 0), int(known or self.pods.version)
        end = min(start + limit, len(self.restarts))
        token = f"{end}@{version}" if end < len(self.restarts) else ""
        items = b",".join(self.pod(number) for number in range(start, end))
        head = b'{"kind":"PodList","metadata":{"resourceVersion":"%d","continue":"%b"},"items":['
        return head % (version, token.encode()) + items + b"]}"

    def _others(self, path: str) -> list[dict[str, Any]]:
        kind = {"deployments": "Deployment", "replicasets": "ReplicaSet"}.get(path.rpartition("/")[2])
        names = sorted({app_name(number) for number in range(len(self.restarts))}) if kind else ()
        return [_workload(name, kind or "", self._since) for name in names]

    def _list(self, items: list[dict[str, Any]]) -> bytes:
        return json.dumps({"metadata": {"resourceVersion": "1"}, "items": items}).encode()

    def _metrics(self) -> bytes:
        usage = '{"name":"app","usage":{"cpu":"31m","memory":"48Mi"}}'
        items = ",".join(
            f'{{"metadata":{{"name":"{app_name(n)}-7d9f8c6b5d-{n:05d}","namespace":"{NAMESPACE}"}},"containers":[{usage}]}}'
            for n in range(len(self.restarts))
        )
        return f'{{"kind":"PodMetricsList","items":[{items}]}}'.encode()


def app_name(number: int) -> str:
    """The application of a pod."""
    return f"app-{number // PODS_PER_APP:03d}"


def _is_pods(path: str) -> bool:
    return path.endswith("/pods") and path.startswith("/api/")


def pod_template(since: str, size: int) -> dict[str, Any]:
    """A pod of about ``size`` bytes with words in capitals where pods differ."""
    image = "registry.example/APP:2.3.0"
    container = {"name": "app", "image": image, "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}
    last = {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": since, "finishedAt": since}}
    counted = {"ready": "READY", "restartCount": "RESTARTS", "state": "STATE", "lastState": last}
    status = {"name": "app", "image": image, **counted}
    conditions = [{"type": kind, "status": "True", "lastTransitionTime": since} for kind in CONDITIONS]
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "APP-7d9f8c6b5d", "uid": "rs-APP"}
    metadata = {
        "name": "APP-7d9f8c6b5d-NUMBER",
        "namespace": NAMESPACE,
        "uid": "uid-NUMBER",
        "resourceVersion": "VERSION",
        "creationTimestamp": since,
        "labels": {"app": "APP", "track": "stable", "pod-template-hash": "7d9f8c6b5d"},
        "ownerReferences": [{**owner, "controller": True}],
    }
    observed = {"phase": "Running", "podIP": "10.0.0.1", "startTime": since}
    document: dict[str, Any] = {
        "metadata": metadata,
        "spec": {"nodeName": "node-1", "containers": [container]},
        "status": {**observed, "conditions": conditions, "containerStatuses": [status]},
    }
    metadata["managedFields"] = managed_fields(size - len(json.dumps(document)))
    return document


def managed_fields(length: int) -> list[dict[str, Any]]:
    """What makes real pods long and is never read here."""
    entry = '{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}}'
    fields = {f'k:{{"type":"{number}"}}': json.loads(entry) for number in range(length // (len(entry) + 33))}
    return [{"manager": "kubelet", "operation": "Update", "fieldsV1": fields}]


def _workload(name: str, kind: str, since: str) -> dict[str, Any]:
    own = {"name": name, "uid": f"d-{name}"}
    if kind == "ReplicaSet":
        own = {"name": f"{name}-7d9f8c6b5d", "uid": f"rs-{name}"}
    metadata: dict[str, Any] = {**own, "namespace": NAMESPACE, "resourceVersion": "1", "generation": 1}
    metadata["labels"] = {"app": name}
    metadata["creationTimestamp"] = since
    if kind == "ReplicaSet":
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": f"d-{name}", "controller": True}
        metadata["ownerReferences"] = [owner]
    counts = {"replicas": PODS_PER_APP, "readyReplicas": PODS_PER_APP, "availableReplicas": PODS_PER_APP}
    status = {**counts, "updatedReplicas": PODS_PER_APP, "observedGeneration": 1}
    selector = {"matchLabels": {"app": name}}
    return {"metadata": metadata, "spec": {"replicas": PODS_PER_APP, "selector": selector}, "status": status}
