"""Questions about access. Roles are stored and not enforced: whoever has a token may do everything, and is told so."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from selfheal_sandbox.api import errors
from selfheal_sandbox.api.ports import Identity
from selfheal_sandbox.api.request import Request
from selfheal_sandbox.api.responses import json_response
from selfheal_sandbox.api.shapes import checked_object
from selfheal_sandbox.kinds.registry import REVIEWS, Resource
from selfheal_sandbox.store.objects import Object

Authenticate = Callable[[str], Identity | None]

NOT_ENFORCED = "the sandbox does not enforce RBAC"


def review_resource(group: str, version: str, plural: str) -> Resource | None:
    """Return the kind of question that a path names, or None."""
    return next((each for each in REVIEWS if (each.group, each.version, each.plural) == (group, version, plural)), None)


def answer_review(resource: Resource, request: Request, authenticate: Authenticate) -> web.Response:
    """POST of a review: the same object with a status.

    Raises:
        ApiError: 400 malformed, 405 not a POST.
    """
    if request.method != "POST":
        raise errors.method_not_allowed()
    review = checked_object(resource, request.object())
    answer = {**review, "kind": resource.kind, "apiVersion": resource.group_version}
    return json_response({**answer, "status": _status(resource.kind, review, request.identity, authenticate)}, code=201)


def _status(kind: str, review: Object, identity: Identity, authenticate: Authenticate) -> Object:
    match kind:
        case "SelfSubjectReview":
            return {"userInfo": _user(identity)}
        case "SelfSubjectRulesReview":
            return {
                "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                "incomplete": False,
            }
        case "TokenReview":
            spec: Any = review.get("spec") or {}
            known = authenticate(str(spec.get("token") or ""))
            return {"authenticated": True, "user": _user(known)} if known else {"authenticated": False}
    return {"allowed": True, "reason": NOT_ENFORCED}


def _user(identity: Identity) -> Object:
    return {"username": identity.username, "groups": list(identity.groups)}
