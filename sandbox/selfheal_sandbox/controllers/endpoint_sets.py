"""Which addresses stand behind a Service: the contents of its Endpoints and EndpointSlices."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from selfheal_sandbox.controllers.availability import FINISHED_PHASES
from selfheal_sandbox.controllers.templates import safe_hash
from selfheal_sandbox.store.objects import (
    Object,
    is_ready,
    is_terminating,
    labels_of,
    lasting_containers,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    uid_of,
)

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SLICE_CONTROLLER = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"
SLICE_LIMIT = 100
"""Endpoints in one slice; the default of kube-controller-manager (``--max-endpoints-per-slice``)."""

_Ports: TypeAlias = tuple[tuple[str, int, str], ...]  # (name, number, protocol)


@dataclass(frozen=True, slots=True)
class Backend:
    """One pod behind a Service.

    Attributes:
        ports: the pod's ports, as (name of the Service port, number, protocol).
        ready: the pod takes new connections.
        serving: the pod is Ready, though perhaps terminating.
    """

    pod: Object
    ports: _Ports
    ready: bool
    serving: bool
    terminating: bool


def selects(service: Object, pod: Object) -> bool:
    """Return whether the Service's selector matches the pod; a Service without a selector matches none."""
    selector = spec_of(service).get("selector") or {}
    labels = labels_of(pod)
    return bool(selector) and all(labels.get(label) == value for label, value in selector.items())


def facts(pod: Object) -> tuple[object, ...]:
    """Return what about a pod its Services' endpoints depend on; while it stays equal nothing has to be done."""
    status = status_of(pod)
    return (
        status.get("podIP"),
        status.get("phase") in FINISHED_PHASES,
        is_ready(pod),
        is_terminating(pod),
        spec_of(pod).get("nodeName"),
        labels_of(pod),
    )


def backends(service: Object, pods: Iterable[Object]) -> list[Backend]:
    """Return the backends of a Service, by pod name."""
    unready_too = bool(spec_of(service).get("publishNotReadyAddresses"))
    chosen = sorted((pod for pod in pods if _counts(service, pod)), key=name_of)
    return [
        Backend(
            pod,
            _ports(service, pod),
            ready=unready_too or (is_ready(pod) and not is_terminating(pod)),
            serving=is_ready(pod),
            terminating=is_terminating(pod),
        )
        for pod in chosen
    ]


def _counts(service: Object, pod: Object) -> bool:
    status = status_of(pod)
    return bool(status.get("podIP")) and status.get("phase") not in FINISHED_PHASES and selects(service, pod)


def _ports(service: Object, pod: Object) -> _Ports:
    found = ((port, _target(port, pod)) for port in spec_of(service).get("ports") or [])
    return tuple(
        (port.get("name", ""), target, port.get("protocol", "TCP")) for port, target in found if target is not None
    )


def _target(service_port: Object, pod: Object) -> int | None:
    """Return the pod's port that a Service port leads to; None when the pod has no port of that name."""
    target: int | str = service_port.get("targetPort") or service_port["port"]
    if isinstance(target, int):
        return target
    for container in lasting_containers(pod):
        for port in container.get("ports") or []:
            same_protocol = port.get("protocol", "TCP") == service_port.get("protocol", "TCP")
            if port.get("name") == target and same_protocol:
                return int(port["containerPort"])
    return int(target) if target.isdecimal() else None


def subsets(found: Sequence[Backend]) -> list[Object]:
    """Return ``subsets`` of the Endpoints object: terminating pods are left out."""
    groups: dict[_Ports, list[Backend]] = {}
    for backend in found:
        if backend.ready or not backend.terminating:
            groups.setdefault(backend.ports, []).append(backend)
    return [_subset(ports, members) for ports, members in sorted(groups.items())]


def _subset(ports: _Ports, members: Sequence[Backend]) -> Object:
    ready = [_address(backend) for backend in members if backend.ready]
    waiting = [_address(backend) for backend in members if not backend.ready]
    return {
        **({"addresses": ready} if ready else {}),
        **({"notReadyAddresses": waiting} if waiting else {}),
        **({"ports": _port_objects(ports)} if ports else {}),
    }


def _address(backend: Backend) -> Object:
    pod = backend.pod
    node = spec_of(pod).get("nodeName")
    return {"ip": pod["status"]["podIP"], **({"nodeName": node} if node else {}), "targetRef": _reference(pod)}


def _reference(pod: Object) -> Object:
    return {"kind": "Pod", "namespace": namespace_of(pod), "name": name_of(pod), "uid": uid_of(pod)}


def _port_objects(ports: _Ports) -> list[Object]:
    return [
        {**({"name": name} if name else {}), "port": number, "protocol": protocol} for name, number, protocol in ports
    ]


def slices(service: Object, found: Sequence[Backend]) -> dict[str, Object]:
    """Return the EndpointSlices of a Service by name, each as the fields the controller sets.

    Pods with different port numbers go to different slices. A Service without backends has one empty slice.
    """
    groups: dict[_Ports, list[Backend]] = {}
    for backend in found:
        groups.setdefault(backend.ports, []).append(backend)
    if not groups:
        return {_slice_name(service, (), 0): _slice(service, (), ())}
    return {
        _slice_name(service, ports, number): _slice(service, ports, chunk)
        for ports, members in groups.items()
        for number, chunk in enumerate(_chunks(members))
    }


def _chunks(members: Sequence[Backend]) -> Iterator[Sequence[Backend]]:
    for start in range(0, len(members), SLICE_LIMIT):
        yield members[start : start + SLICE_LIMIT]


def _slice_name(service: Object, ports: _Ports, number: int) -> str:
    """Return a name that stays while the ports stay, so that an update changes a slice rather than replacing it."""
    return f"{name_of(service)}-{safe_hash(f'{uid_of(service)}/{ports}/{number}')[:5]}"


def _slice(service: Object, ports: _Ports, members: Sequence[Backend]) -> Object:
    headless = spec_of(service).get("clusterIP") == "None"
    own = {SERVICE_NAME: name_of(service), MANAGED_BY: SLICE_CONTROLLER, **({HEADLESS: ""} if headless else {})}
    return {
        "labels": {**labels_of(service), **own},
        "addressType": "IPv4",
        "endpoints": [_endpoint(backend) for backend in members],
        "ports": [{"name": name, "port": number, "protocol": protocol} for name, number, protocol in ports],
    }


def _endpoint(backend: Backend) -> Object:
    node = spec_of(backend.pod).get("nodeName")
    return {
        "addresses": [backend.pod["status"]["podIP"]],
        "conditions": {"ready": backend.ready, "serving": backend.serving, "terminating": backend.terminating},
        **({"nodeName": node} if node else {}),
        "targetRef": _reference(backend.pod),
    }
