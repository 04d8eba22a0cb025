"""A child that plays Prometheus: started, published, started again, ended."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.controllers.keys import ENDPOINTS, PODS, SERVICES
from selfheal_sandbox.kinds.registry import Registry
from selfheal_sandbox.kubelet.watchdog import Watchdog
from selfheal_sandbox.monitoring.prometheus import Monitoring, MonitoringOptions
from selfheal_sandbox.store.store import Store
from tests.unit.sandbox_controllers.cluster import utc_now

ADDRESS = "127.9.90.1"
PLAYS_PROMETHEUS = """\
#!/bin/sh
echo $$ >> pids
exec python3 -c '
import socket, time
with socket.create_server(("{address}", 9090)):
    time.sleep(60)
'
"""


class Pods:
    """The objects, and a watchdog over the child."""

    def __init__(self, folder: Path, program: str) -> None:
        self.objects = Objects(Store(), Registry(), utc_now)
        self.folder = folder / "prometheus"
        self.program = folder / "program"
        self.program.write_text(program)
        self.program.chmod(0o755)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Monitoring]:
        watchdog = Watchdog("monitoring-test")
        options = MonitoringOptions(self.program, self.folder, ADDRESS, 1.0)
        try:
            async with Monitoring(self.objects, watchdog, options) as monitoring:
                yield monitoring
        finally:
            await asyncio.to_thread(watchdog.close)

    def pids(self) -> list[int]:
        file = self.folder / "pids"
        return [int(line) for line in file.read_text().splitlines()] if file.exists() else []

    def endpoints(self) -> list[Any]:
        found = self.objects.store.get(ENDPOINTS, "monitoring", "prometheus")
        return list(found.get("subsets") or []) if found else []

    def targets(self) -> list[str]:
        file = self.folder / "targets.json"
        return [group["targets"][0] for group in json.loads(file.read_text())] if file.exists() else []


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def pods(tmp_path: Path) -> Pods:
    return Pods(tmp_path, PLAYS_PROMETHEUS.format(address=ADDRESS))


async def test_is_reachable_as_a_service_while_it_runs_and_leaves_nothing(pods: Pods) -> None:
    async with pods.running():
        await until(pods.endpoints)
        (subset,) = pods.endpoints()
        assert subset["addresses"] == [{"ip": ADDRESS}]
        service = pods.objects.store.get(SERVICES, "monitoring", "prometheus")
        assert service is not None
        assert service["metadata"]["labels"]["app.kubernetes.io/name"] == "prometheus"
        (pid,) = pods.pids()
    assert not is_alive(pid)
    assert pods.objects.store.get(SERVICES, "monitoring", "prometheus") is None
    assert not pods.folder.exists()


async def test_is_started_again_when_it_dies_and_leads_nowhere_meanwhile(pods: Pods) -> None:
    async with pods.running() as monitoring:
        await until(pods.endpoints)
        os.kill(pods.pids()[0], signal.SIGKILL)
        await until(lambda: not pods.endpoints())
        await until(pods.endpoints)
        assert monitoring.starts == 2
        assert len(set(pods.pids())) == 2


async def test_a_program_that_can_not_run_is_no_harm_to_the_sandbox(tmp_path: Path) -> None:
    pods = Pods(tmp_path, "#!/no/such/interpreter\n")
    async with pods.running() as monitoring:
        await until((pods.folder / "targets.json").exists)
        assert monitoring.starts == 0
        assert pods.endpoints() == []


async def test_targets_follow_the_pods(pods: Pods) -> None:
    async with pods.running():
        await until((pods.folder / "targets.json").exists)
        assert pods.targets() == []
        container = {"name": "main", "image": "x", "ports": [{"name": "http", "containerPort": 8080}]}
        pod = pods.objects.create(PODS, "default", {"metadata": {"name": "a"}, "spec": {"containers": [container]}})
        pods.objects.set_status(PODS, pod, {"phase": "Running", "podIP": "127.9.90.7"})
        await until(lambda: pods.targets() == ["127.9.90.7:8080"])
        pods.objects.set_status(PODS, pods.objects.get(PODS, "default", "a"), {"phase": "Failed"})
        await until(lambda: pods.targets() == [])
