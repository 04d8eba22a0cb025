"""Error rates against what the client counted itself, by a real Prometheus and by our own scrape.

The service draws which requests fail; what counts is what the client saw, at least a thousand times each.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from selfheal_cli import words
from selfheal_core.child_processes import children
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import connect
from selfheal_core.cluster.prometheus.client import Prometheus
from selfheal_core.cluster.prometheus.discovery import discover
from selfheal_core.cluster.prometheus.transport import transport_to
from selfheal_core.domain import queries
from selfheal_core.domain.snapshot import AppKey
from selfheal_core.observe.prometheus_rates import PrometheusRates
from tests.e2e.error_rate.conftest import (
    BY_URL,
    FOUND,
    IDLE,
    OWN,
    RATIOS,
    REQUESTS,
    REQUESTS_PER_SECOND,
    Measured,
)
from tests.e2e.error_rate.shops import Shop
from tests.e2e.sandbox_process import SandboxProcess
from tests.polling import until

T = TypeVar("T")
TOLERANCE = 0.02
"""Two points."""

ORIGINS = {FOUND: "Prometheus", BY_URL: "Prometheus", OWN: "own scrape"}
"""What the product calls the origin of figures that it got by a way."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]  # a lab may have to be brought up first


@pytest.mark.parametrize("app", RATIOS)
def test_every_source_agrees_with_the_client(measured: Measured, app: str) -> None:
    assert measured.clients[app].sent >= REQUESTS
    assert measured.client_ratio(app) == pytest.approx(RATIOS[app], abs=TOLERANCE), "the fault was not injected"
    rates = measured.rates(app)
    assert {way: rate.origin for way, rate in rates.items()} == ORIGINS
    print(f"{app}: the client counted {measured.client_ratio(app):.1%} of {measured.clients[app].sent}")
    for way, rate in rates.items():
        print(f"  {way} says {rate.ratio:.1%}")
        assert rate.ratio == pytest.approx(measured.client_ratio(app), abs=TOLERANCE), way


@pytest.mark.parametrize("app", RATIOS)
def test_every_source_tells_traffic_and_latency(measured: Measured, app: str) -> None:
    for origin, rate in measured.rates(app).items():
        assert rate.requests_per_second is not None
        assert 0 < rate.requests_per_second < 2 * REQUESTS_PER_SECOND, origin
        assert rate.p95_seconds is not None
        assert 0 < rate.p95_seconds < 10, origin


def test_no_requests_read_no_data_although_probes_come_all_the_time(measured: Measured) -> None:
    for rate in measured.rates(IDLE).values():
        assert rate.ratio is None
        assert words.error_ratio(rate) == "no data"


def test_the_source_says_where_figures_come_from(measured: Measured) -> None:
    prometheus, own = measured.told[FOUND].sources["errors"], measured.told[OWN].sources["errors"]
    assert (prometheus.origin, prometheus.origin_note) == ("Prometheus", "")
    assert (own.origin, own.origin_note) == ("own scrape", "")
    assert words.source_origin(prometheus, prometheus.fresh_at or 0.0) == "Prometheus, 0s"


HOSTILE = [
    'a"} or vector(1) #',
    "back\\slash\\",
    "new\nline",
    "\x1b]52;c;aGk=\x07",
    "\u202ebidi",
    "\ud800",
    "\x00",
    ".*",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_a_query(shop: Shop, name: str) -> None:
    async def ask(prometheus: Prometheus) -> int:
        figures = await prometheus.query(queries.application_figures([name], 60))
        ratio = await prometheus.query(queries.error_ratio(name, name, 60))
        return len(figures.samples) + len(ratio.samples)

    assert asyncio.run(asking(shop, ask)) == 0


def test_the_last_quarter_of_an_hour_of_an_application(shop: Shop, measured: Measured) -> None:
    async def ask(prometheus: Prometheus) -> tuple[tuple[float, float], ...]:
        return await PrometheusRates(prometheus, (), time.time).trend(AppKey(shop.namespace, "half"))

    points = asyncio.run(asking(shop, ask))
    assert all(-900 <= before <= 0 for before, _ in points)
    assert any(ratio == pytest.approx(0.5, abs=0.1) for _, ratio in points)


async def asking(shop: Shop, ask: Callable[[Prometheus], Awaitable[T]]) -> T:
    """Ask the Prometheus that is found, through the API server."""
    connection = await connect(kubeconfig=shop.kubeconfig, context=None, environ=shop.environment)
    client = KubernetesClient(connection, user_agent="tests/1")
    try:
        found = await discover(client)
        assert found is not None
        return await ask(Prometheus(transport_to(found, client)))
    finally:
        await connection.close()


@pytest.fixture
def sandbox_of(shop: Shop, measured: Measured) -> SandboxProcess:
    """The sandbox whose own Prometheus this is about; elsewhere nobody keeps it running."""
    if shop.sandbox is None:
        pytest.skip("only the sandbox runs a Prometheus itself")
    return shop.sandbox


def test_a_prometheus_that_was_killed_is_started_again(shop: Shop, sandbox_of: SandboxProcess) -> None:
    data = sandbox_of.folder / "prometheus" / "data"
    before = children_called(sandbox_of.pid, "prometheus")
    assert len(before) == 1
    os.kill(before[0], signal.SIGKILL)
    until(lambda: (now := children_called(sandbox_of.pid, "prometheus")) and now != before, 20, "a new Prometheus")
    until(lambda: shop.scraped() == len(RATIOS) + 1, 30, "it scrapes again")
    assert data.is_dir()


def test_whom_it_scrapes_are_the_pods_that_run(shop: Shop, sandbox_of: SandboxProcess) -> None:
    shop.kubectl("scale", f"deployment/{IDLE}", "--replicas=0", "-n", shop.namespace)
    until(lambda: shop.scraped() == len(RATIOS), 30, "the pod that ended is no target any more")


def children_called(parent: int, name: str) -> list[int]:
    """Process ids of children with this program name."""
    return [pid for pid in children(parent) if Path(f"/proc/{pid}/comm").read_text().strip() == name]
