"""OpenAPI documents of what is served: an OpenAPI 3.0 one per group and version, and one OpenAPI 2.0 for all.

kubectl and Helm read them to explain fields, to merge patches and to learn whether a PATCH takes `dryRun` and
`fieldValidation`: for that each operation names its kind and lists its query parameters.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import msgspec

from selfheal_sandbox.kinds.registry import SUBRESOURCE_KINDS, Registry, Resource
from selfheal_sandbox.kinds.schema_node import REFERENCE_PREFIX, TYPE_AND_METADATA, table
from selfheal_sandbox.store.objects import Object

QUERY_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation", "force", "pretty")

_REFERENCE = re.compile(rb'"#/components/schemas/([^"]+)"')
_SWAGGER_STRING = b'{"type":"string"}'
_COLLECTION = {"get": "list", "post": "post", "delete": "deletecollection"}
_ITEM = {"get": "get", "put": "put", "patch": "patch", "delete": "delete"}
_SUBRESOURCE = {"get": "get", "put": "put", "patch": "patch"}
_DESCRIBED_SUBRESOURCES = ("scale", "status")


class _Documents:
    """Documents of one registry, kept until it changes."""

    def __init__(self) -> None:
        self._generation = -1
        self._made: dict[str, bytes] = {}

    def get(self, registry: Registry, name: str, make: Callable[[], bytes]) -> bytes:
        if self._generation != registry.generation:
            self._generation = registry.generation
            self._made.clear()
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]


_DOCUMENTS: WeakKeyDictionary[Registry, _Documents] = WeakKeyDictionary()


def index(registry: Registry) -> Object:
    """The answer to `/openapi/v3`: where each document is; its address changes with its content."""
    groups = {path_of(resource.group, resource.version): resource for resource in registry}
    return {"paths": {path: {"serverRelativeURL": _address(registry, path, groups[path])} for path in sorted(groups)}}


def path_of(group: str, version: str) -> str:
    """`api/v1`, `apis/apps/v1`: the path of a group and version under `/` and under `/openapi/v3/`."""
    return f"apis/{group}/{version}" if group else f"api/{version}"


def document(registry: Registry, group: str, version: str) -> bytes:
    """The OpenAPI 3.0 document of a group and version, as JSON; without paths when nothing of it is served."""
    documents = _DOCUMENTS.setdefault(registry, _Documents())
    return documents.get(registry, path_of(group, version), lambda: _document(_members(registry, group, version)))


def swagger(registry: Registry) -> bytes:
    """The OpenAPI 2.0 document of all built-in kinds, as JSON: definitions only, which is what its readers look at."""
    return _DOCUMENTS.setdefault(registry, _Documents()).get(registry, "swagger", _swagger)


def _members(registry: Registry, group: str, version: str) -> list[Resource]:
    return [resource for resource in registry if (resource.group, resource.version) == (group, version)]


def _address(registry: Registry, path: str, sample: Resource) -> str:
    members = _members(registry, sample.group, sample.version)
    content = msgspec.json.encode([table().source, members], enc_hook=str)
    digest = hashlib.sha256(content).hexdigest().upper()
    return f"/openapi/v3/{path}?hash={digest}"


def _document(resources: list[Resource]) -> bytes:
    paths: Object = {}
    for resource in resources:
        paths |= _paths(resource)
    schemas = _schemas(resources)
    head = {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": f"v{table().source['version']}"}}
    body = {**head, "paths": paths, "components": {"schemas": schemas}}
    return msgspec.json.encode(body)


def _schemas(resources: Iterable[Resource]) -> dict[str, msgspec.Raw]:
    """Schemas of the resources and of what they refer to, sorted by name."""
    definitions = table().definitions
    found = {schema_name(resource): _custom_schema(resource) for resource in resources if resource.is_custom}
    todo = [resource.definition for resource in resources if not resource.is_custom]
    todo += [_definition_of(*SUBRESOURCE_KINDS["scale"])] if any("scale" in r.subresources for r in resources) else []
    for schema in found.values():
        todo += _references(schema)
    while todo:
        name = todo.pop()
        if name not in found and name in definitions:
            found[name] = definitions[name]
            todo += _references(definitions[name])
    return dict(sorted(found.items()))


def _references(schema: msgspec.Raw) -> list[str]:
    return [name.decode() for name in _REFERENCE.findall(schema)]


def schema_name(resource: Resource) -> str:
    """Name of a resource's schema in the document; that of a custom one is its group backwards, then its version."""
    if not resource.is_custom:
        return resource.definition
    return ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind])


def _custom_schema(resource: Resource) -> msgspec.Raw:
    schema = resource.custom_schema or {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    properties = {**(schema.get("properties") or {}), **TYPE_AND_METADATA}
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    described = {**schema, "properties": properties, "x-kubernetes-group-version-kind": [kind]}
    return msgspec.Raw(msgspec.json.encode(described))


def _paths(resource: Resource) -> Object:
    scope = ("namespace",) if resource.namespaced else ()
    collection = (
        f"/{path_of(resource.group, resource.version)}/{'namespaces/{namespace}/' * len(scope)}{resource.plural}"
    )
    item, named = f"{collection}/{{name}}", (*scope, "name")
    own = _Operand((resource.group, resource.version, resource.kind), schema_name(resource))
    paths = {collection: _operations(_COLLECTION, own, scope), item: _operations(_ITEM, own, named)}
    for name in _DESCRIBED_SUBRESOURCES:
        if name in resource.subresources:
            kind = SUBRESOURCE_KINDS.get(name)
            operand = _Operand(kind, _definition_of(*kind)) if kind else own
            paths[f"{item}/{name}"] = _operations(_SUBRESOURCE, operand, named)
    return paths


def _definition_of(group: str, version: str, kind: str) -> str:
    return f"io.k8s.api.{group.split('.')[0] or 'core'}.{version}.{kind}"


@dataclass(frozen=True, slots=True)
class _Operand:
    """What an operation works on: (group, version, kind), and the name of its schema."""

    kind: tuple[str, str, str]
    schema: str


def _operations(actions: dict[str, str], operand: _Operand, in_path: tuple[str, ...]) -> Object:
    """A path item: an operation for each method, and the parameters that stand in the path."""
    group, version, kind = operand.kind
    operations = {
        method: {
            "parameters": [_parameter(name, "query") for name in QUERY_PARAMETERS],
            "responses": _responses(operand.schema),
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
        }
        for method, action in actions.items()
    }
    return {**operations, "parameters": [_parameter(name, "path") for name in in_path]}


def _parameter(name: str, place: str) -> Object:
    required = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, "schema": {"type": "string"}, **required}


def _responses(schema: str) -> Object:
    content = {"application/json": {"schema": {"$ref": REFERENCE_PREFIX + schema}}}
    return {"200": {"description": "OK", "content": content}}


def _swagger() -> bytes:
    definitions = {name: _as_swagger(schema) for name, schema in table().definitions.items()}
    info = {"title": "Kubernetes", "version": f"v{table().source['version']}"}
    return msgspec.json.encode({"swagger": "2.0", "info": info, "paths": {}, "definitions": definitions})


def _as_swagger(schema: msgspec.Raw) -> msgspec.Raw:
    """A schema in OpenAPI 2.0 form, which knows no alternatives: quantities and the like are strings there."""
    text = bytes(schema)
    if text.startswith(b'{"oneOf"'):
        return msgspec.Raw(_SWAGGER_STRING)
    return msgspec.Raw(text.replace(REFERENCE_PREFIX.encode(), b"#/definitions/"))
