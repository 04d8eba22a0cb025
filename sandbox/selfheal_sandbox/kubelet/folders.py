"""Where the files of a container are, under the folder of its pod."""

from pathlib import Path


def container_folder(pod_folder: Path, container: str) -> Path:
    """Return where a container's own files are."""
    return pod_folder / "containers" / container


def root_folder(pod_folder: Path, container: str) -> Path:
    """Return the working directory of a container that names none, and what its ``workingDir`` lies under."""
    return container_folder(pod_folder, container) / "root"


def termination_log(pod_folder: Path, container: str) -> Path:
    """Return the file that stands for ``terminationMessagePath``."""
    return container_folder(pod_folder, container) / "termination-log"


def log_file(pod_folder: Path, container: str, run: int) -> Path:
    """Return the log of a container's run, counted from 0."""
    return pod_folder / "logs" / container / f"{run}.log"
