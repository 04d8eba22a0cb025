"""The folder of a pod: its volumes, the folders of its containers, and where their mount paths lead."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from selfheal_sandbox.kubelet.folders import root_folder, termination_log
from selfheal_sandbox.kubelet.paths import PathMap
from selfheal_sandbox.kubelet.volumes import (
    SERVICE_ACCOUNT_PATH,
    VolumeContext,
    VolumeFile,
    files_of,
    service_account_files,
    source_of,
    write,
)
from selfheal_sandbox.store.objects import Object, spec_of

ACCOUNT_VOLUME = "..service-account"
"""Folder of the service-account volume; no volume of a pod may have this name."""

TERMINATION_PATH = "/dev/termination-log"


class PodFiles:
    """What a pod has on disk. Everything here blocks for a moment; the files are small."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._written: dict[str, tuple[VolumeFile, ...]] = {}

    def create(self, pod: Object) -> None:
        """Make the folders, private to the user."""
        for name in ("volumes", "tmp", "logs"):
            (self.folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        spec = spec_of(pod)
        for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
            root_folder(self.folder, container["name"]).mkdir(parents=True, exist_ok=True)

    def fill(self, context: VolumeContext) -> None:
        """Write every volume whose content is not what it was.

        Raises:
            MountError: something that a volume shows is missing.
        """
        for volume in spec_of(context.pod).get("volumes") or []:
            self._fill(volume["name"], files_of(volume, context), is_plain=source_of(volume) == "emptyDir")
        if has_account(context.pod):
            self._fill(ACCOUNT_VOLUME, service_account_files(context.pod, context.service_account()))

    def _fill(self, name: str, files: tuple[VolumeFile, ...], *, is_plain: bool = False) -> None:
        folder = self.folder / "volumes" / name
        if is_plain:
            folder.mkdir(parents=True, exist_ok=True)
        elif self._written.get(name) != files:
            write(folder, files)
            self._written[name] = files

    def paths(self, pod: Object, container: Object) -> PathMap:
        """Return where the mount paths of a container lead."""
        places = {mount["mountPath"]: self._place(mount, pod) for mount in container.get("volumeMounts") or []}
        if has_account(pod):
            places.setdefault(SERVICE_ACCOUNT_PATH, self.folder / "volumes" / ACCOUNT_VOLUME)
        message_path = container.get("terminationMessagePath") or TERMINATION_PATH
        return PathMap({**places, message_path: termination_log(self.folder, container["name"])})

    def _place(self, mount: Mapping[str, str], pod: Object) -> Path:
        volume = self.folder / "volumes" / mount["name"]
        if not (part := mount.get("subPath")):
            return volume
        place = volume / part
        is_empty_dir = any(
            one["name"] == mount["name"] and source_of(one) == "emptyDir" for one in spec_of(pod).get("volumes") or []
        )
        if is_empty_dir and ".." not in Path(part).parts:
            place.mkdir(parents=True, exist_ok=True)
        return place

    def remove(self) -> None:
        """Delete the folder and all in it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def has_account(pod: Object) -> bool:
    """Return whether the containers get service-account files: unless the pod declined them."""
    return spec_of(pod).get("automountServiceAccountToken") is not False
