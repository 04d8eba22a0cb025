"""The ``binding`` subresource: puts a pod on a node, as a scheduler does."""

from aiohttp import web

from selfheal_sandbox.api import errors
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.api.request import Request
from selfheal_sandbox.api.responses import json_response
from selfheal_sandbox.api.shapes import BINDING, checked_object
from selfheal_sandbox.api.target import Target
from selfheal_sandbox.kinds import cause
from selfheal_sandbox.store.objects import Object, is_terminating, name_of, now_rfc3339, spec_of, status_of, uid_of


def bind(objects: Objects, request: Request, target: Target) -> web.Response:
    """POST of a Binding.

    Raises:
        ApiError: 400 malformed, 404 no such pod, 409 the pod is on a node or going, 422 no node named.
    """
    binding = checked_object(BINDING, request.object())
    destination: Object = binding.get("target") or {}
    node = destination.get("name")
    if not node or destination.get("kind", "Node") not in ("", "Node"):
        problem = cause.required("target.name")
        raise errors.invalid_kind("Binding", "", target.name, [problem])
    pod = objects.get(target.resource.key, target.place, target.name)
    _check_bindable(target, pod, binding)
    if not request.dry_run():
        objects.patch_object(target.resource.key, pod, lambda old: bound(old, node, now_rfc3339(objects.clock())))
    return json_response(errors.success(201), code=201)


def _check_bindable(target: Target, pod: Object, binding: Object) -> None:
    uid = (binding.get("metadata") or {}).get("uid")
    if uid and uid != uid_of(pod):
        text = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {uid_of(pod)}"
        raise errors.conflict(target.resource, name_of(pod), text)
    if is_terminating(pod):
        text = f"pod {name_of(pod)} is being deleted, cannot be assigned to a host"
        raise errors.conflict(target.resource, name_of(pod), text)
    assigned = spec_of(pod).get("nodeName")
    if assigned:
        text = f'pod {name_of(pod)} is already assigned to node "{assigned}"'
        raise errors.conflict(target.resource, name_of(pod), text)


def bound(pod: Object, node: str, now: str) -> Object:
    """Return a pod on a node, with the condition that says so."""
    others = [entry for entry in status_of(pod).get("conditions") or () if entry.get("type") != "PodScheduled"]
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": now}
    return {
        **pod,
        "spec": {**spec_of(pod), "nodeName": node},
        "status": {**status_of(pod), "conditions": [*others, scheduled]},
    }
