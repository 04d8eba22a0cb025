"""Plain HTTP with a deadline: health gates, the demo service, healerd's status."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from selfheal_core.cluster.addresses import is_loopback
from selfheal_core.errors import SelfhealError

if TYPE_CHECKING:
    import httpx

DEADLINE_SECONDS = 5.0
BODY_LIMIT_BYTES = 4 * 2**20


class NoAnswer(SelfhealError):  # noqa: N818 - the words people read are the names
    """Nothing came back: refused, unresolved, late, or broken off."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer.

    Attributes:
        body: At most the limit that was asked for.
        seconds: From sending to the end of the body.
    """

    status: int
    body: bytes
    seconds: float
    headers: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as text; bytes that are not UTF-8 are replaced."""
        return self.body.decode(errors="replace")


class HttpClient:
    """Requests to one base address, over kept connections. Use it as an async context manager.

    Args:
        base_url: ``http://host:port``; a proxy from the environment is used for hosts that are not loopback.
        deadline_seconds: Default for each whole request.
        user_agent: Who we say we are.
    """

    def __init__(
        self, base_url: str, *, deadline_seconds: float = DEADLINE_SECONDS, user_agent: str = "selfheal"
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._deadline_seconds = deadline_seconds
        self._user_agent = user_agent
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def get(
        self,
        path: str = "/",
        *,
        headers: Mapping[str, str] | None = None,
        deadline_seconds: float | None = None,
        limit_bytes: int = BODY_LIMIT_BYTES,
    ) -> Answer:
        """Read a page; any status is an answer, and redirects are not followed.

        Raises:
            NoAnswer: Nothing came back in time.
        """
        return await self.request(
            "GET", path, headers=headers, deadline_seconds=deadline_seconds, limit_bytes=limit_bytes
        )

    async def post(
        self,
        path: str,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        deadline_seconds: float | None = None,
    ) -> Answer:
        """Send a body.

        Raises:
            NoAnswer: Nothing came back in time.
        """
        return await self.request("POST", path, body=body, headers=headers, deadline_seconds=deadline_seconds)

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        deadline_seconds: float | None = None,
        limit_bytes: int = BODY_LIMIT_BYTES,
    ) -> Answer:
        """Send one request and read its answer, at most ``limit_bytes`` of the body.

        Raises:
            NoAnswer: Nothing came back in time.
        """
        import httpx  # 0.1 s, and most programs never need it

        deadline = self._deadline_seconds if deadline_seconds is None else deadline_seconds
        started = time.monotonic()
        try:
            async with (
                asyncio.timeout(deadline),
                self._opened().stream(
                    method, path, content=body or None, headers=dict(headers or {}), timeout=deadline
                ) as response,
            ):
                content = await _read_bounded(response, limit_bytes)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise NoAnswer(f"no answer from {self.base_url}{path} within {deadline:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise NoAnswer(f"no answer from {self.base_url}{path}: {reason}") from error
        return Answer(response.status_code, content, time.monotonic() - started, dict(response.headers))

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _opened(self) -> "httpx.AsyncClient":
        import httpx

        if self._client is None:
            self._client = httpx.AsyncClient(
                base_url=self.base_url,
                timeout=self._deadline_seconds,
                trust_env=not is_loopback(httpx.URL(self.base_url).host),
                headers={"User-Agent": self._user_agent},
                limits=httpx.Limits(max_connections=32),
            )
        return self._client


async def _read_bounded(response: "httpx.Response", limit_bytes: int) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk[: limit_bytes - len(content)]
        if len(content) >= limit_bytes:
            break
    return bytes(content)
