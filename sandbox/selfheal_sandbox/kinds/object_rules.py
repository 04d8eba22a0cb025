"""What must hold for services, configuration, access rules, leases and custom resource definitions."""

import base64
from collections.abc import Callable, Iterator
from ipaddress import ip_address

from selfheal_sandbox.kinds import cause
from selfheal_sandbox.kinds.cause import Cause
from selfheal_sandbox.kinds.filling import parts
from selfheal_sandbox.kinds.label_rules import label_causes
from selfheal_sandbox.kinds.name_rules import (
    config_key,
    dns_1035_label,
    dns_label,
    dns_subdomain,
    port_name,
)
from selfheal_sandbox.kinds.pod_rules import not_negative, port_number_causes
from selfheal_sandbox.store.objects import Object

MAX_DATA_BYTES = 1024 * 1024
"""Size of all values of a ConfigMap or Secret together (core.MaxSecretSize)."""

NODE_PORTS = range(30000, 32768)
"""The API server's default `--service-node-port-range`."""

IMMUTABLE = "field is immutable when `immutable` is set"

_SECRET_KEYS = {
    "kubernetes.io/basic-auth": (),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
"""Keys that a Secret of a type must have."""


def service_causes(obj: Object, old: Object | None) -> Iterator[Cause]:
    """Rules of a Service."""
    spec = obj.get("spec") or {}
    kind, ports = spec.get("type"), parts(spec, "ports")
    before = (old or {}).get("spec") or {}
    address = spec.get("clusterIP") or ""
    if kind != "ExternalName" and address not in ("", "None") and not _is_address(address):
        detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        yield cause.invalid("spec.clusterIPs[0]", address, detail)
        return  # where it cannot be read the API server tells nothing else
    if before.get("clusterIP") not in (None, "", address) and "ExternalName" not in (kind, before.get("type")):
        yield cause.invalid("spec.clusterIPs[0]", [address], "may not change once set")
    yield from label_causes(spec.get("selector"), "spec.selector")
    if kind == "ExternalName":
        yield from _external_name_causes(spec, before)
    elif not ports and spec.get("clusterIP") != "None":
        yield cause.required("spec.ports")
    for index, port in enumerate(ports):
        yield from _service_port_causes(port, len(ports) > 1, f"spec.ports[{index}]")
    yield from _repeated_ports(ports)
    if kind != "LoadBalancer" and ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress"):
        yield cause.forbidden("status.loadBalancer.ingress", "may only be used when `spec.type` is 'LoadBalancer'")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _external_name_causes(spec: Object, before: Object) -> Iterator[Cause]:
    address = spec.get("clusterIP")
    takes_over = before.get("clusterIPs") and not spec.get("clusterIPs") and before.get("clusterIP") != address
    if address and not takes_over:  # Kubernetes lets another address pass where there was one
        yield cause.forbidden("spec.clusterIPs", "may not be set for ExternalName services")
    name = (spec.get("externalName") or "").removesuffix(".")
    if not name:
        yield cause.required("spec.externalName")
    else:
        yield from (cause.invalid("spec.externalName", name, problem) for problem in dns_subdomain(name))


def _service_port_causes(port: Object, named: bool, path: str) -> Iterator[Cause]:
    yield from port_number_causes(port, "port", path)
    yield from port_number_causes(port, "targetPort", path)
    target = port.get("targetPort")
    if isinstance(target, str):
        yield from (cause.invalid(f"{path}.targetPort", target, problem) for problem in port_name(target))
    name = port.get("name")
    if name:
        yield from (cause.invalid(f"{path}.name", name, problem) for problem in dns_label(name))
    elif named:
        yield cause.required(f"{path}.name")
    node_port = port.get("nodePort")
    if node_port and node_port not in NODE_PORTS:
        shown = f"{NODE_PORTS.start}-{NODE_PORTS.stop - 1}"
        detail = f"provided port is not in the valid range. The range of valid ports is {shown}"
        yield cause.invalid(f"{path}.nodePort", node_port, detail)


def _repeated_ports(ports: list[Object]) -> Iterator[Cause]:
    names, numbers = set(), set()
    for index, port in enumerate(ports):
        name, number = port.get("name"), (port.get("port"), port.get("protocol"))
        if name and name in names:
            yield cause.duplicate(f"spec.ports[{index}].name", name)
        if number in numbers:
            shown = {"protocol": number[1], "port": number[0]}
            yield cause.duplicate(f"spec.ports[{index}]", shown)
        names.add(name)
        numbers.add(number)


def config_map_causes(obj: Object, old: Object | None) -> Iterator[Cause]:
    """Rules of a ConfigMap."""
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    for field, entries in (("data", data), ("binaryData", binary)):
        yield from _key_causes(entries, field)
    for key in data.keys() & binary.keys():
        yield cause.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    size = sum(len(text.encode()) for text in data.values()) + sum(_decoded_size(text) for text in binary.values())
    if size > MAX_DATA_BYTES:
        yield cause.too_long("", MAX_DATA_BYTES)
    yield from _immutable_data_causes(obj, old, "data", "binaryData")


def secret_causes(obj: Object, old: Object | None) -> Iterator[Cause]:
    """Rules of a Secret."""
    data = obj.get("data") or {}
    yield from _key_causes(data, "data")
    if sum(_decoded_size(text) for text in data.values()) > MAX_DATA_BYTES:
        yield cause.too_long("data", MAX_DATA_BYTES)
    for key in _SECRET_KEYS.get(obj.get("type", ""), ()):
        if key not in data:
            yield cause.required(f"data[{key}]")
    if old is not None and old.get("type") != obj.get("type"):
        yield cause.invalid("type", obj.get("type"), "field is immutable")
    yield from _immutable_data_causes(obj, old, "data")


def _key_causes(entries: Object, field: str) -> Iterator[Cause]:
    for key in entries:
        yield from (cause.invalid(f"{field}[{key}]", key, problem) for problem in config_key(key))


def _decoded_size(text: str) -> int:
    return len(base64.b64decode(text)) if text else 0


def _immutable_data_causes(obj: Object, old: Object | None, *fields: str) -> Iterator[Cause]:
    if old is None or not old.get("immutable"):
        return
    if not obj.get("immutable"):
        yield cause.forbidden("immutable", IMMUTABLE)
    for field in fields:
        if (old.get(field) or {}) != (obj.get(field) or {}):
            yield cause.forbidden(field, IMMUTABLE)


def role_causes(obj: Object, _: Object | None) -> Iterator[Cause]:
    """Rules of a Role or ClusterRole."""
    for index, rule in enumerate(parts(obj, "rules")):
        path = f"rules[{index}]"
        if rule.get("verbs") == []:
            yield cause.required(f"{path}.verbs", "verbs must contain at least one value")
        if rule.get("nonResourceURLs"):
            continue
        if not rule.get("apiGroups"):
            yield cause.required(f"{path}.apiGroups", "resource rules must supply at least one api group")
        if not rule.get("resources"):
            yield cause.required(f"{path}.resources", "resource rules must supply at least one resource")


def role_binding_causes(obj: Object, old: Object | None) -> Iterator[Cause]:
    """Rules of a RoleBinding or ClusterRoleBinding."""
    reference = obj.get("roleRef") or {}
    if not reference.get("name"):
        yield cause.required("roleRef.name")
    kinds = ("ClusterRole",) if obj.get("kind") == "ClusterRoleBinding" else ("Role", "ClusterRole")
    if reference.get("kind") not in kinds:
        yield cause.not_supported("roleRef.kind", reference.get("kind", ""), kinds)
    if old is not None and old.get("roleRef") != reference:
        yield cause.invalid("roleRef", reference, "cannot change roleRef")
    for index, subject in enumerate(parts(obj, "subjects")):
        if subject.get("name") == "":
            yield cause.required(f"subjects[{index}].name")
        in_namespace = obj.get("kind") == "RoleBinding" or subject.get("namespace")
        if subject.get("kind") == "ServiceAccount" and not in_namespace:
            yield cause.required(f"subjects[{index}].namespace")


def lease_causes(obj: Object, _: Object | None) -> Iterator[Cause]:
    """Rules of a Lease."""
    spec = obj.get("spec") or {}
    duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if duration is not None and duration <= 0:
        yield cause.invalid("spec.leaseDurationSeconds", duration, "must be greater than 0")
    if transitions is not None and transitions < 0:
        yield cause.invalid("spec.leaseTransitions", transitions, not_negative())


def event_causes(obj: Object, _: Object | None) -> Iterator[Cause]:
    """Rules of an Event."""
    namespace, about = (obj.get("metadata") or {}).get("namespace", ""), obj.get("involvedObject") or {}
    if about.get("namespace", "") != namespace and (about.get("namespace") or namespace != "default"):
        shown = about.get("namespace", "")
        yield cause.invalid("involvedObject.namespace", shown, "does not match event.namespace")


def volume_claim_causes(obj: Object, _: Object | None) -> Iterator[Cause]:
    """Rules of a PersistentVolumeClaim."""
    spec = obj.get("spec") or {}
    if not spec.get("accessModes"):
        yield cause.required("spec.accessModes", "at least 1 access mode is required")
    if "storage" not in ((spec.get("resources") or {}).get("requests") or {}):
        yield cause.required("spec.resources[storage]")


def endpoint_slice_causes(obj: Object, old: Object | None) -> Iterator[Cause]:
    """Rules of an EndpointSlice."""
    if obj.get("addressType") == "":
        yield cause.required("addressType")
    if old is not None and old.get("addressType") != obj.get("addressType"):
        yield cause.invalid("addressType", obj.get("addressType"), "field is immutable")


def definition_causes(obj: Object, old: Object | None) -> Iterator[Cause]:
    """Rules of a CustomResourceDefinition."""
    spec = obj.get("spec") or {}
    names, group = spec.get("names") or {}, spec.get("group") or ""
    plural = names.get("plural") or ""
    name = (obj.get("metadata") or {}).get("name", "")
    if plural and group and name != f"{plural}.{group}":
        yield cause.invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group')
    for field, value, rule in (
        ("spec.group", group, dns_subdomain),
        ("spec.names.plural", plural, dns_1035_label),
        ("spec.names.singular", names.get("singular") or "", dns_1035_label),
    ):
        yield from _text_causes(field, value, rule)
    yield from _version_causes(spec)
    for field in ("group", "scope"):
        if old is not None and (old.get("spec") or {}).get(field) != spec.get(field):
            yield cause.invalid(f"spec.{field}", spec.get(field), "field is immutable")


def _text_causes(field: str, value: str, rule: Callable[[str], list[str]]) -> Iterator[Cause]:
    if value:
        yield from (cause.invalid(field, value, problem) for problem in rule(value))


def _version_causes(spec: Object) -> Iterator[Cause]:
    versions = parts(spec, "versions")
    stored = [version for version in versions if version.get("storage")]
    if spec.get("versions") is not None and len(stored) != 1:
        detail = "must have exactly one version marked as storage version"
        yield cause.invalid("spec.versions", versions, detail)
    seen = set()
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        if version.get("name") in seen:
            yield cause.invalid("spec.versions", versions, "must contain unique version names")
        seen.add(version.get("name"))
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            yield cause.required(f"{path}.schema.openAPIV3Schema", "schemas are required")
        elif schema.get("type") != "object":
            detail = "must be object at the root"
            yield cause.invalid(f"{path}.schema.openAPIV3Schema.type", schema.get("type", ""), detail)
