"""One bastion for all of its tests."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.bastion.bastion_pod import (
    START_SECONDS,
    BastionPod,
    apply,
    deployment,
    kubectl,
    make_key,
    operator_secret,
    role_binding,
    secret,
)
from tests.lab.images import IMAGES, build_images
from tests.lab.state import Lab

NAMESPACE = "bastion-test"


@pytest.fixture(scope="session")
def bastion(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BastionPod]:
    """The bastion with two operators: alice may edit in its namespace, bob may do nothing."""
    lab.load_image(build_images(print, keys=["bastion"])["bastion"])
    folder = tmp_path_factory.mktemp("bastion")
    (image,) = [image.reference for image in IMAGES if image.key == "bastion"]
    kubectl(lab, "create", "namespace", NAMESPACE)
    try:
        host_key = make_key(folder / "ssh_host_ed25519_key")
        private = (folder / "ssh_host_ed25519_key").read_text()
        apply(
            lab,
            secret(NAMESPACE, "bastion-host-keys", ssh_host_ed25519_key=private),
            operator_secret(lab, NAMESPACE, folder, "alice"),
            operator_secret(lab, NAMESPACE, folder, "bob"),
            role_binding(NAMESPACE, "alice", "edit"),
            deployment(NAMESPACE, image, ("alice", "bob")),
        )
        yield started(lab, folder, host_key)
    finally:
        kubectl(lab, "delete", "namespace", NAMESPACE, "--wait=false")


def started(lab: Lab, folder: Path, host_key: str) -> BastionPod:
    """Wait for the pod to be ready."""
    wait = f"--timeout={START_SECONDS:.0f}s"
    kubectl(lab, "-n", NAMESPACE, "rollout", "status", "deployment/bastion", wait)
    (pod,) = json.loads(kubectl(lab, "-n", NAMESPACE, "get", "pods", "-l", "app=bastion", "-o", "json"))["items"]
    address, name, node = pod["status"]["podIP"], pod["metadata"]["name"], pod["spec"]["nodeName"]
    (folder / "known_hosts").write_text(f"[{address}]:2222 {host_key}")
    return BastionPod(lab, NAMESPACE, name, node, address, folder)
