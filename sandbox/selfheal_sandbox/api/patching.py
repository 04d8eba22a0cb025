"""PATCH requests: which kind of patch, decoded and applied to the stored object."""

import re
from collections.abc import Callable
from typing import Any

from aiohttp import web

from selfheal_sandbox.api import admission, decoding, errors, server_side_apply
from selfheal_sandbox.api.json_patch import json_patch
from selfheal_sandbox.api.merge_patch import merge_patch
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.api.rendering import form_of
from selfheal_sandbox.api.request import Request, option_error
from selfheal_sandbox.api.shapes import check_custom_kind, check_kind
from selfheal_sandbox.api.strategic_merge import strategic_merge
from selfheal_sandbox.api.target import Target
from selfheal_sandbox.api.writing import answer, conflicts, stored_form
from selfheal_sandbox.kinds import cause, conversion, schema
from selfheal_sandbox.kinds.cause import Cause
from selfheal_sandbox.kinds.custom_rules import null_causes
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.store.objects import Object, name_of, uid_of

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

    def stored(old: Object) -> Any:
        changed = served(conversion.from_storage(resource, old))
        if not isinstance(changed, dict):
            return changed
        if conflicts(changed, old):  # what cannot be read is told first
            admission.check_decoding(resource, changed, request.strictness(), request.warnings)
        else:
            check_custom_kind(resource, changed)
        return stored_form(resource, changed)

    options = request.write_options()
    key, sub = resource.storage_key, target.subresource
    try:
        changed = objects.update(key, target.place, target.name, stored, subresource=sub, **options)
    except errors.WrongTypeError as error:
        raise unusable_patch(request, error) from None
    return answer(objects, request, target, changed)


def unusable_patch(request: Request, error: errors.WrongTypeError) -> errors.ApiError:
    """Return the 422 for a patch that makes something which is no object of its kind."""
    problem = cause.invalid("patch", request.body.decode(errors="replace"), error.problem)
    return errors.invalid_kind("", "", "", [problem])


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
    applied, metadata = applied_configuration(target, request)
    key = target.resource.storage_key
    resource = objects.resource(key)
    if objects.store.get(key, target.place, target.name) is None:
        if target.subresource:
            raise errors.not_found(resource, target.name)
        _check_uid(resource, target, applied)
        _check_place(target, metadata)
        if not metadata.get("name"):
            raise errors.unnamed(target.name)
        _check_nulls(resource, applied)
        _check_values(target, applied)
        first = server_side_apply.first_apply(resource, applied, manager, objects.clock())
        created = objects.create(key, target.place, first, by_update=True, **options)
        return answer(objects, request, target, created, 201)

    def merged(live: Object) -> Object:
        result = server_side_apply.apply(
            resource,
            live,
            applied,
            manager,
            force=request.query.flag("force"),
            subresource=target.subresource,
            now=objects.clock(),
        )
        _check_place(target, metadata)
        if not metadata.get("name") and _has_owned_metadata(live) and not _has_owned_metadata(result):
            raise errors.unnamed(target.name)  # on a cluster the name goes with the last field of the metadata
        _check_nulls(resource, result)
        _check_values(target, applied)
        return _with_same_uid(resource, live, result)

    changed = objects.update(key, target.place, target.name, merged, subresource=target.subresource, **options)
    return answer(objects, request, target, changed)


def applied_configuration(target: Target, request: Request) -> tuple[Object, Object]:
    """Return the configuration of an apply request in the stored version under the path's name, and its own metadata.

    Nulls are kept: their manager owns the field.

    Raises:
        ApiError: 400, it is malformed or of another kind; 500, it holds fields that the schema does not know.
    """
    applied = decoding.from_yaml(request.body)
    if not isinstance(applied, dict):
        raise errors.bad_request("error decoding YAML: an applied configuration is an object")
    if not applied.get("kind") or not applied.get("apiVersion"):
        raise errors.bad_request("error decoding YAML: Object 'Kind' or 'apiVersion' is missing")
    metadata = applied.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise errors.bad_request("metadata must be an object")
    check_kind(target.resource, applied)
    if applied["kind"] != target.resource.kind:
        raise errors.bad_request(f"invalid object type: {applied['apiVersion']}, Kind={applied['kind']}")
    if metadata.get("managedFields") is not None:
        raise errors.bad_request("metadata.managedFields must be nil")
    _check_fields(target, applied)
    kept = {name: value for name, value in metadata.items() if name != "managedFields"}
    stored: Object = stored_form(target.resource, {**applied, "metadata": {**kept, "name": target.name}})
    return stored, metadata


