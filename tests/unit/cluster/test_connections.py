"""Connections: which cluster, proven how, through which proxy; the same as the ``kubernetes`` package makes."""

import asyncio
import base64
import datetime as dt
import ipaddress
import json
import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from selfheal_core.cluster.kubernetes.api_errors import Unreachable
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import connect, proxy_for
from selfheal_core.errors import BadUsage
from tests.faults import behaviours
from tests.faults.server import FaultServer


@dataclass(frozen=True)
class Pair:
    """A certificate with its key, as PEM."""

    certificate: bytes
    key: bytes


@dataclass
class Seen:
    """What a server saw of its clients: (subject of the certificate, Authorization)."""

    url: str = ""
    clients: list[tuple[str, str]] = field(default_factory=list)


Signed = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def certify(name: str, issuer: Signed | None = None, *, lean: bool = False) -> Signed:
    """Make a certificate for a name and for 127.0.0.1; its own authority unless an issuer is given.

    Args:
        name: Common name.
        issuer: Who signs it.
        lean: Leave out what RFC 5280 asks for and many cluster installers leave out.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    signing = issuer[1] if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if not lean:
        public = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key())
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        builder = builder.add_extension(public, critical=False).add_extension(USAGE[issuer is None], critical=True)
    if issuer is not None:
        names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signing, hashes.SHA256()), key


def usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


USAGE = {True: usage(authority=True), False: usage(authority=False)}


def pem(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    return Pair(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


@dataclass(frozen=True)
class Authority:
    """A certificate authority with a server's and a client's pair."""

    own: Pair
    server: Pair
    client: Pair


def make_authority(*, lean: bool) -> Authority:
    root = certify("test authority", lean=lean)
    server, client = certify("api.internal", root, lean=lean), certify("operator", root, lean=lean)
    return Authority(pem(*root), pem(*server), pem(*client))


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority(lean=False)


@asynccontextmanager
async def tls_server(folder: Path, authority: Authority) -> AsyncIterator[Seen]:
    """An HTTPS server that takes note of who comes; it accepts clients with and without a certificate."""
    seen = Seen()

    async def version(request: web.Request) -> web.Response:
        assert request.transport is not None
        peer = request.transport.get_extra_info("peercert")
        subject = dict(item[0] for item in peer["subject"])["commonName"] if peer else ""
        seen.clients.append((subject, request.headers.get("Authorization", "")))
        fields = ("major", "minor", "gitVersion", "gitCommit", "gitTreeState", "buildDate", "goVersion")
        return web.json_response(dict.fromkeys((*fields, "compiler", "platform"), "1"))

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = ssl.CERT_OPTIONAL
    for name, content in (
        ("server.pem", authority.server.certificate + authority.server.key),
        ("ca.pem", authority.own.certificate),
    ):
        (folder / name).write_bytes(content)
    context.load_cert_chain(folder / "server.pem")
    context.load_verify_locations(folder / "ca.pem")
    application = web.Application()
    application.router.add_get("/version", version)
    application.router.add_get("/version/", version)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    seen.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield seen
    finally:
        await runner.cleanup()


def write_kubeconfig(folder: Path, cluster: Mapping[str, Any], user: Mapping[str, Any]) -> Path:
    document = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": dict(cluster)}],
        "users": [{"name": "u", "user": dict(user)}],
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(document))
    return file


async def ask_as_we_do(file: Path) -> None:
    connection = await connect(kubeconfig=file, environ={"HOME": "/nowhere"})
    try:
        await KubernetesClient(connection, user_agent="t").server_version()
    finally:
        await connection.close()


async def ask_as_the_library_does(file: Path) -> None:
    from kubernetes.aio import client, config

    settings = client.Configuration()
    await config.load_kube_config(config_file=str(file), client_configuration=settings, persist_config=False)  # type: ignore[no-untyped-call]
    async with client.ApiClient(configuration=settings) as api:
        await client.VersionApi(api).get_code()


def base64_text(content: bytes) -> str:
    return base64.b64encode(content).decode()


USERS: Mapping[str, Callable[[Path, Pair], Mapping[str, Any]]] = {
    "a token": lambda folder, pair: {"token": "abc"},
    "a token file": lambda folder, pair: {"tokenFile": "token"},
    "a password": lambda folder, pair: {"username": "me", "password": "pa:ss"},
    "an inline certificate": lambda folder, pair: {
        "client-certificate-data": base64_text(pair.certificate),
        "client-key-data": base64_text(pair.key),
    },
    "certificate files": lambda folder, pair: {"client-certificate": "me.crt", "client-key": str(folder / "me.key")},
    "nothing": lambda folder, pair: {},
}


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("trust", ["inline authority", "authority file", "no verification"])
async def test_connects_as_the_library_does(tmp_path: Path, authority: Authority, user: str, trust: str) -> None:
    """Without ``kubernetes``' 0.4 s of import, the server must see the very same client."""
    (tmp_path / "token").write_text("from-file")
    (tmp_path / "me.crt").write_bytes(authority.client.certificate)
    (tmp_path / "me.key").write_bytes(authority.client.key)
    async with tls_server(tmp_path, authority) as seen:
        trusts: Mapping[str, dict[str, Any]] = {
            "inline authority": {"certificate-authority-data": base64_text(authority.own.certificate)},
            "authority file": {"certificate-authority": "ca.pem"},
            "no verification": {"insecure-skip-tls-verify": True},
        }
        cluster = {"server": seen.url, **trusts[trust]}
        file = write_kubeconfig(tmp_path, cluster, USERS[user](tmp_path, authority.client))
        await ask_as_we_do(file)
        await ask_as_the_library_does(file)
    ours, theirs = seen.clients
    assert ours == theirs
    assert any(ours) == (user != "nothing")


