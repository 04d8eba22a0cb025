"""The HTTP application: authentication, reading of requests, errors as Status, the request log."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
from aiohttp import web

from selfheal_sandbox.api import authentication, authorization, errors, impersonation
from selfheal_sandbox.api.authentication import Authenticate
from selfheal_sandbox.api.discovery import Discovery
from selfheal_sandbox.api.dispatch import dispatch
from selfheal_sandbox.api.objects import Check, Objects
from selfheal_sandbox.api.ports import Identity, IssueToken, PodRuntime, ServiceNetwork
from selfheal_sandbox.api.request import Query, Request, split_path
from selfheal_sandbox.api.request_log import LogLine, RequestLog
from selfheal_sandbox.api.responses import error_response
from selfheal_sandbox.api.server_context import ServerContext
from selfheal_sandbox.api.target import verb_of
from selfheal_sandbox.api.watching import BOOKMARK_SECONDS
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.rbac import bootstrap
from selfheal_sandbox.rbac.authorizer import Attributes
from selfheal_sandbox.rbac.escalation import Giver
from selfheal_sandbox.rbac.policy import Policy
from selfheal_sandbox.store.objects import Object, now_rfc3339_micro

BODY_LIMIT_BYTES = 3 * 1024 * 1024
"""Largest body that is read, as the API server limits it (``MaxRequestBodyBytes``)."""
BODY_DEADLINE_SECONDS = 30.0
LINE_LIMIT_BYTES = 128 * 1024
"""Longest request line and header that are read: the command of an exec is part of its URL."""
SHUTDOWN_SECONDS = 1.0
"""How long open requests, watches above all, may go on when the server stops."""
DEFAULT_VERSION = "v1.37.0+selfheal-sandbox"
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_IDENTITY: web.RequestKey[Identity] = web.RequestKey("identity", Identity)
_IMPERSONATED: web.RequestKey[Identity] = web.RequestKey("impersonated", Identity)
_log = logging.getLogger(__name__)


def application(
    objects: Objects,
    runtime: PodRuntime,
    network: ServiceNetwork,
    *,
    authenticate: Authenticate,
    issue_token: IssueToken | None = None,
    version: str = DEFAULT_VERSION,
    request_log: Path | None = None,
    bookmark_seconds: float = BOOKMARK_SECONDS,
) -> web.Application:
    """Return the API server as an application; `runner` runs it.

    The roles that every cluster has are made here, as an API server makes them when it starts.

    Args:
        objects: the verbs and the store behind them.
        runtime: the kubelet.
        network: the Services.
        authenticate: tells whose token it is.
        issue_token: makes tokens of service accounts.
        version: what ``/version`` tells.
        request_log: file for the request log; None keeps none.
        bookmark_seconds: how often watches get a bookmark.

    Raises:
        OSError: the request log cannot be opened.
    """
    bootstrap.ensure(objects)
    policy, discovery = Policy(objects.store), Discovery(objects.registry)
    context = ServerContext(objects, runtime, network, discovery, version, bookmark_seconds, policy, issue_token)
    log = RequestLog(request_log) if request_log is not None else None
    server = ApiServer(context, authenticate, log)
    app = web.Application(client_max_size=BODY_LIMIT_BYTES)
    app.router.add_route("*", r"/{path:[\s\S]*}", server.handle)
    app.cleanup_ctx.append(server.running)
    if log is not None:
        app.on_response_prepare.append(server.log_response)
    return app


def runner(app: web.Application, *, shutdown_seconds: float = SHUTDOWN_SECONDS) -> web.AppRunner:
    """Return a runner for the application, set up as it needs it.

    The request log is our own, a client that leaves ends its handler at once, request bodies are never compressed,
    and lines may be long.
    """
    return web.AppRunner(
        app,
        access_log=None,
        handler_cancellation=True,
        auto_decompress=False,
        max_line_size=LINE_LIMIT_BYTES,
        max_field_size=LINE_LIMIT_BYTES,
        shutdown_timeout=shutdown_seconds,
    )


class ApiServer:
    """Reads requests, has them answered, and turns errors into Status bodies."""

    def __init__(
        self,
        context: ServerContext,
        authenticate: Authenticate,
        log: RequestLog | None,
    ) -> None:
        self._context = context
        self._authenticate = authenticate
        self._request_log = log

    async def running(self, _: web.Application) -> AsyncIterator[None]:
        """Hold what lives as long as the server: the session for forwarded requests, the log file."""
        # No connection is kept: one that idles would hold up a pod that drains.
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        cookies = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False, cookie_jar=cookies) as session:
            self._context.session = session
            yield
            self._context.session = None
        if self._request_log is not None:
            self._request_log.close()

    async def handle(self, http: web.Request) -> web.StreamResponse:
        """Answer one HTTP request."""
        warnings: list[str] = []
        try:
            request = await self._read(http, warnings)
            return await dispatch(self._context, request, self._authenticate)
        except errors.ApiError as error:
            return error_response(error, warnings)
        except web.HTTPException as error:
            return error_response(errors.ApiError(error.status, "BadRequest", error.text or error.reason), warnings)
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001 (top of the loop: a defect answers 500 and does not stop the server)
            _log.exception("%s %s failed", http.method, http.path)
            text = f"Internal error occurred: {type(error).__name__}: {error}"
            return error_response(errors.ApiError(500, "InternalError", text))

    async def _read(self, http: web.Request, warnings: list[str]) -> Request:
        raw_path, query_string = http.rel_url.raw_path, http.rel_url.raw_query_string
        first_part = next(iter(split_path(raw_path)), "")
        authentication.check_host(http.headers.get("Host", ""))
        credentials = http.headers.get("Authorization", "")
        sender = http[_IDENTITY] = authentication.identity_of(credentials, first_part, self._authenticate)
        try:
            query = Query.parse(query_string)
        except ValueError as error:
            raise errors.bad_request(f"the query cannot be read: {error}") from None
        policy = self._context.policy
        identity = http[_IMPERSONATED] = impersonation.effective_identity(sender, http.headers, policy)
        wanted = authorization.attributes_of(identity, http.method, split_path(raw_path), query)
        _authorize(wanted, policy)
        body = await _read_body(http) if http.method in _WITH_BODY else b""
        check = _check_of(wanted, policy)
        return Request(http.method, raw_path, query_string, http.headers, body, identity, http, query, warnings, check)

    async def log_response(self, http: web.Request, response: web.StreamResponse) -> None:
        """Write the request log's line when the headers of an answer are about to be sent."""
        if self._request_log is None:
            return
        identity = http.get(_IDENTITY, authentication.ANONYMOUS)
        impersonated = http.get(_IMPERSONATED, identity)
        path = http.rel_url.raw_path
        watch = http.query.get("watch", "false").lower() not in ("0", "false")
        self._request_log.write(
            LogLine(
                time=now_rfc3339_micro(self._context.objects.clock()),
                user=identity.username,
                user_agent=http.headers.get("User-Agent", ""),
                verb=verb_of(http.method, has_name=has_name(split_path(path)), watch=watch),
                path=path,
                code=response.status,
                impersonated_user=impersonated.username if impersonated != identity else "",
            )
        )


