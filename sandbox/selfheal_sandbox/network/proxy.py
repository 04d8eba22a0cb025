"""The sandbox's Service network: addresses for pods and Services, and a TCP proxy on every Service's address."""

import asyncio
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import structlog

from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.controllers.controller import Place, differs, intent, place_of
from selfheal_sandbox.controllers.endpoint_sets import SERVICE_NAME
from selfheal_sandbox.controllers.keys import ENDPOINT_SLICES, ENDPOINTS, SERVICES
from selfheal_sandbox.controllers.work_queue import RetryPolicy, WorkQueue
from selfheal_sandbox.network.addresses import LoopbackRange
from selfheal_sandbox.network.listener import Listener, ProxyLimits
from selfheal_sandbox.network.routing import (
    MOVED_BY,
    Routes,
    find_port,
    listen_address,
    other_protocols,
    routes_of,
    tcp_ports,
)
from selfheal_sandbox.store.objects import Object, is_terminating, labels_of, name_of, namespace_of, spec_of, status_of
from selfheal_sandbox.store.store import Change

_log = structlog.get_logger(__name__)

_COMPONENT = "service-proxy"
_HIGHEST_PORT = 65535

_Address: TypeAlias = tuple[str, int]


@dataclass(slots=True)
class _Forward:
    """A Service port that is being served."""

    asked: _Address
    actual: _Address
    listener: Listener


@dataclass(slots=True)
class _Forwards:
    """The ports of one Service that are being served, by name."""

    ports: dict[str, _Forward] = field(default_factory=dict)


