"""Ways to prove who we are to the API server."""

import asyncio
import base64
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from selfheal_core.cluster.kubernetes.api_errors import Unreachable
from selfheal_core.errors import BadUsage

RENEW_BEFORE_SECONDS = 60.0
"""A credential that ends this soon is replaced before it is used."""
REISSUE_SECONDS = 8.0
"""A plugin whose credential is refused is asked at most this often: it may cost seconds, or talk to a log-in page.

With ``reflector.CREDENTIALS_CHECK_SECONDS`` it bounds how long a new credential stays unnoticed.
"""


class Credentials(Protocol):
    """Gives the headers of a request."""

    async def headers(self) -> dict[str, str]:
        """Headers that prove who we are.

        Raises:
            Unreachable: A file or a plugin gave none.
        """

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Forget what is cached after a 401.

        Args:
            refused: The headers that were not accepted; something newer is kept.

        Returns:
            Whether asking again may help.
        """


class RewrittenFiles:
    """Credentials that files describe: read again once they were refused and the files are no longer the same.

    Args:
        files: A kubeconfig's files, and the certificates that it names.
        read: Reads them; called when they changed.
    """

    def __init__(self, files: tuple[Path, ...], read: Callable[[], Credentials]) -> None:
        self._files = files
        self._read = read
        self._seen = _signature(files)
        self._current = read()

    async def headers(self) -> dict[str, str]:
        """What the files gave when they were last read."""
        return await self._current.headers()

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Take up what the files say by now; without a change, what these credentials can do themselves."""
        seen = _signature(self._files)
        if seen != self._seen:
            try:
                self._current = self._read()
            except BadUsage:
                # Half-written, or the user is no longer in it: the next look may find it whole.
                return False
            self._seen = seen
            return True
        return await self._current.renew(refused)


def _signature(files: tuple[Path, ...]) -> tuple[tuple[int, int, int] | None, ...]:
    """What tells one content of files from another without reading them; None for one that is not there."""

    def of(file: Path) -> tuple[int, int, int] | None:
        try:
            found = file.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    return tuple(of(file) for file in files)


@dataclass(frozen=True, slots=True)
class FixedHeaders:
    """A token or password from the kubeconfig, or nothing where a client certificate does it."""

    fixed: Mapping[str, str]

    async def headers(self) -> dict[str, str]:
        """The same each time."""
        return dict(self.fixed)

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Nothing else to offer, unless others were refused."""
        return dict(self.fixed) != dict(refused)


@dataclass(frozen=True, slots=True)
class TokenFile:
    """A token in a file that somebody else keeps fresh, such as the kubelet; read for each request."""

    file: Path

    async def headers(self) -> dict[str, str]:
        """The token that the file holds now."""
        try:
            return bearer(self.file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, BadUsage) as error:
            raise Unreachable(f"no token in {self.file}: {error}") from error

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Whether the file holds another token by now."""
        return await self.headers() != refused


@dataclass(frozen=True, slots=True)
class Issued:
    """What a plugin or an identity provider gave.

    Attributes:
        headers: Headers to send.
        expires_at: Seconds since the epoch; None where it does not say, so that only a 401 ends it.
    """

    headers: Mapping[str, str]
    expires_at: float | None = None


class IssuedCredentials:
    """Credentials that have to be asked for: kept until shortly before they expire, or until a 401.

    One that is refused again right after it was issued is not asked for again within ``REISSUE_SECONDS``.
    """

    def __init__(self, issue: Callable[[], Awaitable[Issued]], clock: Callable[[], float] = time.time) -> None:
        self._issue = issue
        self._clock = clock
        self._issued: Issued | None = None
        self._renewed_at = -math.inf
        # One plugin at a time: a dozen watches that open at once must not start a dozen log-in windows.
        self._lock = asyncio.Lock()

    async def headers(self) -> dict[str, str]:
        """Headers that are still good for a while."""
        async with self._lock:
            if self._issued is None or self._expires_soon(self._issued):
                self._issued = await self._issue()
            return dict(self._issued.headers)

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Ask anew next time, unless another request has done so already, or did a moment ago to no avail."""
        if self._issued is None or self._issued.headers != refused:
            return True
        if self._clock() - self._renewed_at < REISSUE_SECONDS:
            return False
        self._renewed_at = self._clock()
        self._issued = None
        return True

    def _expires_soon(self, issued: Issued) -> bool:
        return issued.expires_at is not None and issued.expires_at - self._clock() <= RENEW_BEFORE_SECONDS


def bearer(token: str) -> dict[str, str]:
    """The header for a token.

    Raises:
        BadUsage: It is empty, or holds characters that a header can't.
    """
    text = token.strip()
    if not text or not text.isascii() or not text.isprintable():
        raise BadUsage("the token is empty or holds characters that no token has")
    return {"Authorization": f"Bearer {text}"}


def basic(user: str, password: str) -> dict[str, str]:
    """The header for a name and a password."""
    text = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {text}"}
