"""The images of the Containerfile, built by buildah on bases of our own, each kept as a docker archive.

An archive is kept under a key of all that goes into it, so that nothing is built twice; a build from scratch gives the
same image id. Nothing of a build that fails is left.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from selfheal_core import __version__
from tests.lab.base_images import (
    BASES,
    BASTION,
    BUILD,
    RUNTIME,
    BuildError,
    base_archive,
    images_folder,
    megabytes,
    run_build,
)
from tests.lab.containerfile import digest_of_sources, read_stages, sources
from tests.lab.image_files import image_id
from tests.lab.wheelhouse import ROOT, wheelhouse

WHEELS = "/wheels"
"""Where the build finds its packages."""
DRIVERS = ("overlay", "vfs")
"""Buildah's storages, the quicker first: vfs copies the whole file system at each step."""
KEPT = 2
"""Archives of one image: other branches are built on the same machine."""
OPTIONS = (
    *("--isolation", "chroot"),
    *("--format", "oci"),  # the other format names the machine of the build
    *("--timestamp", "0"),
    "--layers",  # stages that images have in common are built once in each call
    "--pull-never",
    "--identity-label=false",
)
"""Of buildah; with these a build repeats."""
BUILD_ARGUMENTS = {
    "BASE_IMAGE": RUNTIME.reference,
    "BUILD_IMAGE": BUILD.reference,
    "BASTION_IMAGE": BASTION.reference,
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": WHEELS,
}


@dataclass(frozen=True, slots=True)
class Image:
    """An image of the Containerfile.

    Attributes:
        key: What it is called in the result of `build_images`.
        target: Stage of the Containerfile.
        reference: What the image is called.
        version: Build argument VERSION.
    """

    key: str
    target: str
    reference: str
    version: str


IMAGES = (
    Image("service", "service", "registry.lab/selfheal-service:1.0", "1.0"),
    Image("service-1.1", "service", "registry.lab/selfheal-service:1.1", "1.1"),
    Image("healerd", "healerd", f"registry.lab/healerd:{__version__}", __version__),
    Image("tui", "tui", f"registry.lab/selfheal-tui:{__version__}", __version__),
    Image("bastion", "bastion", f"registry.lab/selfheal-bastion:{__version__}", __version__),
)


def build_images(
    say: Callable[[str], None],
    *,
    keys: Iterable[str] = (),
    environ: Mapping[str, str] = os.environ,
    context: Path = ROOT,
) -> dict[str, Path]:
    """Build what is not there already.

    Args:
        say: Told what is done, a line at a time.
        keys: Which of `IMAGES`; all of them by default.
        environ: Where the cache folder is found.
        context: Folder with the Containerfile and what it copies.

    Returns:
        Docker archives by key: ``service``, ``service-1.1``, ``healerd``, ``tui``, ``bastion``.

    Raises:
        BuildError: One can't be built; those before it are there.
    """
    folder = images_folder(environ)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [image for image in IMAGES if not tuple(keys) or image.key in tuple(keys)]
    with _alone(folder, say), _frozen(context, folder) as files:
        bases = [base_archive(base, folder, say) for base in BASES]
        wheels = wheelhouse(folder, say)
        made_of = [*(image_id(base) for base in bases), wheels.name]
        archives = {image.key: folder / f"{image.key}-{_key(image, made_of, files)}.tar" for image in wanted}
        missing = [image for image in wanted if not archives[image.key].exists()]
        if missing:
            _build(missing, archives, bases, wheels, files, say)
        _forget_older(folder, archives)
    return archives


