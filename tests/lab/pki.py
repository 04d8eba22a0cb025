"""The certificates of a Kubernetes cluster, and the kubeconfigs of those who call its API.

What a cluster needs is a tuple of `Certificate`; `write_pki` makes them all in one folder. `issue` makes further ones
later, for example of a person with rights of their own.
"""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from selfheal_sandbox import private_file
from selfheal_sandbox.certificates import builder, key_usage

CLUSTER = "ca"
"""File name of the authority that everybody in the cluster trusts."""

FRONT_PROXY = "front-proxy-ca"
"""File name of the authority of the API server when it speaks to an aggregated API on behalf of a user."""

ACCOUNT_KEY = "service-account"
"""File name of the key that tokens of service accounts are signed with; RSA, as the API server's default is RS256."""

CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
MASTERS = "system:masters"
VALID_FOR = timedelta(days=30)
"""Longer than any lab lives."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate to make.

    Attributes:
        file: name of its files, without ``.crt`` and ``.key``.
        common_name: the user's name, as the API server sees it.
        organizations: the user's groups.
        names: DNS names and addresses that a server has.
        usage: what it is for, `CLIENT` or `SERVER`.
        authority: file name of the authority that signs it.
        kubeconfig: whether a ``<file>.kubeconfig`` is written too.
    """

    file: str
    common_name: str
    organizations: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    usage: x509.ObjectIdentifier = CLIENT
    authority: str = CLUSTER
    kubeconfig: bool = False


def control_plane_certificates(addresses: Iterable[str], service_address: str) -> tuple[Certificate, ...]:
    """Return the certificates of etcd, the API server and those that always call it.

    Args:
        addresses: under which the API server and etcd are reached.
        service_address: ClusterIP of the Service ``kubernetes``.
    """
    reached = ("localhost", "127.0.0.1", *addresses)
    service = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    return (
        Certificate("etcd", "etcd", names=reached, usage=SERVER),
        Certificate("apiserver-etcd-client", "kube-apiserver"),
        Certificate("apiserver", "kube-apiserver", names=(*reached, *service, service_address), usage=SERVER),
        Certificate("apiserver-kubelet-client", "kube-apiserver-kubelet-client", (MASTERS,)),
        Certificate("front-proxy-client", "front-proxy-client", authority=FRONT_PROXY),
        user("admin", "lab-admin", (MASTERS,)),
        user("controller-manager", "system:kube-controller-manager"),
        user("scheduler", "system:kube-scheduler"),
        user("kube-proxy", "system:kube-proxy"),
    )


def node_certificates(node: str, address: str) -> tuple[Certificate, ...]:
    """Return the certificates of a node's kubelet, as a client of the API and as a server."""
    name, groups = f"system:node:{node}", ("system:nodes",)
    return (
        user(node, name, groups),
        Certificate(f"{node}-server", name, groups, names=(node, address, "127.0.0.1"), usage=SERVER),
    )


def user(file: str, name: str, groups: tuple[str, ...] = ()) -> Certificate:
    """Return the certificate of a client that gets a kubeconfig."""
    return Certificate(file, name, groups, kubeconfig=True)


def write_pki(folder: Path, url: str, certificates: Iterable[Certificate]) -> None:
    """Make both authorities, the key of service accounts, and certificates with their kubeconfigs in a folder.

    Args:
        folder: made, private to its owner; its files too.
        url: of the API server, for the kubeconfigs.
        certificates: what to make.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for authority in (CLUSTER, FRONT_PROXY):
        _make_authority(folder, authority)
    account_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private_file.write(folder / f"{ACCOUNT_KEY}.key", _key_text(account_key))
    public = account_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    private_file.write(folder / f"{ACCOUNT_KEY}.pub", public)
    for certificate in certificates:
        issue(folder, url, certificate)


def issue(folder: Path, url: str, certificate: Certificate) -> Path:
    """Make one certificate in a folder that `write_pki` made.

    Returns:
        Its kubeconfig if it has one, else the certificate.
    """
    authority = x509.load_pem_x509_certificate((folder / f"{certificate.authority}.crt").read_bytes())
    authority_key = _read_key(folder / f"{certificate.authority}.key")
    key = ec.generate_private_key(ec.SECP256R1())
    signed = _builder(_subject(certificate), authority.subject, key.public_key())
    for extension, critical in _extensions(certificate, authority_key.public_key()):
        signed = signed.add_extension(extension, critical=critical)
    text = signed.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    path = folder / f"{certificate.file}.crt"
    private_file.write(path, text)
    private_file.write(folder / f"{certificate.file}.key", _key_text(key))
    if not certificate.kubeconfig:
        return path
    path = folder / f"{certificate.file}.kubeconfig"
    authority_text = authority.public_bytes(serialization.Encoding.PEM)
    private_file.write(path, kubeconfig(url, authority_text, certificate.file, text, _key_text(key)).encode())
    return path


def kubeconfig(url: str, authority: bytes, name: str, certificate: bytes, key: bytes) -> str:
    """Return a kubeconfig (JSON, which is YAML too) with one context, ``lab``; certificates and key are PEM."""
    cluster = {"server": url, "certificate-authority-data": _base64(authority)}
    credentials = {"client-certificate-data": _base64(certificate), "client-key-data": _base64(key)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": name, "user": credentials}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": name, "namespace": "default"}}],
    }
    return json.dumps(content, indent=2) + "\n"


def _make_authority(folder: Path, name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"lab-{name}")])
    certificate = (
        _builder(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    private_file.write(folder / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM))
    private_file.write(folder / f"{name}.key", _key_text(key))


def _subject(certificate: Certificate) -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in certificate.organizations]
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, certificate.common_name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    return builder(subject, issuer, key, datetime.now(UTC) - timedelta(minutes=5), VALID_FOR)


def _extensions(
    certificate: Certificate, authority: ec.EllipticCurvePublicKey
) -> Iterable[tuple[x509.ExtensionType, bool]]:
    yield x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), False
    yield x509.BasicConstraints(ca=False, path_length=None), True
    yield key_usage(signs_certificates=False), True
    yield x509.ExtendedKeyUsage([certificate.usage]), False
    if certificate.names:
        yield x509.SubjectAlternativeName([_general_name(name) for name in certificate.names]), False


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_text(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path} holds another kind of key than an authority has")
    return key


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
