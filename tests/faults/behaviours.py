"""The ways in which a server misbehaves, ready to be put into a ``FaultServer``'s script."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from tests.faults.server import Behaviour, Exchange, status_object


def status(
    code: int,
    reason: str = "",
    message: str = "",
    *,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Behaviour:
    """Answer with an error and a ``Status`` body."""

    async def answer(exchange: Exchange) -> None:
        await exchange.answer_json(code, status_object(code, reason, message, **more), headers)

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


def delayed(seconds: float, then: Behaviour) -> Behaviour:
    """Wait before another behaviour."""

    async def answer(exchange: Exchange) -> None:
        await asyncio.sleep(seconds)
        await then(exchange)

    return answer


def event(kind: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """One line of a watch."""
    return {"type": kind, "object": dict(item)}
