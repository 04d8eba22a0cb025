"""Where Prometheus is: on PATH, in the cache, else taken once out of the Debian package. None of this needs root.

The package is checked against the digest in apt's own signed metadata; the program, each time, against its digest when
it was unpacked.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from selfheal_sandbox.tools.fetch import FetchError, digest
from selfheal_sandbox.tools.resolve import tools_folder

MINIMUM = (2, 30)
PROGRAMS = ("prometheus", "promtool")
DEADLINE_SECONDS = 120.0
VERSION_SECONDS = 10.0
ADVICE = "put prometheus 2.30 or newer on PATH (https://prometheus.io/download)"
_VERSION = re.compile(r"version (\d+)\.(\d+)")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Package:
    """A Debian package, as apt's metadata describes it."""

    version: str
    size_bytes: int
    sha256: str


def resolve(name: str = "prometheus", folder: Path | None = None, say: Say = lambda _: None) -> Path:
    """Return the path of ``prometheus`` or ``promtool``, after taking both into the cache where they are missing.

    Args:
        name: of the program.
        folder: cache; None for the user's.
        say: is told what takes time.

    Raises:
        FetchError: it cannot be had; the message says why and what to do.
    """
    folder = folder or tools_folder()
    found = available(name, folder)
    if found is not None:
        return found
    try:
        obtain(folder, say)
    except FetchError as error:
        raise FetchError(f"{name} missing: {error}; {ADVICE}") from None
    return folder / name


def available(name: str, folder: Path) -> Path | None:
    """Return the program from PATH or cache without downloading anything."""
    on_path = shutil.which(name)
    if on_path is not None and is_new_enough(Path(on_path)):
        return Path(on_path)
    cached = folder / name
    return cached if _is_intact(cached) else None


def is_new_enough(path: Path) -> bool:
    """Return whether a program runs here and is of a version that the sandbox can use."""
    try:
        done = subprocess.run(
            [str(path), "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    match = _VERSION.search(done.stdout + done.stderr)  # old versions print it as an error
    return done.returncode == 0 and match is not None and (int(match[1]), int(match[2])) >= MINIMUM


def obtain(folder: Path, say: Say = lambda _: None) -> None:
    """Take both programs out of the Debian package into the cache.

    Raises:
        FetchError: there is no apt, no such package, or what came is not what apt describes.
    """
    missing = [tool for tool in ("apt-cache", "apt-get", "dpkg") if shutil.which(tool) is None]
    if missing or not sys.platform.startswith("linux"):
        raise FetchError(f"it can be taken from Debian's package only, and there is no {missing[0]} here")
    package = parse_package(_run("apt-cache", "show", "--no-all-versions", "prometheus"))
    say(f"Taking Prometheus {package.version} from the Debian package ({package.size_bytes / 1e6:.0f} MB) ...")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as name:
            _download_and_unpack(package, Path(name))
            for program in PROGRAMS:
                _keep(Path(name) / "usr" / "bin" / program, folder / program)
    except OSError as error:
        raise FetchError(
            f"cannot write to {folder}: {error.strerror}; set XDG_CACHE_HOME to a folder of yours"
        ) from None


def parse_package(text: str) -> Package:
    """Read what ``apt-cache show`` prints.

    Raises:
        FetchError: it describes no package.
    """
    fields = dict(re.findall(r"^(Version|Size|SHA256): (\S+)$", text, re.MULTILINE))
    if set(fields) != {"Version", "Size", "SHA256"} or not fields["Size"].isdecimal():
        raise FetchError("apt knows no package prometheus; bring its lists up to date with: sudo apt-get update")
    return Package(fields["Version"], int(fields["Size"]), fields["SHA256"])


def _download_and_unpack(package: Package, folder: Path) -> None:
    _run("apt-get", "download", "--quiet", f"prometheus={package.version}", cwd=folder)
    file = next(folder.glob("*.deb"), None)
    if file is None or digest(file.read_bytes()) != package.sha256:
        raise FetchError(f"what apt downloaded is not the file that it describes (SHA-256 {package.sha256})")
    _run("dpkg", "-x", str(file), str(folder))
    if not is_new_enough(folder / "usr" / "bin" / "prometheus"):
        raise FetchError(f"that of the package, {package.version}, does not run here or is too old")


def _keep(program: Path, place: Path) -> None:
    """Put a program into the cache in one step, with a note of its digest."""
    _note(place).write_text(digest(program.read_bytes()))
    program.chmod(0o755)
    program.replace(place)


def _is_intact(path: Path) -> bool:
    try:
        return _note(path).read_text() == digest(path.read_bytes())
    except OSError:
        return False


def _note(path: Path) -> Path:
    return path.with_name(f".{path.name}.sha256")


def _run(*argv: str, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False, cwd=cwd)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FetchError(f"{argv[0]} failed: {error}") from None
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise FetchError(f"{argv[0]} failed: {last}")
    return done.stdout
