"""Plain HTTP: deadlines, bounds, and no proxy between us and our own machine."""

import pytest

from selfheal_core.cluster.http.client import HttpClient, NoAnswer
from tests.faults import behaviours
from tests.faults.server import FaultServer


async def test_any_status_is_an_answer(server: FaultServer) -> None:
    server.script("GET", "/health", behaviours.body(b'{"ok":false}', code=503))
    async with HttpClient(server.url) as http:
        answer = await http.get("/health", headers={"X-Test": "1"})
    assert (answer.status, answer.ok, answer.text) == (503, False, '{"ok":false}')
    assert 0 < answer.seconds < 5
    assert server.requests[0].headers["x-test"] == "1"


async def test_sends_a_body(server: FaultServer) -> None:
    server.script("POST", "/crash", behaviours.body(b"bye"))
    async with HttpClient(server.url) as http:
        answer = await http.post("/crash", b"now")
    assert answer.ok
    assert server.requests[0].body == b"now"


async def test_a_late_answer_is_none(server: FaultServer) -> None:
    server.script("GET", "/", behaviours.freeze())
    async with HttpClient(server.url, deadline_seconds=0.1) as http:
        with pytest.raises(NoAnswer, match=r"no answer from http://127.*/ within 0\.1 s"):
            await http.get()


async def test_a_trickle_is_late_too(server: FaultServer) -> None:
    server.script("GET", "/", behaviours.lines(b"x", then="freeze"))
    async with HttpClient(server.url) as http:
        with pytest.raises(NoAnswer, match=r"within 0\.1 s"):
            await http.get(deadline_seconds=0.1)


async def test_nobody_there_is_no_answer(server: FaultServer) -> None:
    await server.stop()
    async with HttpClient(server.url) as http:
        with pytest.raises(NoAnswer, match="no answer from"):
            await http.get("/health")
    await server.start()


async def test_a_body_without_end_is_cut(server: FaultServer) -> None:
    server.script("GET", "/", behaviours.lines(*[b"x" * 1000] * 10, then="freeze"))
    async with HttpClient(server.url) as http:
        answer = await http.get(limit_bytes=2500)
    assert len(answer.body) == 2500


async def test_no_proxy_stands_before_our_own_machine(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    server.script("GET", "/", behaviours.body(b"direct"))
    async with HttpClient(server.url) as http:
        assert (await http.get()).text == "direct"


async def test_a_redirect_is_an_answer_not_a_detour(server: FaultServer) -> None:
    server.script("GET", "/", behaviours.body(b"", code=302))
    async with HttpClient(server.url) as http:
        assert (await http.get()).status == 302