def _check_fields(target: Target, applied: Object) -> None:
    """Refuse fields that the schema does not know: nobody could own them.

    Raises:
        ApiError: 500 without a reason, as the API server has it.
    """
    resource = target.resource
    place = f"{(applied.get('metadata') or {}).get('namespace', '')}/{target.name}"
    start = f"failed to create typed patch object ({place}; {resource.group_version}, Kind={resource.kind}): "
    findings = schema.check(resource, applied)
    mismatches = [each for each in findings.type_errors if not _TOLD_LATE.match(each)]
    mismatches += [each.message for each in findings.causes if _is_mismatch(each)]
    if mismatches:
        raise errors.ApiError(500, "", start + mismatches[0])
    if findings.unknown_fields:
        raise errors.ApiError(500, "", f"{start}.{findings.unknown_fields[0]}: field not declared in schema")
    try:
        server_side_apply.check_keys(applied, schema.root(resource), custom=resource.is_custom)
    except errors.ApiError as error:
        raise errors.ApiError(500, "", start + error.message) from None


_TOLD_LATE = re.compile(
    r"quantities must match|parsing time|illegal base64|json: cannot unmarshal number .* of type int(32|64)$"
)
"""Errors that no schema finds, whose numbers are all of one kind: told once the values are read, after conflicts."""


def _check_values(target: Target, applied: Object) -> None:
    """Refuse texts that cannot be read as what they stand for.

    Raises:
        ApiError: 500 without a reason, as the API server has it.
    """
    unreadable = schema.check(target.resource, applied).type_errors
    if unreadable:
        raise errors.ApiError(500, "", f"failed to create new object: {unreadable[0]}")


def _has_owned_metadata(obj: Object) -> bool:
    return any("f:metadata" in entry.get("fieldsV1", ()) for entry in obj["metadata"].get("managedFields", ()))


def _is_mismatch(problem: Cause) -> bool:
    """Return whether a custom value is of another kind than its schema has it; all numbers are of one kind here."""
    return problem.reason == "FieldValueTypeInvalid" and not problem.message.endswith('of type integer: "number"')


def _check_place(target: Target, metadata: Object) -> None:
    """Refuse a configuration that says another namespace or name than the path; told after conflicts.

    Raises:
        ApiError: 400.
    """
    if target.resource.namespaced and (metadata.get("namespace") or target.place) != target.place:
        raise errors.wrong_namespace()
    if (metadata.get("name") or target.name) != target.name:
        text = f"the name of the object ({metadata['name']}) does not match the name on the URL ({target.name})"
        raise errors.bad_request(text)


def _check_nulls(resource: Resource, applied: Object) -> None:
    """Refuse the nulls of a custom object that its schema does not allow.

    Raises:
        ApiError: 422.
    """
    content = {name: value for name, value in applied.items() if name != "metadata"}
    problems = list(null_causes(content, schema.root(resource))) if resource.is_custom else []
    if problems:
        raise errors.invalid(resource, name_of(applied), problems)


def _with_same_uid(resource: Resource, old: Object, patched: Object) -> Object:
    """Return a patched object; its uid is no precondition, as that of a replacement is, but may not change.

    Raises:
        ApiError: 422.
    """
    uid = patched["metadata"].get("uid")
    if uid and uid != uid_of(old):
        raise errors.invalid(resource, name_of(old), [cause.invalid("metadata.uid", uid, "field is immutable")])
    return patched


def _check_uid(resource: Resource, target: Target, applied: Object) -> None:
    if applied["metadata"].get("uid"):
        uid = applied["metadata"]["uid"]
        text = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise errors.conflict(resource, target.name, text)
