"""A kubelet with the real store and API around it, and images made of a few lines of shell and Python."""

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from selfheal_core.waiting import set_within
from selfheal_sandbox.api.deletion import DeleteOptions
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.api.ports import LogOptions
from selfheal_sandbox.controllers.node_status import SANDBOX_NODE
from selfheal_sandbox.kinds.registry import Registry
from selfheal_sandbox.kubelet.images import Image
from selfheal_sandbox.kubelet.kubelet import Kubelet
from selfheal_sandbox.kubelet.runtime import KubeletOptions
from selfheal_sandbox.kubelet.unsupported import PROBES
from selfheal_sandbox.kubelet.watchdog import SANDBOX_VARIABLE, marked_processes
from selfheal_sandbox.store.objects import Object, revision_of, with_spec
from selfheal_sandbox.store.store import Store

PODS = ("", "pods")
NODE = "node-1"
DEADLINE_SECONDS = 15.0

# Answers /health and /ready; files in its working directory change what it says.
WEB = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if os.path.exists(self.path.strip("/") + ".bad") else 200)
        self.end_headers()
    def log_message(self, *_): pass
print("serving", flush=True)
http.server.HTTPServer((os.environ["WEB_HOST"], 8080), Handler).serve_forever()
"""

IMAGES = {
    "shell": {"1": Image(arguments=("/bin/sh",))},
    "web": {"1": Image((sys.executable, "-S", "-c", WEB), bind_variable="WEB_HOST")},
}


def shell(script: str, **more: Any) -> dict[str, Any]:
    """A container that runs a script."""
    return {"command": ["/bin/sh", "-c", script], **more}


class Addresses:
    """Gives out loopback addresses outside the ranges that sandboxes claim."""

    def __init__(self) -> None:
        self._numbers = itertools.count(2)
        self._network = f"127.{1 + os.getpid() % 60}"
        self.released: list[str] = []

    def allocate_service_ip(self) -> str:
        return self.allocate_pod_ip()

    def release_service_ip(self, ip: str) -> None:
        self.released.append(ip)

    def allocate_pod_ip(self) -> str:
        number = next(self._numbers)
        return f"{self._network}.{number // 250}.{number % 250}"

    def release_pod_ip(self, ip: str) -> None:
        self.released.append(ip)

    def address_of_service(self, service: Object, port: str | int) -> tuple[str, int] | None:
        return None


def hurry(container: Object) -> Object:
    """Divide the times of a container's probes by ten; the API takes whole seconds only."""
    times = ("periodSeconds", "initialDelaySeconds", "timeoutSeconds")
    probes = {kind: container[kind] for kind in PROBES if kind in container}
    divided = {
        kind: {key: value / 10 if key in times else value for key, value in probe.items()}
        for kind, probe in probes.items()
    }
    return {**container, **divided}


class Cluster:
    """What a test does with the kubelet."""

    def __init__(self, objects: Objects, kubelet: Kubelet, addresses: Addresses, folder: Path, sandbox_id: str) -> None:
        self.objects = objects
        self.sandbox_id = sandbox_id
        self.kubelet = kubelet
        self.addresses = addresses
        self.folder = folder

    def run(self, *containers: dict[str, Any], name: str = "p", **spec: Any) -> Object:
        """Create a pod and bind it to a node; its probes run ten times as fast as they say."""
        named = [{"name": f"c{number}", "image": "shell:1", **one} for number, one in enumerate(containers)]
        metadata = {"name": name, "labels": {"app": name}}
        pod = self.objects.create(PODS, "default", {"metadata": metadata, "spec": {"containers": named, **spec}})
        lists = ("containers", "initContainers")
        hurried = {field: [hurry(one) for one in pod["spec"][field]] for field in lists if field in pod["spec"]}
        return self.objects.patch_object(PODS, pod, lambda old: with_spec(old, nodeName=NODE, **hurried))

    def pod(self, name: str = "p") -> Object:
        """The pod now; an empty status when it is gone."""
        return self.objects.store.get(PODS, "default", name) or {"metadata": {"name": name}, "status": {}}

    def container(self, name: str = "p", index: int = 0) -> Object:
        """A container's status; empty before there is one."""
        statuses: list[Object] = self.pod(name)["status"].get("containerStatuses") or []
        return statuses[index] if index < len(statuses) else {"state": {}, "lastState": {}, "restartCount": -1}

    def state(self, name: str = "p") -> str:
        """``running``, or the reason of a waiting or terminated container."""
        for kind, value in self.container(name)["state"].items():
            return str(value.get("reason", kind))
        return ""

    async def until(self, condition: Callable[[], Any], what: str = "") -> None:
        """Wait for a condition; it is looked at after every write to the store, and now and then."""
        changed = asyncio.Event()
        unsubscribe = self.objects.store.subscribe(lambda _: changed.set())
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while not condition():
                    changed.clear()
                    await set_within(changed, 0.05)
        except TimeoutError:
            raise AssertionError(f"{what or 'not in time'}: {self.pod()['status']} {self.events()}") from None
        finally:
            unsubscribe()

    def processes(self) -> list[int]:
        """All processes of all containers."""
        return marked_processes(SANDBOX_VARIABLE, self.sandbox_id)

    def delete(self, name: str = "p", grace: int | None = None) -> None:
        self.objects.delete(PODS, "default", name, options=DeleteOptions(grace_period_seconds=grace))

    def is_gone(self, name: str = "p") -> bool:
        return self.objects.store.get(PODS, "default", name) is None

    def events(self, reason: str = "") -> list[str]:
        by_age = sorted(self.objects.store.list(("", "events")), key=revision_of)
        found = [event for event in by_age if reason in ("", event["reason"])]
        return [event["message"] if reason else f"{event['reason']}: {event['message']}" for event in found]

    async def logs(self, name: str = "p", container: str = "", **options: Any) -> str:
        chunks = self.kubelet.read_logs(self.pod(name), container, LogOptions(**options))
        return b"".join([chunk async for chunk in chunks]).decode()

    async def says(self, text: str, name: str = "p") -> None:
        """Wait until a pod's program has written a line: only then is it as far as its script says."""
        await self.until(lambda: self.state(name) == "running", f"{name} runs")
        async with asyncio.timeout(10):
            while text not in (await self.logs(name)).splitlines():
                await asyncio.sleep(0.01)

    async def output(self, name: str = "p") -> str:
        """Wait for the pod's end and return what it wrote."""
        await self.until(lambda: self.pod(name)["status"].get("phase") in ("Succeeded", "Failed"))
        return await self.logs(name)


@asynccontextmanager
async def running_kubelet(folder: Path, speed: float, objects: Objects | None = None) -> AsyncIterator[Cluster]:
    """A kubelet, with objects that another one may have left."""
    addresses = Addresses()
    if objects is None:
        objects = Objects(Store(), Registry(), lambda: datetime.now(UTC))
        objects.create(("", "nodes"), "", {"metadata": {"name": NODE, "labels": {SANDBOX_NODE: "true"}}})
    options = KubeletOptions(
        sandbox_id=f"test-{os.getpid()}-{id(addresses)}",
        folder=folder,
        api_address=("127.0.0.1", 6443),
        ca_certificate=b"CERTIFICATE",
        token_for=lambda namespace, account: f"token-of-{namespace}-{account}",
        listening_port=lambda _, port: port,
        images=IMAGES,
        speed=speed,
    )
    async with Kubelet(objects, addresses, options) as kubelet:
        yield Cluster(objects, kubelet, addresses, options.folder, options.sandbox_id)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with running_kubelet(tmp_path / "pods", speed=50) as running:
        yield running
