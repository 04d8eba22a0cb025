"""The OpenAPI 2.0 document in the protobuf form that kubectl asks for when it applies a ``kind: List``.

kubectl checks the members of such a list itself, against nothing else. The document names every kind and lets anything
into it: the server checks each member when it is written. Field numbers are those of ``openapi.v2.Document`` in
gnostic's ``OpenAPIv2.proto``.
"""

import msgspec

from selfheal_sandbox.kinds.registry import Registry, Resource

MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
ASKED_AS = (MEDIA_TYPE, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
"""How clients ask for it; kubectl still uses the second name, which is no valid media type and never the answer's."""

_BYTES = 2
_KIND_EXTENSION = "x-kubernetes-group-version-kind"


def document(registry: Registry) -> bytes:
    """Return the document: every kind, without its fields."""
    definitions = b"".join(_field(1, _definition(resource)) for resource in registry)
    info = _field(1, b"Kubernetes") + _field(2, b"unversioned")
    return _field(1, b"2.0") + _field(2, info) + _field(8, b"") + _field(9, definitions)


def _definition(resource: Resource) -> bytes:
    """Return a ``NamedSchema`` whose schema says nothing but which kind it is."""
    name = f"{resource.group}.{resource.version}.{resource.kind}".lstrip(".")
    kinds = [{"group": resource.group, "version": resource.version, "kind": resource.kind}]
    extension = _field(1, _KIND_EXTENSION.encode()) + _field(2, _field(2, msgspec.json.encode(kinds)))  # JSON is YAML
    return _field(1, name.encode()) + _field(2, _field(31, extension))


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