class Network:
    """Implements the API server's ``ServiceNetwork``. Give it the objects with `start`, end it with `close`.

    Where connections may go changes inside the write that changes an EndpointSlice: an endpoint that left gets no
    connection after that. Listeners open and close a moment after the Service does.
    """

    def __init__(
        self,
        addresses: LoopbackRange,
        *,
        limits: ProxyLimits | None = None,
        retry: RetryPolicy | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._addresses = addresses
        self._limits = limits or ProxyLimits()
        self._forwards: dict[Place, _Forwards] = {}
        self._retired: list[Listener] = []
        self._queue: WorkQueue[Place] = WorkQueue(retry or RetryPolicy(1.0, 30.0), chance)
        self._objects: Objects | None = None
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self.errors = 0

    # Addresses

    def allocate_service_ip(self) -> str:
        """Return a free address for a Service, now taken."""
        return self._addresses.services.allocate()

    def release_service_ip(self, ip: str) -> None:
        """Give a Service's address back; an unknown one is ignored."""
        self._addresses.services.release(ip)

    def allocate_pod_ip(self) -> str:
        """Return a free address for a pod, now taken."""
        return self._addresses.pods.allocate()

    def release_pod_ip(self, ip: str) -> None:
        """Give a pod's address back; an unknown one is ignored."""
        self._addresses.pods.release(ip)

    def address_of_service(self, service: Object, port: str | int) -> tuple[str, int] | None:
        """Return (IP address, port) of an endpoint behind a Service port (number or name), or None without any."""
        entry = find_port(service, port)
        if entry is None or self._objects is None:
            return None
        endpoints = self._routes(self._objects, service).get(entry.get("name") or "", ())
        return random.choice(endpoints) if endpoints else None  # noqa: S311 (spreads load, protects nothing)

    def listening_port(self, service: Object, port: int) -> int:
        """Return the port on which the sandbox serves a Service port: the same one unless it had to be moved."""
        served = self._forwards.get(place_of(service), _Forwards()).ports.values()
        return next((each.actual[1] for each in served if each.asked[1] == port), port)

    # Life

    def start(self, objects: Objects) -> None:
        """Serve every Service there is and will be; needs a running loop."""
        self._objects = objects
        self._unsubscribe = objects.store.subscribe(self._observe)
        for service in objects.store.list(SERVICES):
            self._queue.add(place_of(service))
        self._task = asyncio.create_task(self._work(objects), name="service-network")

    async def close(self) -> None:
        """Stop serving and break off every connection; safe to call twice."""
        self._unsubscribe()
        self._queue.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        served = [each.listener for forwards in self._forwards.values() for each in forwards.ports.values()]
        for listener in (*served, *self._retired):
            await listener.abort()
        self._forwards.clear()
        self._retired.clear()

    def _observe(self, change: Change) -> None:
        obj = change.new.obj
        if change.key == SERVICES and differs(change, intent):
            self._queue.add(place_of(obj))
        elif change.key == ENDPOINT_SLICES:
            self._reroute(Place(namespace_of(obj), labels_of(obj).get(SERVICE_NAME, "")))
        elif change.key == ENDPOINTS:
            self._reroute(place_of(obj))

    def _reroute(self, place: Place) -> None:
        forwards = self._forwards.get(place)
        service = self._objects.store.get(SERVICES, *place) if self._objects else None
        if forwards is None or service is None or self._objects is None:
            return
        routes = self._routes(self._objects, service)
        for name, forward in forwards.ports.items():
            forward.listener.route(routes.get(name, ()))

    def _routes(self, objects: Objects, service: Object) -> Routes:
        place = place_of(service)
        slices = objects.store.list(ENDPOINT_SLICES, place.namespace)
        return routes_of(service, slices, objects.store.get(ENDPOINTS, *place))

    # Listeners

    async def _work(self, objects: Objects) -> None:
        while True:
            place = await self._queue.get()
            try:
                await self._sync(objects, place)
            except Exception as error:  # noqa: BLE001 (top of the loop: one Service must not stop the others)
                self.errors += 1
                delay = self._queue.retry(place)
                _log.warning("service not served", service=place, error=repr(error), retry_in=round(delay, 2))
            else:
                self._queue.forget(place)

    async def _sync(self, objects: Objects, place: Place) -> None:
        """Open and close the listeners of one Service.

        Raises:
            OSError: a port could not be opened; it is tried again later.
        """
        service = objects.store.get(SERVICES, *place)
        wanted = _wanted(service) if service is not None and not is_terminating(service) else {}
        forwards = self._forwards.setdefault(place, _Forwards())
        for name, forward in list(forwards.ports.items()):
            if wanted.get(name) != forward.asked:
                del forwards.ports[name]
                forward.listener.close()
                self._retired.append(forward.listener)
        self._retired = [each for each in self._retired if each.connections]
        if service is not None:
            self._report(objects, service)
        if service is None or not wanted:
            self._forwards.pop(place, None)
            return
        problem: OSError | None = None
        for name, asked in wanted.items():
            if name not in forwards.ports:
                try:
                    forwards.ports[name] = await self._open(objects, service, asked)
                except OSError as error:
                    problem = error
        self._reroute(place)
        if problem is not None:
            raise problem

    async def _open(self, objects: Objects, service: Object, asked: _Address) -> _Forward:
        """Listen on a Service port, or on a higher one when that cannot be had.

        Raises:
            OSError: neither can be had.
        """
        listener = Listener(self._limits)
        try:
            sock, actual = _bind(asked), asked
        except OSError as error:
            sock, actual = self._bind_moved(objects, service, asked, error)
        await listener.open(sock)
        return _Forward(asked, actual, listener)

    def _bind_moved(
        self, objects: Objects, service: Object, asked: _Address, error: OSError
    ) -> tuple[socket.socket, _Address]:
        ip, port = asked
        moved = (ip, port + MOVED_BY)
        problem = f"cannot listen on {ip}:{port}: {error.strerror}"
        try:
            if moved[1] > _HIGHEST_PORT:
                raise error
            sock = _bind(moved)
        except OSError:
            text = f"{problem}. Choose another port in spec.ports"
            objects.record_event(service, "PortUnavailable", text, type="Warning", component=_COMPONENT)
            raise
        text = (
            f"{problem}; port {port} is served at {ip}:{moved[1]} instead "
            f"(selfheal-sandbox url svc/{name_of(service)} -n {namespace_of(service)})"
        )
        objects.record_event(service, "PortMoved", text, component=_COMPONENT)
        return sock, moved

    def _report(self, objects: Objects, service: Object) -> None:
        """Say what is not served, and give a LoadBalancer Service the address it waits for."""
        unserved = other_protocols(service)
        if unserved:
            text = f"the sandbox forwards TCP only; not served: {', '.join(unserved)}"
            objects.record_event(service, "ProtocolNotServed", text, type="Warning", component=_COMPONENT)
        if spec_of(service).get("type") == "LoadBalancer":
            ingress = [{"ip": spec_of(service)["clusterIP"], "ipMode": "Proxy"}]
            status = {**status_of(service), "loadBalancer": {"ingress": ingress}}
            objects.set_status(SERVICES, service, status)


def _wanted(service: Object) -> dict[str, _Address]:
    """Return the addresses on which a Service should listen, by port name."""
    ip = listen_address(service)
    if ip is None:
        return {}
    return {port.get("name") or "": (ip, int(port["port"])) for port in tcp_ports(service)}


def _bind(address: _Address) -> socket.socket:
    """Return a socket bound to an address.

    Raises:
        OSError: not allowed, or taken.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock
