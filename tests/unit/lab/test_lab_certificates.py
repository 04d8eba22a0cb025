"""The certificates of the lab's cluster."""

import json
import ssl
import stat
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from tests.lab import pki

URL = "https://10.77.0.2:6443"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lab") / "pki"
    plane = pki.control_plane_certificates(["10.77.0.2"], "10.96.0.1")
    pki.write_pki(path, URL, [*plane, *pki.node_certificates("lab-node-1", "10.77.1.11")])
    return path


def certificate(folder: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())


def test_every_file_is_private(folder: Path) -> None:
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["10.77.0.2", "10.96.0.1", "kubernetes.default.svc", "localhost"])
def test_the_api_server_is_believed_under_each_of_its_names(folder: Path, name: str) -> None:
    store = Store([certificate(folder, pki.CLUSTER)])
    subject: x509.DNSName | x509.IPAddress = (
        x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    )

    assert PolicyBuilder().store(store).build_server_verifier(subject).verify(certificate(folder, "apiserver"), [])


def test_clients_come_from_the_authority_that_the_api_server_asks_for(folder: Path) -> None:
    for name, authority in (("admin", pki.CLUSTER), ("front-proxy-client", pki.FRONT_PROXY)):
        certificate(folder, name).verify_directly_issued_by(certificate(folder, authority))


def test_a_kubelet_is_a_node_in_the_group_of_nodes(folder: Path) -> None:
    subject = certificate(folder, "lab-node-1").subject

    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "system:node:lab-node-1"
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:nodes"


def test_a_person_gets_a_kubeconfig_with_a_certificate_of_their_name(folder: Path) -> None:
    path = pki.issue(folder, URL, pki.user("erin", "erin", ("operators",)))
    content = json.loads(path.read_text())

    assert content["clusters"][0]["cluster"]["server"] == URL
    assert [user["name"] for user in content["users"]] == ["erin"]
    assert certificate(folder, "erin").subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "erin"


def test_certificate_and_key_belong_together(folder: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    context.load_cert_chain(folder / "apiserver.crt", folder / "apiserver.key")
