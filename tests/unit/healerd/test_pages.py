"""healerd's pages: metrics, and a health that is tied to the age of the watch."""

from aiohttp.test_utils import TestClient, TestServer

from healerd.metrics import Metrics
from healerd.serve import application

STARTED = 1_000.0


async def health(age: float | None, now: float) -> tuple[int, dict[str, object]]:
    pages = application(Metrics(), lambda: age, silent_seconds=180, started_at=STARTED, clock=lambda: now)
    async with TestClient(TestServer(pages)) as client, client.get("/healthz") as response:
        return response.status, await response.json()


async def test_is_healthy_while_the_watch_proves_itself() -> None:
    assert await health(12.0, STARTED + 500) == (200, {"status": "healthy", "watch_age_seconds": 12.0})


async def test_is_unhealthy_once_the_watch_is_silent() -> None:
    status, body = await health(200.0, STARTED + 500)

    assert (status, body["status"]) == (503, "silent")


async def test_has_time_for_its_first_look() -> None:
    assert (await health(None, STARTED + 10))[0] == 200
    assert (await health(None, STARTED + 181))[0] == 503


async def test_shows_what_was_counted() -> None:
    metrics = Metrics()
    metrics.evictions.labels("evicted").inc()
    pages = application(metrics, lambda: 3.0, silent_seconds=180, started_at=STARTED, clock=lambda: STARTED)
    async with TestClient(TestServer(pages)) as client, client.get("/metrics") as response:
        text = await response.text()

    assert 'healerd_evictions_total{result="evicted"} 1.0' in text
    assert "healerd_watch_age_seconds 3.0" in text


async def test_shows_which_rights_are_missing_and_stays_healthy() -> None:
    pages = application(
        Metrics(),
        lambda: 3.0,
        silent_seconds=180,
        started_at=STARTED,
        clock=lambda: STARTED,
        missing_rights=lambda: ["healerd is not allowed to create events"],
    )
    async with TestClient(TestServer(pages)) as client, client.get("/healthz") as response:
        assert response.status == 200
        assert (await response.json())["missing_rights"] == ["healerd is not allowed to create events"]
