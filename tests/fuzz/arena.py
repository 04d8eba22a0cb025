"""Plays sequences at two servers at once and compares what they answer."""

import asyncio
import itertools
import json
import re
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.contract.api import Api, leave
from tests.fuzz.calls import NAMESPACE, Call, Calls, Memory
from tests.fuzz.comparing import Answer, Difference, Pair, differences
from tests.fuzz.normalising import Ordinals
from tests.fuzz.pools import DEFINITION, GROUP, KINDS

REQUEST_SECONDS = 30.0
READY_SECONDS = 20.0
WATCH_SECONDS = 1.5
"""How long the two sides of a watch may take to tell the same before that counts as a difference."""
QUIET_SECONDS = 0.03
"""How long both sides must have told nothing new."""
USER_AGENT = "fuzz/1.0"

_WARNING = re.compile(r'299 \S+ "(.*)"')


@dataclass(slots=True)
class Reading:
    """An open watch: its lines come in while the sequence goes on."""

    response: aiohttp.ClientResponse
    lines: list[Any] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None

    async def read(self) -> None:
        """Take lines until the server ends the watch."""
        async for line in self.response.content:
            self.lines.append(json.loads(line))

    async def close(self) -> None:
        """Leave the watch."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        leave(self.response)


class Side:
    """One server, as one sequence sees it."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._memory = Memory()
        self._ordinals = Ordinals(namespace)

    def _placed(self, value: Any) -> Any:
        """Return a part of a call with this side's versions and namespace in it."""
        if isinstance(value, dict):
            return {name: self._placed(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._placed(item) for item in value]
        if isinstance(value, str):
            return re.sub(rf"\b{NAMESPACE}\b", self._namespace, self._memory.resolve(value))
        return value

    async def ask(self, call: Call) -> Answer:
        """Send a call that is no watch."""
        answer = await self._api.ask(
            call.method,
            self._placed(call.path),
            self._placed(call.body),
            content_type=call.content_type,
            **{name: self._placed(value) for name, value in call.query},
        )
        body = answer.json
        self._memory.learn(body)
        warnings = tuple(_warning_text(line) for line in answer.headers.getall("Warning", ()))
        return self._answer(answer.code, body, warnings)

    def _answer(self, code: int, body: Any, warnings: tuple[str, ...] = ()) -> Answer:
        message = body.get("message", "") if isinstance(body, dict) and body.get("kind") == "Status" else ""
        return Answer(code, self._ordinals.normal(body), warnings, message)

    async def watch(self, call: Call) -> Answer | Reading:
        """Open a watch; an answer is what was said instead."""
        query = {name: self._placed(value) for name, value in call.query}
        path = self._api.url + self._placed(call.path)
        response = await self._api.session.get(path, params=query, headers={"Accept": "application/json"})
        if response.status != 200:
            return self._answer(response.status, json.loads(await response.read()))
        reading = Reading(response)
        reading.task = asyncio.create_task(reading.read())
        return reading

    def events(self, call: Call, reading: Reading) -> Answer:
        """Return what a watch has told by now; what a watch without a version begins with is told in any order."""
        lines = reading.lines
        if all(name != "resourceVersion" for name, _ in call.query):
            begun = list(itertools.takewhile(lambda line: line["type"] == "ADDED", lines))
            lines = sorted(begun, key=lambda line: line["object"]["metadata"]["name"]) + lines[len(begun) :]
        events = [{"type": line["type"], "object": self._ordinals.normal(line["object"])} for line in lines]
        return Answer(200, events)


def _warning_text(header: str) -> str:
    match = _WARNING.fullmatch(header)
    return match[1].replace('\\"', '"') if match else header


@dataclass(frozen=True, slots=True)
class Played:
    """A sequence that was played, with both answers to each call; the lists of its end state follow the calls."""

    calls: Calls
    pairs: tuple[Pair, ...]

    def differences(self) -> list[Difference]:
        """Return where the sides differ, in the order of the calls."""
        return [
            difference
            for index, (call, pair) in enumerate(zip(self.calls, self.pairs, strict=True))
            for difference in differences(index, call, pair)
        ]


class Arena:
    """Two servers, the real one first."""

    def __init__(self, real: Api, sandbox: Api) -> None:
        self._apis = (real, sandbox)
        self._start = uuid.uuid4().hex[:8]
        self._numbers = itertools.count(1)

    async def play(self, sequence: Sequence[Call]) -> Played:
        """Play a sequence in a namespace of its own and return all answers."""
        namespace = f"fuzz-{self._start}-{next(self._numbers):06}"
        await asyncio.gather(*(_make_namespace(api, namespace) for api in self._apis))
        await _make_account(self._apis[0], namespace)
        sides = (Side(self._apis[0], namespace), Side(self._apis[1], namespace))
        calls = (*sequence, *_end_state(sequence))
        pairs: list[Pair | None] = []
        watches: list[tuple[int, tuple[Reading, Reading]]] = []
        async with AsyncExitStack() as stack:
            for index, call in enumerate(calls):
                pairs.append(await self._asked(sides, call, index, watches, stack))
            for index, readings in watches:
                await _settled(sides, readings)
                real, sandbox = (side.events(calls[index], each) for side, each in zip(sides, readings, strict=True))
                pairs[index] = (real, sandbox)
        return Played(calls, tuple(pair for pair in pairs if pair is not None))

    async def _asked(
        self,
        sides: tuple[Side, Side],
        call: Call,
        index: int,
        watches: list[tuple[int, tuple[Reading, Reading]]],
        stack: AsyncExitStack,
    ) -> Pair | None:
        """Return both answers, or None for a watch that goes on."""
        if call.verb != "watch":
            real, sandbox = await asyncio.gather(*(side.ask(call) for side in sides))
            return real, sandbox
        first, second = await asyncio.gather(*(side.watch(call) for side in sides))
        for opened in (first, second):
            if isinstance(opened, Reading):
                stack.push_async_callback(opened.close)
        if isinstance(first, Reading) and isinstance(second, Reading):
            watches.append((index, (first, second)))
            return None
        return tuple(  # type: ignore[return-value]
            Answer(200, []) if isinstance(opened, Reading) else opened for opened in (first, second)
        )


async def _settled(sides: tuple[Side, Side], readings: tuple[Reading, Reading]) -> None:
    """Wait until both sides of a watch have told as many events and nothing new comes, or until it is too late."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WATCH_SECONDS
    counts, since = (-1, -1), loop.time()
    while loop.time() < deadline:
        now = (len(readings[0].lines), len(readings[1].lines))
        if now != counts:
            counts, since = now, loop.time()
        elif now[0] == now[1] and loop.time() - since >= QUIET_SECONDS:
            return
        await asyncio.sleep(QUIET_SECONDS / 3)


def _end_state(sequence: Sequence[Call]) -> list[Call]:
    """Return calls that list all that a sequence may have left behind."""
    touched = {call.kind for call in sequence}
    return [Call("end state", kind.name, "GET", kind.collection) for kind in KINDS if kind.name in touched]


async def _make_namespace(api: Api, name: str) -> None:
    (await api.post("/api/v1/namespaces", {"metadata": {"name": name}})).expect(201)


async def _make_account(api: Api, namespace: str) -> None:
    """Make the service account of every namespace; without a token, whose volume has a random name."""
    body = {"metadata": {"name": "default"}, "automountServiceAccountToken": False}
    (await api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", body)).expect(201)


async def prepare(api: Api) -> None:
    """Define the custom kind, and wait until it is served."""
    (await api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", DEFINITION)).expect(201, 409)
    path = f"/apis/{GROUP}/v1/widgets"
    async with asyncio.timeout(READY_SECONDS):
        while (await api.get(path)).code != 200:
            await asyncio.sleep(0.1)


@asynccontextmanager
async def connected(url: str, headers: dict[str, str], tls: Any = True) -> AsyncIterator[Api]:
    """Give a client of one server, whose connections are kept."""
    connector = aiohttp.TCPConnector(ssl=tls, limit=0)
    timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
    sent = {**headers, "User-Agent": USER_AGENT}
    async with aiohttp.ClientSession(connector=connector, headers=sent, timeout=timeout) as session:
        yield Api(url, session)
