"""Where the linters are: in the environment `.venv/lint`, or built from locked Go modules into the user's cache."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from checks.renderings import ROOT
from selfheal_sandbox.tools.resolve import tools_folder

ENVIRONMENT = ROOT / ".venv" / "lint" / "bin"
GO_MODULE = Path(__file__).with_name("go")
GO_PACKAGES = {
    "actionlint": "github.com/rhysd/actionlint/cmd/actionlint",
    "kube-score": "github.com/zegl/kube-score/cmd/kube-score",
}
BUILD_DEADLINE_SECONDS = 600.0
VERSION_DEADLINE_SECONDS = 10.0


class MissingError(Exception):
    """A linter cannot be had here; the message says why and what to type."""


def find(name: str) -> Path:
    """Return the path of a linter, after building it if that is how it comes.

    Raises:
        MissingError: it cannot be had.
    """
    if name in GO_PACKAGES and not os.access(go_folder() / name, os.X_OK):
        build(name, go_folder(), shutil.which("go"))
    return installed(name)


def installed(name: str) -> Path:
    """Return the path of a linter that is there.

    Raises:
        MissingError: it is not.
    """
    path = (go_folder() if name in GO_PACKAGES else ENVIRONMENT) / name
    if not os.access(path, os.X_OK):
        raise MissingError(f"there is no {path}: run `make lint` where pip or Go can bring it")
    return path


def go_folder() -> Path:
    """Return the folder of what is built from Go modules: another one for other modules."""
    locked = b"".join((GO_MODULE / file).read_bytes() for file in ("go.mod", "go.sum"))
    return tools_folder() / f"lint-{hashlib.sha256(locked).hexdigest()[:12]}"


def build(name: str, folder: Path, go: str | None) -> None:
    """Build a linter into a folder, in one step.

    Raises:
        MissingError: there is no Go, it is too old, or it cannot have a module.
    """
    needed = needed_go()
    if go is None or go_version(go) < needed:
        wanted = ".".join(map(str, needed))
        raise MissingError(
            f"Go {wanted} or newer builds it: install that (https://go.dev/doc/install), `make lint` again"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        built = Path(scratch) / name
        run_go([go, "build", "-mod=readonly", "-trimpath", "-o", str(built), GO_PACKAGES[name]], name)
        built.replace(folder / name)


def run_go(command: list[str], name: str) -> None:
    """Run Go in the module of the linters.

    Raises:
        MissingError: it failed.
    """
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", "CGO_ENABLED": "0", "GOWORK": "off"}
    try:
        done = subprocess.run(
            command,
            cwd=GO_MODULE,
            env=environment,
            capture_output=True,
            text=True,
            timeout=BUILD_DEADLINE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingError(f"Go did not build it: {error}") from None
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise MissingError(f"Go did not build it: {last}; try: cd {GO_MODULE} && go build -o /tmp {GO_PACKAGES[name]}")


def needed_go() -> tuple[int, ...]:
    """Return the oldest Go that the locked modules build with, such as (1, 25, 0)."""
    match = re.search(r"^go ([\d.]+)$", (GO_MODULE / "go.mod").read_text(), re.MULTILINE)
    assert match is not None
    return tuple(int(part) for part in match[1].split("."))


def go_version(go: str) -> tuple[int, ...]:
    """Return the version of a Go, (0,) if it does not tell."""
    try:
        done = subprocess.run(
            [go, "version"], capture_output=True, text=True, timeout=VERSION_DEADLINE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    match = re.search(r"go(\d+(?:\.\d+)*)", done.stdout)
    return tuple(int(part) for part in match[1].split(".")) if match else (0,)
