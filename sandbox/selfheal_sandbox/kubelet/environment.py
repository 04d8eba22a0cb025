"""The environment of a container: ``env``, ``envFrom``, fields, ConfigMaps, Secrets, Service links and ``$(NAME)``."""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from selfheal_sandbox.kubelet.fields import FieldError, pod_field, resource_field
from selfheal_sandbox.store.objects import Object, name_of, namespace_of, spec_of

Lookup = Callable[[str, str], Object | None]
"""(plural, name) -> the object of that name in the pod's namespace: ``lookup("configmaps", "web")``."""

_REFERENCE = re.compile(r"\$(?:\$|\(([-._a-zA-Z][-._a-zA-Z0-9]*)\))")


class ConfigError(Exception):
    """The container cannot be made from what the cluster holds now; the message is worded as a kubelet words it."""


@dataclass(frozen=True, slots=True)
class PodContext:
    """What the environment of a pod's containers is made from.

    Attributes:
        pod: the pod as stored, its status holding its addresses.
        lookup: finds ConfigMaps and Secrets.
        allocatable: what its node offers, for resource fields without a limit.
    """

    pod: Object
    lookup: Lookup
    allocatable: Mapping[str, str]


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` by its value; ``$$(NAME)`` means the text ``$(NAME)``; an unknown name stays as it is."""

    def replacement(match: re.Match[str]) -> str:
        name = match.group(1)
        return "$" if name is None else values.get(name, match.group())

    return _REFERENCE.sub(replacement, text)


def container_environment(context: PodContext, container: Object, first: Mapping[str, str]) -> dict[str, str]:
    """Return the container's variables; ``first`` holds those that everything else may use and overrides.

    Raises:
        ConfigError: a ConfigMap, Secret, key or field is missing.
    """
    values = dict(first)
    for source in container.get("envFrom") or []:
        values |= _all_of(source, context.lookup)
    for variable in container.get("env") or []:
        value = _value(context, container, variable, values)
        if value is not None:
            values[variable["name"]] = value
    return values


def _value(context: PodContext, container: Object, variable: Object, values: Mapping[str, str]) -> str | None:
    source = variable.get("valueFrom")
    if not source:
        return expand(variable.get("value") or "", values)
    try:
        if field := source.get("fieldRef"):
            return pod_field(context.pod, field["fieldPath"])
        if field := source.get("resourceFieldRef"):
            return resource_field(context.pod, container["name"], field, context.allocatable)
    except FieldError as error:
        raise ConfigError(str(error)) from None
    if reference := source.get("configMapKeyRef"):
        return _key_of(reference, "configmaps", context.lookup, namespace_of(context.pod))
    if reference := source.get("secretKeyRef"):
        return _key_of(reference, "secrets", context.lookup, namespace_of(context.pod))
    raise ConfigError(f"environment variable {variable['name']!r}: no source that the sandbox knows")


def _key_of(reference: Object, plural: str, lookup: Lookup, namespace: str) -> str | None:
    name, key = reference.get("name", ""), reference["key"]
    found = lookup(plural, name)
    if found is not None and key in (values := text_of(found, plural)):
        return values[key]
    if reference.get("optional"):
        return None
    if found is None:
        raise ConfigError(f'{_word(plural).lower()} "{name}" not found')
    raise ConfigError(f"couldn't find key {key} in {_word(plural)} {namespace}/{name}")


def _all_of(source: Object, lookup: Lookup) -> dict[str, str]:
    plural = "configmaps" if "configMapRef" in source else "secrets"
    reference = source.get("configMapRef") or source.get("secretRef") or {}
    found = lookup(plural, reference.get("name", ""))
    if found is None:
        if reference.get("optional"):
            return {}
        raise ConfigError(f'{_word(plural).lower()} "{reference.get("name", "")}" not found')
    prefix = source.get("prefix") or ""
    return {prefix + key: value for key, value in text_of(found, plural).items()}


def text_of(obj: Object, plural: str) -> dict[str, str]:
    """Return the data of a ConfigMap or Secret as text."""
    if plural == "configmaps":
        return dict(obj.get("data") or {})
    return {key: value.decode(errors="replace") for key, value in bytes_of(obj, plural).items()}


def bytes_of(obj: Object, plural: str) -> dict[str, bytes]:
    """Return the data of a ConfigMap or Secret, binary data too.

    Raises:
        ConfigError: a value is not base64.
    """
    plain = {key: value.encode() for key, value in (obj.get("data") or {}).items()} if plural == "configmaps" else {}
    encoded = (obj.get("binaryData") if plural == "configmaps" else obj.get("data")) or {}
    try:
        return plain | {key: base64.b64decode(value) for key, value in encoded.items()}
    except (binascii.Error, ValueError) as error:
        raise ConfigError(f"{_word(plural)} {name_of(obj)}: a value is not base64: {error}") from None


def _word(plural: str) -> str:
    return {"configmaps": "ConfigMap", "secrets": "Secret"}[plural]


def service_links(services: Iterable[Object]) -> dict[str, str]:
    """Return the variables by which a container finds the Services of its namespace (``enableServiceLinks``)."""
    values: dict[str, str] = {}
    for service in services:
        spec = spec_of(service)
        address, ports = spec.get("clusterIP") or "None", spec.get("ports") or []
        if address == "None" or not ports:
            continue
        prefix = name_of(service).upper().replace("-", "_")
        values[f"{prefix}_SERVICE_HOST"] = address
        values[f"{prefix}_SERVICE_PORT"] = str(ports[0]["port"])
        values[f"{prefix}_PORT"] = f"{_protocol(ports[0]).lower()}://{address}:{ports[0]['port']}"
        for port in ports:
            values |= _port_links(prefix, address, port)
    return values


def _port_links(prefix: str, address: str, port: Object) -> dict[str, str]:
    protocol, number = _protocol(port), str(port["port"])
    start = f"{prefix}_PORT_{number}_{protocol}"
    values = {
        start: f"{protocol.lower()}://{address}:{number}",
        f"{start}_PROTO": protocol.lower(),
        f"{start}_PORT": number,
        f"{start}_ADDR": address,
    }
    if name := port.get("name"):
        values[f"{prefix}_SERVICE_PORT_{name.upper().replace('-', '_')}"] = number
    return values


def _protocol(port: Object) -> str:
    return str(port.get("protocol") or "TCP")
