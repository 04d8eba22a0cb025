"""How the programs of a control plane are started: command lines, from where their files and ports are.

The same lines serve the lab and a plain API server that a test starts for itself: etcd and kube-apiserver need no
rights and no network but loopback.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.pki import ACCOUNT_KEY, CLUSTER, FRONT_PROXY

GIGABYTE = 1024**3

AUDIT_POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [
        {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*"]},
        {"level": "Metadata"},
    ],
}
"""Who asked for what, one line per answered request; no bodies, so no secrets. Probes of health would drown it."""


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """Where a control plane has its files, addresses and ports.

    Attributes:
        programs: paths by name.
        folder: for etcd's data.
        pki: folder that `tests.lab.pki.write_pki` filled with `control_plane_certificates` at least.
        address: of the API server, as clients and pods reach it.
        bind_address: on which it listens.
        api_port, etcd_port, etcd_peer_port: etcd's are on loopback.
        service_network, pod_network: as ``address/length``.
        audit_policy: file with `AUDIT_POLICY`; without one nothing is logged.
        audit_log: where to.
        disabled_admission: admission plugins to leave out, for example ServiceAccount where no controllers run.
        more_api_flags: further flags of the API server.
    """

    programs: Mapping[str, Path]
    folder: Path
    pki: Path
    address: str
    bind_address: str = "127.0.0.1"
    api_port: int = 6443
    etcd_port: int = 2379
    etcd_peer_port: int = 2380
    service_network: str = "10.96.0.0/16"
    pod_network: str = "10.244.0.0/16"
    audit_policy: Path | None = None
    audit_log: Path | None = None
    disabled_admission: Sequence[str] = ()
    more_api_flags: Sequence[str] = field(default=())

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"https://{self.address}:{self.api_port}"

    @property
    def etcd_url(self) -> str:
        """Where etcd is."""
        return f"https://127.0.0.1:{self.etcd_port}"

    def file(self, name: str) -> Path:
        """Return a file of the PKI."""
        return self.pki / name

    def kubeconfig(self, name: str) -> Path:
        """Return a kubeconfig of the PKI."""
        return self.pki / f"{name}.kubeconfig"


def etcd(plane: ControlPlane) -> list[str]:
    """Return the command line of etcd.

    It need not survive a crash of the machine, so it never waits for the disk. The quota is twice etcd's own: ten
    thousand pods that change all the time stay below it between two compactions.
    """
    peer = f"http://127.0.0.1:{plane.etcd_peer_port}"
    return [
        str(plane.programs["etcd"]),
        "--name=lab",
        f"--data-dir={plane.folder / 'etcd'}",
        f"--listen-client-urls={plane.etcd_url}",
        f"--advertise-client-urls={plane.etcd_url}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=lab={peer}",
        f"--cert-file={plane.file('etcd.crt')}",
        f"--key-file={plane.file('etcd.key')}",
        f"--trusted-ca-file={plane.file(f'{CLUSTER}.crt')}",
        "--client-cert-auth",
        "--unsafe-no-fsync",
        f"--quota-backend-bytes={4 * GIGABYTE}",
        "--log-level=warn",
    ]


def kube_apiserver(plane: ControlPlane) -> list[str]:
    """Return the command line of the API server: RBAC, Node authorizer, NodeRestriction and aggregation are on."""
    return [
        str(plane.programs["kube-apiserver"]),
        f"--advertise-address={plane.address}",
        f"--bind-address={plane.bind_address}",
        f"--secure-port={plane.api_port}",
        f"--service-cluster-ip-range={plane.service_network}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--profiling=false",
        *_api_certificates(plane),
        *_api_etcd(plane),
        *_api_accounts(plane),
        *_api_aggregation(plane),
        *_api_audit(plane),
        *([f"--disable-admission-plugins={','.join(plane.disabled_admission)}"] if plane.disabled_admission else []),
        *plane.more_api_flags,
    ]


def _api_certificates(plane: ControlPlane) -> list[str]:
    authority = plane.file(f"{CLUSTER}.crt")
    return [
        f"--tls-cert-file={plane.file('apiserver.crt')}",
        f"--tls-private-key-file={plane.file('apiserver.key')}",
        f"--client-ca-file={authority}",
        f"--kubelet-certificate-authority={authority}",
        f"--kubelet-client-certificate={plane.file('apiserver-kubelet-client.crt')}",
        f"--kubelet-client-key={plane.file('apiserver-kubelet-client.key')}",
        "--kubelet-preferred-address-types=InternalIP",
    ]


def _api_etcd(plane: ControlPlane) -> list[str]:
    return [
        f"--etcd-servers={plane.etcd_url}",
        f"--etcd-cafile={plane.file(f'{CLUSTER}.crt')}",
        f"--etcd-certfile={plane.file('apiserver-etcd-client.crt')}",
        f"--etcd-keyfile={plane.file('apiserver-etcd-client.key')}",
    ]


def _api_accounts(plane: ControlPlane) -> list[str]:
    return [
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={plane.file(f'{ACCOUNT_KEY}.pub')}",
        f"--service-account-signing-key-file={plane.file(f'{ACCOUNT_KEY}.key')}",
    ]


def _api_aggregation(plane: ControlPlane) -> list[str]:
    """Return what lets the API server pass requests on to metrics-server.

    ``--enable-aggregator-routing`` sends them to the pod's own address: no kube-proxy runs beside the API server.
    """
    return [
        f"--requestheader-client-ca-file={plane.file(f'{FRONT_PROXY}.crt')}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={plane.file('front-proxy-client.crt')}",
        f"--proxy-client-key-file={plane.file('front-proxy-client.key')}",
        "--enable-aggregator-routing=true",
    ]


def _api_audit(plane: ControlPlane) -> list[str]:
    if plane.audit_policy is None or plane.audit_log is None:
        return []
    return [
        f"--audit-policy-file={plane.audit_policy}",
        f"--audit-log-path={plane.audit_log}",
        "--audit-log-format=json",
        "--audit-log-maxsize=500",  # megabytes; a whole run of the tests fits into one file
        "--audit-log-maxbackup=1",
    ]


def kube_controller_manager(plane: ControlPlane) -> list[str]:
    """Return the command line of the controllers.

    The autoscaler looks every 5 s instead of every 15 s, so that a test sees it act in seconds.
    """
    return [
        str(plane.programs["kube-controller-manager"]),
        *_own_access(plane, "controller-manager"),
        f"--client-ca-file={plane.file(f'{CLUSTER}.crt')}",
        f"--requestheader-client-ca-file={plane.file(f'{FRONT_PROXY}.crt')}",
        f"--root-ca-file={plane.file(f'{CLUSTER}.crt')}",
        f"--cluster-signing-cert-file={plane.file(f'{CLUSTER}.crt')}",
        f"--cluster-signing-key-file={plane.file(f'{CLUSTER}.key')}",
        f"--service-account-private-key-file={plane.file(f'{ACCOUNT_KEY}.key')}",
        "--use-service-account-credentials=true",
        f"--cluster-cidr={plane.pod_network}",
        f"--service-cluster-ip-range={plane.service_network}",
        "--horizontal-pod-autoscaler-sync-period=5s",
    ]


def kube_scheduler(plane: ControlPlane) -> list[str]:
    """Return the command line of the scheduler."""
    return [str(plane.programs["kube-scheduler"]), *_own_access(plane, "scheduler")]


def _own_access(plane: ControlPlane, name: str) -> list[str]:
    """Return the flags of a program that is alone in its kind, so elects no leader, and serves on loopback.

    It may ask the API server as fast as that answers: by default a controller sends 20 requests a second, with which
    ten thousand pods would take ten minutes.
    """
    path = plane.kubeconfig(name)
    access = [f"--{flag}={path}" for flag in ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")]
    return [*access, "--leader-elect=false", "--bind-address=127.0.0.1", "--kube-api-qps=500", "--kube-api-burst=1000"]
