"""The forms in which objects are answered: as they are, as rows of a Table, or their metadata only."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from selfheal_sandbox.api import errors
from selfheal_sandbox.api.request import Request, option_error
from selfheal_sandbox.api.responses import encode
from selfheal_sandbox.kinds import cause, conversion, printing
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.store.objects import Object
from selfheal_sandbox.store.store import Entry

Shape: TypeAlias = Literal["object", "table", "metadata"]
IncludeObject: TypeAlias = Literal["None", "Metadata", "Object"]

ACCEPTED_TYPES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
_ANY_TYPES = frozenset({"*/*", "application/*", *ACCEPTED_TYPES})
_SHAPES: dict[str, Shape] = {
    "Table": "table",
    "PartialObjectMetadata": "metadata",
    "PartialObjectMetadataList": "metadata",
}


@dataclass(frozen=True, slots=True)
class Form:
    """How a client wants objects."""

    shape: Shape = "object"
    include: IncludeObject = "Metadata"


def form_of(request: Request) -> Form:
    """Choose the first form of the Accept header that we have; bodies are JSON, which is YAML too.

    A client that asks for protobuf gets JSON and sees so in the Content-Type; the clients of Kubernetes take it.

    Raises:
        ApiError: 406, we have none of them; 422, ``includeObject`` is unknown.
    """
    for media in request.accept.split(","):
        name, *parameters = (part.strip() for part in media.split(";"))
        if name.lower() not in _ANY_TYPES:
            continue
        wanted = dict(parameter.partition("=")[::2] for parameter in parameters)
        shape = _SHAPES.get(wanted.get("as", "")) if "as" in wanted else "object"
        if shape is not None:
            return Form(shape, _include(request))
    raise errors.not_acceptable(ACCEPTED_TYPES)


def _include(request: Request) -> IncludeObject:
    match request.query.text("includeObject"):
        case "":
            return "Metadata"
        case "None" | "Metadata" | "Object" as known:
            return known
        case unknown:
            problem = cause.not_supported("includeObject", unknown, ["None", "Metadata", "Object"])
            raise option_error(problem, "TableOptions")


def render_object(resource: Resource, obj: Object, form: Form, now: datetime) -> Object:
    """Return one stored object in the resource's version and the client's form."""
    served = conversion.from_storage(resource, obj)
    if form.shape == "table":
        metadata = {"resourceVersion": served["metadata"]["resourceVersion"]}
        return table(resource, metadata, [row(resource, served, form, now)])
    return partial(served) if form.shape == "metadata" else served


def render_list(resource: Resource, entries: Iterable[Entry], metadata: Object, form: Form, now: datetime) -> bytes:
    """Return a list of stored objects as JSON."""
    if form.shape == "table":
        served = (conversion.from_storage(resource, entry.obj) for entry in entries)
        return encode(table(resource, metadata, [row(resource, obj, form, now) for obj in served]))
    if form.shape == "metadata":
        items = [partial(conversion.from_storage(resource, entry.obj)) for entry in entries]
        kind, version = "PartialObjectMetadataList", "meta.k8s.io/v1"
        return encode({"kind": kind, "apiVersion": version, "metadata": metadata, "items": items})
    head = b'{"kind":%s,"apiVersion":%s,"metadata":%s,"items":[' % (
        encode(resource.list_kind),
        encode(resource.group_version),
        encode(metadata),
    )
    return head + b",".join(raw(resource, entry) for entry in entries) + b"]}"


def raw(resource: Resource, entry: Entry) -> bytes:
    """Return one stored object as JSON in the resource's version."""
    if resource.storage_of is None:
        return entry.raw
    return encode(conversion.from_storage(resource, entry.obj))


def table(resource: Resource, metadata: Object, rows: list[Object], *, with_columns: bool = True) -> Object:
    """Return a ``meta.k8s.io/v1 Table``; later events of a watch leave the columns out."""
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": printing.columns(resource) if with_columns else None,
        "rows": rows,
    }


def row(resource: Resource, obj: Object, form: Form, now: datetime) -> Object:
    """Return one row of a Table."""
    included: Object | None = None
    if form.include == "Object":
        included = obj
    elif form.include == "Metadata":
        included = partial(obj)
    return {"cells": printing.cells(resource, obj, now), "object": included}


def partial(obj: Object) -> Object:
    """Return the metadata of an object as an object of its own."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
