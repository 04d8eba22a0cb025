"""What clients see of a real process that stops."""

import asyncio
import signal
import time
from collections import Counter

import pytest

from tests.unit.service.conftest import ServiceProcess, StartService
from tests.unit.service.http_client import Connection

EXIT_DEADLINE_SECONDS = 30.0

pytestmark = pytest.mark.slow


async def exit_code(service: ServiceProcess) -> int:
    return await asyncio.to_thread(service.process.wait, EXIT_DEADLINE_SECONDS)


async def await_refusal(port: int) -> None:
    """Wait until the service does not listen any more."""
    async with asyncio.timeout(EXIT_DEADLINE_SECONDS):
        while True:
            try:
                async with Connection(port):
                    pass
            except ConnectionRefusedError:
                return
            await asyncio.sleep(0.01)


class Traffic:
    """Clients that count what they meet until the service refuses connections.

    A refusal ends a client: in a cluster the endpoint has left the Service long before. Everything else that is no
    200 is a lost request.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.outcomes: Counter[str] = Counter()
        self.refused_at = 0.0

    async def keep_alive(self, pause_seconds: float) -> None:
        """Use a connection for as long as the service lets it live, then take another."""
        while True:
            try:
                async with Connection(self._port) as connection:
                    while not await self._request(connection):
                        await asyncio.sleep(pause_seconds)
            except ConnectionRefusedError:
                self.refused_at = time.monotonic()
                return
            except (OSError, asyncio.IncompleteReadError) as error:
                self.outcomes[f"lost: {error!r}"] += 1

    async def connect_anew(self, pause_seconds: float) -> None:
        """Use a new connection for every request."""
        while True:
            try:
                async with Connection(self._port) as connection:
                    await self._request(connection)
            except ConnectionRefusedError:
                return
            except (OSError, asyncio.IncompleteReadError) as error:
                self.outcomes[f"lost: {error!r}"] += 1
            await asyncio.sleep(pause_seconds)

    async def _request(self, connection: Connection) -> bool:
        answer = await connection.get()
        self.outcomes[str(answer.status)] += 1
        return answer.closes


async def test_no_request_is_lost_when_the_service_stops_under_traffic(start_service: StartService) -> None:
    service = start_service(drain_seconds=1.5)
    traffic = Traffic(service.port)
    async with asyncio.timeout(EXIT_DEADLINE_SECONDS), asyncio.TaskGroup() as clients:
        for number in range(6):
            clients.create_task(traffic.keep_alive(pause_seconds=0.005 * number))
        for number in range(3):
            clients.create_task(traffic.connect_anew(pause_seconds=0.002 * number))
        await asyncio.sleep(0.3)
        stopped_at = time.monotonic()
        service.terminate()
    assert await exit_code(service) == 0
    assert set(traffic.outcomes) == {"200"}
    assert traffic.outcomes["200"] > 100
    assert traffic.refused_at - stopped_at >= 1.5


async def test_not_ready_at_once_but_listening_for_the_drain_time(start_service: StartService) -> None:
    service = start_service(drain_seconds=0.5)
    async with Connection(service.port) as connection:
        assert (await connection.get("/ready")).status == 200
    service.terminate()
    stopped_at = time.monotonic()
    service.await_log("draining")
    async with Connection(service.port) as connection:
        ready = await connection.get("/ready")
    async with Connection(service.port) as connection:
        root = await connection.get("/")
    assert (ready.status, ready.closes) == (503, True)
    assert (root.status, root.closes) == (200, True)
    await await_refusal(service.port)
    assert time.monotonic() - stopped_at >= 0.5
    assert await exit_code(service) == 0


async def test_idle_connection_is_answered_after_the_listener_has_closed(start_service: StartService) -> None:
    service = start_service(drain_seconds=0.2, linger_seconds=20)
    async with Connection(service.port) as connection:
        assert not (await connection.get()).closes
        service.terminate()
        await await_refusal(service.port)
        answer = await connection.get()
        assert (answer.status, answer.closes) == (200, True)
        assert await connection.ended()
    assert await exit_code(service) == 0


async def test_connection_that_never_sent_anything_is_answered_too(start_service: StartService) -> None:
    service = start_service(drain_seconds=0.2, linger_seconds=20)
    async with Connection(service.port) as connection:
        await asyncio.sleep(0.05)
        service.terminate()
        await await_refusal(service.port)
        assert (await connection.get()).status == 200
    assert await exit_code(service) == 0


async def test_kept_alive_clients_that_send_at_any_moment_of_the_shutdown_are_all_answered(
    start_service: StartService,
) -> None:
    service = start_service(drain_seconds=0.5, linger_seconds=20)
    listening = asyncio.Event()

    async def send_after(seconds: float) -> tuple[int, bool]:
        async with Connection(service.port) as connection:
            assert not (await connection.get()).closes
            await listening.wait()
            await asyncio.sleep(seconds)
            answer = await connection.get()
            return answer.status, answer.closes

    clients = [asyncio.create_task(send_after(0.1 + 0.8 * number / 200)) for number in range(200)]
    await asyncio.sleep(0.5)
    service.terminate()
    service.await_log("draining")
    listening.set()
    assert Counter(await asyncio.gather(*clients)) == {(200, True): 200}
    assert await exit_code(service) == 0


async def test_request_in_flight_is_finished_after_the_listener_has_closed(start_service: StartService) -> None:
    service = start_service(drain_seconds=0.1, practice="true")
    await set_latency(service.port, seconds=1.0)
    async with Connection(service.port) as connection:
        await connection.send()
        await asyncio.sleep(0.1)
        service.terminate()
        await await_refusal(service.port)
        answer = await connection.receive()
    assert (answer.status, answer.closes) == (200, True)
    assert await exit_code(service) == 0


async def test_request_that_outlives_the_deadline_is_cut_and_the_exit_is_clean(start_service: StartService) -> None:
    service = start_service(drain_seconds=0, finish_seconds=1, practice="true")
    await set_latency(service.port, seconds=30)
    async with Connection(service.port) as connection:
        await connection.send()
        await asyncio.sleep(0.1)
        service.terminate()
        stopped_at = time.monotonic()
        assert await exit_code(service) == 0
    assert time.monotonic() - stopped_at < 10


async def test_idle_connection_delays_the_exit_by_the_linger_time_at_most(start_service: StartService) -> None:
    service = start_service(drain_seconds=0, linger_seconds=0.3)
    async with Connection(service.port) as connection:
        await connection.get()
        service.terminate()
        stopped_at = time.monotonic()
        assert await exit_code(service) == 0
        assert time.monotonic() - stopped_at >= 0.3
        assert await connection.ended()


async def test_a_second_sigterm_changes_nothing(start_service: StartService) -> None:
    service = start_service(drain_seconds=0.4)
    service.terminate()
    service.await_log("draining")
    service.terminate()
    async with Connection(service.port) as connection:
        assert (await connection.get()).status == 200
    assert await exit_code(service) == 0
    assert [line["event"] for line in service.log].count("draining") == 1


async def test_interrupt_from_a_terminal_skips_the_drain(start_service: StartService) -> None:
    service = start_service(drain_seconds=600)
    service.process.send_signal(signal.SIGINT)
    assert await exit_code(service) == 0


async def set_latency(port: int, seconds: float) -> None:
    body = f'{{"latency_seconds": {seconds}}}'.encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /practice/faults HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    assert b" 200 " in await reader.readline()
    writer.close()
