"""The ways in which a server misbehaves: for a test to put into a ``FaultServer``, or to name in a command to one."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any

from tests.faults.exchange import Behaviour, Exchange, status_object


def status(
    code: int,
    reason: str = "",
    message: str = "",
    *,
    headers: Mapping[str, str] | None = None,
    retry_after: float | None = None,
    **more: Any,
) -> Behaviour:
    """Answer with an error and a ``Status`` body; ``retry_after`` in seconds."""
    asked = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}

    async def answer(exchange: Exchange) -> None:
        await exchange.answer_json(code, status_object(code, reason, message, **more), {**asked, **(headers or {})})

    return answer


def busy_until(seconds: float, *, clock_offset_seconds: float = 0.0) -> Behaviour:
    """Answer 429, and name the time at which to come back, by a clock that may be off."""

    async def answer(exchange: Exchange) -> None:
        now = time.time() + clock_offset_seconds
        headers = {"Date": formatdate(now, usegmt=True), "Retry-After": formatdate(now + seconds, usegmt=True)}
        body = json.dumps(status_object(429, "TooManyRequests", "slow down")).encode()
        lines = {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}
        head = "HTTP/1.1 429 Scripted\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        exchange.writer.write(head.encode() + b"\r\n" + body)
        await exchange.writer.drain()

    return answer


def html(code: int) -> Behaviour:
    """Answer with a load balancer's error page."""

    async def answer(exchange: Exchange) -> None:
        await exchange.answer(code, b"<html><body>Service Unavailable</body></html>", content_type="text/html")

    return answer


def body(data: bytes, *, code: int = 200, content_type: str = "application/json") -> Behaviour:
    """Answer with these bytes."""

    async def answer(exchange: Exchange) -> None:
        await exchange.answer(code, data, content_type=content_type)

    return answer


def json_body(value: Any, *, code: int = 200) -> Behaviour:
    """Answer with this value as JSON."""
    return body(json.dumps(value).encode(), code=code)


def lines(*values: Any, then: str = "close") -> Behaviour:
    """Stream JSON lines (bytes are sent as they are), then ``close``, ``reset`` or ``freeze``."""

    async def answer(exchange: Exchange) -> None:
        await exchange.open()
        for value in values:
            if isinstance(value, bytes):
                await exchange.send(value)
            else:
                await exchange.line(value)
        if then == "freeze":
            await exchange.freeze()
        elif then == "reset":
            # The bytes before it must be on the wire, or the reset overtakes them.
            await asyncio.sleep(0.02)
            exchange.reset()
        else:
            await exchange.close()

    return answer


def gone() -> Behaviour:
    """Take a watch, and say in it that its version is too old."""
    return lines(event("ERROR", status_object(410, "Expired", "too old resource version")))


def garbage() -> Behaviour:
    """Take a watch, and send a line that is not JSON."""
    return lines(b"{nonsense}\n")


def close_at_once() -> Behaviour:
    """Take a watch, and end it properly right away."""
    return lines()


def reset() -> Behaviour:
    """Cut the connection instead of answering."""

    async def answer(exchange: Exchange) -> None:
        exchange.reset()

    return answer


def freeze() -> Behaviour:
    """Take the request and never say a word."""

    async def answer(exchange: Exchange) -> None:
        await exchange.freeze()

    return answer


def mute() -> Behaviour:
    """Accept a watch, and say nothing in it."""
    return lines(then="freeze")


def cut(after_bytes: int) -> Behaviour:
    """Begin an answer of 1 MB, and cut the connection within it."""

    async def answer(exchange: Exchange) -> None:
        head = b"HTTP/1.1 200 Scripted\r\nContent-Type: application/json\r\nContent-Length: 1048576\r\n\r\n"
        exchange.writer.write(head + b'{"items":['.ljust(after_bytes)[:after_bytes])
        await exchange.writer.drain()
        await asyncio.sleep(0.02)
        exchange.reset()

    return answer


def delayed(seconds: float, then: Behaviour) -> Behaviour:
    """Wait before another behaviour."""

    async def answer(exchange: Exchange) -> None:
        await asyncio.sleep(seconds)
        await then(exchange)

    return answer


def event(kind: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """One line of a watch."""
    return {"type": kind, "object": dict(item)}


NAMED: Mapping[str, Callable[..., Behaviour]] = {
    "status": status,
    "busy-until": busy_until,
    "html": html,
    "lines": lines,
    "gone": gone,
    "garbage": garbage,
    "close": close_at_once,
    "reset": reset,
    "freeze": freeze,
    "mute": mute,
    "cut": cut,
}
"""What a command can name, with the arguments of the function."""
