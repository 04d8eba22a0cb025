"""Who gets in: a certificate made for each start, bearer tokens, and the kubeconfig that holds both."""

import base64
import secrets
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from selfheal_sandbox.api import authentication
from selfheal_sandbox.api.ports import Identity

ADMIN = Identity("sandbox-admin", ("system:masters", "system:authenticated"))
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


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begin: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + VALID_FOR)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _authority(key: ec.EllipticCurvePrivateKey, begin: datetime) -> x509.Certificate:
    name = _name("selfheal-sandbox")
    builder = _builder(name, name, key.public_key(), begin)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.add_extension(_key_usage(signs_certificates=True), critical=True).sign(key, hashes.SHA256())


def _server(
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    begin: datetime,
) -> x509.Certificate:
    addresses: list[x509.GeneralName] = [x509.IPAddress(IPv4Address(HOST)), *(x509.DNSName(name) for name in NAMES)]
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    builder = _builder(_name("selfheal-sandbox-api"), authority.subject, key.public_key(), begin)
    for extension, critical in (
        (x509.SubjectAlternativeName(addresses), False),
        (issuer_key, False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_key_usage(signs_certificates=False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(authority_key, hashes.SHA256())


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
    """Bearer tokens and whose they are: the administrator's, and one for each service account that asks.

    Attributes:
        admin: the administrator's token.
        authenticate: tells whose token it is.
    """

    def __init__(self) -> None:
        self.admin = secrets.token_urlsafe(TOKEN_BYTES)
        self._known: dict[str, Identity] = {self.admin: ADMIN}
        self._accounts: dict[tuple[str, str], str] = {}
        self.authenticate = authentication.tokens(self._known)

    def for_account(self, namespace: str, name: str) -> str:
        """Return the token of a service account; the same one every time."""
        token = self._accounts.get((namespace, name))
        if token is None:
            token = self._accounts[namespace, name] = secrets.token_urlsafe(TOKEN_BYTES)
            groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
            self._known[token] = Identity(f"system:serviceaccount:{namespace}:{name}", groups)
        return token


def kubeconfig(context: str, url: str, authority: bytes, token: str) -> str:
    """Return a kubeconfig (YAML) with one context."""
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
    user: {context}
    namespace: default
users:
- name: {context}
  user:
    token: {token}
"""


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, in one step."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(text)
    Path(file.name).replace(path)
