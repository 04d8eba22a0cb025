"""Control groups of the lab's nodes: version 1 (one tree for each controller) and version 2 (one tree).

Each node's kubelet keeps its pods below a group of its own. The kernel keeps groups when the processes in them are
gone, so whoever ends a lab, or finds what a killed one left, removes them.
"""

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from tests.lab.errors import LabError

ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpuset", "cpu", "io", "memory", "pids", "hugetlb")
REMOVAL_SECONDS = 10.0
POLL_SECONDS = 0.1


def group_name(mark: str) -> str:
    """Return the name of the group of a lab with this mark."""
    return f"selfheal-lab-{mark}"


def make(mark: str, nodes: Sequence[str], root: Path = ROOT) -> None:
    """Make the groups of a lab's nodes.

    Raises:
        LabError: the kernel refuses.
    """
    try:
        for tree in trees(root):
            whole = tree / group_name(mark)
            for group in (whole, *(whole / node for node in nodes)):
                group.mkdir(exist_ok=True)
                _make_usable(group)
    except OSError as error:
        raise LabError(f"cannot make control groups below {root}: {error}") from None


def trees(root: Path = ROOT) -> list[Path]:
    """Return the folders in which groups are made: one in version 2, one for each controller in version 1."""
    if (root / "cgroup.controllers").exists():
        return [root]
    return [path for path in sorted(root.glob("*/")) if not path.is_symlink() and path.name != "unified"]


def left(mark: str, root: Path = ROOT) -> list[Path]:
    """Return the groups of a lab that are there; beside version 1, runc makes them in the unified tree too."""
    found = (path for pattern in ("", "*/") for path in root.glob(f"{pattern}{group_name(mark)}/"))
    return sorted(path for path in found if not path.parent.is_symlink())


def remove(mark: str, root: Path = ROOT, seconds: float = REMOVAL_SECONDS) -> None:
    """Remove the groups of a lab, which must be empty, or get so in some seconds.

    Raises:
        LabError: processes are still in them.
    """
    deadline = time.monotonic() + seconds
    while groups := left(mark, root):
        for group in groups:
            _remove_tree(group)
        if not left(mark, root):
            return
        if time.monotonic() > deadline:
            raise LabError(f"control group {groups[0]} cannot be removed; processes in it: {_processes(groups)}")
        time.sleep(POLL_SECONDS)


def _make_usable(group: Path) -> None:
    """Fill in what a new group lacks: version 1's sets of processors, version 2's controllers for its children."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        if (group / name).exists() and not (group / "cgroup.controllers").exists():
            (group / name).write_text((group.parent / name).read_text())
    if (group / "cgroup.controllers").exists():
        for place in (group.parent, group):
            known = (place / "cgroup.controllers").read_text().split()
            (place / "cgroup.subtree_control").write_text(" ".join(f"+{c}" for c in CONTROLLERS if c in known))


def _remove_tree(group: Path) -> None:
    for folder in sorted((path for path in group.rglob("*/") if path.is_dir()), reverse=True):
        with suppress(OSError):  # busy; the next round tries again
            folder.rmdir()
    with suppress(OSError):
        group.rmdir()


def _processes(groups: Iterable[Path]) -> str:
    files = (file for group in groups for file in group.rglob("cgroup.procs"))
    return ", ".join(sorted({pid for file in files for pid in file.read_text().split()})) or "none"
