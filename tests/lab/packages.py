"""What the lab needs of the machine: Linux, root, and some Debian packages, which it installs where apt can."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.lab.errors import LabError, last_line

CNI_PLUGINS = Path("/usr/lib/cni")
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "containerd": ("containerd", "ctr"),
    "runc": ("runc",),
    "nftables": ("nft",),
    "iptables": ("iptables",),
    "conntrack": ("conntrack",),
    "iproute2": ("ip",),
    "mount": ("mount",),
    "util-linux": ("unshare", "nsenter", "setpriv"),
    "procps": ("pkill",),
    "buildah": ("buildah",),
    "mmdebstrap": ("mmdebstrap",),
    "containernetworking-plugins": tuple(str(CNI_PLUGINS / name) for name in ("bridge", "host-local", "portmap")),
}
"""The programs that each package brings. A machine may have them from elsewhere, so programs are looked for."""

NO_SERVICES = Path("/usr/sbin/policy-rc.d")
APT_SECONDS = 600.0
Say = Callable[[str], None]


def require_machine(system: str | None = None, user_id: int | None = None) -> None:
    """Check what cannot be installed.

    Args:
        system: instead of this machine's, such as ``linux``.
        user_id: instead of the effective one.

    Raises:
        LabError: this is not Linux, or not root.
    """
    if not (system or sys.platform).startswith("linux"):
        raise LabError(
            f"the lab runs on Linux only, and this is {system or sys.platform}; use a Linux machine, or kind"
        )
    if (os.geteuid() if user_id is None else user_id) != 0:
        raise LabError("the lab needs root, for namespaces and containers; run it as root: sudo make lab-up")


def missing(programs: Mapping[str, Sequence[str]] = PROGRAMS) -> list[str]:
    """Return the packages of which a program is not there."""
    return [package for package, names in programs.items() if not all(map(shutil.which, names))]


def install_missing(say: Say, programs: Mapping[str, Sequence[str]] = PROGRAMS) -> None:
    """Install the packages that are missing; none of their services is started.

    Raises:
        LabError: there is no apt, or it failed; the message names the packages.
    """
    packages = missing(programs)
    if not packages:
        return
    command = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        raise LabError(f"missing on this machine: {', '.join(packages)}; install them (on Debian: {command})")
    say(f"installing {', '.join(packages)}")
    with _no_services():
        complaint = _apt("install", "--no-install-recommends", "--yes", *packages)
        if complaint:  # perhaps the lists are missing or old
            complaint = _apt("update") or _apt("install", "--no-install-recommends", "--yes", *packages)
    if complaint or missing(programs):
        raise LabError(f"cannot install {', '.join(packages)}: {complaint or 'still missing'}; try: {command}")


def _apt(*arguments: str) -> str:
    """Run apt-get; return its last complaint, "" if it went well."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            ["apt-get", "--quiet", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=APT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else last_line(done.stderr)


@contextmanager
def _no_services() -> Iterator[None]:
    """Keep packages from starting their services, by the file that Debian asks; one that is there stays as it is."""
    if NO_SERVICES.exists():
        yield
        return
    NO_SERVICES.write_text("#!/bin/sh\nexit 101\n")
    NO_SERVICES.chmod(0o755)
    try:
        yield
    finally:
        NO_SERVICES.unlink(missing_ok=True)
