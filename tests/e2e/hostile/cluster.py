"""A cluster in which every name, label, message and log line is an attack: ``python -m tests.e2e.hostile.cluster``."""

import asyncio
import base64
import gzip
import itertools
import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.e2e.hostile.attacks import Attacks
from tests.faults import __main__ as program
from tests.faults.history import History
from tests.faults.load import NAMESPACE, Load

PODS = 40
LONG_LINE_BYTES = 10_000_000
APP = "target"
"""The one application with a harmless name, so that a command line can name it."""
RELEASE = "target"
UNREADABLE = (
    b'{"metadata":{"name":"\xff\xfe\xc3(","uid":"bad-1","resourceVersion":"9"}}',
    b'{"metadata":{"name":"\\ud800","uid":"bad-2","resourceVersion":"9"}}',
    b'{"metadata":{"name":"web","uid":"bad-3"},"status":{"containerStatuses":[{"restartCount":1e30}]}}',
)
"""Pods that no reader of JSON would take."""
Item = dict[str, Any]


def stamp(seconds_ago: float) -> str:
    """RFC 3339."""
    return datetime.fromtimestamp(time.time() - seconds_ago, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class HostileCluster(Load):
    """What it serves; nothing changes by itself."""

    def __init__(self) -> None:
        super().__init__(0)
        self._history = History(100)
        self._attacks = Attacks()
        self._numbers = itertools.count(1)
        attack = self._attacks.next
        self._names = [APP, *(attack() for _ in range(PODS // 2))]
        # Twice the application with a name that can be typed, then one pod for each of the others.
        self._apps = [APP, *self._names][: PODS // 2]
        pods = [self._pod(name) for name in self._apps]
        self._items: Mapping[str, list[Item]] = {
            "pods": pods,
            "deployments": [self._workload(name, "Deployment") for name in self._names],
            "replicasets": [self._workload(name, "ReplicaSet") for name in self._names],
            "statefulsets": [self._workload(attack(), "")],
            "daemonsets": [],
            "jobs": [{"metadata": self._metadata(attack())}],
            "horizontalpodautoscalers": [self._autoscaler(name) for name in self._names],
            "poddisruptionbudgets": [self._budget(name) for name in self._names],
            "events": [self._event(pods[number % 5], number) for number in range(40)],
            "nodes": [{"metadata": {**self._metadata(attack()), "namespace": ""}}],
            "secrets": [{"metadata": self._release(number, labels)} for number, labels in self._revisions()],
            "configmaps": [self._config_map()],
            "namespaces": [{"metadata": self._metadata(name)} for name in (NAMESPACE, attack(), attack())],
            "services": [{"metadata": self._metadata(attack()), "spec": {"ports": [{"name": "http", "port": 9090}]}}],
        }
        self._log = self._log_bytes()

    def history(self, path: str) -> History | None:
        """Nothing happens."""
        return self._history

    def all(self, path: str) -> Iterator[bytes]:
        """A collection."""
        kind = path.rpartition("/")[2]
        yield from (json.dumps(item).encode() for item in self._items.get(kind, ()))
        if kind == "pods":
            yield from UNREADABLE

    def answer(self, method: str, path: str, query: Mapping[str, str]) -> bytes | None:
        """Anything that a console, doctor or a verb asks."""
        kind = path.rpartition("/")[2]
        if path.endswith("/log"):
            return self._log
        if "/proxy/" in path:
            return self._scraped(path)
        if "metrics.k8s.io" in path:
            return json.dumps({"items": [self._use(pod) for pod in self._items["pods"]]}).encode()
        if path == "/version":
            return json.dumps({"gitVersion": f"v1.32.3{self._attacks.next()}"}).encode()
        if kind in self._items:
            foreign = "app.kubernetes.io" in query.get("labelSelector", "") and kind != "services"
            items = () if foreign else self.all(path)
            return b'{"metadata":{"resourceVersion":"100"},"items":[' + b",".join(items) + b"]}"
        if "/secrets/" in path:
            return json.dumps({"metadata": self._metadata(kind), "data": {"release": self._body()}}).encode()
        if method == "GET":
            plural = next((plural for plural in self._items if f"/{plural}/" in path), "pods")
            return json.dumps((self._items[plural] or self._items["pods"])[0]).encode()
        return super().answer(method, path, query)

    def _metadata(self, name: str, **more: Any) -> Item:
        attack = self._attacks.next
        made = {"name": name, "namespace": NAMESPACE, "uid": f"uid-{next(self._numbers)}", "resourceVersion": "9"}
        notes = {attack(): attack(), "meta.helm.sh/release-name": RELEASE}
        return {**made, "creationTimestamp": stamp(900), "annotations": notes, "generation": 1, **more}

    def _labels(self, app: str) -> dict[str, str]:
        return {"app": app, "track": self._attacks.next(), "pod-template-hash": self._attacks.next()}

    def _pod(self, app: str) -> Item:
        attack = self._attacks.next
        name = f"{app}-pod" if app == APP else attack()
        ended = {"exitCode": 1, "reason": attack(), "message": self._attacks.all(), "finishedAt": stamp(40)}
        status = {
            "name": attack(),
            "image": attack(),
            "restartCount": 7,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": self._attacks.all()}},
            "lastState": {"terminated": {**ended, "startedAt": stamp(50)}},
        }
        owner = {"kind": "ReplicaSet", "name": attack(), "uid": f"uid-replica-set-{app}", "controller": True}
        condition = {"type": attack(), "status": attack(), "reason": attack(), "message": self._attacks.all()}
        amounts = {"cpu": attack(), "memory": attack(), attack(): attack()}
        container = {
            "name": status["name"],
            "image": attack(),
            "resources": {"requests": amounts, "limits": amounts},
            "ports": [{"name": attack(), "containerPort": 8080}],
        }
        return {
            "kind": "Pod",
            "metadata": self._metadata(name, labels=self._labels(app), ownerReferences=[owner]),
            "spec": {"nodeName": attack(), "containers": [container]},
            "status": {
                "phase": "Running",
                "reason": attack(),
                "message": self._attacks.all(),
                "podIP": attack(),
                "startTime": stamp(800),
                "conditions": [condition],
                "containerStatuses": [status],
            },
        }

    def _workload(self, app: str, kind: str) -> Item:
        attack = self._attacks.next
        own: Item = {"uid": f"uid-deployment-{app}"} if kind == "Deployment" else {}
        if kind == "ReplicaSet":
            owner = {"kind": "Deployment", "name": app, "uid": f"uid-deployment-{app}", "controller": True}
            own = {"uid": f"uid-replica-set-{app}", "ownerReferences": [owner]}
        template = {
            "metadata": {"labels": self._labels(app)},
            "spec": {"containers": [{"name": attack(), "image": attack()}]},
        }
        condition = {"type": "Progressing", "status": "False", "reason": attack(), "message": self._attacks.all()}
        return {
            "metadata": self._metadata(app, labels=self._labels(app), **own),
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": app}}, "template": template},
            "status": {"replicas": 1, "updatedReplicas": 1, "observedGeneration": 1, "conditions": [condition]},
        }

    def _autoscaler(self, app: str) -> Item:
        attack = self._attacks.next
        condition = {"type": "ScalingLimited", "status": "True", "reason": attack(), "message": self._attacks.all()}
        return {
            "metadata": self._metadata(attack()),
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": app}, "minReplicas": 1, "maxReplicas": 3},
            "status": {"currentReplicas": 1, "desiredReplicas": 1, "conditions": [condition]},
        }

    def _budget(self, app: str) -> Item:
        selector = {"matchLabels": {"app": app}}
        status = {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 1, "expectedPods": 1}
        name = self._attacks.next()
        return {"metadata": self._metadata(name), "spec": {"selector": selector}, "status": status}

    def _event(self, pod: Item, number: int) -> Item:
        attack = self._attacks.next
        about = {"kind": attack(), "namespace": NAMESPACE, "name": attack(), "uid": pod["metadata"]["uid"]}
        return {
            "metadata": self._metadata(attack()),
            "involvedObject": about,
            "reason": attack(),
            "message": self._attacks.all(),
            "type": "Warning",
            "count": 3,
            "lastTimestamp": stamp(20),
            "reportingComponent": "healerd" if number % 2 else attack(),
        }

    def _revisions(self) -> list[tuple[int, dict[str, str]]]:
        statuses = ("superseded", "superseded", "deployed", self._attacks.next())
        return [
            (number, {"owner": "helm", "name": RELEASE, "version": str(number), "status": status})
            for number, status in enumerate(statuses, start=1)
        ]

    def _release(self, number: int, labels: Mapping[str, str]) -> Item:
        return self._metadata(f"sh.helm.release.v1.{RELEASE}.v{number}", labels={**labels, self._attacks.next(): "x"})

    def _body(self) -> str:
        """A release as Helm keeps it, of which nothing can be trusted."""
        attack = self._attacks.next
        names = [json.dumps({"kind": "Deployment", "metadata": {"name": attack()}, "spec": {attack(): attack()}})]
        release = {
            "name": RELEASE,
            "version": 2,
            "info": {"status": attack(), "description": self._attacks.all(), "notes": self._attacks.all()},
            "chart": {"metadata": {"name": attack(), "version": attack(), "appVersion": attack()}},
            "manifest": "\n---\n".join(names),
        }
        packed = base64.b64encode(gzip.compress(json.dumps(release).encode()))
        return base64.b64encode(packed).decode()

    def _config_map(self) -> Item:
        name = f"selfheal-known-good-{RELEASE}"
        return {"metadata": self._metadata(name), "data": {"1": self._attacks.all(), self._attacks.next(): "{}"}}

    def _use(self, pod: Item) -> Item:
        container = {"name": "app", "usage": {"cpu": self._attacks.next(), "memory": "1Mi"}}
        return {"metadata": pod["metadata"], "containers": [container]}

    def _scraped(self, path: str) -> bytes:
        """Prometheus' answer, or a pod's own metrics."""
        attack = self._attacks.next
        if "/api/v1/" not in path:
            return f'http_requests_total{{status="{self._attacks.all()}"}} 3\n# {self._attacks.all()}\n'.encode()
        told = [(name, NAMESPACE) for name in self._names] + [(attack(), attack())]
        figures = {"rate": "3", "newest": str(time.time()), "samples": "20", "p95": "0.2"}
        result: list[Item] = []
        for app, where in told:
            labels: Item = {"app": app, "namespace": where, "code": "500", attack(): attack()}
            for figure, value in figures.items():
                result.append({"metric": {**labels, "figure": figure}, "value": [time.time(), value]})
        data = {"resultType": "vector", "result": result}
        return json.dumps({"status": "success", "data": data, "warnings": [self._attacks.all()]}).encode()

    def _log_bytes(self) -> bytes:
        """Each kind of attack as a line, bytes that are no text, and one line that is too long for anything."""
        kinds = [self._attacks.next().encode() for _ in range(40)]
        lines = [*kinds, b"\xff\xfe\xc3(\x80\x9b31m", b'{"level":"error","msg":"' + b"\\u001b[2J\\u202e" + b'"}']
        unit = f"\x1b[31m\u202e{self._attacks.all()}".replace("\n", "").encode()
        lines.insert(10, (unit * (LONG_LINE_BYTES // len(unit) + 1))[:LONG_LINE_BYTES])
        return b"".join(b"%b %b\n" % (stamp(30).encode(), line) for line in lines)


if __name__ == "__main__":
    asyncio.run(program.serve(HostileCluster()))
