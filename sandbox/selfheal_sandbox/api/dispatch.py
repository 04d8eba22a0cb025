"""Which handler answers a request."""

import sys
from collections.abc import Callable
from typing import TypeAlias

from aiohttp import web

from selfheal_sandbox.api import (
    binding,
    errors,
    eviction,
    execution,
    listing,
    logs,
    metrics,
    patching,
    port_forward,
    proxying,
    reviews,
    scale,
    token_requests,
    writing,
)
from selfheal_sandbox.api.authentication import Authenticate
from selfheal_sandbox.api.discovery import AGGREGATED, AGGREGATED_VERSIONS
from selfheal_sandbox.api.metrics_resources import GROUP as METRICS_GROUP
from selfheal_sandbox.api.metrics_resources import metrics_resource
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.api.rendering import form_of
from selfheal_sandbox.api.request import Request
from selfheal_sandbox.api.responses import json_response, text_response
from selfheal_sandbox.api.selection import selection
from selfheal_sandbox.api.server_context import ServerContext
from selfheal_sandbox.api.target import Target, resource_target
from selfheal_sandbox.api.watching import WatchOptions, WatchStream
from selfheal_sandbox.kinds import openapi, openapi_protobuf
from selfheal_sandbox.kinds.registry import Resource

ROOT_PATHS = ("/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version")
_UNSUPPORTED = {
    "attach": "the sandbox does not serve attach: use kubectl logs -f, or kubectl exec",
    "ephemeralcontainers": "the sandbox does not serve ephemeral containers: use kubectl exec",
    "resize": "the sandbox does not resize pods in place",
}

Synchronous: TypeAlias = Callable[[Objects, Request, Target], web.Response]

_POD_ACTIONS: dict[str, Synchronous] = {"eviction": eviction.evict, "binding": binding.bind}


async def dispatch(context: ServerContext, request: Request, authenticate: Authenticate) -> web.StreamResponse:
    """Answer a request.

    Raises:
        ApiError: whatever keeps it from being answered.
    """
    match request.parts:
        case ["api" | "apis" as root, version, *rest] if root == "api" or rest:
            group, version, parts = ("", version, rest) if root == "api" else (version, rest[0], rest[1:])
            return await _versioned(context, request, authenticate, group, version, parts)
        case _:
            return _document(context, request)


def _document(context: ServerContext, request: Request) -> web.Response:
    """Answer what is about the server and not about objects."""
    if request.method not in ("GET", "HEAD"):
        raise errors.method_not_allowed()
    match request.parts:
        case []:
            return json_response({"paths": list(ROOT_PATHS)})
        case ["healthz" | "livez" | "readyz", *_]:
            return text_response("ok")
        case ["version"]:
            return json_response(version_info(context.version))
        case ["api" | "apis" as root]:
            return _groups(context, request, core=root == "api")
        case ["apis", group]:
            return json_response(context.discovery.group(group))
        case ["openapi", *rest]:
            return _openapi(context, request, rest)
    raise errors.no_such_path()


def _openapi(context: ServerContext, request: Request, rest: list[str]) -> web.Response:
    discovery = context.discovery
    match rest:
        case ["v2"]:
            return _openapi_v2(context, request)
        case ["v3"]:
            return json_response(discovery.openapi_index())
        case ["v3", "api", version]:
            return json_response(discovery.openapi_document("", version))
        case ["v3", "apis", group, version]:
            return json_response(discovery.openapi_document(group, version))
    raise errors.no_such_path()


def _openapi_v2(context: ServerContext, request: Request) -> web.Response:
    registry = context.objects.registry
    if any(name in request.accept for name in openapi_protobuf.ASKED_AS):
        return web.Response(body=openapi_protobuf.document(registry), content_type=openapi_protobuf.MEDIA_TYPE)
    if "json" not in request.accept and "*/*" not in request.accept:
        raise errors.not_acceptable(["application/json", openapi_protobuf.MEDIA_TYPE])
    return json_response(openapi.swagger(registry))


def version_info(version: str) -> dict[str, str]:
    """Return what ``/version`` tells."""
    major, minor = version.removeprefix("v").split(".")[:2]
    return {
        "major": major,
        "minor": minor,
        "gitVersion": version,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": sys.implementation.name,
        "platform": "linux/amd64",
    }


def _groups(context: ServerContext, request: Request, *, core: bool) -> web.Response:
    for version in AGGREGATED_VERSIONS:
        if f"v={version};as=APIGroupDiscoveryList" in request.accept.replace(" ", ""):
            body = context.discovery.aggregated(version, core=core)
            return json_response(body, content_type=AGGREGATED.format(version=version))
    return json_response(context.discovery.groups(core=core))


