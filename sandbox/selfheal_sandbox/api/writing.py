"""Requests that write: create, replace, delete, deletecollection."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from selfheal_sandbox.api import admission, errors
from selfheal_sandbox.api.deletion import DeleteOptions, delete_options
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.api.rendering import Form, form_of, render_list, render_object
from selfheal_sandbox.api.request import Request
from selfheal_sandbox.api.responses import json_response
from selfheal_sandbox.api.selection import selection
from selfheal_sandbox.api.shapes import check_custom_kind, check_kind, check_shape
from selfheal_sandbox.api.target import Target
from selfheal_sandbox.kinds import cause, conversion
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.store.objects import Object, is_terminating, name_of, namespace_of, uid_of
from selfheal_sandbox.store.store import Entry

_RETURN_DELETED = frozenset(
    {"persistentvolumeclaims", "podtemplates", "pods", "resourcequotas", "serviceaccounts", "services"}
)
"""Resources whose deletion is answered with the object and not with a Status."""


_CONDITIONAL = frozenset({"Lease", "PodDisruptionBudget"})
"""Built-in kinds whose replacement must name a resource version (``AllowUnconditionalUpdate`` upstream)."""
_CREATED_BY_REPLACEMENT = frozenset(
    {
        "clusterrolebindings",
        "clusterroles",
        "endpoints",
        "events",
        "leases",
        "limitranges",
        "podtemplates",
        "rolebindings",
        "roles",
        "services",
    }
)
"""Resources that a PUT creates when they are not there (``AllowCreateOnUpdate`` upstream)."""


def stored_form(resource: Resource, obj: Object) -> Object:
    """Return a client's object in the stored version.

    Raises:
        ApiError: 400, it is of another kind, or of a shape that cannot be converted.
    """
    check_kind(resource, obj)
    if resource.storage_of is None:
        return obj
    check_shape(resource, obj)
    return conversion.to_storage(resource, obj)


def answer(objects: Objects, request: Request, target: Target, obj: Object, code: int = 200) -> web.Response:
    """Return one stored object as the client wants it."""
    body = render_object(target.resource, obj, form_of(request), objects.clock())
    return json_response(body, code=code, warnings=request.warnings)


def create(objects: Objects, request: Request, target: Target) -> web.Response:
    """POST to a collection."""
    if target.namespace is None:
        raise errors.method_not_allowed()
    form_of(request)  # refuse what cannot be answered before anything is written
    options = request.write_options()
    obj = stored_form(target.resource, request.object())
    check_custom_kind(target.resource, obj)
    created = objects.create(target.resource.storage_key, target.place, obj, **options)
    return answer(objects, request, target, created, 201)


def replace(objects: Objects, request: Request, target: Target) -> web.Response:
    """PUT on an object or its status."""
    form_of(request)
    key, options = target.resource.storage_key, request.write_options()
    obj = stored_form(target.resource, request.object())
    metadata = obj.get("metadata", {})
    if isinstance(metadata, dict) and not metadata.get("name") and target.subresource != "finalize":
        admission.check_decoding(target.resource, obj, request.strictness(), request.warnings)
        raise errors.unnamed(target.name)
    if objects.store.get(key, target.place, target.name) is None:
        return _replace_nothing(objects, request, target, obj)

    def replaced(old: Object) -> Object:
        if not conflicts(obj, old, ("uid",)):
            _require_version(request, target, obj)
        if conflicts(obj, old):  # what cannot be read is told first
            admission.check_decoding(target.resource, obj, request.strictness(), request.warnings)
        else:
            check_custom_kind(target.resource, obj)
        if target.subresource == "finalize":
            return {**old, "spec": obj.get("spec", {})}
        return obj

    changed = objects.update(key, target.place, target.name, replaced, subresource=target.subresource, **options)
    return answer(objects, request, target, changed)


def conflicts(obj: Object, old: Object, names: Sequence[str] = ("uid", "resourceVersion")) -> bool:
    """Return whether an object names another uid or version than the stored one has."""
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict):
        return False
    return any(metadata.get(name) not in (None, "", old["metadata"][name]) for name in names)


def _replace_nothing(objects: Objects, request: Request, target: Target, obj: Object) -> web.Response:
    """Answer a PUT on an object that is not there: some kinds are created by it.

    Raises:
        ApiError: 400 the body is not of its kind; 404.
    """
    key = target.resource.storage_key
    creates = target.resource.plural in _CREATED_BY_REPLACEMENT and not target.subresource
    admission.check_decoding(target.resource, obj, request.strictness(), None if creates else request.warnings)
    admission.check_place(obj.get("metadata") or {}, target.place, target.name)
    if not creates:
        raise errors.not_found(target.resource, target.name)
    metadata = obj.get("metadata") or {}
    if metadata.get("uid"):
        place = {"namespace": target.place, "name": target.name}
        text = admission.other_uid(target.resource, place, metadata["uid"], "")
        raise errors.conflict(target.resource, target.name, text)
    created = objects.create(key, target.place, obj, by_update=True, **request.write_options())
    version = metadata.get("resourceVersion")
    if version and request.dry_run():  # nobody took it away, as nothing was stored
        created = {**created, "metadata": {**created["metadata"], "resourceVersion": version}}
    return answer(objects, request, target, created, 201)


def _require_version(request: Request, target: Target, obj: Object) -> None:
    """Custom resources and some others are only replaced with the resource version that was read."""
    metadata: Any = obj.get("metadata")
    conditional = target.resource.is_custom or target.resource.kind in _CONDITIONAL
    if not conditional or (isinstance(metadata, dict) and metadata.get("resourceVersion")):
        return
    admission.check_decoding(target.resource, obj, request.strictness(), request.warnings)
    admission.check_place(metadata or {}, target.place, target.name)
    problem = cause.invalid("metadata.resourceVersion", 0, "must be specified for an update")
    raise errors.invalid_kind(target.resource.plural, target.resource.group, target.name, [problem])


def delete(objects: Objects, request: Request, target: Target) -> web.Response:
    """DELETE on an object."""
    options = read_delete_options(request)
    form = form_of(request)
    key = target.resource.storage_key
    obj = objects.delete(key, target.place, target.name, options=options)
    gone = objects.store.get(key, target.place, target.name) is None
    if options.dry_run:
        gone = not is_terminating(obj)
    if gone and target.resource.plural not in _RETURN_DELETED:
        details = errors.details_of(target.resource, target.name, uid=uid_of(obj))
        return json_response(errors.success(details=details), warnings=request.warnings)
    body = render_object(target.resource, obj, form, objects.clock())
    return json_response(body, warnings=request.warnings)


def read_delete_options(request: Request) -> DeleteOptions:
    """Read DeleteOptions from the body and the query of a request."""
    query = request.query
    from_query: Object = {}
    grace = query.number("gracePeriodSeconds")
    if grace is not None:
        from_query["gracePeriodSeconds"] = grace
    if query.text("propagationPolicy"):
        from_query["propagationPolicy"] = query.text("propagationPolicy")
    if query.has("orphanDependents"):
        from_query["orphanDependents"] = query.flag("orphanDependents")
    if request.dry_run():
        from_query["dryRun"] = ["All"]
    return delete_options(request.optional_object(), from_query)


def delete_collection(objects: Objects, request: Request, target: Target) -> web.Response:
    """DELETE on a collection: answers with the list of what was asked to go."""
    options = read_delete_options(request)
    form = form_of(request)
    key = target.resource.storage_key
    chosen = selection(target.resource, target.namespace, request.query)
    matching = [obj for obj in objects.store.list(key, chosen.namespace) if chosen.matches(obj)]
    limit = request.query.number("limit") or 0
    for obj in matching[:limit] if limit > 0 else matching:
        if objects.store.get(key, namespace_of(obj), name_of(obj)) is not None:
            objects.delete(key, namespace_of(obj), name_of(obj), options=options)
    return _list_answer(objects, target, matching, form, request)


def _list_answer(objects: Objects, target: Target, listed: list[Object], form: Form, request: Request) -> web.Response:
    revision = objects.store.revision
    entries = [Entry(obj, revision) for obj in listed]
    body = render_list(target.resource, entries, {"resourceVersion": str(revision)}, form, objects.clock())
    return json_response(body, warnings=request.warnings)
