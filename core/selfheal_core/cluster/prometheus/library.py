"""``prometheus-api-client`` with everything below its API replaced. The only module that imports it.

Left to itself it waits for ever, retries three times with pauses, and drops warnings and the type of an error.
"""

from collections.abc import Callable
from typing import Any

from prometheus_api_client import PrometheusConnect
from requests import PreparedRequest, Response, Session
from requests.adapters import BaseAdapter

from selfheal_core.cluster.prometheus.answers import Answer
from selfheal_core.cluster.prometheus.transport import RawAnswer

PLACEHOLDER = "http://prometheus"
"""The library builds URLs; only their path and query are used."""

Send = Callable[[PreparedRequest], RawAnswer]
Read = Callable[[RawAnswer], Answer]


class _ReadResponse(Response):
    """An answer that has been read already, warnings included."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.status_code = 200
        self._answer = answer

    def json(self, **_: Any) -> Any:
        """What the library takes ``["data"]["result"]`` of, and hands on as it is."""
        return {"data": {"result": self._answer}}


class _Adapter(BaseAdapter):
    """Sends requests by a function."""

    def __init__(self, send: Send, read: Read) -> None:
        super().__init__()
        self._send = send
        self._read = read

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        """Send it; time-outs, certificates and proxies are matters of the transport behind the function."""
        response = _ReadResponse(self._read(self._send(request)))
        response.request = request
        response.url = request.url or ""
        return response

    def close(self) -> None:
        """Nothing of its own is open."""


class _Session(Session):
    """A session in which every request goes through one adapter, whatever else is mounted."""

    def __init__(self, adapter: _Adapter) -> None:
        super().__init__()
        self.trust_env = False
        self._adapter = adapter

    def get_adapter(self, *_: Any, **__: Any) -> BaseAdapter:
        return self._adapter


def connect(send: Send, read: Read) -> PrometheusConnect:
    """Make a connection of the library whose queries return an ``Answer``; use it as a context manager.

    Args:
        send: Carries a request; its errors come out of the query as they are.
        read: Reads what came back.
    """
    return PrometheusConnect(PLACEHOLDER, session=_Session(_Adapter(send, read)))