async def test_trusts_an_authority_that_leaves_out_what_kubectl_does_not_ask_for(tmp_path: Path) -> None:
    async with tls_server(tmp_path, make_authority(lean=True)) as seen:
        await ask_as_we_do(write_kubeconfig(tmp_path, {"server": seen.url, "certificate-authority": "ca.pem"}, {}))
    assert len(seen.clients) == 1


async def test_an_untrusted_certificate_is_told(tmp_path: Path, authority: Authority) -> None:
    other, _ = certify("another authority")
    async with tls_server(tmp_path, authority) as seen:
        data = base64_text(other.public_bytes(serialization.Encoding.PEM))
        file = write_kubeconfig(tmp_path, {"server": seen.url, "certificate-authority-data": data}, {})
        with pytest.raises(Unreachable, match="its certificate is not trusted"):
            await ask_as_we_do(file)


async def test_checks_the_certificate_against_the_name_that_the_kubeconfig_gives(
    tmp_path: Path, authority: Authority
) -> None:
    async with tls_server(tmp_path, authority) as seen:
        cluster = {"server": seen.url, "certificate-authority": "ca.pem"}
        await ask_as_we_do(write_kubeconfig(tmp_path, {**cluster, "tls-server-name": "api.internal"}, {}))
        with pytest.raises(Unreachable, match="its certificate is not trusted"):
            await ask_as_we_do(write_kubeconfig(tmp_path, {**cluster, "tls-server-name": "other.internal"}, {}))


async def test_leaves_no_key_behind(tmp_path: Path, authority: Authority) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    user = USERS["an inline certificate"](tmp_path, authority.client)
    file = write_kubeconfig(tmp_path, {"server": "https://127.0.0.1:1"}, user)
    usual, tempfile.tempdir = tempfile.tempdir, str(scratch)
    try:
        connection = await connect(kubeconfig=file, environ={})
    finally:
        tempfile.tempdir = usual
    assert os.listdir(scratch) == []
    await connection.close()