@contextmanager
def _alone(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Let one process at a time build; another waits and finds the archives. What a killed one left goes."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("images: another process is building; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for unfinished in folder.glob(".*-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        yield


@contextmanager
def _frozen(context: Path, folder: Path) -> Iterator[Path]:
    """A copy of what the images take from the build context: a file edited meanwhile is not in half of them."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".context-") as name:
        for path in {path for image in IMAGES for path in _copied(image, context)}:
            source, copy = context / path, Path(name) / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, copy)
        yield Path(name)


def _copied(image: Image, context: Path) -> tuple[str, ...]:
    stages = read_stages((context / "Containerfile").read_text())
    return ("Containerfile", ".dockerignore", *sources(stages, image.target, BUILD_ARGUMENTS))


def _key(image: Image, made_of: Iterable[str], context: Path) -> str:
    copied = digest_of_sources(context, _copied(image, context))
    parts = [*made_of, *_options(image), image.reference, image.version, copied]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _options(image: Image) -> tuple[str, ...]:
    """Buildah's for one image.

    Buildah 1.28 takes a layer for the same whatever VERSION was: a second image of a target would say that it is the
    first. It is built without what the first one left.
    """
    is_first = image is next(one for one in IMAGES if one.target == image.target)
    return OPTIONS if is_first else (*OPTIONS, "--no-cache")


def _build(
    images: Iterable[Image],
    archives: Mapping[str, Path],
    bases: Iterable[Path],
    wheels: Path,
    context: Path,
    say: Callable[[str], None],
) -> None:
    with _storage(wheels.parent) as buildah:
        for base in bases:
            run_build([*buildah, "pull", "--quiet", f"docker-archive:{base}"], "a base image's copy")
        for image in images:
            began = time.monotonic()
            say(f"image {image.reference}: building")
            build_image(image, archives[image.key], buildah, wheels, context)
            size, seconds = megabytes(archives[image.key]), time.monotonic() - began
            say(f"image {image.reference}: {size}, {seconds:.0f} s")


@contextmanager
def _storage(folder: Path) -> Iterator[list[str]]:
    """Buildah's command with a storage of its own, which goes with the block."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".buildah-") as place:
        yield _usable(Path(place))


def _usable(place: Path) -> list[str]:
    for driver in DRIVERS:
        if _works(command := _buildah(place, driver)):
            return command
    raise BuildError(f"images can't be built: buildah has neither {' nor '.join(DRIVERS)} as a storage in {place}")


def _buildah(place: Path, driver: str) -> list[str]:
    roots = ["--root", f"{place}/{driver}/root", "--runroot", f"{place}/{driver}/run"]
    return ["buildah", *roots, "--storage-driver", driver]


def _works(command: list[str]) -> bool:
    """Whether buildah has that storage here: an overlay on an overlay, as inside a container, it has not."""
    try:
        run_build([*command, "info"], "a storage")
    except BuildError:
        return False
    return True


def build_image(image: Image, out: Path, buildah: list[str], wheels: Path, context: Path) -> None:
    """Build one image into an archive, which is put in place in one step.

    Args:
        image: Which.
        out: The archive.
        buildah: Its command, with a storage that holds the bases.
        wheels: The packages.
        context: Folder with the Containerfile.

    Raises:
        BuildError: It can't be built.
    """
    arguments = {**BUILD_ARGUMENTS, "VERSION": image.version}
    command = [*buildah, "bud", *_options(image), "--quiet", "--volume", f"{wheels}:{WHEELS}:ro"]
    command += [f"--build-arg={name}={value}" for name, value in arguments.items()]
    command += ["--target", image.target, "--tag", image.reference]
    # A build that sees this machine's environment (its pip's settings, say) is another build elsewhere.
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR")}
    command += ["--file", str(context / "Containerfile"), str(context)]
    run_build(command, f"the image {image.reference}", environment=environment)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".image-") as name:
        archive = Path(name) / "archive.tar"
        push = [*buildah, "push", "--quiet", image.reference, f"docker-archive:{archive}:{image.reference}"]
        run_build(push, f"the archive of {image.reference}")
        archive.replace(out)


def _forget_older(folder: Path, archives: Mapping[str, Path]) -> None:
    """Take away archives of what was built some changes ago."""
    for key, newest in archives.items():
        older = [path for path in folder.glob(f"{key}-????????????????.tar") if path != newest]
        older.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in older[KEPT - 1 :]:
            path.unlink(missing_ok=True)
