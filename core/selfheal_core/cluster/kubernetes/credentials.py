"""Ways to prove who we are to the API server."""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from selfheal_core.cluster.kubernetes.api_errors import Unreachable
from selfheal_core.errors import BadUsage

RENEW_BEFORE_SECONDS = 60.0
"""A credential that ends this soon is replaced before it is used."""


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


@dataclass(frozen=True, slots=True)
class FixedHeaders:
    """A token or password from the kubeconfig, or nothing where a client certificate does it."""

    fixed: Mapping[str, str]

    async def headers(self) -> dict[str, str]:
        """The same each time."""
        return dict(self.fixed)

    async def renew(self, refused: Mapping[str, str]) -> bool:  # noqa: ARG002 - the protocol's
        """Nothing else to offer."""
        return False


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
    """Credentials that have to be asked for: kept until shortly before they expire, or until a 401."""

    def __init__(self, issue: Callable[[], Awaitable[Issued]], clock: Callable[[], float] = time.time) -> None:
        self._issue = issue
        self._clock = clock
        self._issued: Issued | None = None
        # One plugin at a time: a dozen watches that open at once must not start a dozen log-in windows.
        self._lock = asyncio.Lock()

    async def headers(self) -> dict[str, str]:
        """Headers that are still good for a while."""
        async with self._lock:
            if self._issued is None or self._expires_soon(self._issued):
                self._issued = await self._issue()
            return dict(self._issued.headers)

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Ask anew next time, unless another request has done so already."""
        if self._issued is not None and self._issued.headers == refused:
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
