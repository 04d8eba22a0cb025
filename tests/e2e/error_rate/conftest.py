"""A sandbox with a real Prometheus, and applications that fail a known share of their requests under load."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import connect
from selfheal_core.domain.snapshot import AppKey, ErrorRate, Snapshot
from selfheal_core.observe.error_rate_ladder import error_rates
from selfheal_core.observe.observer import Observer
from selfheal_sandbox.tools.fetch import FetchError
from selfheal_sandbox.tools.prometheus import resolve as resolve_prometheus
from tests.e2e.error_rate.client import Count, send
from tests.e2e.sandbox.manifests import deployment, practice_service
from tests.e2e.sandbox_process import SandboxProcess, start_sandbox, until

SPEED = 10
"""Prometheus scrapes once a second at this speed."""
NAMESPACE = "shop"
RATIOS: Mapping[str, float] = {"flawless": 0.0, "one-percent": 0.01, "ten-percent": 0.1, "half": 0.5}
"""Applications, and the share of their requests that is made to fail."""
IDLE = "idle"
"""An application that nobody uses."""
REQUESTS = 1_000
REQUESTS_PER_SECOND = 40.0
LOAD_SECONDS = 55.0
"""Within the window over which rates are told, so that the window holds every request."""
ROUND_SECONDS = 2.0
SETTLE_SECONDS = 2 * ROUND_SECONDS


@dataclass(frozen=True, slots=True)
class Measured:
    """What each side counted, by application.

    Attributes:
        clients: What the client counted.
        prometheus: What the observer that asked Prometheus said at the end.
        own: What the observer that read the pods said at the end.
    """

    clients: Mapping[str, Count]
    prometheus: Snapshot
    own: Snapshot

    def client_ratio(self, app: str) -> float:
        """The share of failures that the client saw."""
        return self.clients[app].failed / self.clients[app].sent


def rate_of(snapshot: Snapshot, app: str) -> ErrorRate:
    """The error rate of an application; it must have one."""
    found = snapshot.applications[AppKey(NAMESPACE, app)].errors
    assert found is not None, (app, snapshot.sources["errors"])
    return found


@pytest.fixture(scope="session")
def prometheus_program() -> Path:
    """Prometheus; without one the tests are skipped, and fail where CI runs them."""
    try:
        return resolve_prometheus()
    except FetchError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def shop(
    tmp_path_factory: pytest.TempPathFactory, tools: Mapping[str, Path], prometheus_program: Path
) -> Iterator[SandboxProcess]:
    """A sandbox with the applications, ready and scraped."""
    home = tmp_path_factory.mktemp("rates")
    options = (f"--prometheus={prometheus_program}",)
    with start_sandbox(home, tools, name="rates", speed=SPEED, options=options) as sandbox:
        sandbox.kubectl("create", "namespace", NAMESPACE)
        for app in (*RATIOS, IDLE):
            container = practice_service(ports=[{"name": "http", "containerPort": 8080}])
            sandbox.apply(deployment(app, 1, container), namespace=NAMESPACE)
            service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": app}}
            spec = {"selector": {"app": app}, "ports": [{"name": "http", "port": 8080}]}
            sandbox.apply({**service, "spec": spec}, namespace=NAMESPACE)
        for app in (*RATIOS, IDLE):
            sandbox.kubectl("rollout", "status", f"deployment/{app}", "-n", NAMESPACE, "--timeout=30s")
        until(lambda: scraped(sandbox) == len(RATIOS) + 1, 30, "Prometheus scrapes every pod")
        yield sandbox


def scraped(sandbox: SandboxProcess) -> int:
    """How many targets Prometheus has read in the last seconds; after a restart it still knows older samples."""
    query = quote("up == 1 and time() - timestamp(up) < 5")
    path = f"/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query?query={query}"
    answer = sandbox.kubectl("get", "--raw", path, check=False)
    return len(json.loads(answer.out)["data"]["result"]) if answer.code == 0 else 0


@pytest.fixture(scope="module")
def measured(shop: SandboxProcess) -> Measured:
    """At least a thousand requests to each application, counted by the client, by Prometheus and by our own scrape."""
    for app, ratio in RATIOS.items():
        pod = shop.get("pods", "-n", NAMESPACE, "-l", f"app={app}")["items"][0]["metadata"]["name"]
        body = json.dumps({"error_ratio": ratio, "seed": 22})
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:8080/proxy/practice/faults"
        shop.kubectl("create", "--raw", path, "-f", "-", stdin=body)
    return asyncio.run(_measure(shop))


async def _measure(shop: SandboxProcess) -> Measured:
    urls = {app: shop.command("url", f"svc/{app}", "-n", NAMESPACE).out.strip() for app in RATIOS}
    async with observing(shop) as prometheus, observing(shop, prometheus="none") as own:
        for observer in (prometheus, own):
            await observer.wait_for(lambda snapshot: snapshot.sources["errors"].condition == "live", 20)
        await asyncio.sleep(SETTLE_SECONDS)  # both have a reading from before the load
        async with asyncio.timeout(LOAD_SECONDS):
            counts = await asyncio.gather(
                *(send(url, REQUESTS, per_second=REQUESTS_PER_SECOND) for url in urls.values())
            )
        ended = time.time()
        final = [
            await observer.wait_for(lambda snapshot: measured_after(snapshot, ended), 20)
            for observer in (prometheus, own)
        ]
        return Measured(dict(zip(urls, counts, strict=True)), *final)


def measured_after(snapshot: Snapshot, moment: float) -> bool:
    """Whether every application's newest sample is from after a moment."""
    return all(
        (errors := snapshot.applications[AppKey(NAMESPACE, app)].errors) is not None and errors.measured_at > moment + 1
        for app in RATIOS
    )


@asynccontextmanager
async def observing(shop: SandboxProcess, *, prometheus: str = "") -> AsyncIterator[Observer]:
    """An observer as the console runs it."""
    connection = await connect(kubeconfig=shop.kubeconfig, context=None, environ=shop.environment)
    client = KubernetesClient(connection, user_agent="tests/1")
    rates = error_rates(client, time.time, prometheus=prometheus)
    observer = Observer(client, error_rates=rates, scrape_interval_seconds=ROUND_SECONDS)
    running = asyncio.create_task(observer.run())
    try:
        yield observer
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await connection.close()
