"""What an object holds before anything is set in it: the fields that the API server's Go types always have.

The first owner of a map or list owns the place itself too, unless it is there in every object of the kind: a struct
that is no pointer, or a field that is written even when it is empty (``containers: null``). The schema table does not
tell pointers from structs, so those that matter are listed. Custom objects have nothing in advance.
"""

from functools import lru_cache
from typing import Any

from selfheal_sandbox.kinds import schema
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.kinds.schema_node import SchemaNode
from selfheal_sandbox.store.objects import Object

_DEPTH = 5
_STRUCTS = frozenset(
    {
        ("DaemonSetSpec", "updateStrategy"),
        ("DeploymentSpec", "strategy"),
        ("Event", "source"),
        ("IngressSpec", "rules"),
        ("JobTemplateSpec", "metadata"),
        ("JobTemplateSpec", "spec"),
        ("PodTemplate", "template"),
        ("PodTemplateSpec", "metadata"),
        ("PodTemplateSpec", "spec"),
        ("ReplicaSetSpec", "template"),
        ("ServiceStatus", "loadBalancer"),
        ("StatefulSetSpec", "updateStrategy"),
    }
)
"""(definition, field) of structs that are no pointers, where the field is not a required one."""
_EMPTY_TEXTS: dict[str, Object] = {"Event": {"reportingComponent": "", "reportingInstance": ""}}
"""Texts that are written even when they are empty."""
_NULLS: dict[str, Object] = {"Event": dict.fromkeys(("eventTime", "firstTimestamp", "lastTimestamp"))}
"""Fields that are written as null when there is no value, so that who takes the value away owns the null."""
_TOP = ("metadata", "spec", "status")


@lru_cache(maxsize=256)
def of(resource: Resource) -> Object:
    """Return the fields that every new object of a resource has, null for those without a value; do not change it."""
    if resource.is_custom:
        return {"metadata": {}}
    root = schema.root(resource)
    tops = {name: _struct(root.field(name), _DEPTH) for name in _TOP if root.field(name)}
    return {**tops, **_always(root, _DEPTH), **_EMPTY_TEXTS.get(resource.kind, {})}


def with_nulls(resource: Resource, part: Object) -> Object:
    """Return the tracked part of an object with the nulls that the API server writes where there is no value."""
    return {**_NULLS.get(resource.kind, {}), **part}


def _struct(node: SchemaNode | None, depth: int) -> Any:
    if node is None or node.type != "object" or not node.fields or not depth:
        return None
    return _always(node, depth - 1)


def _always(node: SchemaNode, depth: int) -> Object:
    owner = node.name.rsplit(".", 1)[-1]
    structs = (name for name in node.fields if name in node.required or (owner, name) in _STRUCTS)
    return {name: _struct(node.field(name), depth) for name in structs}
