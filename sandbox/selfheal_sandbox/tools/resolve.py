"""Where the tools are."""

import os
import platform
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from selfheal_core.folders import cache_folder
from selfheal_sandbox.tools.fetch import FetchError, install, is_intact
from selfheal_sandbox.tools.versions import TOOLS, Tool, is_new_enough, version_of


def tools_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder for tools that are not on PATH."""
    return cache_folder(os.environ if environment is None else environment) / "tools"


def on_path(tool: Tool) -> Path | None:
    """Return the tool on PATH if it is new enough."""
    found = shutil.which(tool.name)
    path = Path(found) if found else None
    return path if path is not None and is_new_enough(tool, version_of(tool, path)) else None


def available(tool: Tool, cache: Path) -> Path | None:
    """Return the tool from PATH or cache without downloading anything."""
    cached = cache / tool.file
    return on_path(tool) or (cached if is_intact(tool, cached) else None)


def resolve(tools: tuple[Tool, ...] = TOOLS, cache: Path | None = None) -> dict[str, Path]:
    """Return the path of each tool, after taking the missing ones into the cache.

    Raises:
        FetchError: one cannot be had; the message says which and what to do.
    """
    folder = cache or tools_folder()
    found = {tool: available(tool, folder) for tool in tools}
    missing = tuple(tool for tool, path in found.items() if path is None)
    if missing:
        obtain(missing, folder, sys.platform, platform.machine())
    return {tool.name: path or folder / tool.file for tool, path in found.items()}


def exactly(tool: Tool, cache: Path | None = None) -> Path:
    """Return the path of the pinned version of a tool, whatever PATH has, after taking it into the cache if needed.

    Raises:
        FetchError: it cannot be had; the message says what to do.
    """
    folder = cache or tools_folder()
    path = folder / tool.file
    if not is_intact(tool, path):
        obtain((tool,), folder, sys.platform, platform.machine())
    return path


def obtain(missing: tuple[Tool, ...], folder: Path, system: str, machine: str) -> None:
    """Take tools into the cache, for a machine such as ``linux`` on ``x86_64``.

    Raises:
        FetchError: there are none for this machine, or they cannot be had.
    """
    wanted = " and ".join(_wish(tool) for tool in missing)
    advice = f"put {wanted} on PATH (https://helm.sh/docs/intro/install, https://kubernetes.io/docs/tasks/tools)"
    if not system.startswith("linux") or machine not in ("x86_64", "AMD64"):
        raise FetchError(f"{wanted} missing, and there is none to download for {system} on {machine}: {advice}")
    try:
        install(missing, folder)
    except FetchError as error:
        raise FetchError(f"{wanted} missing: {error}; {advice}") from None


def _wish(tool: Tool) -> str:
    if tool not in TOOLS:
        return f"{tool.name} {tool.version}"
    return f"{tool.name} {tool.minimum[0]}.{tool.minimum[1]} or newer"
