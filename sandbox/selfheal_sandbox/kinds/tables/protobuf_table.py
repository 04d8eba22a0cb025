"""Makes the protobuf table: field numbers of the messages that clients send, with the names their fields have in JSON.

Core and meta messages come from the package k8s-proto, everything newer or in other groups from `supplement.proto`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

Node = dict[str, Any]

MODULES = (
    "k8s.io.api.core.v1.generated_pb2",
    "k8s.io.apimachinery.pkg.api.resource.generated_pb2",
    "k8s.io.apimachinery.pkg.apis.meta.v1.generated_pb2",
    "k8s.io.apimachinery.pkg.runtime.generated_pb2",
    "k8s.io.apimachinery.pkg.util.intstr.generated_pb2",
)
SEARCHED = tuple(module.removesuffix(".generated_pb2") for module in MODULES)
"""Packages in which `supplement.proto` may name a type without its package."""

SCALARS = {1: "double", 3: "int64", 5: "int32", 8: "bool", 9: "string", 12: "bytes"}
"""Field types of descriptors (google.protobuf.FieldDescriptorProto.Type) that the API uses."""

MESSAGE, REPEATED = 11, 3

ZERO_IS_A_VALUE = frozenset(
    {
        "activeDeadlineSeconds",
        "allocateLoadBalancerNodePorts",
        "allowPrivilegeEscalation",
        "appProtocol",
        "automountServiceAccountToken",
        "averageUtilization",
        "backoffLimit",
        "backoffLimitPerIndex",
        "blockOwnerDeletion",
        "completions",
        "controller",
        "defaultMode",
        "defaultUser",
        "deletionGracePeriodSeconds",
        "enableServiceLinks",
        "expirationSeconds",
        "failedJobsHistoryLimit",
        "fsGroup",
        "gracePeriodSeconds",
        "hostProcess",
        "hostUsers",
        "immutable",
        "leaseDurationSeconds",
        "leaseTransitions",
        "manualSelector",
        "maxFailedIndexes",
        "minDomains",
        "minReplicas",
        "mode",
        "optional",
        "orphanDependents",
        "parallelism",
        "partition",
        "priority",
        "privileged",
        "progressDeadlineSeconds",
        "readOnlyRootFilesystem",
        "replicas",
        "revisionHistoryLimit",
        "runAsGroup",
        "runAsNonRoot",
        "runAsUser",
        "setHostnameAsFQDN",
        "shareProcessNamespace",
        "stabilizationWindowSeconds",
        "startingDeadlineSeconds",
        "storageClassName",
        "successfulJobsHistoryLimit",
        "suspend",
        "targetCPUUtilizationPercentage",
        "terminationGracePeriodSeconds",
        "timeoutSeconds",
        "tolerationSeconds",
        "user",
        "ttlSecondsAfterFinished",
    }
)
"""Fields that are pointers in Go, so that 0, "" and false on the wire were set. Go writes other fields always, and a
zero there means that nobody set them."""

_PLAIN_TIMEOUT = "k8s.io.api.core.v1.Probe"  # its timeoutSeconds is no pointer, that of ClientIPConfig is


@dataclass(frozen=True)
class Field:
    """One field of a message.

    Attributes:
        shape: "one", "many", "map" (of strings to `type`), or "inline": its own fields stand in the message in JSON.
        type: A scalar or the full name of a message.
    """

    number: int
    name: str
    shape: str
    type: str
    keeps_zero: bool = False


Messages = dict[str, dict[int, Field]]


def protobuf_table(definitions: Node, roots: Iterable[str]) -> tuple[Node, Node]:
    """Where the messages are from, and the fields of each message that the roots (names of definitions) need."""
    messages = described()
    added = (Path(__file__).parent / "supplement.proto").read_text("utf-8")
    for message, fields in supplement(added, messages).items():
        messages[message] = {**messages.get(message, {}), **fields}
    found: Node = {}
    todo = [name for root in roots if (name := message_name(root)) in messages]
    while todo:
        name = todo.pop()
        if name not in found:
            entries = [served(entry, name, messages, definitions) for _, entry in sorted(messages[name].items())]
            kept = [entry for entry in entries if entry is not None]
            found[name] = [row(entry) for entry in kept]
            todo += [entry.type for entry in kept if entry.type in messages]
    package = "k8s-proto"
    header = {
        "package": package,
        "version": metadata.version(package),
        "licence": "Apache-2.0",
        "changes": "fields of later Kubernetes releases added from supplement.proto; messages not served left out",
    }
    return header, found


def row(entry: Field) -> list[Any]:
    """A field as the table has it."""
    values = [entry.number, entry.name, entry.shape, entry.type]
    return [*values, True] if entry.keeps_zero else values


def message_name(definition: str) -> str:
    """Name of the message of a definition: `io.k8s.api.core.v1.Pod` is `k8s.io.api.core.v1.Pod`."""
    return definition.replace("io.k8s.", "k8s.io.", 1)


def described() -> Messages:
    """Messages of the descriptors in k8s-proto."""
    found: Messages = {}
    for module in MODULES:
        for descriptor in import_module(module).DESCRIPTOR.message_types_by_name.values():
            found[descriptor.full_name] = {entry.number: _described_field(entry) for entry in descriptor.fields}
    return found


def _described_field(entry: Any) -> Field:
    kind = entry.message_type.full_name if entry.type == MESSAGE else SCALARS[entry.type]
    if entry.label != REPEATED:
        return Field(entry.number, entry.name, "one", kind)
    if entry.type == MESSAGE and entry.message_type.GetOptions().map_entry:
        value = entry.message_type.fields_by_name["value"]
        kind = value.message_type.full_name if value.type == MESSAGE else SCALARS[value.type]
        return Field(entry.number, entry.name, "map", kind)
    return Field(entry.number, entry.name, "many", kind)


_PACKAGE = re.compile(r"package ([\w.]+);")
_MESSAGE = re.compile(r"message (\w+) \{(.*?)\}", re.DOTALL)
_FIELD = re.compile(r"(optional|repeated|map<string,) ([\w.]+)>? (\w+) = (\d+);")
_SHAPES = {"optional": "one", "repeated": "many", "map<string,": "map"}


def supplement(text: str, known: Messages) -> Messages:
    """Messages that `supplement.proto` declares, their types looked up there and among those known.

    Raises:
        LookupError: A type is declared nowhere.
    """
    text = re.sub(r"//.*", "", text)
    parts = _PACKAGE.split(text)[1:]
    declared = {
        f"{package}.{name}": _FIELD.findall(body)
        for package, messages in zip(parts[::2], parts[1::2], strict=True)
        for name, body in _MESSAGE.findall(messages)
    }
    names = known.keys() | declared.keys()
    return {
        message: {
            int(number): Field(int(number), name, _SHAPES[label], resolve(kind, message, names))
            for label, kind, name, number in fields
        }
        for message, fields in declared.items()
    }


def resolve(kind: str, message: str, names: Iterable[str]) -> str:
    """Full name of a type as a message names it."""
    if kind in SCALARS.values():
        return kind
    own = message.rsplit(".", 1)[0]
    for package in (own, *SEARCHED):
        if f"{package}.{kind}" in names:
            return f"{package}.{kind}"
    raise LookupError(f"{message}: no message {kind}")


def served(entry: Field, message: str, messages: Messages, definitions: Node) -> Field | None:
    """A field with its form in JSON; None for one that the API no longer has."""
    definition = definitions.get(message.replace("k8s.io.", "io.k8s.", 1), {})
    properties = definition.get("properties")
    if properties is None or entry.name in properties:
        plain = message == _PLAIN_TIMEOUT and entry.name == "timeoutSeconds"
        kept = entry.name in definition.get("required", ()) or (entry.name in ZERO_IS_A_VALUE and not plain)
        return replace(entry, keeps_zero=kept and entry.shape == "one" and entry.type not in messages)
    inner = {part.name for part in messages.get(entry.type, {}).values()}
    return replace(entry, shape="inline") if inner & properties.keys() else None
