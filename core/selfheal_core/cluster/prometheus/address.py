"""Where Prometheus is: a URL, or a Service that the API server reaches for us. Pure."""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from selfheal_core.errors import BadUsage

NO_PROMETHEUS = "none"
"""Setting that asks for no Prometheus, not even one that could be found."""
FORMS = "give http://HOST:PORT, or NAMESPACE/SERVICE:PORT to go through the API server, or none"
_SERVICE = re.compile(
    r"(?P<namespace>[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)/(?P<name>[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)"
    r":(?P<port>[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)"
)


@dataclass(frozen=True, slots=True)
class UrlAddress:
    """A Prometheus that we reach ourselves.

    Attributes:
        url: Without a slash at the end; may have a path (``https://host/prometheus``).
    """

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """A Prometheus that the API server reaches for us, with our own rights (``get services/proxy``).

    Attributes:
        port: Number or name of a port of the Service.
        scheme: ``https`` where the port itself speaks TLS.
    """

    namespace: str
    name: str
    port: str
    scheme: str = "http"

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}:{self.port}"

    @property
    def proxy_name(self) -> str:
        """How a proxy path names it."""
        return f"https:{self.name}:{self.port}" if self.scheme == "https" else f"{self.name}:{self.port}"


Address = UrlAddress | ServiceAddress


def parse_address(text: str) -> Address | None:
    """Read the setting ``prometheus``.

    Returns:
        None for ``none``.

    Raises:
        BadUsage: It is no address, or carries credentials; says what would be right.
    """
    text = text.strip()
    if text == NO_PROMETHEUS:
        return None
    if "://" in text:
        return _url(text)
    match = _SERVICE.fullmatch(text)
    if match is None:
        raise BadUsage(f"'{text}' is no address of a Prometheus", FORMS)
    if match["port"].isdigit() and not 0 < int(match["port"]) < 65536:
        raise BadUsage(f"'{text}': a port is between 1 and 65535", FORMS)
    return ServiceAddress(match["namespace"], match["name"], match["port"])


def in_another_cluster(setting: str) -> str:
    """What the setting ``prometheus`` means in another cluster than the one that it was given for.

    A Service is one of the cluster that is looked at. A URL stays that of the first cluster, whose figures must not
    be taken for another's: "", so that a Prometheus is looked for.
    """
    return "" if "://" in setting else setting


def _url(text: str) -> UrlAddress:
    try:
        parts = urlsplit(text)
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        raise BadUsage(f"'{_without_credentials(text)}' is no URL", FORMS) from None
    shown = _without_credentials(text)
    if parts.username is not None or parts.password is not None:
        raise BadUsage(
            f"'{shown}' carries a user or password, and a setting is no place for a secret",
            "reach it through the API server instead, with your own rights: NAMESPACE/SERVICE:PORT",
        )
    if parts.query or parts.fragment:
        raise BadUsage(f"'{shown}' has more than an address in it (? or #)", FORMS)
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_right or _has_blanks(parts):
        raise BadUsage(f"'{shown}' is no URL of http or https", FORMS)
    return UrlAddress(text.rstrip("/"))


def _without_credentials(text: str) -> str:
    """What may be repeated on a screen: neither a password nor a token in a query."""
    scheme, _, rest = text.partition("://")
    return f"{scheme}://{re.split('[?#]', rest, maxsplit=1)[0].rpartition('@')[2]}"


def _has_blanks(parts: SplitResult) -> bool:
    return any(character.isspace() or not character.isprintable() for character in parts.geturl())
