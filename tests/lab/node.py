"""What runs on a node: the configurations and command lines of containerd, kubelet and kube-proxy, and its mounts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.lab.network import DNS_ADDRESS, POD_NETWORK, NodeAddress, settings
from tests.lab.packages import CNI_PLUGINS
from tests.lab.pki import CLUSTER

PAUSE_IMAGE = "registry.lab/pause:1"
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
"""The kubelet's cadvisor looks for containers nowhere else: with another one, metrics have no container's name."""

CTR = ("ctr", f"--address={CONTAINERD_SOCKET}", "--namespace=k8s.io")
HIDDEN = ("/run", "/var/lib", "/var/log")
"""Folders of the host that a node does not see: it has its own there."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node's addresses and files.

    Attributes:
        at: its name and addresses.
        programs: paths by name.
        folder: its files; ``lib`` and ``log`` in it are its ``/var/lib`` and ``/var/log``.
        pki: folder with the certificates of the cluster.
        cgroup: below which the kubelet keeps its pods, as a path from the root.
    """

    at: NodeAddress
    programs: Mapping[str, Path]
    folder: Path
    pki: Path
    cgroup: str

    @property
    def containerd_config(self) -> Path:
        """Configuration of containerd."""
        return self.folder / "containerd.toml"

    @property
    def kubelet_config(self) -> Path:
        """Configuration of the kubelet."""
        return self.folder / "kubelet.yaml"

    @property
    def proxy_config(self) -> Path:
        """Configuration of kube-proxy."""
        return self.folder / "kube-proxy.yaml"

    @property
    def cni_folder(self) -> Path:
        """Folder of the network's configuration."""
        return self.folder / "cni"

    @property
    def resolver_config(self) -> Path:
        """What pods with the node's own DNS get: an empty file, as there is no name server outside."""
        return self.folder / "resolv.conf"


def mount_commands(node: Node) -> list[list[str]]:
    """Return the commands that give a node's namespace its own ``/run``, ``/var/lib`` and ``/var/log``.

    Mounts have to be shared within it: a volume that the kubelet mounts has to be seen by containers.
    """
    return [
        ["mount", "--make-rshared", "/"],
        ["mount", "-t", "tmpfs", "-o", "mode=755,size=256m", "tmpfs", "/run"],
        ["mount", "--bind", str(node.folder / "lib"), "/var/lib"],
        ["mount", "--bind", str(node.folder / "log"), "/var/log"],
        ["mkdir", "/run/lock"],
        ["sysctl", "--quiet", "--write", f"kernel.hostname={node.at.name}", *settings()],
    ]


def write_configuration(node: Node) -> None:
    """Write the files that a node's programs read."""
    for folder in (node.folder / "lib", node.folder / "log", node.cni_folder):
        folder.mkdir(parents=True, exist_ok=True)
    node.resolver_config.touch()
    node.containerd_config.write_text(toml(containerd_configuration(node)))
    node.kubelet_config.write_text(yaml.safe_dump(kubelet_configuration(node)))
    node.proxy_config.write_text(yaml.safe_dump(proxy_configuration(node)))
    (node.cni_folder / "10-lab.conflist").write_text(json.dumps(network_configuration(node)))


def containerd(node: Node) -> list[str]:
    """Return the command line of containerd."""
    return ["containerd", "--config", str(node.containerd_config)]


def kubelet(node: Node) -> list[str]:
    """Return the command line of the kubelet."""
    return [
        str(node.programs["kubelet"]),
        f"--config={node.kubelet_config}",
        f"--kubeconfig={node.pki / f'{node.at.name}.kubeconfig'}",
        f"--hostname-override={node.at.name}",
        f"--node-ip={node.at.address}",
    ]


def kube_proxy(node: Node) -> list[str]:
    """Return the command line of kube-proxy."""
    return [str(node.programs["kube-proxy"]), f"--config={node.proxy_config}"]


def containerd_configuration(node: Node) -> dict[str, Any]:
    """Return containerd's configuration.

    ``restrict_oom_score_adj`` is for machines whose root may not lower it (no CAP_SYS_RESOURCE): no container would
    start there.
    """
    runc = {"runtime_type": "io.containerd.runc.v2", "options": {"SystemdCgroup": False}}
    unused = [f"io.containerd.snapshotter.v1.{name}" for name in ("aufs", "btrfs", "devmapper", "zfs")]
    return {
        "version": 2,
        "disabled_plugins": unused,
        "plugins": {
            "io.containerd.internal.v1.opt": {"path": "/var/lib/containerd/opt"},
            "io.containerd.grpc.v1.cri": {
                "sandbox_image": PAUSE_IMAGE,
                "disable_apparmor": True,
                "restrict_oom_score_adj": True,
                "stream_server_address": "127.0.0.1",
                "containerd": {
                    "snapshotter": "overlayfs",
                    "default_runtime_name": "runc",
                    "runtimes": {"runc": runc},
                },
                "cni": {"bin_dir": str(CNI_PLUGINS), "conf_dir": str(node.cni_folder)},
            },
        },
    }


def network_configuration(node: Node) -> dict[str, Any]:
    """Return the network of a node's pods, for the CNI: a bridge, and routes to everywhere through it."""
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": node.at.pod_network}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "hairpinMode": True}
    return {
        "cniVersion": "1.0.0",
        "name": "lab",
        "plugins": [{**bridge, "ipam": addresses}, {"type": "portmap", "capabilities": {"portMappings": True}}],
    }


def kubelet_configuration(node: Node) -> dict[str, Any]:
    """Return the kubelet's configuration.

    ``syncFrequency`` is 2 s instead of a minute: the kubelet looks again at a crashing pod only when its back-off ends
    or this time has passed, so CrashLoopBackOff would hardly ever be seen. Images are never collected: there is no
    registry to get them back from.
    """
    certificate = node.pki / f"{node.at.name}-server"
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": node.cgroup,
        "failSwapOn": False,
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "resolvConf": str(node.resolver_config),
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": "cluster.local",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(node.pki / f"{CLUSTER}.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{certificate}.crt",
        "tlsPrivateKeyFile": f"{certificate}.key",
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        "evictionHard": {
            "memory.available": "200Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "imageMaximumGCAge": "0s",
        "nodeStatusUpdateFrequency": "5s",
        "syncFrequency": "2s",
        "containerLogMaxSize": "5Mi",
    }


def proxy_configuration(node: Node) -> dict[str, Any]:
    """Return kube-proxy's configuration; it leaves the limits of connection tracking alone, which are the host's."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(node.pki / "kube-proxy.kubeconfig")},
        "mode": "nftables",
        "clusterCIDR": POD_NETWORK,
        "hostnameOverride": node.at.name,
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "metricsBindAddress": "127.0.0.1:10249",
        "healthzBindAddress": "127.0.0.1:10256",
    }


def toml(configuration: Mapping[str, Any], path: tuple[str, ...] = ()) -> str:
    """Return a configuration as TOML: texts, numbers, truths, lists of texts, and tables of those."""
    plain = {key: value for key, value in configuration.items() if not isinstance(value, Mapping)}
    lines = [f"{_quoted(key)} = {_quoted(value)}" for key, value in plain.items()]
    if path and lines:
        lines.insert(0, f"[{'.'.join(map(_quoted, path))}]")
    tables = [toml(value, (*path, key)) for key, value in configuration.items() if isinstance(value, Mapping)]
    return "".join(f"{line}\n" for line in lines) + "".join(tables)


def _quoted(value: object) -> str:
    """Return a value as TOML, whose texts, numbers, truths and lists are written as in JSON."""
    return json.dumps(value)
