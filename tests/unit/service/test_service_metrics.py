from prometheus_client.parser import text_string_to_metric_families
from quart import Quart

from selfheal_service.metrics import OTHER_METHOD, RequestMetrics, method_label
from selfheal_service.settings import Settings
from tests.unit.service.conftest import Subject, make_subject

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def scrape(app: Quart) -> Series:
    response = await app.test_client().get("/metrics")
    assert response.status_code == 200
    families = text_string_to_metric_families(await response.get_data(as_text=True))
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def requests_of(series: Series, **labels: str) -> float:
    return series.get(("http_requests_total", tuple(sorted(labels.items()))), 0.0)


async def test_requests_are_counted_by_method_route_and_status(subject: Subject) -> None:
    async with subject.app.test_app() as running:
        client = running.test_client()
        for _ in range(3):
            await client.get("/")
        await client.post("/")
    series = await scrape(subject.app)
    assert requests_of(series, method="GET", route="/", status="200") == 3
    assert requests_of(series, method="POST", route="<unmatched>", status="405") == 1


async def test_durations_have_an_edge_at_the_latency_objective(subject: Subject) -> None:
    await subject.app.test_client().get("/")
    series = await scrape(subject.app)
    labels = {"method": "GET", "route": "/", "status": "200", "le": "0.5"}
    assert series["http_request_duration_seconds_bucket", tuple(sorted(labels.items()))] == 1


async def test_a_thousand_unknown_paths_add_no_series(subject: Subject) -> None:
    client = subject.app.test_client()
    await client.get("/unknown")
    await scrape(subject.app)
    before = await scrape(subject.app)
    for number in range(1000):
        await client.get(f"/unknown/{number}")
    after = await scrape(subject.app)
    assert after.keys() == before.keys()
    assert requests_of(after, method="GET", route="<unmatched>", status="404") == 1001


async def test_query_strings_and_prefixes_are_no_routes(subject: Subject) -> None:
    client = subject.app.test_client()
    await client.get("/?page=2")
    await client.get("/health/../../etc/passwd")
    routes = {dict(labels)["route"] for name, labels in await scrape(subject.app) if name == "http_requests_total"}
    assert routes == {"/", "<unmatched>"}


def test_unknown_methods_share_one_label() -> None:
    assert {method_label("BREW"), method_label("get"), method_label("")} == {OTHER_METHOD}
    assert method_label("GET") == "GET"


async def test_two_applications_share_no_series() -> None:
    one, other = make_subject(Settings()), make_subject(Settings())
    await one.app.test_client().get("/")
    assert requests_of(await scrape(other.app), method="GET", route="/", status="200") == 0


async def test_version_and_process_are_exposed(subject: Subject) -> None:
    series = await scrape(subject.app)
    assert series["selfheal_service_build_info", (("service", "web"), ("version", "1.2"))] == 1
    assert ("process_cpu_seconds_total", ()) in series


def test_in_flight_returns_to_zero_after_an_error() -> None:
    metrics = RequestMetrics("web", "1")
    try:
        with metrics.in_flight():
            assert b"http_requests_in_flight 1.0" in metrics.exposition("")[0]
            raise ValueError
    except ValueError:
        assert b"http_requests_in_flight 0.0" in metrics.exposition("")[0]


def test_openmetrics_is_offered_to_who_asks() -> None:
    _, content_type = RequestMetrics("web", "1").exposition("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
