"""What runs in the lab's cluster from the start: CoreDNS and metrics-server, as images of one static program each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.lab.image_files import archive_of_program
from tests.lab.node import PAUSE_IMAGE

MANIFESTS = Path(__file__).with_name("manifests")


@dataclass(frozen=True, slots=True)
class ProgramImage:
    """An image of one of the lab's programs."""

    program: str
    name: str


PAUSE = ProgramImage("pause", PAUSE_IMAGE)
ADDONS = (
    ProgramImage("coredns", "registry.lab/coredns:v1.14.7"),
    ProgramImage("metrics-server", "registry.lab/metrics-server:v0.9.0"),
)
"""Each is a Deployment of its program's name in kube-system."""


def archives(programs: Mapping[str, Path]) -> dict[str, Path]:
    """Return the archive of each image by its program's name, made beside the programs unless they are there."""
    return {image.program: _archive(image, programs[image.program]) for image in (PAUSE, *ADDONS)}


def _archive(image: ProgramImage, program: Path) -> Path:
    out = program.with_name(f"{image.name.rpartition('/')[2].replace(':', '-')}.tar")
    return out if out.is_file() else archive_of_program(program, image.name, out)
