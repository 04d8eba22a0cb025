"""The client of the demo counts every answer once: what failed, what came first, and nothing is tried again."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from selfheal_cli.demo.load import Load
from tests.faults.behaviours import status
from tests.faults.server import Exchange, FaultServer

DEADLINE_SECONDS = 20.0


async def ok(exchange: Exchange) -> None:
    await exchange.answer(200, b"hello")


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with FaultServer() as faults:
        yield faults


async def sent(load: Load, count: int) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while load.sent < count:
            await asyncio.sleep(0.01)


async def leave(load: Load) -> None:
    """End the load while the server, which lives in this loop, can still answer."""
    await asyncio.to_thread(load.__exit__, None, None, None)


async def test_every_request_is_sent_once_and_counted_once(server: FaultServer) -> None:
    server.script("GET", "/", ok)

    load = Load(server.url, requests_per_second=400).__enter__()
    await sent(load, 20)
    await leave(load)

    assert (load.failed, load.first_failure) == (0, "")
    assert load.sent == len(server.requests)
    assert load.summary == f"{load.sent} requests sent to {server.url}, 0 failed"


async def test_connections_are_kept_for_some_requests_and_new_for_others(server: FaultServer) -> None:
    server.script("GET", "/", ok)

    def of_each_kind(count: int) -> bool:
        closing = [request.headers.get("connection") == "close" for request in server.requests]
        return min(closing.count(True), closing.count(False)) >= count

    load = Load(server.url, requests_per_second=200).__enter__()
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not of_each_kind(5):
            await asyncio.sleep(0.01)
    await leave(load)

    assert load.failed == 0


async def test_an_answer_that_is_not_200_fails_and_the_first_one_is_remembered(server: FaultServer) -> None:
    server.script("GET", "/", status(503), status(503), ok)

    load = Load(server.url, requests_per_second=400).__enter__()
    await sent(load, 10)
    await leave(load)

    assert load.failed == 2
    assert load.first_failure == "status 503"
    assert load.sent == len(server.requests)
