"""Error rates from pods' own pages, read over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from selfheal_core.cluster.kubernetes.api_errors import Unreachable
from selfheal_core.domain.objects import Container, ContainerPort, Metadata, Pod, PodSpec, PodStatus
from selfheal_core.domain.snapshot import AppKey
from selfheal_core.observe.error_rate import ASK_AGAIN_SECONDS, OwnScrape, ScrapeTarget, a_few_of_each, scrape_targets
from tests.unit.domain.builders import row
from tests.unit.observe.live_cluster import DEPLOYMENTS, NAMESPACE, LiveCluster, deployment

APP = AppKey(NAMESPACE, "app-a")


class Page:
    """A pod's page of metrics; its counters go up as a test says."""

    def __init__(self) -> None:
        self.good = 0
        self.bad = 0
        self.status = 200
        self.text: str | None = None
        self.asked = 0
        self.port = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        lines = [
            "# TYPE http_requests_total counter",
            f'http_requests_total{{route="/",status="200"}} {self.good}',
            f'http_requests_total{{route="/",status="500"}} {self.bad}',
        ]
        return web.Response(text="\n".join(lines) if self.text is None else self.text, status=self.status)


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    page = Page()
    app = web.Application()
    app.router.add_get("/metrics", page.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    page.port = runner.addresses[0][1]
    yield page
    await runner.cleanup()


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def target(cluster: LiveCluster, page: Page) -> ScrapeTarget:
    """A pod whose address is the page's."""
    cluster.create(DEPLOYMENTS, deployment("app-a", 1, "app:good", {}))
    async with asyncio.timeout(5):
        while not (cluster.pods() and cluster.pods()[0].get("status", {}).get("podIP")):
            await asyncio.sleep(0.005)
    (pod,) = cluster.pods()
    cluster.report(pod, podIP="127.0.0.1")
    return ScrapeTarget(pod["metadata"]["uid"], NAMESPACE, pod["metadata"]["name"], APP, page.port)


async def test_two_readings_make_a_rate(cluster: LiveCluster, page: Page, target: ScrapeTarget) -> None:
    clock = Clock()
    scrape = OwnScrape(cluster.client, clock)
    page.good = 1_000
    assert await scrape.measure([target]) == {}
    clock.now, page.good, page.bad = clock.now + 15, 1_062, 38
    rates = await scrape.measure([target])
    assert rates[APP].ratio == 0.38
    assert rates[APP].requests_per_second == pytest.approx(100 / 15)
    assert (rates[APP].window_seconds, rates[APP].measured_at, rates[APP].origin) == (15.0, clock.now, "own scrape")


async def test_the_window_is_bounded(cluster: LiveCluster, page: Page, target: ScrapeTarget) -> None:
    clock = Clock()
    scrape = OwnScrape(cluster.client, clock)
    rates = await scrape.measure([target])
    for _ in range(8):
        clock.now, page.good = clock.now + 15, page.good + 10
        rates = await scrape.measure([target])
    assert 60.0 <= rates[APP].window_seconds <= 75.0


async def test_a_restart_of_the_process_is_no_negative_rate(
    cluster: LiveCluster, page: Page, target: ScrapeTarget
) -> None:
    clock = Clock()
    scrape = OwnScrape(cluster.client, clock)
    page.good, page.bad = 500, 500
    await scrape.measure([target])
    clock.now, page.good, page.bad = clock.now + 15, 9, 1
    assert (await scrape.measure([target]))[APP].ratio == 0.1


async def test_a_pod_that_does_not_answer_has_no_figures(
    cluster: LiveCluster, page: Page, target: ScrapeTarget
) -> None:
    scrape = OwnScrape(cluster.client, Clock())
    page.status = 500
    assert await scrape.measure([target]) == {}


async def test_old_readings_say_nothing_about_now(cluster: LiveCluster, page: Page, target: ScrapeTarget) -> None:
    clock = Clock()
    scrape = OwnScrape(cluster.client, clock)
    await scrape.measure([target])
    clock.now += 15
    assert APP in await scrape.measure([target])
    clock.now, page.status = clock.now + 300, 500
    assert await scrape.measure([target]) == {}


async def test_a_pod_that_counts_no_requests_is_left_alone_for_a_while(
    cluster: LiveCluster, page: Page, target: ScrapeTarget
) -> None:
    clock = Clock()
    scrape = OwnScrape(cluster.client, clock)
    page.text = "process_cpu_seconds_total 3"
    await scrape.measure([target])
    clock.now += 15
    await scrape.measure([target])
    assert page.asked == 1
    clock.now += ASK_AGAIN_SECONDS
    await scrape.measure([target])
    assert page.asked == 2


async def test_forgets_pods_that_are_gone(cluster: LiveCluster, page: Page, target: ScrapeTarget) -> None:
    clock = Clock()
    scrape = OwnScrape(cluster.client, clock)
    await scrape.measure([target])
    await scrape.measure([])
    clock.now += 15
    assert await scrape.measure([target]) == {}


async def test_an_api_server_that_is_away_is_the_sources_trouble(
    cluster: LiveCluster, page: Page, target: ScrapeTarget
) -> None:
    scrape = OwnScrape(cluster.client, Clock())
    await cluster.server.stop()
    with pytest.raises(Unreachable):
        await scrape.measure([target])


def candidate(name: str = "app-a-1", *, port: str = "http", **annotations: str) -> Pod:
    ports = (ContainerPort(port, 8080),) if port else ()
    return Pod(
        Metadata(name=name, namespace=NAMESPACE, uid=f"uid-{name}", annotations=annotations),
        PodSpec(containers=(Container("app", ports=ports),)),
        PodStatus(phase="Running", pod_ip="10.0.0.7"),
    )


def targets(*pods: Pod, change: Callable[[Any], Any] = lambda found: found) -> list[ScrapeTarget]:
    return scrape_targets(pods, {pod.metadata.uid: change(row(pod.metadata.name)) for pod in pods})


def test_takes_ports_of_usual_names() -> None:
    assert [
        target.port for target in targets(candidate(), candidate("2", port="metrics"), candidate("3", port="grpc"))
    ] == [
        8080,
        8080,
    ]


def test_annotations_decide() -> None:
    wish = {"prometheus.io/scrape": "true", "prometheus.io/port": "9100", "prometheus.io/path": "/m"}
    (found,) = targets(candidate(port="", **wish))
    assert (found.port, found.path) == (9100, "/m")
    assert targets(candidate(**{"prometheus.io/scrape": "false"})) == []
    assert [each.port for each in targets(candidate(port="grpc", **{"prometheus.io/scrape": "true"}))] == [8080]


def test_a_few_pods_of_each_application_are_enough() -> None:
    found = a_few_of_each(targets(*(candidate(f"app-a-{number}") for number in range(50))))
    assert [target.name for target in found] == [f"app-a-{number}" for number in range(5)]


async def test_a_sample_of_the_pods_says_so(cluster: LiveCluster, page: Page, target: ScrapeTarget) -> None:
    clock = Clock()
    scrape = OwnScrape(cluster.client, clock)
    unread = [replace(target, uid=f"uid-{number}", name=f"gone-{number}") for number in range(11)]
    await scrape.measure([target, *unread])
    clock.now, page.good = clock.now + 15, 100
    assert (await scrape.measure([target, *unread]))[APP].origin == "own scrape, 1 of 12 pods"
