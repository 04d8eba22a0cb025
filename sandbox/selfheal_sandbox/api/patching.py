"""PATCH requests: which kind of patch, decoded and applied to the stored object."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from selfheal_sandbox.api import decoding, errors, server_side_apply
from selfheal_sandbox.api.admission import without_nulls
from selfheal_sandbox.api.json_patch import json_patch
from selfheal_sandbox.api.merge_patch import merge_patch
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.api.rendering import form_of
from selfheal_sandbox.api.request import Request, option_error
from selfheal_sandbox.api.shapes import check_shape
from selfheal_sandbox.api.strategic_merge import strategic_merge
from selfheal_sandbox.api.target import Target
from selfheal_sandbox.api.writing import answer, stored_form
from selfheal_sandbox.kinds import cause, conversion, schema
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.store.objects import Object

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
BUILTIN_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, APPLY_PATCH)
CUSTOM_TYPES = (JSON_PATCH, MERGE_PATCH, APPLY_PATCH)

Mutation = Callable[[Object], Any]


def patch(objects: Objects, request: Request, target: Target) -> web.Response:
    """PATCH on an object or its status."""
    form_of(request)
    if decoding.media_type(request.content_type) == APPLY_PATCH:
        return apply(objects, request, target)
    served = mutation(target.resource, request)
    resource = target.resource

    def stored(old: Object) -> Object:
        changed = served(conversion.from_storage(resource, old))
        return stored_form(resource, changed) if isinstance(changed, dict) else changed

    changed = objects.update(
        resource.storage_key,
        target.place,
        target.name,
        stored,
        subresource=target.subresource,
        **request.write_options(),
    )
    return answer(objects, request, target, changed)


def mutation(resource: Resource, request: Request) -> Mutation:
    """Return what a patch (of any kind but apply) makes of an object in the resource's version.

    Raises:
        ApiError: 400, the patch cannot be read; 415, its type is not one of ours.
    """
    kind = decoding.media_type(request.content_type)
    if kind not in (CUSTOM_TYPES if resource.is_custom else BUILTIN_TYPES):
        raise errors.unsupported_media_type(CUSTOM_TYPES if resource.is_custom else BUILTIN_TYPES)
    change = decoding.from_json(request.body)
    if kind == JSON_PATCH:
        return lambda old: json_patch(old, change)
    if not isinstance(change, dict):
        raise errors.bad_request("a merge patch is an object")
    if kind == MERGE_PATCH:
        return lambda old: merge_patch(old, change)
    return lambda old: strategic_merge(old, change, schema.root(resource))


def apply(objects: Objects, request: Request, target: Target) -> web.Response:
    """Server-side apply: creates the object when it is not there."""
    manager = request.query.text("fieldManager")
    if not manager:
        problem = cause.required("fieldManager", "is required for apply patch")
        raise option_error(problem, "PatchOptions")
    options = {**request.write_options(), "manager": ""}  # the entries are written here, not by the update
    applied = applied_configuration(target, request)
    key = target.resource.storage_key
    resource = objects.resource(key)
    if objects.store.get(key, target.place, target.name) is None:
        if target.subresource:
            raise errors.not_found(resource, target.name)
        _check_uid(resource, target, applied)
        first = server_side_apply.first_apply(resource, applied, manager, objects.clock())
        created = objects.create(key, target.place, first, **options)
        return answer(objects, request, target, created, 201)

    def merged(live: Object) -> Object:
        return server_side_apply.apply(
            resource,
            live,
            applied,
            manager,
            force=request.query.flag("force"),
            subresource=target.subresource,
            now=objects.clock(),
        )

    changed = objects.update(key, target.place, target.name, merged, subresource=target.subresource, **options)
    return answer(objects, request, target, changed)


def applied_configuration(target: Target, request: Request) -> Object:
    """Return the configuration of an apply request in the stored version.

    Raises:
        ApiError: 400, it is malformed or about something else than the path names.
    """
    value = decoding.from_yaml(request.body)
    if not isinstance(value, dict):
        raise errors.bad_request("error decoding YAML: an applied configuration is an object")
    applied = without_nulls(value)
    resource = target.resource
    if not applied.get("kind") or not applied.get("apiVersion"):
        raise errors.bad_request("error decoding YAML: Object 'Kind' or 'apiVersion' is missing")
    metadata = applied.setdefault("metadata", {})
    _check_metadata(target, metadata)
    applied["metadata"] = {**metadata, "name": target.name}
    if applied["metadata"].pop("managedFields", None):
        raise errors.bad_request("metadata.managedFields must be nil")
    stored: Object = stored_form(resource, applied)
    check_shape(resource, applied)
    return stored


def _check_metadata(target: Target, metadata: Any) -> None:
    if not isinstance(metadata, dict):
        raise errors.bad_request("metadata must be an object")
    if metadata.get("name", target.name) != target.name:
        text = f"the name of the object ({metadata['name']}) does not match the name on the URL ({target.name})"
        raise errors.bad_request(text)
    if target.resource.namespaced and metadata.get("namespace", target.place) != target.place:
        raise errors.wrong_namespace()


def _check_uid(resource: Resource, target: Target, applied: Object) -> None:
    if applied["metadata"].get("uid"):
        uid = applied["metadata"]["uid"]
        text = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise errors.conflict(resource, target.name, text)
