import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from selfheal_sandbox import access, private_file
from selfheal_sandbox.api.ports import Identity


@pytest.fixture(scope="module")
def certificates() -> access.Certificates:
    return access.new_certificates()


async def greet(context: ssl.SSLContext, certificates: access.Certificates, server_name: str) -> bytes:
    """Talk to a TLS server with our certificate; return what it said."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, access.HOST, 0, ssl=access.server_context(certificates))
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection(access.HOST, port, ssl=context, server_hostname=server_name)
        try:
            return await reader.read()
        finally:
            writer.close()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "kubernetes.default.svc"])
async def test_a_strict_client_trusts_the_server_under_its_names(certificates: access.Certificates, name: str) -> None:
    context = ssl.create_default_context(cadata=certificates.authority.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # what Python 3.13 checks by default

    assert await greet(context, certificates, name) == b"hello"


async def test_a_client_that_trusts_another_sandbox_does_not(certificates: access.Certificates) -> None:
    context = ssl.create_default_context(cadata=access.new_certificates().authority.decode())

    with pytest.raises(ssl.SSLCertVerificationError):
        await greet(context, certificates, "127.0.0.1")


def test_certificates_are_valid_now_and_not_for_long() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    server = x509.load_pem_x509_certificate(access.new_certificates(now).server)

    assert server.not_valid_before_utc < now < server.not_valid_after_utc
    assert server.not_valid_after_utc - now <= access.VALID_FOR
    constraints = server.extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS).value
    assert constraints == x509.BasicConstraints(ca=False, path_length=None)


def test_no_key_is_left_on_disk(
    certificates: access.Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    access.server_context(certificates)

    assert list(tmp_path.iterdir()) == []


def test_tokens_tell_who_it_is() -> None:
    tokens = access.Tokens(lambda namespace, name: f"uid of {namespace}/{name}")
    account = tokens.for_account("shop", "web")

    assert tokens.authenticate(tokens.admin) == access.ADMIN
    assert tokens.authenticate(account) == Identity(
        "system:serviceaccount:shop:web",
        ("system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"),
        "uid of shop/web",
    )
    assert tokens.authenticate("guess") is None
    assert tokens.for_account("shop", "web") == account
    assert tokens.for_account("shop", "other") != account


def test_kubeconfig_holds_everything_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"

    private_file.write(path, access.kubeconfig("selfheal-sandbox", "https://127.0.0.1:1", b"CA", "secret"))

    found = yaml.safe_load(path.read_text())
    assert found["clusters"][0]["cluster"] == {
        "server": "https://127.0.0.1:1",
        "certificate-authority-data": "Q0E=",
    }
    assert found["users"][0]["user"] == {"token": "secret"}
    assert found["contexts"][0]["name"] == found["current-context"] == "selfheal-sandbox"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["kubeconfig"]
