"""The ``scale`` subresource: the number of replicas of anything that has one, as ``autoscaling/v1 Scale``."""

from typing import Any

from aiohttp import web

from selfheal_sandbox.api import admission, decoding, errors, patching
from selfheal_sandbox.api.json_patch import json_patch
from selfheal_sandbox.api.merge_patch import merge_patch
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.api.request import Request
from selfheal_sandbox.api.responses import json_response
from selfheal_sandbox.api.shapes import SCALE, checked_object
from selfheal_sandbox.api.target import Target
from selfheal_sandbox.kinds import cause
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.store.objects import Object
from selfheal_sandbox.store.selectors import selector_text

_SCALE_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale(objects: Objects, request: Request, target: Target) -> web.Response:
    """GET, PUT or PATCH of a scale.

    Raises:
        ApiError: 400 malformed, 404 no such object, 409 precondition, 422 not a number of replicas.
    """
    key, resource = target.resource.storage_key, target.resource
    if request.method not in ("GET", "PUT", "PATCH"):
        raise errors.method_not_allowed()
    replacement = _replacement(request, target) if request.method == "PUT" else None
    current = scale_of(resource, objects.get(key, target.place, target.name))
    if request.method == "GET":
        return json_response(current)
    wanted = _patched(request, current) if replacement is None else replacement
    metadata: Object = wanted.get("metadata") or {}
    replicas = (wanted.get("spec") or {}).get("replicas", 0)
    if not resource.is_custom:  # those have rules of their own, about the field that the Scale stands for
        _check_replicas(target.name, replicas)
    preconditions = {field: metadata[field] for field in ("resourceVersion", "uid") if metadata.get(field)}

    def scaled(old: Object) -> Object:
        path = resource.replica_paths[0]
        changed = _with_value(old, path.split(".")[1:], replicas)
        return {**changed, "metadata": {**old["metadata"], **preconditions}}

    changed = objects.update(key, target.place, target.name, scaled, subresource="scale", **request.write_options())
    return json_response(scale_of(resource, changed), warnings=request.warnings)


def _replacement(request: Request, target: Target) -> Object:
    """Return the Scale that a PUT carries; it has to say whose it is."""
    sent = checked_object(SCALE, request.object())
    metadata: Object = sent.get("metadata") or {}
    if not metadata.get("name"):
        raise errors.unnamed(target.name)
    admission.check_place(metadata, target.place, target.name)
    return sent


def _patched(request: Request, current: Object) -> Object:
    """Return the Scale that a PATCH makes of the current one."""
    kind = decoding.media_type(request.content_type)
    change = decoding.from_json(request.body)
    if kind == patching.JSON_PATCH:
        result = json_patch(current, change)
    elif kind in (patching.MERGE_PATCH, patching.STRATEGIC_MERGE_PATCH):
        result = merge_patch(current, change)
    else:
        raise errors.unsupported_media_type((patching.JSON_PATCH, patching.MERGE_PATCH))
    if not isinstance(result, dict):
        raise errors.bad_request("the patch makes no Scale")
    try:
        return checked_object(SCALE, result)
    except errors.WrongTypeError as error:
        raise patching.unusable_patch(request, error) from None


def _check_replicas(name: str, value: int) -> None:
    if value < 0:
        problem = cause.invalid("spec.replicas", value, "must be greater than or equal to 0")
        raise errors.invalid(SCALE, name, [problem])


def scale_of(resource: Resource, obj: Object) -> Object:
    """Return the Scale of an object."""
    spec_path, status_path, selector_path = resource.replica_paths
    if resource.scale_paths is None:
        selector = _selector_of(obj)
    else:
        selector = str(_value_at(obj, selector_path) or "") if selector_path else ""
    status: Object = {"replicas": _value_at(obj, status_path) or 0}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: obj["metadata"][field] for field in _SCALE_METADATA if field in obj["metadata"]},
        "spec": {"replicas": replicas} if (replicas := _value_at(obj, spec_path)) else {},
        "status": {**status, "selector": selector} if selector else status,
    }


def _selector_of(obj: Object) -> str:
    selector = (obj.get("spec") or {}).get("selector") or {}
    if obj["kind"] == "ReplicationController":
        selector = {"matchLabels": selector}
    return selector_text(selector)


def _value_at(obj: Object, path: str) -> Any:
    value: Any = obj
    for step in path.split(".")[1:]:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _with_value(obj: Any, steps: list[str], value: Any) -> Any:
    """Return a copy of an object with one field set; maps on the way are made where they are missing."""
    if not steps:
        return value
    parent = obj if isinstance(obj, dict) else {}
    return {**parent, steps[0]: _with_value(parent.get(steps[0]), steps[1:], value)}
