"""What went wrong with a request, sorted by how a caller reacts.

ApiError                 the API server refused; ``status`` says how
+-- NotFound             404  it is gone, or the cluster does not serve it
+-- Conflict             409  the object moved, exists already, or has another uid
+-- Gone                 410  the version asked for is no longer kept: list again
+-- TooManyRequests      429  wait ``retry_after_seconds``
|   +-- BudgetRefusal    429  a disruption budget says no
+-- Unauthorized         401  our credentials are not accepted
+-- Forbidden            403  our rights do not reach
+-- Invalid              400, 422  the request itself is wrong
+-- ServerFault          5xx, or an answer that makes no sense
+-- Unreachable               no answer: refused, unresolved, TLS, time-out
    +-- StreamSilent          an open stream that says nothing any more
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar

import aiohttp
import msgspec

from selfheal_core.cluster.kubernetes import paths
from selfheal_core.errors import ClusterUnreachable, SelfhealError

MESSAGE_LIMIT = 256
"""Characters kept of a server's message."""
RETRY_AFTER_LIMIT_SECONDS = 300.0
"""A server that asks for more is asked again after this long all the same."""
BUDGET_CAUSE = "DisruptionBudget"
"""What tells a budget's 429 from flow control's (``DisruptionBudgetCause`` of k8s.io/api/policy/v1)."""


class ApiError(SelfhealError):
    """The API server answered a request with an error.

    Attributes:
        status: HTTP status; 0 where there was no answer.
        reason: Kubernetes' word for it (``AlreadyExists``); "" where none was given.
        message: The server's message, one line of at most 256 characters.
        body: The answer as it came, at most 64 KiB; what a proxied server answered is only here.
    """

    default_status: ClassVar[int] = 0

    def __init__(
        self, what: str, next_step: str = "", *, status: int | None = None, reason: str = "", message: str = ""
    ) -> None:
        super().__init__(what, next_step)
        self.status = self.default_status if status is None else status
        self.reason = reason
        self.message = message
        self.body = b""


class NotFound(ApiError):  # noqa: N818 - the words people read are the names
    """The object or the resource is not there."""

    default_status = 404


class Conflict(ApiError):  # noqa: N818
    """The object moved on, exists already, or is another one than the precondition names."""

    default_status = 409


class Gone(ApiError):  # noqa: N818
    """The resource version is no longer kept; only a new list helps."""

    default_status = 410


class TooManyRequests(ApiError):  # noqa: N818
    """Asked to wait: by flow control, because the server has too much to do.

    Attributes:
        retry_after_seconds: How long the server asks to wait; None where it does not say.
    """

    default_status = 429

    def __init__(
        self, what: str, next_step: str = "", *, retry_after_seconds: float | None = None, **facts: Any
    ) -> None:
        super().__init__(what, next_step, **facts)
        self.retry_after_seconds = retry_after_seconds


class BudgetRefusal(TooManyRequests):
    """A PodDisruptionBudget does not let a pod be evicted now."""


class Unauthorized(ApiError):  # noqa: N818
    """The API server does not accept who we say we are."""

    default_status = 401


class Forbidden(ApiError):  # noqa: N818
    """We are known, but not allowed.

    Attributes:
        verb: ``list``, ``create``, ...
        resource: As ``kubectl auth can-i`` takes it: ``deployments.apps/scale``.
        namespace: Empty for all namespaces.
    """

    default_status = 403

    def __init__(
        self, what: str, next_step: str = "", *, verb: str, resource: str, namespace: str, **facts: Any
    ) -> None:
        super().__init__(what, next_step, **facts)
        self.verb = verb
        self.resource = resource
        self.namespace = namespace


class Invalid(ApiError):  # noqa: N818
    """The request is malformed or its object breaks a rule."""

    default_status = 422


class ServerFault(ApiError):  # noqa: N818
    """The server failed, or its answer makes no sense.

    Attributes:
        retry_after_seconds: How long the server asks to wait; None where it does not say.
    """

    default_status = 500

    def __init__(
        self, what: str, next_step: str = "", *, retry_after_seconds: float | None = None, **facts: Any
    ) -> None:
        super().__init__(what, next_step, **facts)
        self.retry_after_seconds = retry_after_seconds


class Unreachable(ApiError, ClusterUnreachable):  # noqa: N818
    """No answer from the API server; whether a write was carried out is not known."""


class StreamSilent(Unreachable):
    """An open stream sent nothing for its idle time; the connection may be half-open."""


class _Cause(msgspec.Struct, frozen=True):
    reason: str = ""
    message: str = ""


class _Details(msgspec.Struct, frozen=True, rename="camel"):
    retry_after_seconds: float | None = None
    causes: list[_Cause] | None = None


class Status(msgspec.Struct, frozen=True):
    """A Kubernetes ``Status`` object: how the API server words an error."""

    code: int = 0
    reason: str = ""
    message: str = ""
    details: _Details | None = None


_STATUS = msgspec.json.Decoder(Status)


def decode_status(body: bytes) -> Status:
    """Read a ``Status`` object; a body that is none gives an empty one."""
    try:
        return _STATUS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Status()


def one_line(text: str) -> str:
    """Fold white space and cut to 256 characters."""
    line = " ".join(text.split())
    return line if len(line) <= MESSAGE_LIMIT else line[: MESSAGE_LIMIT - 1] + "…"


