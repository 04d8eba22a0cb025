"""Calls to the Kubernetes API over one session: decoded to our own structs, each with a deadline."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import aiohttp
import msgspec

from selfheal_core.cluster.kubernetes import paths, requests
from selfheal_core.cluster.kubernetes.api_errors import (
    ApiError,
    ServerFault,
    Unauthorized,
    from_exception,
    from_response,
)
from selfheal_core.cluster.kubernetes.configuration import Connection
from selfheal_core.cluster.kubernetes.line_stream import LineStream, transport_of
from selfheal_core.cluster.kubernetes.server_clock import ServerClock

T = TypeVar("T")
_JSON: type[Any] = dict[str, Any]
"""Whatever the API answers in JSON is an object."""
Params = Mapping[str, str]

CONNECT_SECONDS = 10.0
DEADLINE_SECONDS = 10.0
BODY_LIMIT_BYTES = 256 * 2**20
"""No single answer is longer; a list in pages of 500 pods of 12 KB has 6 MB."""
PROXY_BODY_LIMIT_BYTES = 4 * 2**20
"""What a pod answers through the proxy is trusted least."""
ERROR_BODY_LIMIT_BYTES = 64 * 2**10
LOG_LIMIT_BYTES = 2 * 2**20


class PatchType(StrEnum):
    """How the API server applies a patch."""

    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    JSON = "application/json-patch+json"
    APPLY = "application/apply-patch+yaml"


class KubernetesClient:
    """Calls to one API server.

    Every failure is an ``ApiError``. A 401 makes the connection renew its credentials once, then the call is tried
    again; nothing else is retried here.

    Attributes:
        connection: Where it talks to.
        clock: The server's, as far as its answers tell.
        writes: Requests sent that could change something; reviews of our own rights and dry runs are not counted.
        streams_lists: Whether the server is asked for lists as streams (WatchList); a reflector that finds out that it
            does not know them clears it for all.
    """

    def __init__(self, connection: Connection, *, user_agent: str, clock: ServerClock | None = None) -> None:
        self.connection = connection
        self.clock = clock or ServerClock()
        self.writes = 0
        self.streams_lists = True
        self._user_agent = user_agent

    async def get(
        self,
        path: str,
        type: type[T],  # noqa: A002
        *,
        params: Params | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> T:
        """Read one object or list.

        Args:
            path: From ``paths.path``.
            type: Struct to decode to; fields it does not name are skipped.
            params: Query parameters.
            deadline_seconds: For the whole call.

        Raises:
            ApiError: Any of the tree.
        """
        body = await self.get_bytes(path, params=params, deadline_seconds=deadline_seconds)
        return _decode(body, type, path)

    async def get_json(
        self, path: str, *, params: Params | None = None, deadline_seconds: float = DEADLINE_SECONDS
    ) -> Any:
        """Read JSON as plain dictionaries and lists, for objects we have no struct for."""
        return _decode(await self.get_bytes(path, params=params, deadline_seconds=deadline_seconds), _JSON, path)

    async def get_text(
        self, path: str, *, params: Params | None = None, deadline_seconds: float = DEADLINE_SECONDS
    ) -> str:
        """Read text; bytes that are not UTF-8 are replaced."""
        body = await self.get_bytes(path, params=params, accept="*/*", deadline_seconds=deadline_seconds)
        return body.decode(errors="replace")

    async def get_bytes(
        self,
        path: str,
        *,
        params: Params | None = None,
        accept: str = "application/json",
        deadline_seconds: float = DEADLINE_SECONDS,
        limit_bytes: int = BODY_LIMIT_BYTES,
    ) -> bytes:
        """Read a body as it is.

        Raises:
            ServerFault: It is longer than ``limit_bytes``.
        """
        request = _Request("GET", path, params=params, accept=accept, deadline_seconds=deadline_seconds)
        return await self._send(request, limit_bytes)

    async def create(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        dry_run: bool = False,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> Any:
        """Create an object in a collection; gives it as the server stored it."""
        return await self._write("POST", path, body, dry_run=dry_run, deadline_seconds=deadline_seconds)

    async def replace(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        dry_run: bool = False,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> Any:
        """Replace an object; with ``metadata.resourceVersion`` in it, only that version (else ``Conflict``)."""
        return await self._write("PUT", path, body, dry_run=dry_run, deadline_seconds=deadline_seconds)

    async def patch(
        self,
        path: str,
        body: Mapping[str, Any] | list[Any],
        content_type: PatchType = PatchType.MERGE,
        *,
        params: Params | None = None,
        dry_run: bool = False,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> Any:
        """Change parts of an object; a server-side apply names its ``fieldManager`` in ``params``."""
        return await self._write(
            "PATCH",
            path,
            body,
            params=params,
            content_type=content_type,
            dry_run=dry_run,
            deadline_seconds=deadline_seconds,
        )

    async def delete(
        self,
        path: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        grace_seconds: int | None = None,
        dry_run: bool = False,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> Any:
        """Delete an object; with a uid or version only if it is still that one (else ``Conflict``)."""
        options = requests.delete_options(uid=uid, resource_version=resource_version, grace_seconds=grace_seconds)
        return await self._write("DELETE", path, options, dry_run=dry_run, deadline_seconds=deadline_seconds)

    async def evict(
        self, namespace: str, pod: str, *, uid: str, dry_run: bool = False, grace_seconds: int | None = None
    ) -> None:
        """Remove exactly this pod, as far as its disruption budgets allow.

        Raises:
            BudgetRefusal: A budget says no; ``message`` is the budget's own.
            Conflict: The pod of that name has another uid by now.
            NotFound: It is gone.
        """
        body = requests.eviction(namespace, pod, uid=uid, dry_run=dry_run, grace_seconds=grace_seconds)
        path = paths.path("v1", "pods", namespace=namespace, name=pod, subresource="eviction")
        await self._write("POST", path, body, dry_run=dry_run, deadline_seconds=DEADLINE_SECONDS)

    async def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        previous: bool = False,
        tail_lines: int | None = None,
        since_seconds: int | None = None,
        limit_bytes: int = LOG_LIMIT_BYTES,
        timestamps: bool = False,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> str:
        """Read a container's log, at most ``limit_bytes``; ``previous`` reads the run before the last restart."""
        params = requests.log_params(container, previous, tail_lines, since_seconds, timestamps)
        params["limitBytes"] = str(limit_bytes)
        path = paths.path("v1", "pods", namespace=namespace, name=pod, subresource="log")
        return await self.get_text(path, params=params, deadline_seconds=deadline_seconds)

    def follow_logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        tail_lines: int | None = None,
        since_seconds: int | None = None,
        timestamps: bool = False,
    ) -> AsyncIterator[bytes]:
        """Read a container's log as it grows, line by line, until it ends or the iterator is closed."""
        params = requests.log_params(container, False, tail_lines, since_seconds, timestamps)
        params["follow"] = "true"
        path = paths.path("v1", "pods", namespace=namespace, name=pod, subresource="log")
        return self.stream_lines(path, params, idle_seconds=None)

    async def proxy_pod(
        self, namespace: str, pod: str, port: int, path: str, *, deadline_seconds: float = DEADLINE_SECONDS
    ) -> bytes:
        """Read an HTTP page of a pod through the API server, at most 4 MB."""
        return await self.get_bytes(
            paths.pod_proxy(namespace, pod, port, path),
            accept="*/*",
            deadline_seconds=deadline_seconds,
            limit_bytes=PROXY_BODY_LIMIT_BYTES,
        )

    async def may(self, access: requests.Access, namespace: str, name: str = "") -> bool:
        """Ask whether we are allowed something; an empty namespace means in all of them."""
        path = paths.path("authorization.k8s.io/v1", "selfsubjectaccessreviews")
        body = msgspec.json.encode(requests.access_review(access, namespace, name))
        answer = _decode(await self._send(_Request("POST", path, body=body)), _JSON, path)
        return bool(answer.get("status", {}).get("allowed", False))

    async def server_version(self) -> str:
        """The server's version, e.g. ``v1.32.3``."""
        answer = await self.get_json("/version")
        return str(answer.get("gitVersion", ""))

    async def server_date(self) -> str:
        """What the server stamps an answer with as its ``Date``, to the second; "" if nothing."""
        response, _ = await self._open(_Request("GET", "/version"))
        response.release()
        return response.headers.get("Date", "")

    async def stream_lines(
        self, path: str, params: Params | None = None, *, idle_seconds: float | None
    ) -> AsyncIterator[bytes]:
        """Read an open-ended answer line by line, newlines taken off.

        Args:
            path: From ``paths.path``.
            params: Query parameters.
            idle_seconds: Longest silence before the stream counts as broken; None for as long as it takes.
        """
        async with self.open_stream(path, params, idle_seconds=idle_seconds, accept="*/*") as stream:
            while line := await stream.readline():
                yield line.rstrip(b"\r\n")

    @asynccontextmanager
    async def open_stream(
        self,
        path: str,
        params: Params | None = None,
        *,
        idle_seconds: float | None,
        accept: str = "application/json",
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> AsyncIterator[LineStream]:
        """Open an answer that is read line by line; entered once the server has accepted.

        Args:
            path: From ``paths.path``.
            params: Query parameters.
            idle_seconds: Longest silence before ``readline`` raises.
            accept: Content type to ask for.
            deadline_seconds: For the server to accept.
        """
        request = _Request(
            "GET", path, params=params, accept=accept, deadline_seconds=deadline_seconds, idle_seconds=idle_seconds
        )
        response, _ = await self._open(request)
        try:
            yield LineStream(response, self.connection.identity.server, idle_seconds)
        finally:
            # Aborted, not closed: a farewell over TLS waits for the server's, and a watch has none to say.
            if (transport := transport_of(response)) is not None:
                transport.abort()
            response.close()

    async def _write(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | list[Any],
        *,
        params: Params | None = None,
        content_type: str = "application/json",
        dry_run: bool,
        deadline_seconds: float,
    ) -> Any:
        if not dry_run:
            self.writes += 1
        query = {**(params or {}), **({"dryRun": "All"} if dry_run else {})}
        request = _Request(
            method,
            path,
            params=query,
            body=msgspec.json.encode(body),
            content_type=content_type,
            deadline_seconds=deadline_seconds,
        )
        answer = await self._send(request)
        return _decode(answer, _JSON, path) if answer else None

    async def _send(self, request: "_Request", limit_bytes: int = BODY_LIMIT_BYTES) -> bytes:
        """Send a request and read its whole answer."""
        response, until = await self._open(request)
        try:
            async with asyncio.timeout_at(until):
                return await _read_bounded(response, limit_bytes, request.path)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error, request) from error
        finally:
            response.release()

    async def _open(self, request: "_Request") -> tuple[aiohttp.ClientResponse, float]:
        """Send a request up to the answer's head; any status but 2xx raises.

        Returns:
            The open response, and the loop's time at which the request's deadline passes.
        """
        credentials = await self.connection.headers()
        try:
            return await self._attempt(request, credentials)
        except Unauthorized:
            if not await self.connection.renew(credentials):
                raise
            renewed = await self.connection.headers()
            if renewed == credentials and renewed:  # without headers it is a certificate, which may be another one
                raise
        return await self._attempt(request, renewed)

    async def _attempt(self, request: "_Request", credentials: dict[str, str]) -> tuple[aiohttp.ClientResponse, float]:
        until = asyncio.get_running_loop().time() + request.deadline_seconds
        headers = {"User-Agent": self._user_agent, **request.headers(), **credentials}
        try:
            async with asyncio.timeout_at(until):
                response = await self.connection.session.request(
                    request.method,
                    self.connection.url(request.path, request.params),
                    data=request.body,
                    headers=headers,
                    timeout=request.timeout(),
                    # A redirect would take the token to wherever it points.
                    allow_redirects=False,
                    **self.connection.options,
                )
                self.clock.note(response.headers.get("Date", ""))
                if response.status < 300:
                    return response, until
                raise await _refusal(request, response)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise self._unreachable(error, request) from error

    def _unreachable(self, error: BaseException, request: "_Request") -> ApiError:
        return from_exception(error, self.connection.identity.server, request.deadline_seconds)


