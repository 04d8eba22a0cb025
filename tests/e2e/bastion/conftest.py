"""One bastion for all of its tests."""

from collections.abc import Iterator

import pytest

from tests.e2e.bastion.bastion_pod import (
    BastionPod,
    apply,
    deployment,
    host_keys,
    namespace_of,
    operator_secret,
    role_binding,
    started,
)
from tests.lab.images import IMAGES, build_images
from tests.lab.state import Lab

NAMESPACE = "bastion-test"


@pytest.fixture(scope="session")
def bastion_image(lab: Lab) -> str:
    """What the bastion's image is called in the lab, which has it."""
    (image,) = [image for image in IMAGES if image.key == "bastion"]
    lab.load_image(build_images(print, keys=[image.key])[image.key])
    return image.reference


@pytest.fixture(scope="session")
def bastion(lab: Lab, bastion_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BastionPod]:
    """The bastion with two operators: alice may edit in its namespace, bob may do nothing."""
    folder = tmp_path_factory.mktemp("bastion")
    with namespace_of(lab, NAMESPACE):
        apply(
            lab,
            NAMESPACE,
            host_keys(NAMESPACE, folder),
            operator_secret(lab, NAMESPACE, folder, "alice"),
            operator_secret(lab, NAMESPACE, folder, "bob"),
            role_binding(NAMESPACE, "alice", "edit"),
            deployment(bastion_image, ("alice", "bob")),
        )
        yield started(lab, NAMESPACE, folder)
