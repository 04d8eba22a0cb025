"""HTTP responses: JSON bodies, Status bodies, warnings."""

from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import web

from selfheal_sandbox.api.errors import ApiError

JSON_CONTENT = "application/json"
_HEADERS = {"Cache-Control": "no-cache, private"}
WARNINGS_LIMIT_BYTES = 4096
"""Warning text of one response at most, as the API server limits it (k8s.io/apiserver/pkg/endpoints/filters)."""

encode = msgspec.json.Encoder().encode


def json_response(
    value: Any, *, code: int = 200, warnings: Iterable[str] = (), content_type: str = JSON_CONTENT
) -> web.Response:
    """Return a JSON response; bytes are taken as JSON that is already encoded."""
    body = value if isinstance(value, bytes) else encode(value)
    response = web.Response(body=body, status=code, headers={**_HEADERS, "Content-Type": content_type})
    for warning in bounded(warnings):
        response.headers.add("Warning", warning)
    return response


def text_response(text: str, code: int = 200) -> web.Response:
    """Return a plain text response."""
    return web.Response(text=text, status=code, headers=_HEADERS)


def error_response(error: ApiError, warnings: Iterable[str] = ()) -> web.Response:
    """Return the Status of an error."""
    response = json_response(error.status(), code=error.code, warnings=warnings)
    response.headers.update(error.headers)
    return response


def bounded(warnings: Iterable[str]) -> list[str]:
    """Return warnings as header values: quoted, printable ASCII, and not more than fits."""
    headers: list[str] = []
    room = WARNINGS_LIMIT_BYTES
    for warning in warnings:
        printable = "".join(letter if " " <= letter <= "~" else "?" for letter in warning)
        header = '299 - "' + printable.replace("\\", "\\\\").replace('"', '\\"') + '"'
        room -= len(header)
        if room < 0:
            break
        headers.append(header)
    return headers
