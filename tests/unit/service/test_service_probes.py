from selfheal_service.state import Phase, Switches, health_answer, ready_answer
from tests.unit.service.conftest import Subject


async def test_root_names_the_service(subject: Subject) -> None:
    async with subject.app.test_app() as app:
        response = await app.test_client().get("/")
    assert response.status_code == 200
    assert await response.get_json() == {"service": "web", "status": "ok"}


async def test_health_is_exactly_healthy_from_the_first_moment(subject: Subject) -> None:
    response = await subject.app.test_client().get("/health")
    assert (response.status_code, await response.get_json()) == (200, {"status": "healthy"})


async def test_ready_is_exactly_ready_while_serving(subject: Subject) -> None:
    async with subject.app.test_app() as app:
        response = await app.test_client().get("/ready")
    assert (response.status_code, await response.get_json()) == (200, {"status": "ready"})


async def test_not_ready_before_start(subject: Subject) -> None:
    response = await subject.app.test_client().get("/ready")
    assert response.status_code == 503
    assert await response.get_json() == {"status": "not ready", "reason": "starting"}


async def test_draining_is_not_ready_but_healthy_and_serving(subject: Subject) -> None:
    async with subject.app.test_app() as app:
        client = app.test_client()
        subject.state.phase = Phase.DRAINING
        ready, health, root = await client.get("/ready"), await client.get("/health"), await client.get("/")
    assert (ready.status_code, health.status_code, root.status_code) == (503, 200, 200)
    assert (await ready.get_json())["reason"] == "draining"


async def test_every_answer_while_draining_asks_to_close_the_connection(subject: Subject) -> None:
    async with subject.app.test_app() as app:
        client = app.test_client()
        before = await client.get("/")
        subject.state.phase = Phase.DRAINING
        during = [await client.get(path) for path in ("/", "/ready", "/health", "/metrics", "/nope")]
    assert "Connection" not in before.headers
    assert [response.headers["Connection"] for response in during] == ["close"] * 5


async def test_errors_are_json(subject: Subject) -> None:
    missing = await subject.app.test_client().get("/nope")
    wrong_method = await subject.app.test_client().post("/health")
    assert (missing.status_code, wrong_method.status_code) == (404, 405)
    assert "error" in await missing.get_json()
    assert "error" in await wrong_method.get_json()


def test_a_switch_never_makes_a_draining_pod_ready() -> None:
    assert ready_answer(Phase.DRAINING, Switches(ready=True)).status == 503


def test_an_unhealthy_switch_says_who_switched_it() -> None:
    answer = health_answer(Switches(healthy=False))
    assert answer.status == 503
    assert "/practice/health" in answer.body["reason"]
