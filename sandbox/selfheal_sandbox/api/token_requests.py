"""The ``token`` subresource of service accounts: ``kubectl create token``."""

from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from selfheal_sandbox.api import errors
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.api.ports import IssueToken
from selfheal_sandbox.api.request import Request
from selfheal_sandbox.api.responses import json_response
from selfheal_sandbox.api.shapes import TOKEN_REQUEST, checked_object
from selfheal_sandbox.api.target import Target
from selfheal_sandbox.kinds import cause
from selfheal_sandbox.store.objects import Object, now_rfc3339, uid_of

DEFAULT_SECONDS = 3600
SHORTEST_SECONDS, LONGEST_SECONDS = 600, 1 << 32


def request_token(objects: Objects, issue: IssueToken, request: Request, target: Target) -> web.Response:
    """POST of a TokenRequest: the same object with a token that ends.

    Raises:
        ApiError: 400 malformed, 404 no such account, 405 not a POST, 422 a time that is too short or too long.
    """
    if request.method != "POST":
        raise errors.method_not_allowed()
    account = objects.get(target.resource.key, target.place, target.name)
    asked = checked_object(TOKEN_REQUEST, request.object())
    spec: Object = {"expirationSeconds": DEFAULT_SECONDS, **(asked.get("spec") or {})}
    seconds = _checked_seconds(target.name, spec["expirationSeconds"])
    expires: datetime = objects.clock() + timedelta(seconds=seconds)
    answer = {
        "kind": TOKEN_REQUEST.kind,
        "apiVersion": TOKEN_REQUEST.group_version,
        "metadata": {**(asked.get("metadata") or {}), "name": target.name, "namespace": target.place},
        "spec": spec,
    }
    if not request.dry_run():
        token = issue(target.place, target.name, uid_of(account), expires)
        answer["status"] = {"token": token, "expirationTimestamp": now_rfc3339(expires)}
    return json_response(answer, code=201)


def _checked_seconds(name: str, seconds: Any) -> int:
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        text = "may not specify a duration less than 10 minutes"
        if seconds > LONGEST_SECONDS:
            text = "may not specify a duration larger than 2^32 seconds"
        problem = cause.invalid("spec.expirationSeconds", seconds, text)
        raise errors.invalid(TOKEN_REQUEST, name, [problem])
    return int(seconds)
