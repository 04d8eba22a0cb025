"""Base images, made on this machine from Debian's packages: no registry is asked.

Packages are unpacked and not installed (mmdebstrap's variant ``extract``): what their scripts would do is the few files
that are written here. Python's library is compiled once, by hash, since containers run with a read-only root.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from selfheal_core.folders import cache_folder
from tests.lab.errors import LabError
from tests.lab.image_files import archive_of_layer, image_id
from tests.lab.namespaces import ENDS_WITH_STARTER

SUITE = "bookworm"
FRESH_SECONDS = 14 * 24 * 3600.0
"""After so long a base is made anew, as Debian may have newer packages by then."""
PYTHON = "3.11"
"""Debian 12's."""
DEADLINE_SECONDS = 600.0
ALONE = (*ENDS_WITH_STARTER, "unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc")
"""Before the command line of a build: when it is over, however it ended, no process or mount of it is left."""
LAST_LINES = 5
"""Of a failed program's output, in the error."""

PYTHON_PACKAGES = (
    "base-files",
    "ca-certificates",
    "coreutils",
    "dash",
    "libc-bin",
    "libpython3-stdlib",
    "python3-minimal",
)
UNWANTED = (
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/lintian/*",
    "/usr/share/perl*",
    "/usr/bin/perl*",
    "/usr/lib/*/perl*",
    "/usr/lib/*/gconv/*",
    "/usr/share/zoneinfo/*",
    "/usr/share/doc/*",
)
FILES: Mapping[str, str] = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
}
"""In ``/etc``, where the packages' scripts would have written them."""
HOOK = (
    'set -eu; cp "$FILES"/* "$1/etc/"; chmod 0644 "$1"/etc/*.conf "$1/etc/passwd" "$1/etc/group"; '
    'mkdir -p "$1/etc/ssl/certs"; '
    'cat "$1"/usr/share/ca-certificates/mozilla/*.crt > "$1/etc/ssl/certs/ca-certificates.crt"; '
    f'chroot "$1" /usr/bin/python3 -m compileall -q -j 1 --invalidation-mode unchecked-hash /usr/lib/python{PYTHON}'
)


class BuildError(LabError):
    """An image can't be built; nothing half done is left."""


@dataclass(frozen=True, slots=True)
class Base:
    """A base image.

    Attributes:
        name: What it is for.
        packages: Debian's, besides those they depend on.
    """

    name: str
    packages: tuple[str, ...]

    @property
    def reference(self) -> str:
        """What the image is called."""
        return f"registry.lab/base-{self.name}:{SUITE}"


RUNTIME = Base("runtime", PYTHON_PACKAGES)
BUILD = Base("build", (*PYTHON_PACKAGES, "python3-venv"))
BASTION = Base("bastion", (*PYTHON_PACKAGES, "openssh-server", "libnss-extrausers"))
BASES = (RUNTIME, BUILD, BASTION)


def images_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where images are kept between runs."""
    return cache_folder(environ) / "lab/images"


def recipe_of(base: Base) -> str:
    """Names how a base is made; another list of packages, or other files, give another name."""
    made_of = repr((base.packages, SUITE, UNWANTED, sorted(FILES.items()), HOOK))
    return hashlib.sha256(made_of.encode()).hexdigest()[:16]


def base_archive(
    base: Base, folder: Path, say: Callable[[str], None], make: Callable[[Base, Path], None] | None = None
) -> Path:
    """Make a base image, unless there is one that was made not long ago.

    It is called after its recipe and after what is in it: with other versions of the packages it is another one.

    Args:
        base: Which.
        folder: Where archives are kept.
        say: Told what is done, a line at a time.
        make: Writes the root file system to a file, in place of mmdebstrap.

    Returns:
        The docker archive; an older one, if no new one can be made.

    Raises:
        BuildError: There is none, and none can be made.
    """
    before = _newest(base, folder)
    if before is not None and _is_fresh(before):
        return before
    say(f"base image {base.name}: packages of Debian {SUITE} (about 20 s)")
    try:
        out = _made(base, folder, make or _extract)
    except BuildError as error:
        if before is None:
            raise
        say(f"base image {base.name}: {error}; the one of some weeks ago is used")
        return before
    for other in folder.glob(f"base-{base.name}-*.tar"):
        if not _is_fresh(other):
            other.unlink()
    say(f"base image {base.name}: {megabytes(out)}")
    return out


def _is_fresh(archive: Path) -> bool:
    return time.time() - archive.stat().st_mtime < FRESH_SECONDS


def _newest(base: Base, folder: Path) -> Path | None:
    made = folder.glob(f"base-{base.name}-{recipe_of(base)}-*.tar")
    return max(made, key=lambda path: path.stat().st_mtime, default=None)


def _made(base: Base, folder: Path, make: Callable[[Base, Path], None]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    started = {"Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], "WorkingDir": "/"}
    with tempfile.TemporaryDirectory(dir=folder, prefix=".base-") as name:
        layer, archive = Path(name) / "layer.tar", Path(name) / "archive.tar"
        make(base, layer)
        archive_of_layer(layer, base.reference, archive, started)
        content = image_id(archive).removeprefix("sha256:")[:16]
        return archive.replace(folder / f"base-{base.name}-{recipe_of(base)}-{content}.tar")


def _extract(base: Base, layer: Path) -> None:
    with tempfile.TemporaryDirectory(dir=layer.parent, prefix="files-") as name:
        for file, text in FILES.items():
            Path(name, file).write_text(text)
        environment = {**os.environ, "SOURCE_DATE_EPOCH": "0", "PYTHONHASHSEED": "0", "FILES": name}
        run_build(_mmdebstrap(base, layer), f"the base image {base.name}", environment=environment)


def _mmdebstrap(base: Base, layer: Path) -> list[str]:
    excludes = [f"--dpkgopt=path-exclude={path}" for path in UNWANTED]
    return [
        "mmdebstrap",
        "--quiet",
        "--variant=extract",
        f"--include={','.join(base.packages)}",
        '--aptopt=Acquire::Languages "none"',
        *excludes,
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        f"--extract-hook={HOOK}",
        SUITE,
        str(layer),
    ]


def run_build(command: list[str], what: str, *, environment: Mapping[str, str] | None = None) -> str:
    """Run a program that builds something, and return what it wrote to standard output.

    Args:
        command: Program and arguments.
        what: What it builds, for the error.
        environment: Instead of this process's.

    Raises:
        BuildError: It is not there, failed or took too long; with the last lines that it wrote.
    """
    if shutil.which(command[0]) is None:
        raise BuildError(f"{what} can't be built: no {command[0]}; apt-get install {command[0]}")
    try:
        done = subprocess.run(
            [*ALONE, *command],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=DEADLINE_SECONDS,
            check=False,
            env=None if environment is None else dict(environment),
        )
    except subprocess.TimeoutExpired:
        raise BuildError(f"{what} was not built within {DEADLINE_SECONDS:.0f} s by {command[0]}") from None
    if done.returncode != 0:
        last = " | ".join((done.stderr or done.stdout).strip().splitlines()[-LAST_LINES:])
        raise BuildError(f"{what} was not built: {command[0]} ended with {done.returncode}: {last or 'no output'}")
    return done.stdout


def megabytes(path: Path) -> str:
    """The size of a file, as people read it."""
    return f"{path.stat().st_size / 1e6:.0f} MB"
