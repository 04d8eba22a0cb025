"""`python -m benchmarks`: run every benchmark, one process each, and print one table.

A benchmark is a module of this folder with ``results() -> list[Result]``; its figures also go to
``benchmarks/results/NAME.json``. ``python -m benchmarks NAME`` runs one. ``benchmarks.lab`` is not among them: it needs
root and a cluster, and `make bench-lab` runs it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = ("console", "reflector", "sandbox_start", "rolling_upgrade")
DEADLINE_SECONDS = 600


def run(name: str) -> bool:
    """Run one benchmark; whether it ended well."""
    print(f"== {name}", flush=True)
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    try:
        return subprocess.run(command, cwd=FOLDER.parent, timeout=DEADLINE_SECONDS, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        print(f"{name} did not end within {DEADLINE_SECONDS} s", file=sys.stderr)
        return False


def main() -> None:
    """Run those that are named, or all; exit 1 if one failed."""
    names = sys.argv[1:] or NAMES
    machine = {"cores": os.cpu_count(), "load": os.getloadavg()}
    print(f"machine: {json.dumps(machine)}", flush=True)
    failed = [name for name in names if not run(name)]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
