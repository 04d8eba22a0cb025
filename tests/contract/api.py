"""A small HTTP client of any Kubernetes API server, for tests."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from selfheal_sandbox.store.objects import Object

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
LINE_DEADLINE_SECONDS = 10.0


class Answer:
    """One response, read."""

    def __init__(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        self.code = response.status
        self.headers = response.headers
        self.body = body

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    def expect(self, *codes: int) -> Any:
        """Return the decoded body after checking the code."""
        assert self.code in codes, f"HTTP {self.code}: {self.body[:300]!r}"
        return self.json


class Watching:
    """The lines of an open watch."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self, deadline_seconds: float = LINE_DEADLINE_SECONDS) -> Object:
        """Return the next line."""
        async with asyncio.timeout(deadline_seconds):
            line: Object = json.loads(await self.response.content.readline())
        return line

    async def until(self, kind: str, name: str = "", deadline_seconds: float = LINE_DEADLINE_SECONDS) -> Object:
        """Return the first line of a type, about an object of a name if one is given; skip others."""
        async with asyncio.timeout(deadline_seconds):
            while True:
                line = await self.next(deadline_seconds)
                if line["type"] == kind and name in ("", line["object"]["metadata"].get("name")):
                    return line

    async def rest(self, deadline_seconds: float = LINE_DEADLINE_SECONDS) -> list[Object]:
        """Return every line until the server ends the watch."""
        async with asyncio.timeout(deadline_seconds):
            return [json.loads(line) async for line in self.response.content]


class Api:
    """Sends requests to one server."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
        headers: dict[str, str] | None = None,
        **query: str,
    ) -> Answer:
        """Send a request; a body that is neither text nor bytes is sent as JSON."""
        data = body if body is None or isinstance(body, bytes | str | io.IOBase) else json.dumps(body)
        sent = {"Accept": accept, **({"Content-Type": content_type} if body is not None else {}), **(headers or {})}
        async with self.session.request(method, self.url + path, data=data, headers=sent, params=query) as response:
            return Answer(response, await response.read())

    async def get(self, path: str, **options: Any) -> Answer:
        """Send a GET."""
        return await self.ask("GET", path, **options)

    async def post(self, path: str, body: Any, **options: Any) -> Answer:
        """Send a POST."""
        return await self.ask("POST", path, body, **options)

    async def put(self, path: str, body: Any, **options: Any) -> Answer:
        """Send a PUT."""
        return await self.ask("PUT", path, body, **options)

    async def patch(self, path: str, body: Any, content_type: str = MERGE_PATCH, **options: Any) -> Answer:
        """Send a PATCH, a merge patch if nothing else is said."""
        return await self.ask("PATCH", path, body, content_type=content_type, **options)

    async def delete(self, path: str, body: Any = None, **options: Any) -> Answer:
        """Send a DELETE."""
        return await self.ask("DELETE", path, body, **options)

    async def apply(self, path: str, body: Any, manager: str, **options: Any) -> Answer:
        """Send a server-side apply."""
        return await self.patch(path, body, APPLY_PATCH, fieldManager=manager, **options)

    @asynccontextmanager
    async def watch(self, path: str, accept: str = "application/json", **query: str) -> AsyncIterator[Watching]:
        """Open a watch for as long as the context lasts."""
        params = {"watch": "true", **query}
        async with self.session.get(self.url + path, params=params, headers={"Accept": accept}) as response:
            assert response.status == 200, await response.text()
            try:
                yield Watching(response)
            finally:
                leave(response)


def leave(response: aiohttp.ClientResponse) -> None:
    """Drop the connection of an unfinished response at once, without a TLS farewell that outlives the test."""
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()
    response.close()


async def eventually(check: Any, deadline_seconds: float = 15.0, interval_seconds: float = 0.05) -> Any:
    """Call an async function until it returns something true, and return that."""
    async with asyncio.timeout(deadline_seconds):
        while not (result := await check()):
            await asyncio.sleep(interval_seconds)
    return result
