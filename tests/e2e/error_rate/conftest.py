"""Applications that fail a known share of their requests under load, on the cluster that ``--cluster`` names."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import connect
from selfheal_core.domain.snapshot import AppKey, ErrorRate, Snapshot
from selfheal_core.observe.error_rate_ladder import error_rates
from selfheal_core.observe.observer import Observer
from selfheal_sandbox.tools.fetch import FetchError
from selfheal_sandbox.tools.prometheus import resolve as resolve_prometheus
from tests.e2e.error_rate.client import Count, send
from tests.e2e.error_rate.shops import Shop, on_lab, on_sandbox
from tests.polling import until

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
FOUND, BY_URL, OWN = "Prometheus, found", "Prometheus, by its URL", "own scrape"
"""The ways to error rates: the Prometheus that is found goes through the API server."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What each side counted, by application.

    Attributes:
        namespace: Of the applications.
        clients: What the client counted.
        told: What an observer said at the end, by its way to error rates.
    """

    namespace: str
    clients: Mapping[str, Count]
    told: Mapping[str, Snapshot]

    def client_ratio(self, app: str) -> float:
        """The share of failures that the client saw."""
        return self.clients[app].failed / self.clients[app].sent

    def rates(self, app: str) -> dict[str, ErrorRate]:
        """The error rate of an application by each way; each must have one."""
        return {way: rate_of(snapshot, AppKey(self.namespace, app)) for way, snapshot in self.told.items()}


def rate_of(snapshot: Snapshot, app: AppKey) -> ErrorRate:
    """The error rate of an application; it must have one."""
    found = snapshot.applications[app].errors
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
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    tools: Mapping[str, Path],
    prometheus_program: Path,
) -> Iterator[Shop]:
    """The applications, ready and scraped."""
    home, apps = tmp_path_factory.mktemp("rates"), [*RATIOS, IDLE]
    name = request.config.getoption("--cluster")
    if name == "kubeconfig":
        pytest.skip("a Prometheus is brought along to the sandbox and to the lab only")
    if name == "sandbox":
        opened = on_sandbox(home, tools, prometheus_program, apps)
    else:
        opened = on_lab(request.getfixturevalue("lab"), prometheus_program, apps)
    with opened as running:
        until(lambda: running.scraped() == len(apps), 30, "Prometheus scrapes every pod")
        yield running


@pytest.fixture(scope="module")
def measured(shop: Shop) -> Measured:
    """At least a thousand requests to each application, counted by the client and told by each way."""
    for app, ratio in RATIOS.items():
        pod = shop.pods(app)[0]["metadata"]["name"]
        body = json.dumps({"error_ratio": ratio, "seed": 22})
        path = f"/api/v1/namespaces/{shop.namespace}/pods/{pod}:8080/proxy/practice/faults"
        shop.kubectl("create", "--raw", path, "-f", "-", stdin=body)
    return asyncio.run(_measure(shop))


async def _measure(shop: Shop) -> Measured:
    urls = {app: shop.url_of(app) for app in RATIOS}
    settings = {FOUND: "", BY_URL: shop.prometheus_url, OWN: "none"}
    async with AsyncExitStack() as stack:
        observers = {
            way: await stack.enter_async_context(observing(shop, prometheus=setting))
            for way, setting in settings.items()
        }
        for observer in observers.values():
            await observer.wait_for(lambda snapshot: snapshot.sources["errors"].condition == "live", 20)
        await asyncio.sleep(SETTLE_SECONDS)  # all have a reading from before the load
        async with asyncio.timeout(LOAD_SECONDS):
            counts = await asyncio.gather(
                *(send(url, REQUESTS, per_second=REQUESTS_PER_SECOND) for url in urls.values())
            )
        ended = time.time()
        told = {
            way: await observer.wait_for(lambda snapshot: measured_after(snapshot, shop.namespace, ended), 20)
            for way, observer in observers.items()
        }
        return Measured(shop.namespace, dict(zip(urls, counts, strict=True)), told)


def measured_after(snapshot: Snapshot, namespace: str, moment: float) -> bool:
    """Whether every application's newest sample is from after a moment."""
    return all(
        (errors := snapshot.applications[AppKey(namespace, app)].errors) is not None and errors.measured_at > moment + 1
        for app in RATIOS
    )


@asynccontextmanager
async def observing(shop: Shop, *, prometheus: str = "") -> AsyncIterator[Observer]:
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
