"""The sandbox's own piece of the loopback network, 127.N.0.0/16, and the addresses in it.

On Linux every address of 127.0.0.0/8 is the machine itself and any user may listen on it; elsewhere only 127.0.0.1.
"""

import fcntl
import os
import socket
import stat
import tempfile
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import TracebackType
from typing import Self

from selfheal_sandbox.api.errors import unavailable

NUMBERS = range(64, 128)
"""The N that sandboxes choose from: away from 127.0.0.x and from 127.0.0.53, which name services use."""
_GUARD_PORT = 6443


class RangeError(Exception):
    """No loopback range can be claimed; the message says why and what to do."""


class AddressPool:
    """Gives out addresses in turn, so that one that was given back rests as long as possible before its next use."""

    def __init__(self, network: IPv4Network, purpose: str) -> None:
        self._first = int(network.network_address) + 1
        self._count = network.num_addresses - 2
        self._purpose = purpose
        self._next = 0
        self._taken: set[str] = set()

    def allocate(self) -> str:
        """Return a free address, now taken.

        Raises:
            ApiError: 503, all are taken.
        """
        for _ in range(self._count):
            address = str(IPv4Address(self._first + self._next))
            self._next = (self._next + 1) % self._count
            if address not in self._taken:
                self._taken.add(address)
                return address
        raise unavailable(f"no {self._purpose} address is free: all {self._count} are taken")

    def release(self, address: str) -> None:
        """Give an address back; an unknown one is ignored."""
        self._taken.discard(address)


class LoopbackRange:
    """A claimed range 127.N.0.0/16; pods have its lower half, Services the upper. Use `claim`.

    Attributes:
        network: the range.
        pods: addresses for pods.
        services: addresses for Services.
    """

    def __init__(self, number: int, lock: int, guard: socket.socket) -> None:
        self.network = IPv4Network(f"127.{number}.0.0/16")
        lower, upper = self.network.subnets()
        self.pods = AddressPool(lower, "pod")
        self.services = AddressPool(upper, "service")
        self._lock = lock
        self._guard = guard

    @classmethod
    def claim(cls, folder: Path | None = None, numbers: Iterable[int] = NUMBERS) -> Self:
        """Claim the first range that no other sandbox of this machine has.

        A lock file keeps the sandboxes of one user apart. A bound socket keeps those of different users apart, whose
        lock files are in different folders. The kernel lets go of both when the process ends, however it ends.

        Args:
            folder: where lock files are; None for the user's runtime folder.
            numbers: the N to try, in this order.

        Raises:
            RangeError: none is free, or this system has only one loopback address.
        """
        place = folder or runtime_folder()
        tried = 0
        for number in numbers:
            tried += 1
            lock = _lock(place / f"loopback-{number}.lock")
            if lock is None:
                continue
            guard = _guard(number)
            if guard is not None:
                return cls(number, lock, guard)
            os.close(lock)
        raise RangeError(
            f"all {tried} loopback ranges are taken by other sandboxes; end one with: selfheal-sandbox down --name NAME"
        )

    def close(self) -> None:
        """Let the range go; safe to call twice."""
        if self._lock >= 0:
            self._guard.close()
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def runtime_folder() -> Path:
    """Return the user's folder for things that live as long as a login, made if needed; only the user may enter it.

    Raises:
        RangeError: somebody else has a folder of that name.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(runtime) / "selfheal" if runtime else Path(tempfile.gettempdir()) / f"selfheal-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise RangeError(f"cannot make {folder}: {error.strerror}; set XDG_RUNTIME_DIR to a folder of yours") from None
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise RangeError(f"{folder} is not a folder of yours; set XDG_RUNTIME_DIR to one")
    return folder


def _lock(path: Path) -> int | None:
    """Return a descriptor that holds an exclusive lock on a file, or None when another one holds it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise RangeError(f"cannot open the lock file {path}: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    os.truncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def _guard(number: int) -> socket.socket | None:
    """Return a socket bound to the last address of the range, or None when somebody else has it."""
    address = f"127.{number}.255.254"
    guard = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        guard.bind((address, _GUARD_PORT))
    except OSError as error:
        guard.close()
        if not _is_local(address):
            raise RangeError(
                f"this system does not answer on {address} ({error.strerror}); the sandbox needs Linux, where all of "
                "127.0.0.0/8 is local"
            ) from None
        return None
    return guard


def _is_local(address: str) -> bool:
    """Return whether any port can be bound on the address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
