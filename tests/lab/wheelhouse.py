"""Every package of the images as a file, fetched with the machine's own pip by hash, so that a build asks nobody.

Where an index is, or how it is reached, stays in that pip's configuration and gets into no file of a build.
"""

import hashlib
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from packaging.requirements import Requirement

from tests.lab.base_images import PYTHON, run_build

ROOT = Path(__file__).parents[2]
LOCKS = ("service", "healerd", "tui")
GLIBC_MINOR = 36
"""Debian 12's: wheels for this one and older ones run."""
_CONTINUED = re.compile(r"\\\n\s*")
_HELM = re.compile(r"printf '%s --hash=sha256:%s\\n' (\S+) \\\n\s+([0-9a-f]{64})")


def applies(line: str) -> bool:
    """Whether a line of a lock is a package for the images' Python; its marker says so."""
    requirement = line.partition(" --hash")[0].strip()
    if not requirement or requirement.startswith("#"):
        return False
    marker = Requirement(requirement).marker
    where = {"python_version": PYTHON, "python_full_version": f"{PYTHON}.0"}
    return marker is None or marker.evaluate(where)


def requirements() -> list[str]:
    """Every package that the images take, with its hashes and without markers, one a line."""
    lines: set[str] = set()
    for lock in LOCKS:
        text = _CONTINUED.sub("", (ROOT / "requirements" / f"{lock}.txt").read_text())
        for line in filter(applies, text.splitlines()):
            package, _, hashes = line.partition(" --hash")
            lines.add(f"{package.partition(';')[0].strip()} --hash{hashes}")
    lines.update(f"{package} --hash=sha256:{digest}" for package, digest in _HELM.findall(_containerfile()))
    return sorted(lines)


def _containerfile() -> str:
    return (ROOT / "Containerfile").read_text()


def platforms() -> list[str]:
    """Names of this machine in the names of wheels, as far as Debian 12 runs them."""
    machine = platform.machine()
    legacy = [f"{name}_{machine}" for name in ("manylinux2014", "manylinux2010", "manylinux1", "linux")]
    return [f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC_MINOR, 4, -1)] + legacy


def wheelhouse(folder: Path, say: Callable[[str], None]) -> Path:
    """Fetch the packages, unless they are there already.

    Args:
        folder: Where what can be made again is kept.
        say: Told what is done, a line at a time.

    Returns:
        The folder of wheels; its name changes with the locks.

    Raises:
        BuildError: They can't be had.
    """
    wanted = requirements()
    key = hashlib.sha256("\n".join([PYTHON, *platforms(), *wanted]).encode()).hexdigest()[:16]
    out = folder / f"wheels-{key}"
    if out.exists():
        return out
    say(f"wheels: {len(wanted)} packages by their hashes (about half a minute)")
    folder.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=folder, prefix=".wheels-"))
    try:
        lock = fresh / "requirements.txt"
        lock.write_text("\n".join(wanted) + "\n")
        run_build(_pip_download(lock, fresh), "the set of wheels")
        lock.unlink()
        fresh.chmod(0o755)
        os.rename(fresh, out)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    say(f"wheels: {sum(path.stat().st_size for path in out.iterdir()) / 1e6:.0f} MB")
    return out


def _pip_download(lock: Path, folder: Path) -> list[str]:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--only-binary", ":all:", "--implementation", "cp", "--python-version", PYTHON]
    command += [f"--abi={abi}" for abi in (f"cp{PYTHON.replace('.', '')}", "abi3", "none")]
    command += [f"--platform={name}" for name in (*platforms(), "any")]
    return [*command, "--requirement", str(lock), "--dest", str(folder)]
