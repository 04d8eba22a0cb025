"""Finds the cluster to talk to, and opens the one session that all calls share."""

import asyncio
import base64
import binascii
import importlib
import os
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed misses it

import aiohttp
from yarl import URL

from selfheal_core.cluster.addresses import is_loopback
from selfheal_core.cluster.kubernetes import kubeconfig as kubeconfig_files
from selfheal_core.cluster.kubernetes import tls
from selfheal_core.cluster.kubernetes.api_errors import Unreachable
from selfheal_core.cluster.kubernetes.credentials import (
    Credentials,
    FixedHeaders,
    Issued,
    IssuedCredentials,
    RewrittenFiles,
    TokenFile,
    basic,
    bearer,
)
from selfheal_core.errors import BadUsage

SERVICE_ACCOUNT_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount"
SANDBOX_CONTEXT = "selfheal-sandbox"
"""What the names of an embedded cluster's contexts begin with."""
READ_BUFFER_BYTES = 2**23
"""One line of a watch is one object; etcd takes objects of 1.5 MB, other stores larger ones."""
CONNECTION_LIMIT = 256
"""Each watch holds one connection."""
CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 3.0
SILENCE_SECONDS = 60.0
"""Longest wait for the next byte of an answer that is not a stream."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are, and where.

    Attributes:
        context: Name of the kubeconfig context; ``in-cluster`` inside a pod.
        namespace: The context's namespace; ``default`` where it names none.
        server: Address of the API server.
    """

    context: str
    cluster: str
    user: str
    namespace: str
    server: str

    @property
    def is_sandbox(self) -> bool:
        """Whether this is an embedded cluster on this machine, in which things may be broken for practice.

        Both must hold, its name and a loopback address: no name that somebody gives a real cluster is enough.
        """
        return self.context.startswith(SANDBOX_CONTEXT) and is_loopback(URL(self.server).host or "")


class RequestOptions(TypedDict, total=False):
    """Arguments that every request of a connection is given."""

    server_hostname: str


class Connection:
    """One session to one API server.

    Attributes:
        identity: Who we are, and where.
        session: Read buffers of 8 MB, no total time-out, no proxy from the environment but the one resolved here.
        kubeconfig: Files that the connection was read from; empty inside a pod. Helm is given these.
        options: Arguments for each request.
    """

    def __init__(
        self,
        *,
        identity: Identity,
        session: aiohttp.ClientSession,
        credentials: Credentials,
        kubeconfig: tuple[Path, ...] = (),
        options: RequestOptions | None = None,
    ) -> None:
        self.identity = identity
        self.session = session
        self.kubeconfig = kubeconfig
        self.options: RequestOptions = options or {}
        self._credentials = credentials
        self._refused: dict[str, str] | None = None

    def url(self, path: str, params: Mapping[str, str] | None = None) -> URL:
        """The full address of a path, which is already escaped."""
        url = URL(self.identity.server + path, encoded=True)
        return url.update_query(params) if params else url

    async def headers(self) -> dict[str, str]:
        """Headers that prove who we are; token files are read anew, plugins asked again before they expire.

        Raises:
            Unreachable: A credential plugin failed.
        """
        return await self._credentials.headers()

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Forget cached credentials after a 401; True if asking again may help."""
        self._refused = dict(refused)
        return await self._credentials.renew(refused)

    async def renewed(self) -> bool:
        """Whether there are other credentials by now than those that were refused last; sends the server nothing."""
        refused = self._refused
        if refused is None:
            return True
        try:
            # Certificates show in no header: there, having read others is all that can be known.
            found = await self._credentials.renew(refused) and (not refused or await self.headers() != refused)
        except Unreachable:
            return False
        if found:
            self._refused = None  # so that everybody who waits hears of it
        return found

    async def close(self) -> None:
        """Close the session and its connections; waits no longer than ``CLOSE_SECONDS`` for their farewells."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.session.close()


