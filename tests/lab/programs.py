"""The programs of the lab, built from pinned Go modules: once, into a folder of the cache that is named by its inputs.

``python -m tests.lab programs`` builds them all. A build that was stopped goes on with the program it was at.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from selfheal_core.folders import cache_folder
from tests.lab.errors import LabError, last_line

MODULES = Path(__file__).with_name("modules")
PACKAGES: Mapping[str, str] = {
    "pause": "./pause",
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubelet": "k8s.io/kubernetes/cmd/kubelet",
    "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "metrics-server": "sigs.k8s.io/metrics-server/cmd/metrics-server",
    "coredns": "github.com/coredns/coredns",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
    "helm-4": "helm.sh/helm/v4/cmd/helm",
    "helm-3": "helm.sh/helm/v3/cmd/helm",
}
"""The package of each program, in the order of building: what others share comes first."""

KUBERNETES = "v1.36.3"
"""As in ``go.mod``. Programs built from modules do not know their version; without it kubectl says v0.0.0-master."""

LINKER_FLAGS = " ".join(
    (
        "-s -w",
        f"-X k8s.io/component-base/version.gitVersion={KUBERNETES}",
        "-X k8s.io/component-base/version.gitMajor=1",
        "-X k8s.io/component-base/version.gitMinor=36",
        f"-X k8s.io/client-go/pkg/version.gitVersion={KUBERNETES}",
    )
)
BUILD = ("go", "build", "-mod=readonly", "-trimpath", "-ldflags", LINKER_FLAGS)
BUILD_SECONDS = 1800.0
"""The API server took 268 s with empty caches on two cores; a slow network comes on top."""

GO_SECONDS = 60.0
Say = Callable[[str], None]


def programs(names: Iterable[str], say: Say, cache: Path | None = None) -> dict[str, Path]:
    """Return the paths of programs, after building those that the cache does not have.

    Args:
        names: of `PACKAGES`.
        say: told before and after each build.
        cache: folder instead of ``$XDG_CACHE_HOME/selfheal/lab``.

    Raises:
        LabError: a name is unknown, or a program cannot be built.
    """
    wanted = list(names)
    unknown = [name for name in wanted if name not in PACKAGES]
    if unknown:
        raise LabError(f"unknown program {unknown[0]!r}; known: {', '.join(PACKAGES)}")
    folder = (cache or lab_cache()) / f"programs-{key(go_version())}"
    if any(not (folder / name).is_file() for name in wanted):
        _build_missing([name for name in PACKAGES if name in wanted], folder, say)
    return {name: folder / name for name in wanted}


def lab_cache() -> Path:
    """Return the folder of what the lab builds: ``$XDG_CACHE_HOME/selfheal/lab``."""
    return cache_folder(os.environ) / "lab"


def key(go: str) -> str:
    """Return what names a set of programs: a digest of everything that decides what they are.

    Args:
        go: what ``go version`` says.
    """
    inputs = hashlib.sha256("\0".join((go, *BUILD)).encode())
    for path in (MODULES / "go.mod", MODULES / "go.sum", MODULES / "pause" / "main.go"):
        inputs.update(path.read_bytes())
    return inputs.hexdigest()[:16]


def go_version() -> str:
    """Return what ``go version`` says for the lab's modules.

    Raises:
        LabError: there is no Go, or it is too old and may not fetch a newer one.
    """
    if shutil.which("go") is None:
        raise LabError(
            "go is missing, and the lab's programs are built with it; install it: https://go.dev/doc/install"
        )
    try:
        done = subprocess.run(
            ["go", "version"], cwd=MODULES, capture_output=True, text=True, timeout=GO_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(f"go does not answer: {error}; see what 'go version' says in {MODULES}") from None
    if done.returncode != 0:
        raise LabError(f"go cannot be used: {last_line(done.stderr)}; see what 'go version' says in {MODULES}")
    return done.stdout.strip()


def explain(name: str, stderr: str, folder: Path) -> str:
    """Return the sentence for a build that failed.

    Args:
        name: of the program.
        stderr: what go wrote.
        folder: where programs go.
    """
    last = last_line(stderr)
    if "no space left on device" in stderr:
        return (
            f"no space left while building {name} for {folder}: make room there and in Go's caches ('go env GOCACHE"
            " GOMODCACHE TMPDIR'; about 10 GB in all), or set XDG_CACHE_HOME, GOCACHE and GOMODCACHE, and try again"
        )
    if any(sign in stderr for sign in ("dial tcp", "no such host", "i/o timeout", "connection refused")):
        return f"{name} cannot be built, its modules cannot be had: {last}; look at 'go env GOPROXY', and try again"
    return f"{name} cannot be built: {last}"


def _build_missing(names: list[str], folder: Path, say: Say) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder, say):
            missing = [name for name in names if not (folder / name).is_file()]
            for number, name in enumerate(missing, 1):
                say(f"building {name} ({number} of {len(missing)})")
                begin = time.monotonic()
                _build(name, folder)
                say(f"built {name} in {time.monotonic() - begin:.0f} s")
    except OSError as error:
        raise LabError(f"cannot write to {folder}: {error.strerror}; set XDG_CACHE_HOME to another folder") from None


@contextmanager
def _alone(folder: Path, say: Say) -> Iterator[None]:
    """Hold the folder's lock: two builds at once would do the same work twice."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another build of the lab's programs is running; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(name: str, folder: Path) -> None:
    """Build one program, in place in one step."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".building-") as temporary:
        out = Path(temporary) / name
        command = [*BUILD, "-o", str(out), PACKAGES[name]]
        environment = {**os.environ, "CGO_ENABLED": "0"}
        try:
            done = subprocess.run(
                command,
                cwd=MODULES,
                env=environment,
                capture_output=True,
                text=True,
                timeout=BUILD_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LabError(f"{name} was not built within {BUILD_SECONDS:.0f} s; try again, it goes on there") from None
        if done.returncode != 0:
            raise LabError(explain(name, done.stderr, folder))
        out.replace(folder / name)
