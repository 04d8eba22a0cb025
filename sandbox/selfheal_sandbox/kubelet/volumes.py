"""What the volumes of a pod hold, as values, and how it is written so that a reader never sees half of an update."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from selfheal_sandbox.kubelet.environment import ConfigError, Lookup, bytes_of
from selfheal_sandbox.kubelet.fields import FieldError, pod_field, resource_field
from selfheal_sandbox.store.objects import Object, namespace_of

SERVICE_ACCOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
SOURCES = ("configMap", "secret", "projected", "downwardAPI", "emptyDir")
"""Kinds of volume that the sandbox has."""

DEFAULT_MODE = 0o644


class MountError(Exception):
    """A volume cannot be filled from what the cluster holds now; worded as a kubelet words it."""


@dataclass(frozen=True, slots=True)
class VolumeFile:
    """One file of a volume; ``path`` is relative to the volume."""

    path: str
    content: bytes
    mode: int = DEFAULT_MODE


@dataclass(frozen=True, slots=True)
class ServiceAccountFiles:
    """What a service-account volume offers."""

    token: str
    ca_certificate: bytes


@dataclass(frozen=True, slots=True)
class VolumeContext:
    """What volumes are made from.

    Attributes:
        service_account: called only where a volume asks for a token.
    """

    pod: Object
    lookup: Lookup
    allocatable: Mapping[str, str]
    service_account: Callable[[], ServiceAccountFiles]


def source_of(volume: Object) -> str:
    """Return which kind of volume it is; one without a source is an ``emptyDir``."""
    return next((key for key in volume if key != "name"), "emptyDir")


def files_of(volume: Object, context: VolumeContext) -> tuple[VolumeFile, ...]:
    """Return the files of one volume; none for an ``emptyDir``.

    Raises:
        MountError: a ConfigMap, Secret, key or field is missing, or a path leaves the volume.
    """
    kind = source_of(volume)
    source = volume.get(kind) or {}
    try:
        files = _files(kind, source, source.get("defaultMode") or DEFAULT_MODE, context)
    except (ConfigError, FieldError) as error:
        raise MountError(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}') from None
    if outside := next((file.path for file in files if not _stays_inside(file.path)), None):
        raise MountError(f'MountVolume.SetUp failed for volume "{volume["name"]}" : invalid path: {outside}')
    return files


def _stays_inside(path: str) -> bool:
    pure = PurePosixPath(path)
    return bool(path) and not pure.is_absolute() and ".." not in pure.parts and not path.startswith("..")


def _files(kind: str, source: Object, mode: int, context: VolumeContext) -> tuple[VolumeFile, ...]:
    if kind == "configMap":
        return _files_of_object("configmaps", source.get("name", ""), source, mode, context)
    if kind == "secret":
        return _files_of_object("secrets", source.get("secretName") or source.get("name", ""), source, mode, context)
    if kind == "downwardAPI":
        return tuple(_downward_file(item, mode, context) for item in source.get("items") or [])
    if kind == "serviceAccountToken":
        return (VolumeFile(source["path"], context.service_account().token.encode(), mode),)
    if kind == "projected":
        parts = [(source_of(part), part) for part in source.get("sources") or []]
        return tuple(file for key, part in parts for file in _files(key, part.get(key) or {}, mode, context))
    return ()


def _files_of_object(
    plural: str, name: str, source: Object, mode: int, context: VolumeContext
) -> tuple[VolumeFile, ...]:
    word = {"configmaps": "configmap", "secrets": "secret"}[plural]
    found = context.lookup(plural, name)
    if found is None:
        if source.get("optional"):
            return ()
        raise ConfigError(f'{word} "{name}" not found')
    data = bytes_of(found, plural)
    items = source.get("items")
    if not items:
        return tuple(VolumeFile(key, value, mode) for key, value in data.items())
    missing = [item["key"] for item in items if item["key"] not in data]
    if missing and not source.get("optional"):
        raise ConfigError(f"references non-existent {word} key: {missing[0]} in {namespace_of(context.pod)}/{name}")
    return tuple(
        VolumeFile(item["path"], data[item["key"]], item.get("mode") or mode) for item in items if item["key"] in data
    )


def _downward_file(item: Object, mode: int, context: VolumeContext) -> VolumeFile:
    if reference := item.get("fieldRef"):
        text = pod_field(context.pod, reference["fieldPath"])
    else:
        reference = item.get("resourceFieldRef") or {}
        text = resource_field(context.pod, reference.get("containerName", ""), reference, context.allocatable)
    return VolumeFile(item["path"], text.encode(), item.get("mode") or mode)


def service_account_files(pod: Object, files: ServiceAccountFiles) -> tuple[VolumeFile, ...]:
    """Return the files every container finds at ``SERVICE_ACCOUNT_PATH`` unless its pod declined them."""
    return (
        VolumeFile("token", files.token.encode(), 0o600),
        VolumeFile("ca.crt", files.ca_certificate),
        VolumeFile("namespace", namespace_of(pod).encode()),
    )


def write(folder: Path, files: Iterable[VolumeFile]) -> None:
    """Make a volume hold exactly these files, at one moment for a reader.

    As a kubelet's atomic writer: the files are in a folder of their own, the link ``..data`` names it, and what a
    program opens are links through ``..data``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data_link = folder / "..data"
    old = data_link.resolve() if data_link.is_symlink() else None
    # The folder's name starts with two dots, as no file of a volume may.
    new = Path(tempfile.mkdtemp(prefix="..", dir=folder))
    new.chmod(0o755)
    wanted = set()
    for file in files:
        _write_file(new / file.path, file)
        wanted.add(PurePosixPath(file.path).parts[0])
    _point(data_link, new.name)
    for name in wanted:
        if not (folder / name).is_symlink():
            _point(folder / name, f"..data/{name}")
    for entry in folder.iterdir():
        if not entry.name.startswith("..") and entry.name not in wanted:
            entry.unlink()
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def _write_file(path: Path, file: VolumeFile) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(file.content)
    path.chmod(file.mode & 0o777)


def _point(link: Path, target: str) -> None:
    """Make a symbolic link, replacing one of that name in a single step."""
    temporary = link.with_name(f"..new-{link.name}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.rename(link)
