"""What a lab that was killed leaves behind, as the kernel cannot drop it by itself: control groups and files."""

import json
import shutil
import time
from pathlib import Path

from tests.lab import cgroups
from tests.lab.errors import LabError
from tests.lab.namespaces import run
from tests.lab.network import HOST_INTERFACE, owner
from tests.lab.state import LabFolder

INTERFACE_SECONDS = 5.0
"""The kernel takes a network namespace apart some time after its last process has ended."""

POLL_SECONDS = 0.05


def found(folder: LabFolder) -> list[str]:
    """Return what is left of a lab that does not run, in words."""
    groups = [str(group) for group in cgroups.left(folder.mark)]
    return [
        *([f"interface {HOST_INTERFACE}"] if interface_owner() == folder.mark else []),
        *([f"control groups {groups[0]} (and {len(groups) - 1} more)"] if groups else []),
        *([f"files in {folder.path}"] if folder.state_file.exists() or folder.pki.exists() else []),
    ]


def remove(folder: LabFolder) -> None:
    """Remove what a lab left that has ended, but its lock and its logs; whoever calls this holds the lab.

    Raises:
        LabError: something cannot be removed.
    """
    remove_interface(folder.mark)
    cgroups.remove(folder.mark)
    for path in folder.path.glob("*"):
        if path not in (folder.lock, folder.logs):
            remove_path(path)


def remove_path(path: Path) -> None:
    """Remove a file or a tree.

    Raises:
        LabError: it cannot be removed.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise LabError(f"cannot remove {path}: {error.strerror}; remove it by hand: rm -r {path}") from None


def remove_interface(mark: str) -> None:
    """Wait until the host's interface to a lab is gone; remove it if it stays. Another lab's is left alone.

    Raises:
        LabError: it cannot be removed.
    """
    deadline = time.monotonic() + INTERFACE_SECONDS
    while interface_owner() == mark:
        if time.monotonic() > deadline:
            run(["ip", "link", "delete", HOST_INTERFACE])
            return
        time.sleep(POLL_SECONDS)


def interface_owner() -> str:
    """Return the mark of the lab whose interface this machine has, "" if it has none."""
    return owner(json.loads(run(["ip", "-json", "link"]) or "[]"))