@pytest.mark.parametrize(
    ("cluster", "user", "words"),
    [
        ({"server": "127.0.0.1:6443"}, {}, "server '127.0.0.1:6443' is not an http:// or https:// address"),
        ({"server": "https://h", "certificate-authority": "no.pem"}, {}, "certificate-authority: can't read .*no.pem"),
        ({"server": "https://h", "certificate-authority-data": "%"}, {}, "certificate-authority-data is not base64"),
        ({"server": "https://h", "certificate-authority-data": "AAAA"}, {}, "is not a PEM certificate"),
        ({"server": "https://h"}, {"client-certificate-data": "AAAA"}, "a client certificate without its key"),
        (
            {"server": "https://h"},
            {"client-certificate-data": "AAAA", "client-key-data": "AAAA"},
            "are not a PEM pair",
        ),
        ({"server": "https://h"}, {"token": "a\nb"}, "characters that no token has"),
        ({"server": "https://h", "proxy-url": "socks5://p:1"}, {}, "SOCKS proxies are not supported"),
    ],
)
async def test_a_mistake_in_the_kubeconfig_is_told(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadUsage, match=words):
        await connect(kubeconfig=write_kubeconfig(tmp_path, cluster, user), environ={})


async def test_says_who_we_are_and_where(tmp_path: Path) -> None:
    async with FaultServer() as server:
        connection = await connect(kubeconfig=server.kubeconfig(tmp_path), environ={})
        identity = connection.identity
        assert (identity.context, identity.cluster, identity.user) == ("faults", "faults", "tester")
        assert (identity.namespace, identity.server) == ("payments", server.url)
        assert connection.kubeconfig == (tmp_path / "kubeconfig",)
        await connection.close()


async def test_no_configuration_at_all_says_how_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match=r"no cluster is configured.*--sandbox"):
        await connect(environ={"HOME": str(tmp_path), "SELFHEAL_SERVICE_ACCOUNT_DIR": str(tmp_path)})


async def test_keeps_a_path_in_the_server_s_address(tmp_path: Path) -> None:
    file = write_kubeconfig(tmp_path, {"server": "https://rancher.internal/k8s/clusters/c-1/"}, {})
    connection = await connect(kubeconfig=file, environ={})
    assert str(connection.url("/api/v1/pods", {"a": "b"})) == (
        "https://rancher.internal/k8s/clusters/c-1/api/v1/pods?a=b"
    )
    await connection.close()


@pytest.fixture
def service_account(tmp_path: Path, authority: Authority) -> Path:
    folder = tmp_path / "account"
    folder.mkdir()
    (folder / "token").write_text("first")
    (folder / "namespace").write_text("selfheal-system\n")
    (folder / "ca.crt").write_bytes(authority.own.certificate)
    return folder


async def test_inside_a_pod_the_service_account_is_used_and_its_token_read_anew(
    tmp_path: Path, authority: Authority, service_account: Path
) -> None:
    async with tls_server(tmp_path, authority) as seen:
        environ = {
            "HOME": str(tmp_path),
            "SELFHEAL_SERVICE_ACCOUNT_DIR": str(service_account),
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": seen.url.rpartition(":")[2],
        }
        connection = await connect(environ=environ)
        client = KubernetesClient(connection, user_agent="t")
        await client.server_version()
        (service_account / "token").write_text("second")
        await client.server_version()
        await connection.close()
    assert seen.clients == [("", "Bearer first"), ("", "Bearer second")]
    assert connection.identity.context == "in-cluster"
    assert connection.identity.namespace == "selfheal-system"
    assert connection.kubeconfig == ()


async def test_a_service_account_without_its_files_is_told(tmp_path: Path, service_account: Path) -> None:
    (service_account / "ca.crt").unlink()
    environ = {
        "HOME": str(tmp_path),
        "SELFHEAL_SERVICE_ACCOUNT_DIR": str(service_account),
        "KUBERNETES_SERVICE_HOST": "h",
    }
    with pytest.raises(BadUsage, match=r"can't read .*ca\.crt"):
        await connect(environ=environ)


