"""Finds a helm that is new enough."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from selfheal_core.cluster.process import run_program
from selfheal_core.errors import SelfhealError
from selfheal_core.folders import cache_folder

OLDEST = (3, 17)
"""The flags that we use are in this version and in every 4.x."""
VERSION_DEADLINE_SECONDS = 20.0
HOW_TO_GET_ONE = "install Helm 3.17 or newer (https://helm.sh/docs/intro/install), or let this fetch it: make setup"


@dataclass(frozen=True, slots=True)
class HelmProgram:
    """A helm binary.

    Attributes:
        version: E.g. ``4.3.1``.
    """

    path: Path
    version: str

    @property
    def major(self) -> int:
        """The major version: 3 and 4 differ in flags."""
        return version_numbers(self.version)[0]


async def locate(environ: Mapping[str, str]) -> HelmProgram:
    """Find helm on PATH, then in ``$XDG_CACHE_HOME/selfheal/tools``.

    Raises:
        SelfhealError: There is none, or none that is new enough.
    """
    rejected = []
    for path in candidates(environ):
        version = await _version(path, environ)
        if version_numbers(version)[:2] >= OLDEST:
            return HelmProgram(path, version)
        rejected.append(f"{path} is {version or 'not usable'}")
    if rejected:
        raise SelfhealError(f"no helm is new enough: {', '.join(rejected)}", HOW_TO_GET_ONE)
    raise SelfhealError(f"helm is neither on PATH nor in {tools_directory(environ)}", HOW_TO_GET_ONE)


def candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    """Helm binaries in the order in which they count."""
    on_path = shutil.which("helm", path=environ.get("PATH", ""))
    if on_path:
        yield Path(on_path)
    cached = tools_directory(environ) / "helm"
    if os.access(cached, os.X_OK) and cached.is_file():
        yield cached


def tools_directory(environ: Mapping[str, str]) -> Path:
    """The folder in the user's cache for programs that were fetched."""
    return cache_folder(environ) / "tools"


def version_numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version; (0,) where there are none."""
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", version)
    return tuple(int(number) for number in found.groups() if number) if found else (0,)


async def _version(path: Path, environ: Mapping[str, str]) -> str:
    try:
        finished = await run_program(
            [str(path), "version", "--template", "{{.Version}}"],
            environ=environ,
            deadline_seconds=VERSION_DEADLINE_SECONDS,
            output_limit_bytes=4096,
            grace_seconds=1,
        )
    except SelfhealError:
        return ""
    version = finished.stdout.decode(errors="replace").strip().removeprefix("v")
    return version if version_numbers(version) > (0,) else ""