def _check_of(wanted: Attributes, policy: Policy) -> Check:
    """Return what has the last word on each object that a request stores."""
    giver = Giver(wanted.user, policy.grants(), wanted.name)

    def check(resource: Resource, new: Object, old: Object | None) -> None:
        if old is None and wanted.verb == "patch":  # an apply that creates
            _authorize(replace(wanted, verb="create"), policy)
        giver.check(resource, new, old)

    return check


def _authorize(wanted: Attributes, policy: Policy) -> None:
    for each in (wanted, *authorization.further_checks(wanted)):
        decision = policy.decide(each)
        if not decision.allowed:
            raise authorization.forbidden(each, decision.reason)


def has_name(parts: list[str]) -> bool:
    """Return whether a path names one object (or none of the kinds of objects), rather than a collection."""
    rest = parts[2:] if parts[:1] == ["api"] else parts[3:]
    if len(rest) > 2 and rest[0] == "namespaces":
        rest = rest[2:]
    return len(rest) != 1


async def _read_body(http: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_DEADLINE_SECONDS):
            return await http.read()
    except web.HTTPRequestEntityTooLarge:
        raise errors.too_large(BODY_LIMIT_BYTES) from None
    except web.RequestPayloadError as error:
        raise errors.bad_request(f"the body cannot be read: {error}") from None
    except TimeoutError:
        text = f"the body did not arrive within {BODY_DEADLINE_SECONDS:.0f} s"
        raise errors.ApiError(408, "Timeout", text) from None
