"""A real API server alone on loopback: etcd and kube-apiserver, no controllers, no nodes, no rights needed."""

import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.lab import control_plane, pki
from tests.lab.control_plane import ControlPlane
from tests.lab.errors import LabError
from tests.lab.namespaces import ENDS_WITH_STARTER

PROGRAMS = ("etcd", "kube-apiserver")
LOOPBACK = "127.0.0.1"
SERVICE_ADDRESS = "10.96.0.1"
READY_SECONDS = 60.0
"""It takes about two seconds on an idle machine."""

STOP_SECONDS = 10.0
_POLL_SECONDS = 0.1
_LOG_LINES = 5
_PAST_VERSIONS = 10


@dataclass(frozen=True, slots=True)
class ApiServer:
    """A running API server.

    Attributes:
        url: where it is.
        kubeconfig: of the administrator.
        plane: where its files and ports are.
    """

    url: str
    kubeconfig: Path
    plane: ControlPlane


@contextmanager
def running_api_server(
    folder: Path,
    programs: Mapping[str, Path],
    *,
    disabled_admission: Sequence[str] = ("ServiceAccount",),
    more_api_flags: Sequence[str] = (),
) -> Iterator[ApiServer]:
    """Run a real API server for as long as the context lasts.

    What controllers do does not happen: namespaces end never, they get no service account, nothing fills in a status.

    Args:
        folder: for data, certificates and logs; made if needed.
        programs: paths of `PROGRAMS`.
        disabled_admission: plugins left out; the one about service accounts would refuse pods where there is none.
        more_api_flags: of kube-apiserver.

    Raises:
        LabError: one of the two ended or did not get ready; the message quotes its log.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ports = free_ports(3)
    plane = ControlPlane(
        programs=programs,
        folder=folder,
        pki=folder / "pki",
        address=LOOPBACK,
        api_port=ports[0],
        etcd_port=ports[1],
        etcd_peer_port=ports[2],
        disabled_admission=disabled_admission,
        more_api_flags=more_api_flags,
    )
    pki.write_pki(plane.pki, plane.url, pki.control_plane_certificates((), SERVICE_ADDRESS))
    with ExitStack() as stack:
        etcd = stack.enter_context(_running(etcd_command(plane), folder / "etcd.log"))
        _wait("etcd", etcd, folder / "etcd.log", lambda: _answers(f"{plane.etcd_url}/health", plane))
        _age(plane)
        command = control_plane.kube_apiserver(plane)
        server = stack.enter_context(_running(command, folder / "kube-apiserver.log"))
        ready = f"{plane.url}/readyz"
        _wait("kube-apiserver", server, folder / "kube-apiserver.log", lambda: _answers(ready, plane))
        yield ApiServer(plane.url, plane.kubeconfig("admin"), plane)


def _age(plane: ControlPlane) -> None:
    """Give etcd a past, so that version 1 is too old for every watch, as on any cluster that is not brand-new."""
    for _ in range(_PAST_VERSIONS):
        _post(f"{plane.etcd_url}/v3/kv/put", b'{"key":"L3Bhc3Q=","value":""}', plane)


def etcd_command(plane: ControlPlane) -> list[str]:
    """Return the command line of etcd, with a certificate for its HTTP gateway, which `compact` asks.

    The gateway is a client of etcd's own; without this it shows the server's certificate, which is for servers only.
    """
    certificate, key = plane.file("apiserver-etcd-client.crt"), plane.file("apiserver-etcd-client.key")
    return [*control_plane.etcd(plane), f"--client-cert-file={certificate}", f"--client-key-file={key}"]


def compact(plane: ControlPlane) -> None:
    """Make etcd forget every version but the newest, as it does every five minutes on a cluster.

    Raises:
        LabError: etcd refuses.
    """
    answer = _post(f"{plane.etcd_url}/v3/kv/range", b'{"key":"AA=="}', plane)
    revision = answer.partition(b'"revision":"')[2].partition(b'"')[0]
    _post(f"{plane.etcd_url}/v3/kv/compaction", b'{"revision":"' + revision + b'"}', plane)


def free_ports(count: int) -> list[int]:
    """Return free ports on loopback."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server((LOOPBACK, 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


@contextmanager
def _running(command: Sequence[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program in the background until the context ends; on Linux at most until the thread ends that began it."""
    tied = [*(ENDS_WITH_STARTER if sys.platform == "linux" else ()), *command]
    with log.open("wb") as output:
        process = subprocess.Popen(tied, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield process
    finally:
        # kube-apiserver waits for open requests when it is asked to end, watches above all; nothing of it is kept.
        process.send_signal(signal.SIGKILL)
        process.wait(STOP_SECONDS)


def _wait(name: str, process: "subprocess.Popen[bytes]", log: Path, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not ready():
        if process.poll() is not None:
            raise LabError(f"{name} ended with code {process.returncode}: {_end_of(log)}; whole log: {log}")
        if time.monotonic() > deadline:
            raise LabError(f"{name} is not ready after {READY_SECONDS:.0f} s: {_end_of(log)}; whole log: {log}")
        time.sleep(_POLL_SECONDS)


def _end_of(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:])


def _answers(url: str, plane: ControlPlane) -> bool:
    with suppress(OSError), _opener(plane).open(url, timeout=2.0) as answer:
        return bool(answer.status == 200)
    return False


def _post(url: str, body: bytes, plane: ControlPlane) -> bytes:
    try:
        with _opener(plane).open(url, body, timeout=10.0) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        raise LabError(f"etcd refuses {url}: HTTP {error.code} {error.read()[:200]!r}") from None
    except OSError as error:
        raise LabError(f"etcd does not answer {url}: {error}") from None


def _opener(plane: ControlPlane) -> urllib.request.OpenerDirector:
    """Return what asks etcd and the API server, past any proxy that the environment names."""
    return urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_tls(plane))
    )


def _tls(plane: ControlPlane) -> ssl.SSLContext:
    """Return a context that speaks as the API server does to etcd; the API server takes it as an unknown user."""
    context = ssl.create_default_context(cafile=str(plane.file(f"{pki.CLUSTER}.crt")))
    context.load_cert_chain(plane.file("apiserver-etcd-client.crt"), plane.file("apiserver-etcd-client.key"))
    return context
