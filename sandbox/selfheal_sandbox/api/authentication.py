"""Who may talk to the server: bearer tokens, and the host names under which it answers."""

from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import urlsplit

from selfheal_sandbox.api import errors
from selfheal_sandbox.api.ports import Identity

Authenticate: TypeAlias = Callable[[str], Identity | None]
"""Tells whose token it is, or None, in a time that tells nothing about the token."""

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
ANONYMOUS = Identity("system:anonymous", ("system:unauthenticated",))
PUBLIC_PATHS = frozenset({"healthz", "livez", "readyz", "version"})
"""First parts of paths that need no token, as in a cluster's default roles."""
_TOKEN_LIMIT = 4096


def identity_of(authorization: str, first_part: str, authenticate: Authenticate) -> Identity:
    """Return who sends a request.

    Raises:
        ApiError: 401, no token or a wrong one, and the path is not public.
    """
    scheme, _, token = authorization.partition(" ")
    identity = None
    if scheme.lower() == "bearer" and 0 < len(token) <= _TOKEN_LIMIT:
        identity = authenticate(token.strip())
    if identity is not None:
        return identity
    if first_part in PUBLIC_PATHS and not authorization:
        return ANONYMOUS
    raise errors.unauthorized()


def check_host(host: str) -> None:
    """Refuse a request under a host name that is not ours: a web page may have made a browser send it (DNS rebinding).

    Raises:
        ApiError: 403.
    """
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        name = None
    if name not in LOOPBACK_HOSTS:
        raise errors.ApiError(403, "Forbidden", f"this server does not answer for host {host[:100]!r}")
