"""From Services and their EndpointSlices to where each connection may go."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from selfheal_sandbox.controllers.endpoint_sets import SERVICE_NAME
from selfheal_sandbox.store.objects import Object, labels_of, name_of, spec_of

PRIVILEGED_PORTS = 1024
MOVED_BY = 10000
"""Added to a Service port on which the user may not listen, or on which something else listens already."""


class Endpoint(NamedTuple):
    """Where a connection may go."""

    ip: str
    port: int


Routes: TypeAlias = dict[str, tuple[Endpoint, ...]]
"""By name of the Service port ("" for an unnamed one): where its connections may go."""


def routes_of(service: Object, slices: Iterable[Object], endpoints: Object | None) -> Routes:
    """Return where the connections of each port of a Service may go now.

    Ready endpoints take them. Only when there is none do those that terminate but still serve, as kube-proxy has it,
    so that a Service whose last pods are being replaced does not refuse connections they could still take.

    Args:
        service: the Service.
        slices: EndpointSlices of its namespace.
        endpoints: its Endpoints object, which counts for a Service without a selector and without slices.
    """
    own = [each for each in slices if labels_of(each).get(SERVICE_NAME) == name_of(service)]
    if not own and endpoints is not None and not spec_of(service).get("selector"):
        return _routes_of_endpoints(endpoints)
    ready: dict[str, list[Endpoint]] = {}
    leaving: dict[str, list[Endpoint]] = {}
    for each in own:
        for port in each.get("ports") or []:
            for endpoint in each.get("endpoints") or []:
                conditions = endpoint.get("conditions") or {}
                found = [Endpoint(ip, int(port["port"])) for ip in endpoint["addresses"][:1]]
                if conditions.get("ready", True):
                    ready.setdefault(port.get("name") or "", []).extend(found)
                elif conditions.get("serving") and conditions.get("terminating"):
                    leaving.setdefault(port.get("name") or "", []).extend(found)
    return {name: tuple(ready.get(name) or leaving.get(name) or ()) for name in ready.keys() | leaving.keys()}


def _routes_of_endpoints(endpoints: Object) -> Routes:
    found: dict[str, list[Endpoint]] = {}
    for subset in endpoints.get("subsets") or []:
        for port in subset.get("ports") or []:
            addresses = [Endpoint(each["ip"], int(port["port"])) for each in subset.get("addresses") or []]
            found.setdefault(port.get("name") or "", []).extend(addresses)
    return {name: tuple(addresses) for name, addresses in found.items()}


def tcp_ports(service: Object) -> list[Object]:
    """Return the Service's ports that can be forwarded."""
    return [port for port in spec_of(service).get("ports") or [] if port.get("protocol", "TCP") == "TCP"]


def other_protocols(service: Object) -> Sequence[str]:
    """Return the Service's ports that cannot be forwarded, as ``53/UDP``."""
    ports = spec_of(service).get("ports") or []
    return [f"{port['port']}/{port['protocol']}" for port in ports if port.get("protocol", "TCP") != "TCP"]


def listen_address(service: Object) -> str | None:
    """Return the address on which a Service listens; None for a headless one and for an alias (ExternalName)."""
    spec = spec_of(service)
    address = spec.get("clusterIP")
    if spec.get("type") == "ExternalName" or not address or address == "None":
        return None
    return str(address)


def find_port(service: Object, port: str | int) -> Object | None:
    """Return the entry of ``spec.ports`` that a number or a name means, or None."""
    for entry in spec_of(service).get("ports") or []:
        if str(port) == str(entry["port"]) or (port and port == entry.get("name")):
            found: Object = entry
            return found
    return None
