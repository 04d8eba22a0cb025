"""The bastion's listening socket, on loopback, with a program of the test's own in sshd's place."""

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from bastion.connections import (
    LARGEST_CONNECTIONS,
    LARGEST_NEW_PER_ADDRESS,
    LINK_SECONDS,
    LOGIN_GRACE_SECONDS,
    Connection,
    Connections,
    link_seconds,
    listen,
    refusal,
    require_sshd,
)
from bastion.entry import Arrivals, Bastion
from bastion.places import Places
from selfheal_core.errors import BadUsage, SelfhealError

PATIENCE_SECONDS = 10.0
ECHO = [sys.executable, "-S", "-c", "import os; os.write(1, os.read(0, 100).upper())"]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that listens on a free port."""
    with listen(0, 7) as made:
        yield made


def client_of(listener: socket.socket) -> socket.socket:
    return socket.create_connection(("127.0.0.1", listener.getsockname()[1]), timeout=PATIENCE_SECONDS)


def accept(connections: Connections) -> str:
    assert select.select([connections.listener], [], [], PATIENCE_SECONDS)[0], "a connection is there to be taken"
    return connections.accept()


def test_without_the_variable_a_line_may_be_dead_for_a_quarter_of_a_minute() -> None:
    assert link_seconds({}) == link_seconds({"SELFHEAL_BASTION_LINK_SECONDS": " "}) == LINK_SECONDS == 15


def test_the_variable_sets_how_long_a_line_may_be_dead() -> None:
    assert link_seconds({"SELFHEAL_BASTION_LINK_SECONDS": "3"}) == 3


@pytest.mark.parametrize("text", ["0", "-1", "3601", "1.5", "15s", "nan", "³"])
def test_a_time_out_of_range_is_refused_with_what_it_may_be(text: str) -> None:
    with pytest.raises(BadUsage, match=r"SELFHEAL_BASTION_LINK_SECONDS='.*': not a whole number .* from 1 to 3600"):
        link_seconds({"SELFHEAL_BASTION_LINK_SECONDS": text})


def test_an_accepted_connection_has_the_times_of_the_socket_that_listens(listener: socket.socket) -> None:
    with client_of(listener):
        assert select.select([listener], [], [], PATIENCE_SECONDS)[0]
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7000
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 2
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 2


def test_a_port_that_is_taken_is_named(listener: socket.socket) -> None:
    port = listener.getsockname()[1]

    with pytest.raises(SelfhealError, match=f"cannot listen on port {port}: Address already in use"):
        listen(port, 7)


def test_each_connection_gets_a_process_of_its_own_and_is_forgotten_with_it(listener: socket.socket) -> None:
    connections = Connections(listener, ECHO)
    with client_of(listener) as first, client_of(listener) as second:
        assert accept(connections) == accept(connections) == ""
        assert [one.address for one in connections.present.values()] == ["127.0.0.1"] * 2
        for client, word in ((first, b"alice"), (second, b"bob")):
            client.send(word)
            assert client.recv(100) == word.upper()
            assert client.recv(100) == b"", "nobody but the process that ended had the connection open"

    for process in list(connections.present):
        connections.forget([os.waitpid(process, 0)[0]])
    assert connections.present == {}


def test_a_client_that_is_one_too_many_is_told_and_closed(listener: socket.socket) -> None:
    now = time.monotonic()
    full = {number: Connection("10.0.0.9", now) for number in range(LARGEST_CONNECTIONS)}
    connections = Connections(listener, ECHO, dict(full))
    with client_of(listener) as client:
        assert accept(connections) == f"connection from 127.0.0.1 refused: there are {LARGEST_CONNECTIONS} connections"
        assert client.recv(100) == b"Not allowed at this time\r\n"
        assert client.recv(100) == b""
    assert connections.present == full


def test_one_address_can_not_take_every_place_by_not_logging_in() -> None:
    now = 100.0
    knocking = [Connection("10.0.0.9", now - 1)] * LARGEST_NEW_PER_ADDRESS

    assert "connections of this address are new" in refusal("10.0.0.9", knocking, now)
    assert refusal("10.0.0.1", knocking, now) == ""


def test_people_who_have_logged_in_from_one_address_do_not_count_against_the_next() -> None:
    now = 100.0
    inside = [Connection("10.0.0.9", now - LOGIN_GRACE_SECONDS)] * (LARGEST_CONNECTIONS - 1)

    assert refusal("10.0.0.9", inside, now) == ""
    assert refusal("10.0.0.1", [*inside, Connection("10.0.0.2", now)], now) != ""


def test_a_program_that_is_not_there_is_said_and_the_client_closed(listener: socket.socket) -> None:
    connections = Connections(listener, ["/nonexistent/sshd"])
    with client_of(listener) as client:
        assert accept(connections) == (
            "connection from 127.0.0.1 refused: /nonexistent/sshd: No such file or directory"
        )
        assert client.recv(100) == b""
    assert connections.present == {}


def test_nobody_waiting_is_no_connection(listener: socket.socket) -> None:
    assert Connections(listener, ECHO).accept() == ""


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["/bin/sh", "-c", "echo first >&2; echo bad option >&2; exit 255"], "/bin/sh -t: bad option"),
        (["/bin/false"], "/bin/false -t: failed"),
        (["/nonexistent/sshd"], "/nonexistent/sshd -t did not run"),
    ],
)
def test_settings_that_sshd_does_not_take_are_said_before_the_first_login(command: list[str], said: str) -> None:
    with pytest.raises(SelfhealError, match=said):
        require_sshd(command)


@pytest.fixture
def arrivals() -> Iterator[Arrivals]:
    """Signals as something to wait for; afterwards they do what they did before."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
    before = {number: signal.getsignal(number) for number in numbers}
    with closing(Arrivals(numbers)) as made:
        yield made
    for number, handler in before.items():
        signal.signal(number, handler)


def test_it_serves_until_it_is_told_to_end(listener: socket.socket, arrivals: Arrivals, tmp_path: Path) -> None:
    address, client = ("127.0.0.1", listener.getsockname()[1]), socket.socket()
    client.settimeout(PATIENCE_SECONDS)
    places = Places(operators=tmp_path / "none", run=tmp_path, journals=tmp_path)

    def log_in_and_say_to_end() -> bytes:
        client.connect(address)
        client.send(b"alice")
        said = client.recv(100)
        os.kill(os.getpid(), signal.SIGTERM)
        return said

    with client, ThreadPoolExecutor(1) as other:
        said = other.submit(log_in_and_say_to_end)
        Bastion(places).serve(Connections(listener, ECHO), arrivals)
        assert said.result(PATIENCE_SECONDS) == b"ALICE"
    assert listener.fileno() == -1, "nobody can connect any more"


def test_signals_are_read_once_each(arrivals: Arrivals) -> None:
    assert arrivals.take() == set()
    signal.raise_signal(signal.SIGTERM)
    assert select.select([arrivals], [], [], PATIENCE_SECONDS)[0]

    assert arrivals.take() == {signal.SIGTERM}
    assert arrivals.take() == set()
