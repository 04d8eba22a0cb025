import pytest

from selfheal_service.settings import Settings
from tests.unit.service.conftest import Subject, make_subject

PATHS = ("/practice/health", "/practice/ready", "/practice/burn", "/practice/faults")


@pytest.mark.parametrize("path", PATHS)
async def test_switches_do_not_exist_unless_the_setting_says_so(path: str) -> None:
    closed = make_subject(Settings(practice=False))
    response = await closed.app.test_client().post(path, json={})
    assert response.status_code == 404


async def test_health_fails_until_switched_back(subject: Subject) -> None:
    client = subject.app.test_client()
    await client.post("/practice/health", json={"healthy": False})
    failing = await client.get("/health")
    await client.post("/practice/health", json={"healthy": True})
    assert failing.status_code == 503
    assert (await client.get("/health")).status_code == 200


async def test_readiness_fails_with_the_given_reason(subject: Subject) -> None:
    async with subject.app.test_app() as app:
        client = app.test_client()
        answer = await client.post("/practice/ready", json={"ready": False, "reason": "warming up"})
        failing = await client.get("/ready")
        await client.post("/practice/ready", json={"ready": True})
        back = await client.get("/ready")
    assert await answer.get_json() == {"ready": False, "reason": "warming up"}
    assert (failing.status_code, await failing.get_json()) == (503, {"status": "not ready", "reason": "warming up"})
    assert back.status_code == 200


async def test_switches_do_not_disturb_each_other(subject: Subject) -> None:
    async with subject.app.test_app() as app:
        client = app.test_client()
        await client.post("/practice/health", json={"healthy": False})
        await client.post("/practice/ready", json={"ready": False})
        await client.post("/practice/ready", json={"ready": True})
        assert (await client.get("/health")).status_code == 503
        assert (await client.get("/ready")).status_code == 200


async def test_every_request_fails_at_ratio_one_except_where_faults_must_not_reach(subject: Subject) -> None:
    async with subject.app.test_app() as app:
        client = app.test_client()
        await client.post("/practice/faults", json={"error_ratio": 1})
        statuses = {path: (await client.get(path)).status_code for path in ("/", "/health", "/ready", "/metrics")}
        lifted = await client.post("/practice/faults", json={})
        after = await client.get("/")
    assert statuses == {"/": 500, "/health": 200, "/ready": 200, "/metrics": 200}
    assert (lifted.status_code, after.status_code) == (200, 200)


async def test_the_same_seed_fails_the_same_requests(subject: Subject) -> None:
    client = subject.app.test_client()

    async def statuses(seed: int) -> list[int]:
        await client.post("/practice/faults", json={"error_ratio": 0.5, "seed": seed})
        return [(await client.get("/")).status_code for _ in range(40)]

    first, again, other = await statuses(7), await statuses(7), await statuses(8)
    assert first == again != other
    assert set(first) == {200, 500}


async def test_latency_delays_requests_but_not_probes(subject: Subject) -> None:
    client = subject.app.test_client()
    await client.post("/practice/faults", json={"latency_seconds": 0.15})
    for path in ("/", "/health"):
        await client.get(path)
    duration_ms = {line["route"]: line["duration_ms"] for line in subject.log if line["event"] == "request"}
    assert duration_ms["/"] >= 150
    assert duration_ms["/health"] < 150


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/practice/health", b"", "body: invalid json"),
        ("/practice/health", b"[]", "body: input should be an object"),
        ("/practice/health", b"{}", "healthy: field required"),
        ("/practice/health", b'{"healthy": "no"}', "healthy: input should be a valid boolean"),
        ("/practice/health", b'{"healthy": true, "helthy": true}', "helthy: extra inputs are not permitted"),
        ("/practice/ready", b'{"ready": false, "reason": ""}', "reason: string should have at least 1 character"),
        ("/practice/burn", b'{"millicores": 100}', "seconds: field required"),
        ("/practice/burn", b'{"millicores": -1, "seconds": 1}', "millicores: input should be greater than or equal"),
        ("/practice/burn", b'{"millicores": 1, "seconds": NaN}', "seconds"),
        ("/practice/faults", b'{"error_ratio": 1.1}', "error_ratio: input should be less than or equal to 1"),
        ("/practice/faults", b'{"latency_seconds": -1}', "latency_seconds: input should be greater"),
        ("/practice/faults", b'{"seed": 1.5}', "seed: input should be a valid integer"),
        ("/practice/faults", b"\xff", "body: invalid json"),
    ],
)
async def test_a_bad_body_is_refused_and_told_why(subject: Subject, path: str, body: bytes, said: str) -> None:
    response = await subject.app.test_client().post(path, data=body)
    assert response.status_code == 400
    assert said in (await response.get_json())["error"]


async def test_a_huge_body_is_refused(subject: Subject) -> None:
    response = await subject.app.test_client().post("/practice/health", data=b"x" * 100_000)
    assert response.status_code == 413
