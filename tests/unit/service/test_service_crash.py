import asyncio
import json

import pytest

from tests.unit.service.conftest import StartService, Subject
from tests.unit.service.http_client import Connection


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_answers_then_exits_non_zero(start_service: StartService, method: str) -> None:
    service = start_service()
    async with Connection(service.port) as connection:
        answer = await connection.get("/crash", method)
        assert await connection.ended()
    assert (answer.status, answer.closes) == (202, True)
    assert json.loads(answer.body) == {"status": "crashing", "exit_code": 1}
    assert await asyncio.to_thread(service.process.wait, 10) == 1
    assert service.log[-1]["route"] == "/crash"


async def test_the_process_ends_only_after_the_answer(subject: Subject) -> None:
    response = await subject.app.test_client().post("/crash", data=b"x" * 1000)
    assert response.status_code == 202
    assert subject.exit_codes == [1]


async def test_other_requests_crash_nothing(subject: Subject) -> None:
    client = subject.app.test_client()
    assert (await client.delete("/crash")).status_code == 405
    assert (await client.get("/crash/now")).status_code == 404
    assert subject.exit_codes == []