def from_response(
    method: str, path: str, status: int, body: bytes, headers: Mapping[str, str] | None = None, *, watch: bool = False
) -> ApiError:
    """Turn an error answer into the exception that fits.

    Args:
        method: HTTP method of the request.
        path: Its path.
        status: HTTP status of the answer.
        body: Its body; shown only where it is a ``Status`` object.
        headers: Its headers, for ``Retry-After``.
        watch: Whether the request was a watch.
    """
    error = from_status(method, path, status, decode_status(body), _retry_after(headers or {}), watch=watch)
    error.body = body
    return error


def from_status(
    method: str, path: str, code: int, status: Status, retry_after_seconds: float | None = None, *, watch: bool = False
) -> ApiError:
    """Turn a ``Status`` object, from a body or from inside a watch, into the exception that fits."""
    about = paths.parse(path)
    verb = _verb(method, about, watch=watch)
    message = one_line(_with_causes(status))
    facts: dict[str, Any] = {"status": code, "reason": status.reason, "message": message}
    what = f"the API server answered {code} to {_request_words(verb, about, path)}" + (
        f": {message}" if message else ""
    )
    if code == 403:
        return _forbidden(verb, about, message, facts)
    if code == 401:
        what = "the API server does not accept the credentials (401 Unauthorized)"
        return Unauthorized(what, "log in again, or check the user with: kubectl config view --minify", **facts)
    if code == 429 or code >= 500:
        wait = retry_after_seconds
        if wait is None and status.details is not None:
            wait = status.details.retry_after_seconds
        kind = ServerFault if code >= 500 else BudgetRefusal if _by_budget(status) else TooManyRequests
        return kind(what, retry_after_seconds=_bounded(wait), **facts)
    return _BY_CODE.get(code, ApiError)(what, **facts)


def from_exception(error: BaseException, server: str, deadline_seconds: float | None = None) -> Unreachable:
    """Word a failure of the transport.

    Args:
        error: What aiohttp, ssl or the socket raised.
        server: Address of the API server.
        deadline_seconds: The deadline that applied, for a time-out.
    """
    step = "check the address and the network, e.g. with: kubectl cluster-info"
    return Unreachable(f"no answer from {server}: {_cause_in_words(error, deadline_seconds)}", step)


def _cause_in_words(error: BaseException, deadline_seconds: float | None) -> str:
    causes: tuple[tuple[type[BaseException], str], ...] = (
        (aiohttp.ClientConnectorDNSError, "its name does not resolve"),
        (socket.gaierror, "its name does not resolve"),
        (aiohttp.ClientConnectorCertificateError, "its certificate is not trusted"),
        (ssl.SSLCertVerificationError, "its certificate is not trusted"),
        (aiohttp.ClientSSLError, "the TLS handshake failed"),
        (ssl.SSLError, "the TLS handshake failed"),
        (ConnectionRefusedError, "connection refused"),
        (aiohttp.ServerDisconnectedError, "it closed the connection"),
        (aiohttp.ClientPayloadError, "the connection broke off"),
        (ConnectionResetError, "the connection was reset"),
    )
    if isinstance(error, asyncio.TimeoutError):
        return f"timed out after {deadline_seconds:g} s" if deadline_seconds else "timed out"
    for candidate in (error, getattr(error, "os_error", None), error.__cause__):
        for kind, words in causes:
            if isinstance(candidate, kind):
                return words
    return one_line(str(error)) or type(error).__name__


def _forbidden(verb: str, about: paths.ResourcePath, message: str, facts: dict[str, Any]) -> Forbidden:
    where = f"in namespace {about.namespace}" if about.namespace else "in all namespaces"
    flag = f"-n {about.namespace}" if about.namespace else "-A"
    what = f"not allowed to {verb} {about.words} {where}" if about.resource else f"not allowed: {message}"
    step = (
        f"ask for the right, then check with: kubectl auth can-i {verb} {about.words} {flag}" if about.resource else ""
    )
    return Forbidden(what, step, verb=verb, resource=about.words, namespace=about.namespace, **facts)


def _verb(method: str, about: paths.ResourcePath, *, watch: bool) -> str:
    if method == "GET":
        return "watch" if watch else "get" if about.name else "list"
    return {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}.get(method, method.lower())


def _request_words(verb: str, about: paths.ResourcePath, path: str) -> str:
    if not about.resource:
        return f"{verb} {path}"
    name = f" {about.namespace}/{about.name}".replace(" /", " ") if about.name else ""
    return f"{verb} {about.words}{name}"


def _with_causes(status: Status) -> str:
    causes = status.details.causes if status.details else None
    extra = [cause.message for cause in causes or () if cause.message and cause.message not in status.message]
    return " ".join([status.message, *extra])


def _by_budget(status: Status) -> bool:
    causes = status.details.causes if status.details else None
    return any(cause.reason == BUDGET_CAUSE for cause in causes or ())


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait; a date, as proxies in between send it, counts from the answer's own ``Date``.

    Our clock is asked only where the answer tells no time: it may be an hour off the server's.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    until = _http_date(text)
    if until is None:
        return None
    answered = _http_date(headers.get("Date", ""))
    return max(0.0, until - (time.time() if answered is None else answered))


def _http_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _bounded(seconds: float | None) -> float | None:
    return None if seconds is None or seconds < 0 else min(seconds, RETRY_AFTER_LIMIT_SECONDS)


_BY_CODE: Mapping[int, type[ApiError]] = {
    400: Invalid,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
}
