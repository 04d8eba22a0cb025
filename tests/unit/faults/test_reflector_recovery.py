"""The reflector against each way in which a server misbehaves: it recovers by itself, with few requests.

Each fault meets a watch that follows a list in pages, and one that follows a streamed list.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from selfheal_core.cluster.kubernetes.client import KubernetesClient
from tests.faults import behaviours
from tests.faults.behaviours import event
from tests.faults.server import Behaviour, Exchange, FaultServer, status_object
from tests.unit.faults.conftest import Reflected, Start

IDLE_SECONDS = 0.4
BIG = "x" * 3 * 2**20

Fault = Callable[[FaultServer, Reflected], Awaitable[None]]


@dataclass(frozen=True)
class Row:
    """One fault.

    Attributes:
        next_watch: What happens to the first watch.
        each_watch: What happens to every watch until the fourth.
        during: What else happens.
        lists: How many lists it may cost, the first one included.
        watches: How many watches.
        big: Whether the change meanwhile is a line of 3 MB.
    """

    next_watch: Behaviour | None = None
    each_watch: Behaviour | None = None
    during: Fault | None = None
    lists: int = 1
    watches: int = 3
    big: bool = False


async def restart(server: FaultServer, reflected: Reflected) -> None:
    await server.stop()
    await reflected.until(lambda: reflected.condition == "lost")
    await server.start()


async def fall_silent(server: FaultServer, reflected: Reflected) -> None:
    await reflected.until(lambda: "stale" in reflected.conditions)


async def mark(server: FaultServer, reflected: Reflected) -> None:
    await server.bookmark()
    server.cut()


FAULTS = {
    "410 in the stream": Row(behaviours.gone(), lists=2, watches=2),
    "410 on opening": Row(behaviours.status(410, "Expired", "too old resource version"), lists=2, watches=2),
    "TCP reset": Row(behaviours.lines(then="reset"), watches=2),
    "server restart": Row(during=restart, watches=3),
    "each watch closed at once": Row(each_watch=behaviours.close_at_once(), lists=4, watches=6),
    "line cut at its end": Row(behaviours.lines(b'{"type":"ADDED","object":{"metadata":{"na'), watches=2),
    "line that is not JSON": Row(each_watch=behaviours.garbage(), lists=4, watches=6),
    "bookmark, then a cut": Row(during=mark, watches=2),
    "ERROR without code or reason": Row(
        behaviours.lines(event("ERROR", {"kind": "Status", "message": "hm"})), watches=2
    ),
    "bare Status line": Row(behaviours.lines(status_object(500, "InternalError", "boom")), watches=2),
    "503 page": Row(each_watch=behaviours.html(503), watches=6),
    "429": Row(behaviours.status(429, "TooManyRequests", "slow down", retry_after=0.2), watches=2),
    "line of 3 MB": Row(big=True, watches=1),
    "silence": Row(behaviours.mute(), during=fall_silent, lists=2, watches=2),
    # Beyond the fourteen of the survey of clients.
    "503 with Retry-After": Row(behaviours.status(503, "Unavailable", "later", retry_after=0.2), watches=2),
    "replay of what is known, twice": Row(next_watch=None, watches=2),
}
WAYS = ("pages", "stream")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", FAULTS)
async def test_recovers_from(
    server: FaultServer, client: KubernetesClient, reflect: Start, fault: str, way: str
) -> None:
    row = FAULTS[fault]
    client.streams_lists = way == "stream"
    server.on_stream.append(list_then_close(server))
    server.always_stream = list_then_close(server) if row.each_watch else None
    behaviour = server.replay if "replay" in fault else row.next_watch
    if behaviour is not None:
        server.on_watch.append(behaviour)
    server.always_watch = row.each_watch
    reflected = await reflect(idle_seconds=IDLE_SECONDS if row.during is fall_silent else 5.0)
    await reflected.until(lambda: requests(server) >= (5 if row.each_watch else 2))
    if row.during is not None:
        await row.during(server, reflected)
    server.always_watch = server.always_stream = None

    await server.put("c", **({"data": BIG} if row.big else {}))
    await server.remove("a")
    await reflected.until(lambda: reflected.names == {"b", "c"} and reflected.condition == "live")
    await server.put("d")
    await reflected.until(lambda: reflected.names == {"b", "c", "d"} and reflected.condition == "live")

    assert reflected.reflector.source.reason == ""
    # Closing the streamed list early was a fault of its own, which counts towards listing anew.
    extra = 1 if way == "stream" else 0
    assert server.lists <= row.lists + extra
    assert requests(server) <= row.lists + row.watches + extra
    assert sorted(reflected.heard) == [
        ("added", "a"),
        ("added", "b"),
        ("added", "c"),
        ("added", "d"),
        ("deleted", "a"),
    ], "each change is told once, whatever was replayed"


def requests(server: FaultServer) -> int:
    return server.lists + server.watches


def list_then_close(server: FaultServer) -> Behaviour:
    """A streamed list whose watch ends with it, so that the next one meets the fault."""

    async def answer(exchange: Exchange) -> None:
        await server.initial_events(exchange)
        await exchange.close()

    return answer
