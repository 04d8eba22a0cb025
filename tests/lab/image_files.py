"""Images of one static program: a docker archive written by ourselves, with no engine and no base.

The archive is what ``docker save`` writes and ``ctr images import`` reads: one layer, the image's configuration and
``manifest.json``. The same program under the same name gives the same bytes, whenever and wherever it is packed.
"""

import hashlib
import io
import json
import os
import platform
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

EPOCH = "1970-01-01T00:00:00Z"
NOBODY = "65534:65534"
ACCOUNTS = b"root:x:0:0::/:/\nnobody:x:65534:65534::/:/\n"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""Names of the image format for what the kernel calls its machine."""


def archive_of_program(
    program: Path,
    name: str,
    out: Path,
    *,
    arguments: Sequence[str] = (),
    user: str = NOBODY,
    environment: Mapping[str, str] | None = None,
) -> Path:
    """Pack a statically linked program as an image that starts it.

    The image holds ``/bin/<program's name>``, ``/etc/passwd`` and an empty ``/tmp`` that everybody may write to.

    Args:
        program: The executable.
        name: Reference of the image, e.g. ``registry.lab/pause:1``.
        out: The archive; it is replaced in one step, and its folder is made if need be.
        arguments: Given to the program before those of the pod.
        user: Numeric ``uid:gid`` that it runs as unless the pod names another.
        environment: Variables besides PATH.

    Returns:
        ``out``.

    Raises:
        OSError: The program can't be read or the archive not written.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".layer-") as folder:
        layer = Path(folder) / "layer.tar"
        _write_layer(program, layer)
        started = {
            "Entrypoint": [f"/bin/{program.name}", *arguments],
            "Env": ["PATH=/bin", *(f"{key}={value}" for key, value in (environment or {}).items())],
            "User": user,
            "WorkingDir": "/",
        }
        return archive_of_layer(layer, name, out, started)


def archive_of_layer(layer: Path, name: str, out: Path, started: Mapping[str, object]) -> Path:
    """Pack a root file system, which is a tar file, as an image.

    Args:
        layer: The root file system, not compressed.
        name: Reference of the image, e.g. ``registry.lab/base:1``.
        out: The archive; it is replaced in one step, and its folder is made if need be.
        started: How a container of it is started: ``config`` of the image specification.

    Returns:
        ``out``.

    Raises:
        OSError: The layer can't be read or the archive not written.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    layer_digest = digest_of(layer)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".archive-") as folder:
        archive = Path(folder) / "archive.tar"
        _write_archive(archive, name, _configuration(started, layer_digest), layer, layer_digest)
        os.replace(archive, out)
    return out


def image_id(archive: Path) -> str:
    """The image's id, ``sha256:...``: the digest of its configuration, which names its layers.

    Raises:
        OSError: The archive can't be read.
        ValueError: It is no archive of one image.
    """
    with tarfile.open(archive) as opened:
        return f"sha256:{hashlib.sha256(_member(opened, _manifest(opened)['Config'])).hexdigest()}"


def reference(archive: Path) -> str:
    """What the image is called, e.g. ``registry.lab/pause:1``.

    Raises:
        OSError: The archive can't be read.
        ValueError: It is no archive of one image.
    """
    with tarfile.open(archive) as opened:
        return str(_manifest(opened)["RepoTags"][0])


def configuration(archive: Path) -> dict[str, Any]:
    """The image's configuration (``config``, ``rootfs``, ``history``), as it is in the archive.

    Raises:
        OSError: The archive can't be read.
        ValueError: It is no archive of one image.
    """
    with tarfile.open(archive) as opened:
        read: dict[str, Any] = json.loads(_member(opened, _manifest(opened)["Config"]))
    return read


def files(archive: Path) -> dict[str, tarfile.TarInfo]:
    """What the image's root file system holds, by path without a leading slash.

    Raises:
        OSError: The archive can't be read.
        ValueError: It is no archive of one image.
    """
    found: dict[str, tarfile.TarInfo] = {}
    for layer in layers(archive):
        with tarfile.open(fileobj=layer) as inner:
            for member in inner:
                _put(found, member)
    return found


def layers(archive: Path) -> Iterator[IO[bytes]]:
    """The layers of an image, lowest first, as opened tar files.

    Raises:
        OSError: The archive can't be read.
        ValueError: It is no archive of one image.
    """
    with tarfile.open(archive) as opened:
        for layer in _manifest(opened)["Layers"]:
            yield _opened_member(opened, layer)


def _put(found: dict[str, tarfile.TarInfo], member: tarfile.TarInfo) -> None:
    """Add what a layer says about one path; a whiteout (``.wh.NAME``) takes away what lower layers had there."""
    path = member.name.removeprefix("./").strip("/")
    folder, _, name = path.rpartition("/")
    if not name.startswith(".wh."):
        found[path] = member
        return
    gone = f"{folder}/{name.removeprefix('.wh.')}".lstrip("/")
    for old in [old for old in found if old == gone or old.startswith(f"{gone}/")]:
        del found[old]


def _manifest(opened: tarfile.TarFile) -> dict[str, Any]:
    images = json.loads(_member(opened, "manifest.json"))
    if len(images) != 1:
        raise ValueError(f"{opened.name!r}: an archive of {len(images)} images, not of one")
    only: dict[str, Any] = images[0]
    return only


def _member(opened: tarfile.TarFile, name: str) -> bytes:
    return _opened_member(opened, name).read()


def _opened_member(opened: tarfile.TarFile, name: str) -> IO[bytes]:
    try:
        found = opened.extractfile(name)
    except KeyError:
        found = None
    if found is None:
        raise ValueError(f"{opened.name!r}: no file {name} in it, so it is no image archive")
    return found


def _write_layer(program: Path, out: Path) -> None:
    with tarfile.open(out, "w", format=tarfile.GNU_FORMAT) as layer:
        for folder, mode in (("bin", 0o755), ("etc", 0o755), ("tmp", 0o1777)):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            layer.addfile(entry)
        _add_bytes(layer, "etc/passwd", ACCOUNTS)
        entry = tarfile.TarInfo(f"bin/{program.name}")
        entry.size, entry.mode = program.stat().st_size, 0o755
        with program.open("rb") as content:
            layer.addfile(entry, content)


def _configuration(started: Mapping[str, object], layer_digest: str) -> bytes:
    described = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": EPOCH,
        "config": started,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
        "history": [{"created": EPOCH, "created_by": "packed as it is"}],
    }
    return json.dumps(described, sort_keys=True).encode()


def _write_archive(out: Path, name: str, described: bytes, layer: Path, layer_digest: str) -> None:
    config_name, layer_name = f"{hashlib.sha256(described).hexdigest()}.json", f"{layer_digest}.tar"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": [layer_name]}]
    with tarfile.open(out, "w", format=tarfile.GNU_FORMAT) as archive:
        _add_bytes(archive, config_name, described)
        entry = tarfile.TarInfo(layer_name)
        entry.size = layer.stat().st_size
        with layer.open("rb") as content:
            archive.addfile(entry, content)
        _add_bytes(archive, "manifest.json", json.dumps(manifest).encode())


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    archive.addfile(entry, io.BytesIO(content))


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
