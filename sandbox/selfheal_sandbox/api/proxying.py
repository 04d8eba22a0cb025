"""``pods/NAME/proxy`` and ``services/NAME/proxy``: plain HTTP forwarded to a pod."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from selfheal_sandbox.api import errors
from selfheal_sandbox.api.request import Request
from selfheal_sandbox.api.server_context import ServerContext
from selfheal_sandbox.api.target import Target
from selfheal_sandbox.api.watching import cut, write_or_cut
from selfheal_sandbox.store.objects import Object, name_of, spec_of, status_of

DEADLINES = aiohttp.ClientTimeout(total=300.0, connect=5.0, sock_read=60.0)
"""For one forwarded request: to connect, between two reads, and in all."""
CHUNK_BYTES = 64 * 1024
_PER_CONNECTION = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "host",
        "content-length",
    }
)
_NOT_FORWARDED = _PER_CONNECTION | {"authorization"}
_NOT_RETURNED = _PER_CONNECTION


@dataclass(frozen=True, slots=True)
class Destination:
    """``[http:|https:]NAME[:PORT]`` of a proxy path."""

    scheme: Literal["http", "https"]
    name: str
    port: str


def parse_destination(text: str) -> Destination:
    """Read the name in a proxy path.

    Raises:
        ApiError: 400, it is none.
    """
    parts = text.split(":")
    scheme = parts[0] if len(parts) == 3 else "http"
    name, port = (parts[-2], parts[-1]) if len(parts) > 1 else (text, "")
    if len(parts) > 3 or not name or scheme not in ("http", "https", ""):
        raise errors.bad_request(f'invalid proxy request "{text}": write NAME, NAME:PORT or https:NAME:PORT')
    return Destination("https" if scheme == "https" else "http", name, port)


async def proxy_pod(context: ServerContext, request: Request, target: Target) -> web.StreamResponse:
    """Forward to a pod's own address; without a port, to the first one that its containers declare."""
    destination = parse_destination(target.name)
    pod = context.objects.get(target.resource.key, target.place, destination.name)
    ip = status_of(pod).get("podIP")
    if not ip:
        raise errors.bad_request(f"address not allowed: pod {name_of(pod)} has no IP address yet")
    return await _forward(context, request, target, destination.scheme, str(ip), pod_port(pod, destination.port))


def pod_port(pod: Object, port: str) -> int:
    """Return the number of a pod's port, given as number, name, or "" for the first declared one.

    Raises:
        ApiError: 400, the pod has no such port.
    """
    declared = [entry for container in spec_of(pod).get("containers") or () for entry in container.get("ports") or ()]
    if not port:
        return int(declared[0]["containerPort"]) if declared else 80
    if port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536:
        return int(port)
    for entry in declared:
        if entry.get("name") == port:
            return int(entry["containerPort"])
    raise errors.bad_request(f'invalid port "{port}" for pod {name_of(pod)}')


async def proxy_service(context: ServerContext, request: Request, target: Target) -> web.StreamResponse:
    """Forward to a Ready endpoint behind a Service."""
    destination = parse_destination(target.name)
    service = context.objects.get(target.resource.key, target.place, destination.name)
    port = service_port(service, destination.port)
    address = context.network.address_of_service(service, port)
    if address is None:
        raise errors.unavailable(f'no endpoints available for service "{target.name}"')
    return await _forward(context, request, target, destination.scheme, *address)


def service_port(service: Object, port: str) -> str | int:
    """Return the port of a Service, given as number, name, or "" for its only one.

    Raises:
        ApiError: 503, the Service has no such port, as the API server answers.
    """
    ports = spec_of(service).get("ports") or []
    for entry in ports:
        if port == "" or port in (entry.get("name"), str(entry["port"])):
            return str(entry["name"]) if entry.get("name") else int(entry["port"])
    raise errors.unavailable(f'no service port "{port}" found for service "{name_of(service)}"')


async def _forward(
    context: ServerContext, request: Request, target: Target, scheme: str, host: str, port: int
) -> web.StreamResponse:
    """Send the request on and relay the answer, without following redirects."""
    session = context.session
    assert session is not None, "the server makes its session when it starts"
    url = URL(f"{scheme}://{host}:{port}{forwarded_path(request, target)}", encoded=True)
    headers = _filtered(request.http.headers, _NOT_FORWARDED)
    response: web.StreamResponse | None = None
    try:
        async with session.request(
            request.method,
            url,
            headers=headers,
            # What is compressed, and whether, is between the client and the pod.
            skip_auto_headers=("Accept-Encoding",),
            data=request.body or None,
            allow_redirects=False,
            ssl=False,
            timeout=DEADLINES,
        ) as answer:
            response = web.StreamResponse(status=answer.status, headers=_filtered(answer.headers, _NOT_RETURNED))
            await response.prepare(request.http)
            async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
                if not await write_or_cut(request.http, response, chunk):
                    break
            return response
    except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
        if response is not None and response.prepared:
            cut(request.http)
            return response
        raise errors.unavailable(f"error trying to reach service: {str(error) or type(error).__name__}") from None


def forwarded_path(request: Request, target: Target) -> str:
    """Return the path after ``/proxy``, as it was sent, with the query."""
    before = len(request.parts) - len(target.rest)
    remainder = request.raw_path
    for _ in range(before):
        remainder = remainder.lstrip("/").partition("/")[2]
    return f"/{remainder}" + (f"?{request.query_string}" if request.query_string else "")


def _filtered(headers: Mapping[str, str], dropped: frozenset[str]) -> "CIMultiDict[str]":
    kept: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        if name.lower() not in dropped:
            kept.add(name, value)
    return kept
