"""The API server in process, over plain HTTP on loopback, with doubles around it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.api.ports import Identity, IssueToken
from selfheal_sandbox.api.server import application, runner
from tests.contract.api import Api
from tests.unit.sandbox_api.fakes import FakeNetwork, FakeRuntime, ManualClock, make_objects

TOKEN = "a-token"
HEALERD_TOKEN = "another-token"
DEADLINE_SECONDS = 10.0
IDENTITIES = {
    TOKEN: Identity("admin", ("system:masters",)),
    HEALERD_TOKEN: Identity("system:serviceaccount:shop:healerd", ("system:serviceaccounts", "system:authenticated")),
}


class Server(Api):
    """The server under test, and a client of it."""

    def __init__(
        self, url: str, session: aiohttp.ClientSession, objects: Objects, runtime: FakeRuntime, network: FakeNetwork
    ) -> None:
        super().__init__(url, session)
        self.objects = objects
        self.runtime = runtime
        self.network = network


@asynccontextmanager
async def serving(
    objects: Objects | None = None,
    *,
    request_log: Path | None = None,
    bookmark_seconds: float = 10.0,
    token: str = TOKEN,
    issue_token: IssueToken | None = None,
) -> AsyncIterator[Server]:
    """Run a server for as long as the context lasts."""
    network, runtime = FakeNetwork(), FakeRuntime()
    objects = objects or make_objects(network=network)
    app = application(
        objects,
        runtime,
        network,
        authenticate=IDENTITIES.get,
        issue_token=issue_token,
        request_log=request_log,
        bookmark_seconds=bookmark_seconds,
    )
    running = runner(app)
    await running.setup()
    site = web.TCPSite(running, "127.0.0.1", 0)
    await site.start()
    host, port = running.addresses[0][:2]
    headers = {"Authorization": f"Bearer {token}", "User-Agent": "tester/1.0 (test)"}
    timeout = aiohttp.ClientTimeout(total=DEADLINE_SECONDS)
    try:
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            yield Server(f"http://{host}:{port}", session, objects, runtime, network)
    finally:
        await running.cleanup()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def network() -> FakeNetwork:
    return FakeNetwork()


@pytest.fixture
def objects(clock: ManualClock, network: FakeNetwork) -> Objects:
    return make_objects(clock, network)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as started:
        yield started
