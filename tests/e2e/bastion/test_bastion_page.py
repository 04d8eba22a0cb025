"""The manifest of the how-to page, applied as it is written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.bastion.bastion_pod import (
    BastionPod,
    apply,
    host_keys,
    kubectl,
    manifest,
    namespace_of,
    operator_secret,
    role_binding,
    started,
)
from tests.lab.node import CTR
from tests.lab.state import Lab

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(300)]

NAMESPACE = "bastion-as-written"
JOURNALS = f"/var/lib/{NAMESPACE}"
SEEN_SECONDS = 40.0


@pytest.fixture
def written(lab: Lab, bastion_image: str) -> Iterator[list[Any]]:
    """The page's objects; the lab has what they name: the image, and a volume for the claim, on one node."""
    objects = list(yaml.safe_load_all(manifest()))
    image = objects[1]["spec"]["template"]["spec"]["containers"][0]["image"]
    node = lab.nodes[0]
    kubectl(lab, "apply", "-f", "-", stdin=yaml.safe_dump(volume(node)))
    lab.run_on(node, *CTR, "images", "tag", "--force", bastion_image, image)
    try:
        yield objects
    finally:
        kubectl(lab, "delete", "persistentvolume", NAMESPACE, "--wait=false")
        lab.run_on(node, *CTR, "images", "rm", image)
        lab.run_on(node, "rm", "-rf", JOURNALS)


def volume(node: str) -> dict[str, Any]:
    """A folder of a node, kept for the page's claim."""
    on_the_node = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": NAMESPACE},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "claimRef": {"namespace": NAMESPACE, "name": "bastion-journals"},
            "hostPath": {"path": JOURNALS, "type": "DirectoryOrCreate"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [on_the_node]}},
        },
    }


def log_in_and_leave(bastion: BastionPod) -> None:
    with bastion.console("alice") as console:
        console.wait_for(lambda screen: "[1 Apps]" in screen and " live" in screen, SEEN_SECONDS)
        console.send("q")
        assert console.wait(SEEN_SECONDS) == 0


def test_the_manifest_works_as_written_and_the_journal_outlives_the_pod(
    lab: Lab, written: list[Any], tmp_path: Path
) -> None:
    with namespace_of(lab, NAMESPACE):
        apply(
            lab,
            NAMESPACE,
            host_keys(NAMESPACE, tmp_path),
            operator_secret(lab, NAMESPACE, tmp_path, "alice"),
            role_binding(NAMESPACE, "alice", "view"),
        )
        assert len(written) == 2
        kubectl(lab, "-n", NAMESPACE, "apply", "-f", "-", stdin=manifest())
        first = started(lab, NAMESPACE, tmp_path)
        log_in_and_leave(first)
        kubectl(lab, "-n", NAMESPACE, "delete", "pod", first.pod)
        second = started(lab, NAMESPACE, tmp_path)
        log_in_and_leave(second)

        assert second.pod != first.pod
        said = [line["text"] for line in second.journal("alice")]
        assert said == ["session began", "session ended, exit code 0"] * 2