async def test_a_missing_token_file_is_told_at_the_call(tmp_path: Path) -> None:
    async with FaultServer() as server:
        connection = await connect(kubeconfig=server.kubeconfig(tmp_path, user={"tokenFile": "gone"}), environ={})
        with pytest.raises(Unreachable, match=r"no token in .*gone"):
            await KubernetesClient(connection, user_agent="t").server_version()
        await connection.close()


@pytest.mark.parametrize(
    ("server", "proxy_url", "environ", "expected"),
    [
        ("https://far.internal", "", {"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        ("https://far.internal", "", {"https_proxy": "http://p:3128", "NO_PROXY": ".internal"}, None),
        ("https://127.0.0.1:6443", "", {"HTTPS_PROXY": "http://p:3128"}, None),
        ("http://localhost:8001", "", {"HTTP_PROXY": "http://p:3128"}, None),
        ("https://far.internal", "http://own:1", {"HTTPS_PROXY": "http://p:3128"}, "http://own:1"),
        ("https://far.internal", "", {}, None),
    ],
)
def test_picks_the_proxy(server: str, proxy_url: str, environ: dict[str, str], expected: str | None) -> None:
    assert proxy_for(server, proxy_url, environ) == expected


async def test_goes_through_the_proxy(tmp_path: Path) -> None:
    async with FaultServer() as proxy:
        proxy.script("GET", "/version", behaviours.json_body({"gitVersion": "v1"}))
        file = write_kubeconfig(tmp_path, {"server": "http://far.internal"}, {})
        connection = await connect(kubeconfig=file, environ={"HTTP_PROXY": proxy.url})
        assert await KubernetesClient(connection, user_agent="t").server_version() == "v1"
        assert proxy.requests[0].headers["host"] == "far.internal"
        await connection.close()


def plugin(folder: Path, script: str, **settings: Any) -> dict[str, Any]:
    """A user with an exec plugin: a shell script next to the kubeconfig."""
    file = folder / "plugin.sh"
    file.write_text(f"#!/bin/sh\n{script}")
    file.chmod(0o700)
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": "./plugin.sh", "interactiveMode": "IfAvailable", **settings}}


def answer(**status: str) -> str:
    document = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    return f"cat <<'END'\n{json.dumps(document)}\nEND\n"


async def headers_from(folder: Path, user: dict[str, Any], **environ: str) -> dict[str, str]:
    file = write_kubeconfig(folder, {"server": "https://127.0.0.1:1", "certificate-authority-data": ""}, user)
    connection = await connect(kubeconfig=file, environ={"PATH": os.environ["PATH"], **environ})
    try:
        return await connection.headers()
    finally:
        await connection.close()


async def test_a_plugin_gives_a_token_and_never_reads_the_terminal(tmp_path: Path) -> None:
    script = 'cat >/dev/null\necho "$KUBERNETES_EXEC_INFO|$A|$HOME|$1" >"$OUT"\n' + answer(token="from-plugin")
    user = plugin(
        tmp_path,
        script,
        args=["login"],
        env=[{"name": "A", "value": "set"}, {"name": "OUT", "value": str(tmp_path / "out")}],
        provideClusterInfo=True,
    )
    assert await headers_from(tmp_path, user, HOME="/home/me") == {"Authorization": "Bearer from-plugin"}
    information, *rest = (tmp_path / "out").read_text().strip().split("|")
    assert rest == ["set", "/home/me", "login"]
    assert json.loads(information)["spec"] == {
        "interactive": False,
        "cluster": {"server": "https://127.0.0.1:1", "certificate-authority-data": ""},
    }


async def test_a_plugin_is_asked_once_until_its_token_ends(tmp_path: Path) -> None:
    count = tmp_path / "count"
    later = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat()
    user = plugin(tmp_path, f"echo x >>{count}\n" + answer(token="t", expirationTimestamp=later))
    file = write_kubeconfig(tmp_path, {"server": "http://127.0.0.1:1"}, user)
    connection = await connect(kubeconfig=file, environ=os.environ)
    await asyncio.gather(*[connection.headers() for _ in range(5)])
    assert count.read_text() == "x\n"
    refused = await connection.headers()
    # Five watches that were refused together ask once again together.
    assert all([await connection.renew(refused) for _ in range(5)])
    await asyncio.gather(*[connection.headers() for _ in range(5)])
    assert count.read_text() == "x\nx\n"
    await connection.close()


async def test_a_token_about_to_end_is_replaced(tmp_path: Path) -> None:
    count = tmp_path / "count"
    soon = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=20)).isoformat()
    user = plugin(tmp_path, f"echo x >>{count}\n" + answer(token="t", expirationTimestamp=soon))
    file = write_kubeconfig(tmp_path, {"server": "http://127.0.0.1:1"}, user)
    connection = await connect(kubeconfig=file, environ=os.environ)
    await connection.headers()
    await connection.headers()
    assert count.read_text() == "x\nx\n"
    await connection.close()


