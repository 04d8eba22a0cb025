"""The Service proxy with real sockets on loopback."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvloop

from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.controllers.keys import ENDPOINT_SLICES, SERVICES
from selfheal_sandbox.kinds.registry import Registry
from selfheal_sandbox.network.addresses import LoopbackRange
from selfheal_sandbox.network.listener import ProxyLimits
from selfheal_sandbox.network.proxy import Network
from selfheal_sandbox.store.objects import Object, spec_of, with_spec
from selfheal_sandbox.store.store import Store
from tests.unit.sandbox_controllers.cluster import utc_now

PORT = 8080
LIMITS = ProxyLimits(connect_seconds=1, drain_seconds=0.2, connections=5)


@dataclass
class Backend:
    """A server that answers each line with its own name, and ends a connection when told."""

    ip: str
    server: asyncio.Server
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def stop(self) -> None:
        """Stop listening and end what is open, as a process does that exits."""
        self.server.close()
        for writer in tuple(self.writers):
            writer.close()
        await self.server.wait_closed()


@dataclass
class Bed:
    """A network with one Service, and backends made on demand."""

    objects: Objects
    network: Network
    addresses: LoopbackRange
    backends: list[Backend] = field(default_factory=list)
    clients: list["Client"] = field(default_factory=list)

    async def backend(self) -> Backend:
        ip = self.network.allocate_pod_ip()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            made.writers.add(writer)
            with suppress(ConnectionError, RuntimeError):  # uvloop: the transport is gone
                while line := await reader.readline():
                    writer.write(f"{ip}:".encode() + line)
                    await writer.drain()
                writer.write(b"bye\n")
            writer.close()
            made.writers.discard(writer)

        made = Backend(ip, await asyncio.start_server(serve, ip, PORT))
        self.backends.append(made)
        return made

    def route(self, *ips: str, leaving: tuple[str, ...] = ()) -> None:
        """Make these the Ready endpoints of the Service."""
        endpoints = [
            {"addresses": [ip], "conditions": {"ready": ip in ips, "serving": True, "terminating": ip not in ips}}
            for ip in (*ips, *leaving)
        ]
        body: Object = {
            "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": [{"name": "", "port": PORT, "protocol": "TCP"}],
        }
        current = self.objects.store.get(ENDPOINT_SLICES, "default", "web-1")
        if current is None:
            self.objects.create(ENDPOINT_SLICES, "default", body)
        else:
            self.objects.patch_object(ENDPOINT_SLICES, current, lambda old: {**old, "endpoints": endpoints})

    def serve(self, port: int = PORT, **spec: Any) -> Object:
        body = {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": port}], **spec}}
        return self.objects.create(SERVICES, "default", body)

    async def connect(self, service: Object, port: int = PORT) -> "Client":
        """Connect to the Service, as soon as it listens."""
        deadline = asyncio.get_running_loop().time() + 3
        while True:
            try:
                client = Client(*await asyncio.open_connection(spec_of(service)["clusterIP"], port))
            except ConnectionRefusedError:
                assert asyncio.get_running_loop().time() < deadline, "the Service does not listen"
                await asyncio.sleep(0.005)
            else:
                self.clients.append(client)
                return client


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, text: str = "hello") -> str:
        """Send a line and return the answer; "" when the connection ended."""
        try:
            self.writer.write(f"{text}\n".encode())
            async with asyncio.timeout(3):
                return (await self.reader.readline()).decode().strip()
        except ConnectionError:
            return ""

    def close(self) -> None:
        self.writer.close()


@asynccontextmanager
async def make_bed(folder: Path) -> AsyncIterator[Bed]:
    with LoopbackRange.claim(folder) as addresses:
        network = Network(addresses, limits=LIMITS, chance=lambda: 0.0)
        objects = Objects(Store(), Registry(), utc_now, addresses=network)
        problems: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
        network.start(objects)
        made = Bed(objects, network, addresses)
        yield made
        await network.close()
        await network.close()
        for client in made.clients:
            client.close()
        for backend in made.backends:
            await backend.stop()
        assert not problems


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with make_bed(tmp_path) as made:
        yield made


async def until(check: Callable[[], Any]) -> None:
    async with asyncio.timeout(3):
        while not check():
            await asyncio.sleep(0.005)


async def test_connections_are_spread_evenly(bed: Bed) -> None:
    backends = [await bed.backend() for _ in range(2)]
    bed.route(*(each.ip for each in backends))
    service = bed.serve()
    clients = [await bed.connect(service) for _ in range(4)]
    answers = sorted([await client.ask() for client in clients])
    assert answers == sorted([f"{each.ip}:hello" for each in backends] * 2)


async def test_refused_connection_goes_to_another_endpoint(bed: Bed) -> None:
    dead, alive = bed.network.allocate_pod_ip(), await bed.backend()
    bed.route(dead, alive.ip)
    service = bed.serve()
    for _ in range(4):
        client = await bed.connect(service)
        assert await client.ask() == f"{alive.ip}:hello"
        client.close()


async def test_without_endpoints_the_connection_is_reset(bed: Bed) -> None:
    client = await bed.connect(bed.serve())
    assert await client.ask() == ""


async def test_removed_endpoint_gets_nothing_new_but_finishes_what_it_has(bed: Bed) -> None:
    old, new = await bed.backend(), await bed.backend()
    bed.route(old.ip)
    service = bed.serve()
    before = await bed.connect(service)
    assert await before.ask() == f"{old.ip}:hello"
    bed.route(new.ip)
    after = await bed.connect(service)
    assert await after.ask() == f"{new.ip}:hello"
    assert await before.ask("still") == f"{old.ip}:still"
    after.close()
    before.close()


async def test_connection_to_a_removed_endpoint_ends_after_the_drain(bed: Bed) -> None:
    old = await bed.backend()
    bed.route(old.ip)
    client = await bed.connect(bed.serve())
    await client.ask()
    bed.route()
    async with asyncio.timeout(3):
        with pytest.raises(ConnectionResetError):
            await client.reader.read()


async def test_endpoint_that_comes_back_in_time_keeps_its_connections(bed: Bed) -> None:
    backend = await bed.backend()
    bed.route(backend.ip)
    client = await bed.connect(bed.serve())
    await client.ask()
    bed.route()
    bed.route(backend.ip)
    await asyncio.sleep(LIMITS.drain_seconds * 1.5)
    assert await client.ask("again") == f"{backend.ip}:again"
    client.close()


async def test_last_leaving_endpoint_still_takes_connections(bed: Bed) -> None:
    backend = await bed.backend()
    bed.route(leaving=(backend.ip,))
    client = await bed.connect(bed.serve())
    assert await client.ask() == f"{backend.ip}:hello"
    client.close()


async def test_half_closed_connection_still_brings_the_answer(bed: Bed) -> None:
    backend = await bed.backend()
    bed.route(backend.ip)
    client = await bed.connect(bed.serve())
    client.writer.write(b"last\n")
    client.writer.write_eof()
    async with asyncio.timeout(3):
        assert (await client.reader.read()).decode() == f"{backend.ip}:last\nbye\n"
    client.close()


async def test_crash_of_an_endpoint_is_felt_by_its_client(bed: Bed) -> None:
    backend = await bed.backend()
    bed.route(backend.ip)
    client = await bed.connect(bed.serve())
    await client.ask()
    for writer in tuple(backend.writers):
        writer.transport.abort()
    async with asyncio.timeout(3):
        assert await client.reader.read() == b""
    client.close()


async def test_slow_reader_does_not_fill_the_memory(bed: Bed) -> None:
    payload = b"x" * (32 * 1024 * 1024)
    ip = bed.network.allocate_pod_ip()
    sent = 0

    async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        view = memoryview(payload)
        for start in range(0, len(payload), 65536):
            writer.write(view[start : start + 65536])
            await writer.drain()
            sent = start + 65536
        writer.close()

    server = await asyncio.start_server(pour, ip, PORT)
    bed.route(ip)
    client = await bed.connect(bed.serve())
    await client.reader.readexactly(1)
    for _ in range(50):
        await asyncio.sleep(0.002)
    assert sent < len(payload) / 2
    async with asyncio.timeout(10):
        received = 1
        while chunk := await client.reader.read(1 << 20):
            received += len(chunk)
    assert received == len(payload)
    server.close()


async def test_more_clients_than_the_bound_are_refused(bed: Bed) -> None:
    backend = await bed.backend()
    bed.route(backend.ip)
    service = bed.serve()
    clients = [await bed.connect(service) for _ in range(LIMITS.connections)]
    for client in clients:
        assert await client.ask()
    extra = await bed.connect(service)
    assert await extra.ask() == ""
    clients[0].close()
    await clients[0].writer.wait_closed()

    async def next_one_works() -> bool:
        client = await bed.connect(service)
        answer = await client.ask()
        client.close()
        return bool(answer)

    async with asyncio.timeout(3):
        while not await next_one_works():
            await asyncio.sleep(0.01)


async def test_deleted_service_stops_listening(bed: Bed) -> None:
    backend = await bed.backend()
    bed.route(backend.ip)
    service = bed.serve()
    client = await bed.connect(service)
    await client.ask()
    bed.objects.delete(SERVICES, "default", "web")
    address = (spec_of(service)["clusterIP"], PORT)

    def is_refused() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(address) == errno.ECONNREFUSED

    await until(is_refused)
    assert await client.ask("still") == f"{backend.ip}:still"
    client.close()


async def test_changed_port_is_followed(bed: Bed) -> None:
    backend = await bed.backend()
    bed.route(backend.ip)
    service = bed.serve()
    (await bed.connect(service)).close()
    bed.objects.update(SERVICES, "default", "web", lambda old: with_spec(old, ports=[{"port": 9090}]))
    client = await bed.connect(service, 9090)
    assert await client.ask() == f"{backend.ip}:hello"
    client.close()


async def test_port_that_cannot_be_had_is_served_ten_thousand_higher(bed: Bed) -> None:
    ip = bed.network.allocate_service_ip()
    bed.network.release_service_ip(ip)
    with socket.socket() as occupant:
        occupant.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        occupant.bind((ip, PORT))
        occupant.listen()
        backend = await bed.backend()
        bed.route(backend.ip)
        service = bed.serve(clusterIP=ip)
        client = await bed.connect(service, PORT + 10000)
        assert await client.ask() == f"{backend.ip}:hello"
        assert bed.network.listening_port(service, PORT) == PORT + 10000
        (event,) = [each for each in bed.objects.store.list(("", "events")) if each["reason"] == "PortMoved"]
        assert f"served at {ip}:{PORT + 10000}" in event["message"]
        assert "selfheal-sandbox url svc/web" in event["message"]
        client.close()


async def test_port_that_cannot_be_had_at_all_is_told_and_tried_again(bed: Bed) -> None:
    ip = bed.network.allocate_service_ip()
    bed.network.release_service_ip(ip)
    with socket.socket() as occupant:
        occupant.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        occupant.bind((ip, 60000))
        occupant.listen()
        bed.serve(port=60000, clusterIP=ip)
        await until(lambda: bed.network.errors)
        reasons = {each["reason"] for each in bed.objects.store.list(("", "events"))}
        assert "PortUnavailable" in reasons
    backend = await bed.backend()
    bed.route(backend.ip)
    client = await bed.connect(bed.objects.get(SERVICES, "default", "web"), 60000)
    assert await client.ask() == f"{backend.ip}:hello"
    client.close()


async def test_load_balancer_gets_its_address(bed: Bed) -> None:
    service = bed.serve(type="LoadBalancer")

    def ingress() -> Any:
        return bed.objects.get(SERVICES, "default", "web")["status"]["loadBalancer"].get("ingress")

    await until(ingress)
    assert ingress()[0]["ip"] == spec_of(service)["clusterIP"]


async def test_udp_ports_are_named_as_not_served(bed: Bed) -> None:
    bed.serve(ports=[{"port": 53, "protocol": "UDP"}])
    events = ("", "events")
    await until(lambda: any("53/UDP" in each["message"] for each in bed.objects.store.list(events)))


async def test_api_server_is_told_a_ready_endpoint(bed: Bed) -> None:
    service = bed.serve()
    assert bed.network.address_of_service(service, PORT) is None
    bed.route("127.64.0.7")
    assert bed.network.address_of_service(service, PORT) == ("127.64.0.7", PORT)
    assert bed.network.address_of_service(service, "other") is None


async def test_closing_breaks_connections_and_leaves_no_task(bed: Bed) -> None:
    backend = await bed.backend()
    bed.route(backend.ip)
    client = await bed.connect(bed.serve())
    await client.ask()
    await bed.network.close()
    async with asyncio.timeout(3):
        with pytest.raises(ConnectionResetError):
            await client.reader.read()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "service-network"]


@pytest.mark.parametrize(
    "behaviour",
    [
        test_connections_are_spread_evenly,
        test_refused_connection_goes_to_another_endpoint,
        test_without_endpoints_the_connection_is_reset,
        test_connection_to_a_removed_endpoint_ends_after_the_drain,
        test_half_closed_connection_still_brings_the_answer,
        test_crash_of_an_endpoint_is_felt_by_its_client,
        test_slow_reader_does_not_fill_the_memory,
        test_more_clients_than_the_bound_are_refused,
        test_closing_breaks_connections_and_leaves_no_task,
    ],
)
def test_same_under_the_loop_the_server_uses(behaviour: Callable[[Bed], Awaitable[None]], tmp_path: Path) -> None:
    async def run() -> None:
        async with make_bed(tmp_path) as made:
            await behaviour(made)

    uvloop.run(run())
