"""The sandbox's API server alone, over plain HTTP on loopback: it holds only what calls put there.

``python -m tests.fuzz.sandbox_server [BUG]`` prints its port on one line and serves until its input is closed. With the
name of a bug of `tests.fuzz.planted`, a part of it is replaced by one that has the bug.
"""

import asyncio
import sys
from datetime import UTC, datetime

import uvloop
from aiohttp import web

from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.api.ports import Identity
from selfheal_sandbox.api.server import application, runner
from selfheal_sandbox.kinds.registry import Registry
from selfheal_sandbox.store.store import Store
from tests.fuzz.planted import BUGS, Parts
from tests.unit.sandbox_api.fakes import FakeNetwork, FakeRuntime

TOKEN = "a-token"
IDENTITIES = {TOKEN: Identity("admin", ("system:masters",))}


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


async def serve(parts: Parts) -> None:
    """Serve until standard input is closed."""
    network = FakeNetwork()
    objects = parts.objects(parts.store(), Registry(), utc_now, addresses=network)
    app = application(objects, FakeRuntime(), network, authenticate=IDENTITIES.get)
    app.middlewares.extend(parts.middlewares)
    running = runner(app)
    await running.setup()
    site = web.TCPSite(running, "127.0.0.1", 0)
    await site.start()
    print(running.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await running.cleanup()


def main(arguments: list[str]) -> None:
    """Serve, with the bug that is named if one is."""
    uvloop.run(serve(BUGS[arguments[0]] if arguments else Parts(Store, Objects)))


if __name__ == "__main__":
    main(sys.argv[1:])
