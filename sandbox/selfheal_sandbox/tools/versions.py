"""Versions of tools, and which of them are new enough."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

DEADLINE_SECONDS = 10.0
_VERSION = re.compile(r"v(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that the sandbox's users and tests need.

    Attributes:
        name: of the program.
        minimum: oldest version that works.
        version_arguments: make it print its version.
        sha256: of the program that is taken where none is found.
        member: where that program is in the archive it comes in.
    """

    name: str
    minimum: tuple[int, int]
    version_arguments: tuple[str, ...]
    sha256: str
    member: str


HELM = Tool(
    name="helm",
    minimum=(3, 17),
    version_arguments=("version", "--short"),
    sha256="b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd",
    member="helm/helm",
)
KUBECTL = Tool(
    name="kubectl",
    minimum=(1, 30),
    version_arguments=("version", "--client"),
    sha256="65691ff77eb6fa44c908b77a1082c9f092c3b9733b5cefabec0d1104890e21a8",
    member="kubectl/kubectl",
)
TOOLS = (HELM, KUBECTL)


def parse_version(text: str) -> tuple[int, int, int] | None:
    """Return the first version in a text such as ``v4.3.1+gabc`` or ``Client Version: v1.32.4``."""
    match = _VERSION.search(text)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None


def version_of(tool: Tool, path: Path) -> tuple[int, int, int] | None:
    """Return the version that a program tells, or None if it does not run or tells none."""
    try:
        done = subprocess.run(
            [str(path), *tool.version_arguments], capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_version(done.stdout) if done.returncode == 0 else None


def is_new_enough(tool: Tool, version: tuple[int, int, int] | None) -> bool:
    """Return whether the sandbox was tested with this version or an older one."""
    return version is not None and version[:2] >= tool.minimum
