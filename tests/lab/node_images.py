"""Images in a node's containerd: which it has, and loading those it has not."""

import subprocess
from pathlib import Path

from tests.lab.errors import LabError
from tests.lab.image_files import image_id, reference
from tests.lab.namespaces import Namespaces
from tests.lab.node import CTR

IMPORT_SECONDS = 300.0
LIST_SECONDS = 30.0


def import_image(node: Namespaces, archive: Path) -> None:
    """Load a docker archive into a node's containerd; by its standard input, as it may be where the node cannot see it.

    Raises:
        LabError: it was refused.
    """
    with archive.open("rb") as content:
        try:
            done = subprocess.run(
                node.inside([*CTR, "images", "import", "-"]),
                stdin=content,
                capture_output=True,
                text=True,
                timeout=IMPORT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LabError(f"{archive} was not loaded within {IMPORT_SECONDS:.0f} s") from None
    if done.returncode != 0:
        raise LabError(f"containerd did not load {archive}: {(done.stderr.strip().splitlines() or ['no output'])[-1]}")


def import_if_new(node: Namespaces, archive: Path) -> bool:
    """Load a docker archive into a node's containerd unless it has that image under that name.

    Returns:
        Whether it was loaded.

    Raises:
        LabError: it was refused.
    """
    listed = node.inside([*CTR, "images", "ls"])
    try:
        done = subprocess.run(listed, capture_output=True, text=True, timeout=LIST_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise LabError(f"containerd did not list its images within {LIST_SECONDS:.0f} s") from None
    if has_image(done.stdout, reference(archive), image_id(archive)):
        return False
    import_image(node, archive)
    return True


def has_image(listing: str, name: str, identity: str) -> bool:
    """Whether a name stands for an image.

    Args:
        listing: What ``ctr images ls`` prints: a name, a type and the digest of a manifest in each line. Kubernetes'
            part of containerd lists each image by its id, too.
        name: Of the image.
        identity: Its id, ``sha256:...``.
    """
    lines = [line.split() for line in listing.splitlines()[1:]]
    manifests = {words[0]: words[2] for words in lines if len(words) > 2}
    return name in manifests and manifests[name] == manifests.get(identity)
