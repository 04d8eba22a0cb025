"""Processes that a test did not start itself, by their id."""

from pathlib import Path


def is_running(pid: int) -> bool:
    """Whether a process lives; a zombie that nobody has collected yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
