"""Carry out the actions of probes and life-cycle hooks; errors are worded as a kubelet's events word them."""

import asyncio
import shlex
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import aiohttp

from selfheal_sandbox.kubelet.probes import Action, Command, HttpGet, TcpSocket

BODY_LIMIT_BYTES = 10 * 1024
"""How much of an answer is read before the connection is closed (a kubelet's limit)."""

RunCommand = Callable[[Sequence[str]], Awaitable[tuple[int, bytes]]]
"""Runs a program in the container and returns its exit code and the start of its output."""


@dataclass(frozen=True, slots=True)
class Target:
    """The container that an action is for."""

    ip: str
    run: RunCommand
    session: aiohttp.ClientSession


async def attempt(action: Action, target: Target, timeout_seconds: float) -> str | None:
    """Carry out an action once; return None on success, else what went wrong."""
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _attempt(action, target)
    except TimeoutError:
        return _timeout_text(action, target, timeout_seconds)


async def _attempt(action: Action, target: Target) -> str | None:
    if isinstance(action, Command):
        return await _run(action, target)
    if isinstance(action, HttpGet):
        return await _get(action, target)
    if isinstance(action, TcpSocket):
        return await _connect(action, target)
    await asyncio.sleep(action.seconds)
    return None


async def _run(action: Command, target: Target) -> str | None:
    try:
        exit_code, output = await target.run(action.argv)
    except OSError as error:
        return f"error executing command {list(action.argv)}: {error.strerror or error}"
    return None if exit_code == 0 else output.decode(errors="replace")


def _url(action: HttpGet, target: Target) -> str:
    return f"{action.scheme}://{action.host or target.ip}:{action.port}/{action.path.removeprefix('/')}"


async def _get(action: HttpGet, target: Target) -> str | None:
    headers = {"User-Agent": "kube-probe/1.37", "Accept": "*/*", "Connection": "close", **dict(action.headers)}
    url = _url(action, target)
    try:
        async with target.session.get(url, headers=headers, ssl=False, allow_redirects=False) as response:
            await response.content.read(BODY_LIMIT_BYTES)
    except aiohttp.ClientConnectorError as error:
        return f'Get "{url}": dial tcp {action.host or target.ip}:{action.port}: connect: {_reason(error.os_error)}'
    except (aiohttp.ClientError, OSError) as error:
        return f'Get "{url}": {_reason(error)}'
    return None if 200 <= response.status < 400 else f"HTTP probe failed with statuscode: {response.status}"


async def _connect(action: TcpSocket, target: Target) -> str | None:
    host = action.host or target.ip
    try:
        _, writer = await asyncio.open_connection(host, action.port)
    except OSError as error:
        return f"dial tcp {host}:{action.port}: connect: {_reason(error)}"
    writer.close()
    return None


def _reason(error: BaseException) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ConnectionResetError):
        return "read: connection reset by peer"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF"
    return str(error) or type(error).__name__


def _timeout_text(action: Action, target: Target, timeout_seconds: float) -> str:
    if isinstance(action, Command):
        return f"command timed out: {shlex.join(action.argv)!r} timed out after {timeout_seconds:g}s"
    if isinstance(action, HttpGet):
        url = _url(action, target)
        return f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    if isinstance(action, TcpSocket):
        return f"dial tcp {action.host or target.ip}:{action.port}: i/o timeout"
    return f"timed out after {timeout_seconds:g}s"


def new_session() -> aiohttp.ClientSession:
    """Return the HTTP client of all probes: no cookies, no proxies, one connection for each request."""
    connector = aiohttp.TCPConnector(force_close=True, limit=0, ssl=False)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
