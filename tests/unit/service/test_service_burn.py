import time

import pytest

from selfheal_service.burn import Burner, shares
from tests.unit.service.conftest import Subject


@pytest.mark.parametrize(
    ("millicores", "expected"),
    [(0, [0.0]), (250, [0.25]), (1000, [1.0]), (1001, [0.5005, 0.5005]), (2500, pytest.approx([2.5 / 3] * 3))],
)
def test_millicores_are_spread_over_as_few_threads_as_can_burn_them(millicores: int, expected: list[float]) -> None:
    assert shares(millicores) == expected


def await_end(burner: Burner, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while burner.burning:
        assert time.monotonic() < deadline, "still burning"
        time.sleep(0.005)


def test_burns_about_the_cpu_it_was_asked_for() -> None:
    burner = Burner()
    before = time.process_time()
    burner.start(millicores=400, duration_seconds=1.0)
    await_end(burner, 10)
    used = time.process_time() - before
    # The upper bound is exact up to a block per period; a starved machine may burn less.
    assert 0.1 <= used <= 0.6


def test_a_stopped_burn_ends_at_once() -> None:
    burner = Burner()
    burner.start(millicores=2000, duration_seconds=60)
    assert burner.burning
    burner.stop()
    await_end(burner, 2)


def test_a_new_burn_replaces_the_old() -> None:
    burner = Burner()
    burner.start(millicores=500, duration_seconds=60)
    burner.start(millicores=100, duration_seconds=0.05)
    await_end(burner, 5)


async def test_burning_over_http_leaves_probes_answered_and_ends_with_the_application(subject: Subject) -> None:
    async with subject.app.test_app() as app:
        client = app.test_client()
        answer = await client.post("/practice/burn", json={"millicores": 1500, "seconds": 60})
        before = time.process_time()
        for _ in range(20):
            assert (await client.get("/health")).status_code == 200
        await client.post("/practice/burn", json={"millicores": 0, "seconds": 0})
    assert await answer.get_json() == {"millicores": 1500, "seconds": 60}
    assert time.process_time() > before
