"""The two ways to Prometheus, each over a transport that the project has already: plain HTTP, and the API server."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

from selfheal_core.cluster.http.client import HttpClient, NoAnswer
from selfheal_core.cluster.kubernetes import paths
from selfheal_core.cluster.kubernetes.api_errors import ApiError, Forbidden, NotFound, Unauthorized, Unreachable
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.prometheus.address import Address, ServiceAddress, UrlAddress
from selfheal_core.cluster.prometheus.answers import is_prometheus_error
from selfheal_core.cluster.prometheus.errors import PrometheusError

BODY_LIMIT_BYTES = 8 * 2**20
"""About 50,000 series; more than that is no answer to our question."""


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """Status and body."""

    status: int
    body: bytes


class Transport(Protocol):
    """Carries one GET to Prometheus. Only GET: reading must need no right to create anything.

    Attributes:
        where: The address in words.
    """

    where: str

    async def get(self, path: str, params: Mapping[str, str], deadline_seconds: float) -> RawAnswer:
        """Ask.

        Raises:
            PrometheusError: No answer in time, or one that is too long.
        """
        ...

    async def close(self) -> None:
        """Close connections that are its own."""
        ...


class UrlTransport:
    """Straight to a URL. A proxy of the environment is passed by for loopback addresses."""

    def __init__(self, address: UrlAddress, *, user_agent: str = "selfheal") -> None:
        self.where = str(address)
        self._client = HttpClient(address.url, user_agent=user_agent)

    async def get(self, path: str, params: Mapping[str, str], deadline_seconds: float) -> RawAnswer:
        """Ask; any status is an answer."""
        try:
            answer = await self._client.get(
                f"{path}?{urlencode(params)}", deadline_seconds=deadline_seconds, limit_bytes=BODY_LIMIT_BYTES + 1
            )
        except NoAnswer as error:
            raise PrometheusError(_without_query(error.what), trouble="unreachable") from error
        if len(answer.body) > BODY_LIMIT_BYTES:
            raise PrometheusError(
                f"the answer of {self.where} is longer than {BODY_LIMIT_BYTES} bytes", trouble="unreadable"
            )
        return RawAnswer(answer.status, answer.body)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()


class ServiceTransport:
    """Through the API server, over the connection that everything else uses, with the user's own rights."""

    def __init__(self, client: KubernetesClient, address: ServiceAddress) -> None:
        self.where = str(address)
        self._client = client
        self._root = paths.path(
            "v1", "services", namespace=address.namespace, name=address.proxy_name, subresource="proxy"
        )

    async def get(self, path: str, params: Mapping[str, str], deadline_seconds: float) -> RawAnswer:
        """Ask; what the API server refuses is not an answer."""
        try:
            body = await self._client.get_bytes(
                f"{self._root}{path}",
                params=params,
                accept="*/*",
                deadline_seconds=deadline_seconds,
                limit_bytes=BODY_LIMIT_BYTES,
            )
        except ApiError as error:
            if is_prometheus_error(error.body):
                return RawAnswer(error.status, error.body)
            raise self._worded(error) from error
        return RawAnswer(200, body)

    def _worded(self, error: ApiError) -> PrometheusError:
        if isinstance(error, Forbidden | Unauthorized):
            return PrometheusError(error.what, error.next_step, trouble="refused")
        if isinstance(error, NotFound):
            return PrometheusError(f"{self.where} is not there, or is no Prometheus (404)", trouble="absent")
        if isinstance(error, Unreachable):
            cause = error.what.partition(": ")[2] or error.what
            return PrometheusError(
                f"no answer from {self.where} through the API server: {cause}", error.next_step, trouble="unreachable"
            )
        reason = error.message or f"the API server answered {error.status}"
        return PrometheusError(f"no answer from {self.where}: {reason}", trouble="unreachable")

    async def close(self) -> None:
        """Leave the connection to those who share it."""


def transport_to(address: Address, client: KubernetesClient, *, user_agent: str = "selfheal") -> Transport:
    """The way to an address."""
    if isinstance(address, ServiceAddress):
        return ServiceTransport(client, address)
    return UrlTransport(address, user_agent=user_agent)


def _without_query(text: str) -> str:
    """A message without the query in it: it is long and says nothing to people."""
    before, mark, after = text.partition("?")
    return before + after[after.find(" ") :] if mark and " " in after else before
