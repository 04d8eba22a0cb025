"""Images in a node's containerd: which it has, and loading those it has not."""

import json
import subprocess
from pathlib import Path

from tests.lab.errors import LabError, last_line
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
        raise LabError(f"containerd did not load {archive}: {last_line(done.stderr)}")


def import_if_new(node: Namespaces, archive: Path) -> bool:
    """Load a docker archive into a node's containerd unless it has that image under that name.

    Returns:
        Whether it was loaded.

    Raises:
        LabError: it was refused.
    """
    manifest = manifest_of(_ctr(node, "images", "ls"), reference(archive))
    if manifest and config_of(_ctr(node, "content", "get", manifest)) == image_id(archive):
        return False
    import_image(node, archive)
    return True


def _ctr(node: Namespaces, *arguments: str) -> str:
    """What ctr prints; nothing if it fails, as an import then says why."""
    command = node.inside([*CTR, *arguments])
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=LIST_SECONDS, check=False).stdout
    except subprocess.TimeoutExpired:
        raise LabError(f"containerd did not answer ctr {' '.join(arguments)} within {LIST_SECONDS:.0f} s") from None


def manifest_of(listing: str, name: str) -> str:
    """Digest of the manifest that an image's name stands for; "" if it stands for none.

    Args:
        listing: What ``ctr images ls`` prints: a name, a type and a digest in each line.
        name: Of the image.
    """
    lines = [line.split() for line in listing.splitlines()]
    return next((words[2] for words in lines if len(words) > 2 and words[0] == name), "")


def config_of(manifest: str) -> str:
    """The image's id, ``sha256:...``, out of its manifest; "" if that is none."""
    try:
        return str(json.loads(manifest)["config"]["digest"])
    except (ValueError, KeyError, TypeError):
        return ""
