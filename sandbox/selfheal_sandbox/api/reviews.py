"""Questions about access: who am I, may I, may they, whose token is this. Answered, and not stored."""

from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

from selfheal_sandbox.api import errors
from selfheal_sandbox.api.ports import Identity
from selfheal_sandbox.api.request import Request
from selfheal_sandbox.api.responses import json_response
from selfheal_sandbox.api.shapes import checked_object
from selfheal_sandbox.kinds import cause
from selfheal_sandbox.kinds.registry import REVIEWS, Resource
from selfheal_sandbox.rbac.authorizer import Attributes, held_rules
from selfheal_sandbox.rbac.policy import Policy
from selfheal_sandbox.rbac.rules import PolicyRule
from selfheal_sandbox.store.objects import Object

Authenticate = Callable[[str], Identity | None]


def review_resource(group: str, version: str, plural: str) -> Resource | None:
    """Return the kind of question that a path names, or None."""
    return next((each for each in REVIEWS if (each.group, each.version, each.plural) == (group, version, plural)), None)


def answer_review(
    resource: Resource, request: Request, authenticate: Authenticate, policy: Policy, namespace: str = ""
) -> web.Response:
    """POST of a review: the same object with a status.

    Args:
        resource: which question.
        request: with the review as its body.
        authenticate: tells whose token it is.
        policy: what everybody may do.
        namespace: of the path, for a review that is asked in one.

    Raises:
        ApiError: 400 malformed, 405 not a POST, 422 neither one thing nor the other is asked about.
    """
    if request.method != "POST":
        raise errors.method_not_allowed()
    review = checked_object(resource, request.object())
    answer = {**review, "kind": resource.kind, "apiVersion": resource.group_version}
    spec: Object = review.get("spec") or {}
    match resource.kind:
        case "SelfSubjectReview":
            status: Object = {"userInfo": _user(request.identity)}
        case "SelfSubjectRulesReview":
            status = _rules(request.identity, spec, policy)
        case "TokenReview":
            known = authenticate(str(spec.get("token") or ""))
            status = {"authenticated": True, "user": _user(known)} if known else {"authenticated": False}
        case "SelfSubjectAccessReview":
            status = _access(resource, spec, request.identity, policy)
        case _:
            status = _access(resource, spec, _asked_about(resource, spec, namespace), policy)
    return json_response({**answer, "status": status}, code=201)


def _access(resource: Resource, spec: Object, user: Identity, policy: Policy) -> Object:
    decision = policy.decide(_attributes(resource, spec, user))
    reason = {"reason": decision.reason} if decision.reason else {}
    return {"allowed": decision.allowed, **reason}


def _attributes(resource: Resource, spec: Object, user: Identity) -> Attributes:
    about, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (about is None) == (path is None):
        text = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        raise errors.invalid(resource, "", [cause.invalid("spec.resourceAttributes", None, text)])
    if about is None:
        wanted: Object = path or {}
        return Attributes(user, wanted.get("verb", ""), path=wanted.get("path") or "/")
    fields = ("verb", "group", "resource", "subresource", "namespace", "name")
    return Attributes(user, **{field: about.get(field) or "" for field in fields})


def _asked_about(resource: Resource, spec: Object, namespace: str) -> Identity:
    """Return whom a review of somebody else's access is about; a local one stays in its namespace."""
    asked: Any = (spec.get("resourceAttributes") or {}).get("namespace") or ""
    if resource.namespaced and asked != namespace:
        raise errors.bad_request(f"spec.resourceAttributes.namespace must match namespace: {namespace}")
    if not spec.get("user") and not spec.get("groups"):
        problem = cause.invalid("spec.user", "", "at least one of user or group must be specified")
        raise errors.invalid(resource, "", [problem])
    return Identity(spec.get("user") or "", tuple(spec.get("groups") or ()), spec.get("uid") or "")


def _rules(user: Identity, spec: Object, policy: Policy) -> Object:
    namespace = spec.get("namespace") or ""
    if not namespace:
        raise errors.bad_request("no namespace on request")
    held = held_rules(user, namespace, policy.grants())
    return {
        "resourceRules": [_resource_rule(rule) for rule in _distinct(held) if not rule.non_resource_urls],
        "nonResourceRules": [_path_rule(rule) for rule in _distinct(held) if rule.non_resource_urls],
        "incomplete": False,
    }


def _distinct(rules: Sequence[PolicyRule]) -> list[PolicyRule]:
    return list(dict.fromkeys(rules))


def _resource_rule(rule: PolicyRule) -> Object:
    names = {"resourceNames": list(rule.resource_names)} if rule.resource_names else {}
    return {
        "verbs": list(rule.verbs),
        "apiGroups": list(rule.api_groups),
        "resources": list(rule.resources),
        **names,
    }


def _path_rule(rule: PolicyRule) -> Object:
    return {"verbs": list(rule.verbs), "nonResourceURLs": list(rule.non_resource_urls)}


def _user(identity: Identity) -> Object:
    uid = {"uid": identity.uid} if identity.uid else {}
    return {"username": identity.username, **uid, "groups": list(identity.groups)}
