"""The bastion's listening socket: an sshd for each connection, with bounds on how many and on a line that is dead.

sshd asks no client that it writes to whether it is still there (``ClientAliveInterval``, OpenSSH 9.2), and the console
writes about once a second. So the kernel notices: what is sent has to be acknowledged in time (``TCP_USER_TIMEOUT``,
RFC 5482), and a line on which nothing is sent is asked by keepalive. Accepted sockets have both from the one that
listens.
"""

import os
import socket
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from selfheal_core.errors import BadUsage, SelfhealError

PORT = 2222
ACCEPT_PAUSE_SECONDS = 1.0
BACKLOG = 32
LINK_VARIABLE = "SELFHEAL_BASTION_LINK_SECONDS"
LINK_SECONDS = 15
LONGEST_LINK_SECONDS = 3600
LOGIN_GRACE_SECONDS = 20
"""sshd ends a connection on which nobody has logged in by then: one that is older is somebody's."""
LARGEST_CONNECTIONS = 60
LARGEST_NEW_PER_ADDRESS = 10
"""Connections of one address that are younger than the login grace: a stranger can't keep everybody out alone."""
KEEPALIVE_PROBES = 3
SSHD = "/usr/sbin/sshd"
SSHD_CONFIG = "/etc/selfheal/sshd_config"
CHECK_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Connection:
    """One that has an sshd.

    Attributes:
        address: Of the client, or of what forwards it.
        since: When it was accepted, by a monotonic clock.
    """

    address: str
    since: float


def link_seconds(environ: Mapping[str, str]) -> int:
    """How long a line may be dead before its session ends, in whole seconds.

    Raises:
        BadUsage: The variable holds no number, or one out of range.
    """
    text = environ.get(LINK_VARIABLE, "").strip() or str(LINK_SECONDS)
    if text.isascii() and text.isdigit() and 1 <= int(text) <= LONGEST_LINK_SECONDS:
        return int(text)
    raise BadUsage(
        f"{LINK_VARIABLE}={text[:80]!r}: not a whole number of seconds from 1 to {LONGEST_LINK_SECONDS}",
        f"correct it or leave it out ({LINK_SECONDS})",
    )


def refusal(address: str, connections: Collection[Connection], now: float) -> str:
    """Why one more connection from an address is not taken; "" if it is.

    Args:
        address: Where it comes from.
        connections: Those that there are.
        now: By the clock of their ``since``.
    """
    if len(connections) >= LARGEST_CONNECTIONS:
        return f"there are {LARGEST_CONNECTIONS} connections"
    fresh = [one for one in connections if one.address == address and now - one.since < LOGIN_GRACE_SECONDS]
    if len(fresh) >= LARGEST_NEW_PER_ADDRESS:
        return f"{LARGEST_NEW_PER_ADDRESS} connections of this address are new"
    return ""


def listen(port: int, seconds: int) -> socket.socket:
    """Listen on every address, of both families where the machine has both.

    Args:
        port: TCP port; 0 takes a free one.
        seconds: How long a line may be dead.

    Raises:
        SelfhealError: The port can't be had.
    """
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        listener = socket.create_server(("", port), family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        raise SelfhealError(f"cannot listen on port {port}: {error.strerror}") from None
    listener.setblocking(False)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    every = max(1, seconds // KEEPALIVE_PROBES)
    for option, value in (
        (socket.TCP_USER_TIMEOUT, seconds * 1000),
        (socket.TCP_KEEPIDLE, every),
        (socket.TCP_KEEPINTVL, every),
        (socket.TCP_KEEPCNT, KEEPALIVE_PROBES),
    ):
        listener.setsockopt(socket.IPPROTO_TCP, option, value)
    return listener


def sshd_command(keys: Sequence[Path]) -> list[str]:
    """An sshd for one connection, which is its standard input and output."""
    host_keys = [word for key in keys for word in ("-h", str(key))]
    return [SSHD, "-i", "-e", "-f", SSHD_CONFIG, "-o", f"LoginGraceTime={LOGIN_GRACE_SECONDS}", *host_keys]


def require_sshd(command: Sequence[str]) -> None:
    """Check that sshd takes its settings and keys, which it else would say at each login.

    Raises:
        SelfhealError: It does not; with its last words.
    """
    try:
        done = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=CHECK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SelfhealError(f"{command[0]} -t did not run: {error}") from None
    if done.returncode:
        raise SelfhealError(f"{command[0]} -t: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")


@dataclass(slots=True)
class Connections:
    """The connections that there are, each with its sshd.

    Attributes:
        listener: Where they come from.
        command: What serves one.
        present: Connections by process of their sshd.
    """

    listener: socket.socket
    command: Sequence[str]
    present: dict[int, Connection] = field(default_factory=dict)

    def accept(self) -> str:
        """Take the next connection; why it was closed again, or "".

        A client that has gone meanwhile is nobody.
        """
        try:
            accepted, peer = self.listener.accept()
        except (BlockingIOError, ConnectionError):
            return ""
        except OSError as error:  # the machine is out of files or memory, and the next try would come at once
            time.sleep(ACCEPT_PAUSE_SECONDS)
            return f"cannot accept a connection: {error.strerror}"
        address = str(peer[0]).removeprefix("::ffff:")
        now = time.monotonic()
        with accepted:
            why = refusal(address, self.present.values(), now)
            if why:
                # As sshd itself says it: a client shows what comes before the protocol.
                with suppress(OSError):
                    accepted.send(b"Not allowed at this time\r\n", socket.MSG_DONTWAIT)
                return f"connection from {address} refused: {why}"
            return self._serve(accepted, Connection(address, now))

    def _serve(self, accepted: socket.socket, connection: Connection) -> str:
        accepted.setblocking(True)
        given = [(os.POSIX_SPAWN_DUP2, accepted.fileno(), number) for number in (0, 1)]
        try:
            process = os.posix_spawn(self.command[0], list(self.command), os.environ, file_actions=given)
        except OSError as error:
            return f"connection from {connection.address} refused: {self.command[0]}: {error.strerror}"
        self.present[process] = connection
        return ""

    def forget(self, ended: Collection[int]) -> None:
        """Take away connections whose sshd has ended."""
        for process in ended:
            self.present.pop(process, None)

    def close(self) -> None:
        """Accept no more."""
        self.listener.close()
