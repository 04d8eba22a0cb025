"""Nodes of a schema with references resolved, made from the schema table or from a CustomResourceDefinition."""

from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import msgspec

from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.store.objects import Object

REFERENCE_PREFIX = "#/components/schemas/"
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
INT_OR_STRING_NAME = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
INT_OR_STRING = "int-or-string"


class Table(msgspec.Struct):
    """`tables/schema.json`: where it is from, and each definition by name, not yet decoded."""

    source: dict[str, str]
    definitions: dict[str, msgspec.Raw]


@cache
def table() -> Table:
    """The schema table, read when first asked for."""
    text = Path(__file__).with_name("tables").joinpath("schema.json").read_bytes()
    return msgspec.json.decode(text, type=Table)


class SchemaNode:
    """One place in a schema, with references resolved.

    Attributes:
        keywords: The OpenAPI keywords as written; those beside a reference go over those of what it refers to.
        name: Name of the definition it is, such as "io.k8s.api.core.v1.PodSpec"; "" for a node within one.
        type: "object", "array", "string", "integer", "number", "boolean", "int-or-string", or "" where the schema
            says nothing.
        fields: Schemas of the known fields as written; `field` gives their nodes.
        is_open: Whether unknown fields are kept.
    """

    __slots__ = ("_fields", "_items", "_values", "fields", "is_open", "keywords", "name", "required", "type")

    def __init__(self, keywords: Object, name: str = "") -> None:
        self.keywords = keywords
        self.name = name
        self.type = _type_of(keywords)
        self.fields: Object = _fields_of(keywords)
        self.is_open = bool(keywords.get("x-kubernetes-preserve-unknown-fields"))
        self.required: tuple[str, ...] = tuple(keywords.get("required") or ())
        self._fields: dict[str, SchemaNode] = {}
        self._items: SchemaNode | None = None
        self._values: SchemaNode | None = None

    def field(self, name: str) -> "SchemaNode | None":
        """The node of a known field, or None."""
        node = self._fields.get(name)
        if node is None and name in self.fields:
            node = self._fields[name] = node_of(self.fields[name])
        return node

    @property
    def items(self) -> "SchemaNode":
        """The node of a list's items."""
        if self._items is None:
            self._items = node_of(self.keywords.get("items"))
        return self._items

    @property
    def values(self) -> "SchemaNode | None":
        """The node of the values of a map (`additionalProperties`), or None when it is not one."""
        if self._values is None:
            schema = self.keywords.get("additionalProperties")
            if not schema:
                return None
            self._values = node_of(schema)
        return self._values


def _type_of(keywords: Object) -> str:
    if keywords.get("x-kubernetes-int-or-string"):
        return INT_OR_STRING
    if "type" not in keywords and "oneOf" in keywords:  # Quantity and IntOrString of the table
        return INT_OR_STRING
    return str(keywords.get("type", ""))


def _fields_of(keywords: Object) -> Object:
    properties: Object = keywords.get("properties") or {}
    return {**properties, **TYPE_AND_METADATA} if keywords.get("x-kubernetes-embedded-resource") else properties


TYPE_AND_METADATA: Object = {
    "apiVersion": {
        "type": "string",
        "description": "APIVersion defines the versioned schema of this representation of an object.",
    },
    "kind": {
        "type": "string",
        "description": "Kind is a string value representing the REST resource this object represents.",
    },
    "metadata": {
        "allOf": [{"$ref": REFERENCE_PREFIX + OBJECT_META}],
        "description": "Standard object's metadata.",
    },
}
"""Schemas of the fields every object has."""

ANY = SchemaNode({})
"""A place where the schema says nothing."""


@cache
def definition(name: str) -> SchemaNode:
    """The node of a definition of the schema table; `ANY` for a name it does not have."""
    raw = table().definitions.get(name)
    return ANY if raw is None else SchemaNode(msgspec.json.decode(raw), name)


def node_of(schema: Any) -> SchemaNode:
    """The node of a schema as written (`True` allows anything, as `additionalProperties` may say)."""
    if not isinstance(schema, dict) or not schema:
        return ANY
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return definition(reference.removeprefix(REFERENCE_PREFIX))
    alternatives = schema.get("allOf")
    if isinstance(alternatives, list) and len(alternatives) == 1 and "$ref" in alternatives[0]:
        target = node_of(alternatives[0])
        own = {key: value for key, value in schema.items() if key not in ("allOf", "description")}
        return SchemaNode({**target.keywords, **own}, target.name) if own else target
    return SchemaNode(schema)


@lru_cache(maxsize=1024)
def root(resource: Resource) -> SchemaNode:
    """The schema of a whole object; a resource without one knows its metadata and lets everything else pass."""
    if resource.definition:
        return definition(resource.definition)
    schema = resource.custom_schema
    if schema is None:
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return SchemaNode({**schema, "properties": {**(schema.get("properties") or {}), **TYPE_AND_METADATA}})