async def test_a_plugin_s_certificate_is_presented(tmp_path: Path, authority: Authority) -> None:
    document = answer(
        clientCertificateData=authority.client.certificate.decode(), clientKeyData=authority.client.key.decode()
    )
    async with tls_server(tmp_path, authority) as seen:
        cluster = {"server": seen.url, "certificate-authority": "ca.pem"}
        await ask_as_we_do(write_kubeconfig(tmp_path, cluster, plugin(tmp_path, document)))
    assert seen.clients == [("operator", "")]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'token expired, log in' >&2; exit 7", "ended with 7: token expired, log in"),
        ("echo hello", "its answer is not JSON"),
        ("echo '{}'", "no ExecCredential"),
        (answer(), "neither a token nor a certificate"),
        (answer(token="t").replace("/v1", "/v1beta1"), "it answered client.authentication.k8s.io/v1beta1"),
    ],
)
async def test_a_failing_plugin_is_told_in_its_own_words(tmp_path: Path, script: str, words: str) -> None:
    user = plugin(tmp_path, script, installHint="install it")
    with pytest.raises(Unreachable, match=r"credential plugin './plugin.sh' of user 'u' failed: ") as caught:
        await headers_from(tmp_path, user)
    assert words in caught.value.what
    assert caught.value.next_step == "install it"


async def test_a_missing_plugin_is_told(tmp_path: Path) -> None:
    user = plugin(tmp_path, "") | {}
    user["exec"]["command"] = "no-such-plugin"
    with pytest.raises(Unreachable, match="can't run no-such-plugin: No such file"):
        await headers_from(tmp_path, user)


async def test_a_plugin_that_must_ask_questions_is_not_started(tmp_path: Path) -> None:
    user = plugin(tmp_path, f"touch {tmp_path}/started", interactiveMode="Always")
    with pytest.raises(Unreachable, match="interactiveMode: Always"):
        await headers_from(tmp_path, user)
    assert not (tmp_path / "started").exists()


def test_neither_kubernetes_nor_pyhelm3_nor_httpx_is_imported_for_a_plain_kubeconfig(tmp_path: Path) -> None:
    file = write_kubeconfig(tmp_path, {"server": "http://127.0.0.1:1"}, {"token": "t"})
    program = f"""
import asyncio, pathlib, sys
from selfheal_core.cluster.helm.client import Helm
from selfheal_core.cluster.http.client import HttpClient
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.kubernetes.configuration import connect, proxy_for
from selfheal_core.cluster.kubernetes.reflector import Reflector
async def main():
    connection = await connect(kubeconfig=pathlib.Path({str(file)!r}))
    await connection.headers()
    await connection.close()
asyncio.run(main())
print(sorted({{"kubernetes", "pyhelm3", "httpx", "pydantic", "requests"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"