async def connect(
    *,
    kubeconfig: Path | None = None,
    context: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Connection:
    """Open a connection without sending anything yet.

    Order: the explicit path, ``KUBECONFIG``, ``~/.kube/config``, then the service account of a pod
    (files under ``SELFHEAL_SERVICE_ACCOUNT_DIR``, default ``/var/run/secrets/kubernetes.io/serviceaccount``).

    Raises:
        BadUsage: No configuration, an unreadable one, or an unknown context.
    """
    files = kubeconfig_files.files_to_read(kubeconfig, environ)
    if files:
        return from_selection(kubeconfig_files.select(kubeconfig_files.read(files), context), environ)
    folder = Path(environ.get("SELFHEAL_SERVICE_ACCOUNT_DIR", SERVICE_ACCOUNT_DIRECTORY))
    if context is None and (folder / "token").is_file() and environ.get("KUBERNETES_SERVICE_HOST"):
        return _in_cluster(folder, environ)
    raise BadUsage(
        "no cluster is configured: KUBECONFIG is not set, ~/.kube/config does not exist, and this is not a pod",
        kubeconfig_files.HOW_TO_CONTINUE,
    )


def from_selection(selection: kubeconfig_files.Selection, environ: Mapping[str, str]) -> Connection:
    """Open the connection that a context describes.

    Tokens, password and client certificates are handled here, without the ``kubernetes`` package, whose import costs
    0.4 s; exec plugins and auth providers go through it (``plugins``), imported when first needed.

    Raises:
        BadUsage: A file that it names can't be read, or a value makes no sense.
    """
    cluster = selection.cluster
    server = _server(cluster)
    context = None
    if server.startswith("https:"):
        authority = _material(cluster, "certificate-authority", "cluster")
        context = tls.client_context(
            authority=authority, verify=cluster.values.get("insecure-skip-tls-verify") is not True
        )
    host_name = cluster.text("tls-server-name")
    credentials = _rereadable(selection, environ, context)
    proxy = proxy_for(server, cluster.text("proxy-url"), environ)
    return Connection(
        identity=Identity(selection.context, cluster.name, selection.user.name, selection.namespace, server),
        session=_session(context, proxy),
        credentials=credentials,
        kubeconfig=selection.files,
        options={"server_hostname": host_name} if host_name and context else {},
    )


def _in_cluster(folder: Path, environ: Mapping[str, str]) -> Connection:
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
    server = f"https://{f'[{host}]' if ':' in host else host}:{port}"
    authority = _read(folder / "ca.crt", "the service account's certificate authority")
    namespace = _read(folder / "namespace", "the service account's namespace").decode().strip()
    return Connection(
        identity=Identity("in-cluster", "in-cluster", "service account", namespace or "default", server),
        session=_session(tls.client_context(authority=authority, verify=True), None),
        credentials=TokenFile(folder / "token"),
    )


def _server(cluster: kubeconfig_files.Entry) -> str:
    server = cluster.text("server").rstrip("/")
    try:
        url = URL(server)
        named = url.scheme in ("https", "http") and bool(url.host)
    except ValueError:
        named = False
    if not named:
        raise BadUsage(
            f"cluster '{cluster.name}': server '{server}' is not an http:// or https:// address",
            f"correct it with: kubectl config set-cluster {cluster.name} --server=https://HOST:PORT",
        )
    return server


def _rereadable(
    selection: kubeconfig_files.Selection, environ: Mapping[str, str], context: ssl.SSLContext | None
) -> Credentials:
    """The context's credentials, now from ``selection``, later from its files as they are then.

    Only who we are is read again; another server would be another connection.
    """
    selected = [selection]

    def read() -> Credentials:
        current = (
            selected.pop()
            if selected
            else kubeconfig_files.select(kubeconfig_files.read(selection.files), selection.context)
        )
        if context is not None:
            _present_certificate(context, current.user)
        return _credentials(current, environ, context)

    certificate = (selection.user.file("client-certificate"), selection.user.file("client-key"))
    return RewrittenFiles((*selection.files, *(file for file in certificate if file is not None)), read)


def _credentials(
    selection: kubeconfig_files.Selection, environ: Mapping[str, str], context: ssl.SSLContext | None
) -> Credentials:
    """Pick the way to prove who we are; where a user names several, kubectl's precedence holds."""
    user = selection.user
    token_file = user.file("tokenFile")
    if token_file is not None:
        return TokenFile(token_file)
    if user.text("token"):
        return FixedHeaders(bearer(user.text("token")))
    if user.text("username"):
        return FixedHeaders(basic(user.text("username"), user.text("password")))
    if isinstance(user.values.get("exec"), dict):
        return IssuedCredentials(_ExecIssuer(selection, environ, context).issue)
    if isinstance(user.values.get("auth-provider"), dict):
        return IssuedCredentials(_ProviderIssuer(selection).issue)
    return FixedHeaders({})


class _ExecIssuer:
    """Imports the plugin machinery when it is first asked, and puts a plugin's certificate to use."""

    def __init__(
        self, selection: kubeconfig_files.Selection, environ: Mapping[str, str], context: ssl.SSLContext | None
    ) -> None:
        self._selection = selection
        self._environ = environ
        self._context = context
        self._plugin: Any = None

    async def issue(self) -> Issued:
        if self._plugin is None:
            self._plugin = (await _plugins()).ExecPlugin(self._selection, self._environ)
        issued: Issued = await self._plugin.issue()
        if self._plugin.certificate is not None and self._context is not None:
            tls.use_client_certificate(self._context, *self._plugin.certificate)
        return issued


class _ProviderIssuer:
    """Imports the library's auth providers when they are first asked."""

    def __init__(self, selection: kubeconfig_files.Selection) -> None:
        self._selection = selection
        self._provider: Any = None

    async def issue(self) -> Issued:
        if self._provider is None:
            self._provider = (await _plugins()).AuthProvider(self._selection)
        issued: Issued = await self._provider.issue()
        return issued


async def _plugins() -> Any:
    # In a thread, so that the event loop goes on drawing for the 0.4 s.
    return await asyncio.to_thread(importlib.import_module, "selfheal_core.cluster.kubernetes.plugins")


def _present_certificate(context: ssl.SSLContext, user: kubeconfig_files.Entry) -> None:
    certificate = _material(user, "client-certificate", "user")
    key = _material(user, "client-key", "user")
    if (certificate is None) != (key is None):
        raise BadUsage(f"user '{user.name}' has a client certificate without its key, or a key without its certificate")
    if certificate is not None and key is not None:
        tls.use_client_certificate(context, certificate, key)


def _material(entry: kubeconfig_files.Entry, key: str, what: str) -> bytes | None:
    """Bytes of a certificate or key: inline (``KEY-data``) wins over a file, as for kubectl."""
    inline = entry.text(f"{key}-data")
    if inline:
        try:
            return base64.b64decode(inline, validate=True)
        except binascii.Error as error:
            raise BadUsage(f"{what} '{entry.name}': {key}-data is not base64") from error
    file = entry.file(key)
    return _read(file, f"{what} '{entry.name}': {key}") if file else None


def _read(file: Path, what: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadUsage(f"{what}: can't read {file}: {error.strerror}") from error


def _session(context: ssl.SSLContext | None, proxy: str | None) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            ssl=context if context is not None else True, limit=CONNECTION_LIMIT, socket_factory=_socket
        ),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS),
        read_bufsize=READ_BUFFER_BYTES,
        cookie_jar=aiohttp.DummyCookieJar(),
        proxy=proxy,
        # Off, because it would also take passwords from ~/.netrc in place of our credentials.
        trust_env=False,
    )


def _socket(address: Any) -> socket.socket:
    """Make a socket that finds out within a minute that its peer is gone, as Go's client does."""
    family, kind, protocol = address[:3]
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 60_000)):
        if hasattr(socket, name):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made


def proxy_for(server: str, configured: str, environ: Mapping[str, str]) -> str | None:
    """The proxy to go through: the kubeconfig's, else the environment's, never that one for loopback. Pure.

    Args:
        server: Address of the API server.
        configured: ``proxy-url`` of the kubeconfig; "" for none.
        environ: ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY``, in either case.

    Raises:
        BadUsage: It is not an HTTP proxy.
    """
    url = URL(server)
    host = url.host or ""
    if not configured and is_loopback(host):
        return None
    proxies = {
        key.lower().removesuffix("_proxy"): value for key, value in environ.items() if key.lower().endswith("_proxy")
    }
    by_environment = "" if proxy_bypass_environment(host, proxies) else proxies.get(url.scheme, "")
    proxy = configured or by_environment
    if proxy and not proxy.startswith(("http://", "https://")):
        raise BadUsage(f"proxy '{proxy}' is not an http:// address; SOCKS proxies are not supported")
    return proxy or None
