"""Who gets in: a certificate made for each start, bearer tokens, and the kubeconfig that holds both."""

import base64
import hashlib
import secrets
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from selfheal_sandbox.api.ports import Identity
from selfheal_sandbox.certificates import builder, key_usage
from selfheal_sandbox.rbac.authorizer import MASTERS, account_groups, account_username

ADMIN = Identity("sandbox-admin", (MASTERS, "system:authenticated"))
HOST = "127.0.0.1"
NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
VALID_FOR = timedelta(days=90)
"""A certificate lives as long as its sandbox runs; nobody runs one for longer than this."""

TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM of the certificate authority, and of the server's certificate and key."""

    authority: bytes
    server: bytes
    server_key: bytes


def new_certificates(now: datetime | None = None) -> Certificates:
    """Make a certificate authority (whose key is thrown away) and a server certificate for the loopback address."""
    begin = (now or datetime.now(UTC)) - timedelta(minutes=5)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    server_key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key, begin)
    server = _server(server_key, authority, authority_key, begin)
    key_text = server_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = serialization.Encoding.PEM
    return Certificates(authority.public_bytes(pem), server.public_bytes(pem), key_text)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _authority(key: ec.EllipticCurvePrivateKey, begin: datetime) -> x509.Certificate:
    name = _name("selfheal-sandbox")
    building = builder(name, name, key.public_key(), begin, VALID_FOR)
    building = building.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return building.add_extension(key_usage(signs_certificates=True), critical=True).sign(key, hashes.SHA256())


def _server(
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    begin: datetime,
) -> x509.Certificate:
    addresses: list[x509.GeneralName] = [x509.IPAddress(IPv4Address(HOST)), *(x509.DNSName(name) for name in NAMES)]
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    building = builder(_name("selfheal-sandbox-api"), authority.subject, key.public_key(), begin, VALID_FOR)
    for extension, critical in (
        (x509.SubjectAlternativeName(addresses), False),
        (issuer_key, False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (key_usage(signs_certificates=False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
    ):
        building = building.add_extension(extension, critical=critical)
    return building.sign(authority_key, hashes.SHA256())


def server_context(certificates: Certificates) -> ssl.SSLContext:
    """Return the TLS settings of the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The ssl module reads keys from files only; this one is private to the user and gone again at once.
    with tempfile.NamedTemporaryFile(prefix="selfheal-sandbox-") as file:
        file.write(certificates.server_key + certificates.server)
        file.flush()
        context.load_cert_chain(file.name)
    return context


class Tokens:
    """Bearer tokens and whose they are: the administrator's, those of service accounts, and of users that were made.

    Args:
        account_uid: gives the uid of a service account by namespace and name, "" if there is none: the tokens of an
            account end with it.
        users: whose the tokens of made users are.
        now: tells the time, for tokens that end.

    Attributes:
        admin: the administrator's token.
    """

    def __init__(
        self,
        account_uid: Callable[[str, str], str],
        users: Callable[[str], Identity | None] = lambda _: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.admin = secrets.token_urlsafe(TOKEN_BYTES)
        self._admin_key = token_key(self.admin)
        self._account_uid = account_uid
        self._users = users
        self._now = now
        self._issued: dict[bytes, _AccountToken] = {}
        self._mounted: dict[tuple[str, str, str], str] = {}

    def authenticate(self, token: str) -> Identity | None:
        """Return whose token it is, or None."""
        key = token_key(token)
        if key == self._admin_key:
            return ADMIN
        found = self._issued.get(key)
        if found is None:
            return self._users(token)
        has_ended = found.expires is not None and found.expires <= self._now()
        if has_ended or self._account_uid(found.namespace, found.name) != found.uid:
            return None
        username = account_username(found.namespace, found.name)
        return Identity(username, account_groups(found.namespace), found.uid)

    def for_account(self, namespace: str, name: str) -> str:
        """Return the token of a service account for pods; the same one for as long as the account is the same."""
        uid = self._account_uid(namespace, name)
        token = self._mounted.get((namespace, name, uid))
        if token is None:
            token = self._mounted[namespace, name, uid] = self.issue(namespace, name, uid, None)
        return token

    def issue(self, namespace: str, name: str, uid: str, expires: datetime | None) -> str:
        """Return a new token of a service account that ends at a time, or with the account; drops those that ended."""
        now = self._now()
        ended = [key for key, one in self._issued.items() if one.expires is not None and one.expires <= now]
        for key in ended:
            del self._issued[key]
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._issued[token_key(token)] = _AccountToken(namespace, name, uid, expires)
        return token


@dataclass(frozen=True, slots=True)
class _AccountToken:
    namespace: str
    name: str
    uid: str
    expires: datetime | None


def token_key(token: str) -> bytes:
    """Return what a token is looked up by: its hash, so that the time this takes tells nothing about it."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


def kubeconfig(
    context: str, url: str, authority: bytes, token: str, *, user: str = "", namespace: str = "default"
) -> str:
    """Return a kubeconfig (YAML) with one context; its user is called like the context unless it has a name."""
    user = user or context
    return f"""\
apiVersion: v1
kind: Config
current-context: {context}
clusters:
- name: {context}
  cluster:
    server: {url}
    certificate-authority-data: {base64.b64encode(authority).decode()}
contexts:
- name: {context}
  context:
    cluster: {context}
    user: {user}
    namespace: {namespace}
users:
- name: {user}
  user:
    token: {token}
"""


def context_name(sandbox: str) -> str:
    """Return the name of the context in the kubeconfigs of a sandbox."""
    return "selfheal-sandbox" if sandbox == "default" else f"selfheal-sandbox-{sandbox}"
