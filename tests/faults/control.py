"""Commands to a ``FaultServer`` in another process: one JSON object a line, and one a line back.

| command | does |
|---|---|
| ``{"fault": NAME, "on": KIND, "path": END, "times": N, "delay": SECONDS, "arguments": {}}`` | misbehave, see below |
| ``{"mend": true}`` | take all faults back |
| ``{"tokens": [...]}`` | accept these bearer tokens only; null: anybody |
| ``{"rate": N}`` | changes a second |
| ``{"burst": N}`` | N changes as fast as they are read; answered when they were |
| ``{"mark": true}`` | a bookmark to every watch |
| ``{"compact": true}`` | forget history, so that older versions are gone |
| ``{"cut": true}`` | cut every connection |
| ``{"clock": SECONDS}`` | be off by this, in ``Date`` and in timestamps |
| ``{"streams": "serve"}`` | how streamed lists are treated, see ``FaultServer.streams_lists`` |
| ``{"requests": true}`` | answered with kind, method, path and age of each request so far |

A fault's ``NAME`` is one of ``behaviours.NAMED``, ``replay``, or ``delay`` alone; its ``KIND`` as in ``Request.kind``.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from tests.faults.behaviours import NAMED
from tests.faults.exchange import Behaviour, Exchange
from tests.faults.load import Load
from tests.faults.server import Fault, FaultServer


class Control:
    """Carries out commands.

    Args:
        server: Whom they are about.
        load: What it serves.
    """

    def __init__(self, server: FaultServer, load: Load) -> None:
        self._server = server
        self._load = load

    async def obey(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out one command; gives the answer.

        Raises:
            ValueError: There is no such command.
        """
        server, load = self._server, self._load
        match dict(command):
            case {"fault": name}:
                server.faults.append(self._fault(str(name), command))
            case {"mend": _}:
                server.faults.clear()
            case {"tokens": tokens}:
                server.tokens = None if tokens is None else set(tokens)
            case {"rate": rate}:
                load.changes_per_second = float(rate)
            case {"burst": events}:
                await load.burst(int(events))
            case {"mark": _}:
                await load.mark()
            case {"compact": _}:
                load.pods.forget()
                load.others.forget()
            case {"cut": _}:
                server.cut()
            case {"clock": seconds}:
                server.clock_offset_seconds = float(seconds)
                load.set_clock_offset(float(seconds))
            case {"streams": how}:
                server.streams_lists = how
            case {"requests": _}:
                return {"requests": self._requests()}
            case _:
                raise ValueError(f"no such command: {command}")
        return {"ok": True}

    def _fault(self, name: str, how: Mapping[str, Any]) -> Fault:
        behaviour = self._behaviour(name, how.get("arguments", {}))
        return Fault(
            _delayed(float(how["delay"]), behaviour) if "delay" in how else behaviour,
            how.get("on", "any"),
            how.get("path", ""),
            how.get("times"),
        )

    def _behaviour(self, name: str, arguments: Mapping[str, Any]) -> Behaviour:
        if name == "replay":
            return self._server.replay
        if name == "delay":
            return self._server.proper
        return NAMED[name](**arguments)

    def _requests(self) -> list[dict[str, Any]]:
        now = time.monotonic()
        return [
            {
                "kind": request.kind,
                "method": request.method,
                "path": request.path,
                "selector": request.query.get("fieldSelector", ""),
                "age": now - request.at,
            }
            for request in self._server.requests
        ]


def _delayed(seconds: float, then: Behaviour) -> Behaviour:
    async def answer(exchange: Exchange) -> None:
        await asyncio.sleep(seconds)
        await then(exchange)

    return answer