async def _versioned(
    context: ServerContext, request: Request, authenticate: Authenticate, group: str, version: str, parts: list[str]
) -> web.StreamResponse:
    if not parts:
        if request.method not in ("GET", "HEAD"):
            raise errors.method_not_allowed()
        return json_response(context.discovery.resource_list(group, version))
    review = _review(group, version, parts)
    if review is not None:
        namespace = parts[1] if review.namespaced else ""
        return reviews.answer_review(review, request, authenticate, context.policy, namespace)
    if group == METRICS_GROUP:
        return metrics.read_metrics(context, request, _metrics_target(version, parts))
    target = resource_target(context.objects.registry, group, version, parts)
    if not target.name:
        return await _collection(context, request, target)
    if not target.subresource:
        return await _object(context, request, target)
    return await _subresource(context, request, target)


def _review(group: str, version: str, parts: list[str]) -> Resource | None:
    """Return the kind of question that a path asks; local ones are asked in a namespace."""
    namespaced = len(parts) == 3 and parts[0] == "namespaces"
    review = reviews.review_resource(group, version, parts[2] if namespaced else parts[0])
    fits = review is not None and (review.namespaced == namespaced) and len(parts) in (1, 3)
    return review if fits else None


def _metrics_target(version: str, parts: list[str]) -> Target:
    namespace = parts[1] if parts[0] == "namespaces" and len(parts) > 2 else None
    rest = parts[2:] if namespace is not None else parts
    resource = metrics_resource(version, rest[0])
    if resource is None or len(rest) > 2 or (namespace is not None and not resource.namespaced):
        raise errors.no_such_path()
    name = rest[1] if len(rest) == 2 else ""
    return Target(resource, namespace, name)


async def _collection(context: ServerContext, request: Request, target: Target) -> web.StreamResponse:
    objects = context.objects
    match request.method:
        case "GET" if target.watch or request.query.flag("watch"):
            return await _watch(context, request, target)
        case "GET":
            listing.check_options(request.query)
            chosen = selection(target.resource, target.namespace, request.query)
            form, now = form_of(request), objects.clock()
            return json_response(listing.list_body(objects.store, target.resource, chosen, request.query, form, now))
        case "POST":
            return writing.create(objects, request, target)
        case "DELETE":
            return writing.delete_collection(objects, request, target)
    raise errors.method_not_allowed()


async def _object(context: ServerContext, request: Request, target: Target) -> web.StreamResponse:
    objects = context.objects
    match request.method:
        case "GET" if target.watch or request.query.flag("watch"):
            return await _watch(context, request, target)
        case "GET":
            return _get(objects, request, target)
        case "PUT":
            return writing.replace(objects, request, target)
        case "PATCH":
            return patching.patch(objects, request, target)
        case "DELETE":
            return writing.delete(objects, request, target)
    raise errors.method_not_allowed()


def _get(objects: Objects, request: Request, target: Target) -> web.Response:
    obj = objects.store.get(target.resource.storage_key, target.place, target.name)
    if obj is None:
        raise errors.not_found(target.resource, target.name)
    return writing.answer(objects, request, target, obj)


async def _watch(context: ServerContext, request: Request, target: Target) -> web.StreamResponse:
    chosen = selection(target.resource, target.namespace, request.query, target.name)
    stream = WatchStream(
        context.objects.store,
        target.resource,
        chosen,
        WatchOptions.parse(request.query),
        form_of(request),
        context.objects.clock,
        context.bookmark_seconds,
    )
    return await stream.serve(request)


async def _subresource(context: ServerContext, request: Request, target: Target) -> web.StreamResponse:
    """Answer for a part of an object; what Kubernetes has and the sandbox has not is refused with a reason."""
    name, objects = target.subresource, context.objects
    if name not in target.resource.subresources:
        raise errors.no_such_path()
    if name == "proxy":
        return await _proxy(context, request, target)
    if target.rest:
        raise errors.no_such_path()
    if name in ("status", "finalize"):
        return _status(objects, request, target)
    if name == "scale":
        return scale.scale(objects, request, target)
    if name == "log":
        return await logs.read_log(context, request, target)
    if name == "exec":
        return await execution.execute(context, request, target)
    if name == "portforward":
        return await port_forward.forward_ports(context, request, target)
    if name == "token" and context.issue_token is not None:
        return token_requests.request_token(objects, context.issue_token, request, target)
    if name in _POD_ACTIONS:
        if request.method != "POST":
            raise errors.method_not_allowed()
        return _POD_ACTIONS[name](objects, request, target)
    raise errors.bad_request(_UNSUPPORTED.get(name, f"the sandbox does not serve {target.resource.plural}/{name}"))


def _status(objects: Objects, request: Request, target: Target) -> web.Response:
    match request.method, target.subresource:
        case "GET", "status":
            return _get(objects, request, target)
        case "PUT", _:
            return writing.replace(objects, request, target)
        case "PATCH", "status":
            return patching.patch(objects, request, target)
    raise errors.method_not_allowed()


async def _proxy(context: ServerContext, request: Request, target: Target) -> web.StreamResponse:
    match target.resource.plural:
        case "pods":
            return await proxying.proxy_pod(context, request, target)
        case "services":
            return await proxying.proxy_service(context, request, target)
    raise errors.bad_request(f"the sandbox does not serve {target.resource.plural}/proxy")