@dataclass(frozen=True, slots=True)
class _Request:
    """One request; ``idle_seconds`` is the longest silence inside the answer, None for no limit of its own."""

    method: str
    path: str
    params: Params | None = None
    body: bytes | None = None
    accept: str = "application/json"
    content_type: str = "application/json"
    deadline_seconds: float = DEADLINE_SECONDS
    idle_seconds: float | None = None

    def headers(self) -> dict[str, str]:
        headers = {"Accept": self.accept}
        if self.body is not None:
            headers["Content-Type"] = self.content_type
        return headers

    def timeout(self) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=self.idle_seconds)


def _decode(body: bytes, type: type[T], path: str) -> T:  # noqa: A002
    try:
        return msgspec.json.decode(body, type=type)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ServerFault(f"the answer to {path} makes no sense: {error}") from error


async def _refusal(request: _Request, response: aiohttp.ClientResponse) -> ApiError:
    """Read what a refusal says, and give the exception for it."""
    try:
        body = await response.content.read(ERROR_BODY_LIMIT_BYTES)
    finally:
        response.close()
    watch = bool(request.params and request.params.get("watch"))
    return from_response(request.method, request.path, response.status, body, response.headers, watch=watch)


async def _read_bounded(response: aiohttp.ClientResponse, limit_bytes: int, path: str) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > limit_bytes:
            response.close()
            raise ServerFault(f"the answer to {path} is longer than {limit_bytes} bytes")
        chunks.append(chunk)
    return b"".join(chunks)
