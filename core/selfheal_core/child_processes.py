"""Which processes a process has started, as Linux tells it."""

import contextlib
from pathlib import Path


def children(pid: int) -> list[int]:
    """Process ids of the children of a process, of each of its threads; none for one that is gone.

    What starts or ends at this very moment may be missing (proc(5)).
    """
    found: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, listing.read_text().split())
    return found
