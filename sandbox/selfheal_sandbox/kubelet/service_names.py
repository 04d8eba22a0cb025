"""Names of Services where a program is told one: replaced by their addresses, since the sandbox has no name server."""

import re
from collections.abc import Callable, Iterable

from selfheal_sandbox.store.objects import Object, name_of, namespace_of, spec_of

_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_HOST = re.compile(
    rf"(?P<scheme>\bhttps?://)?(?<![\w.-])(?P<name>{_LABEL})(?:\.(?P<namespace>{_LABEL})(?P<svc>\.svc(?:\.cluster\.local)?)?)?"
    r"(?::(?P<port>\d+))?(?![\w.-])"
)
DEFAULT_PORTS = {"http://": 80, "https://": 443}

ListeningPort = Callable[[Object, int], int]
"""(Service, its port) -> the port on which the sandbox serves it."""


class ServiceNames:
    """Resolves ``http://NAME[.NAMESPACE[.svc[.cluster.local]]][:PORT]``, and ``NAME.NAMESPACE.svc`` anywhere."""

    def __init__(self, services: Iterable[Object], namespace: str, listening_port: ListeningPort) -> None:
        self._services = {(namespace_of(service), name_of(service)): service for service in services}
        self._namespace = namespace
        self._listening_port = listening_port

    def resolve(self, text: str) -> str:
        """Return the text with the names of known Services replaced; anything else stays as it is."""
        return _HOST.sub(self._address, text) if "://" in text or ".svc" in text else text

    def _address(self, match: re.Match[str]) -> str:
        scheme = match["scheme"] or ""
        if not scheme and not match["svc"]:
            return match.group()
        service = self._services.get((match["namespace"] or self._namespace, match["name"]))
        address = spec_of(service).get("clusterIP") if service else None
        if service is None or not address or address == "None":
            return match.group()
        asked = int(match["port"]) if match["port"] else DEFAULT_PORTS.get(scheme)
        if asked is None:
            return f"{scheme}{address}"
        actual = self._listening_port(service, asked)
        is_needless = match["port"] is None and actual == asked
        return f"{scheme}{address}" if is_needless else f"{scheme}{address}:{actual}"
