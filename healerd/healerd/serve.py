"""``/metrics`` for Prometheus and ``/healthz`` for the kubelet."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from healerd.metrics import Metrics

SHUTDOWN_SECONDS = 2.0


def application(
    metrics: Metrics,
    watch_age_seconds: Callable[[], float | None],
    *,
    silent_seconds: float,
    started_at: float,
    clock: Callable[[], float],
    missing_rights: Callable[[], list[str]] = list,
) -> web.Application:
    """The two pages.

    Args:
        metrics: What ``/metrics`` shows.
        watch_age_seconds: Age of the oldest stream that decisions need; None before the first look.
        silent_seconds: ``/healthz`` is 503 once that age, or the time since the start without a first look, is longer.
        started_at: When the process began, by ``clock``.
        clock: Seconds since the epoch.
        missing_rights: A sentence for each right that is missing; ``/healthz`` shows them. They do not make it
            unhealthy: a restart brings no right.
    """

    async def healthz(_: web.Request) -> web.Response:
        age = watch_age_seconds()
        silent = clock() - started_at if age is None else age
        body: dict[str, object] = {
            "status": "healthy" if silent <= silent_seconds else "silent",
            "watch_age_seconds": age,
        }
        if sentences := missing_rights():
            body["missing_rights"] = sentences
        return web.json_response(body, status=200 if silent <= silent_seconds else 503)

    async def show_metrics(_: web.Request) -> web.Response:
        age = watch_age_seconds()
        metrics.watch_age_seconds.set(float("nan") if age is None else age)
        return web.Response(body=generate_latest(metrics.registry), headers={"content-type": CONTENT_TYPE_LATEST})

    pages = web.Application()
    pages.add_routes([web.get("/healthz", healthz), web.get("/metrics", show_metrics)])
    return pages


async def listen(pages: web.Application, host: str, port: int) -> web.AppRunner:
    """Serve until the runner is cleaned up.

    Raises:
        OSError: The address is taken or not ours.
    """
    runner = web.AppRunner(pages, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner
