"""The lab's networks: addresses, and the lines of ``ip -batch`` that make them.

The host reaches the control plane's namespace over a pair of interfaces; a bridge in there joins the nodes. Nothing has
a default route, so nothing can leave the machine. ClusterIPs are reached through the first node, whose kube-proxy
translates them and masquerades what does not come from a pod.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

HOST_INTERFACE = "selfheal-lab"
UPLINK = "uplink"
BRIDGE = "nodes"
LAB_NETWORKS = "10.77.0.0/16"
HOST_ADDRESS = "10.77.0.1"
API_ADDRESS = "10.77.0.2"
OUTER_NETWORK = "10.77.0.0/24"
NODE_NETWORK = "10.77.1.0/24"
GATEWAY_ADDRESS = "10.77.1.1"
POD_NETWORK = "10.244.0.0/16"
SERVICE_NETWORK = "10.96.0.0/16"
KUBERNETES_ADDRESS = "10.96.0.1"
DNS_ADDRESS = "10.96.0.10"


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """A node's name, address, and the network of its pods."""

    name: str
    address: str
    pod_network: str


NODES = (
    NodeAddress("lab-node-1", "10.77.1.11", "10.244.1.0/24"),
    NodeAddress("lab-node-2", "10.77.1.12", "10.244.2.0/24"),
)


def host_lines(outer: int, mark: str) -> list[str]:
    """Return what the host does; its routes vanish with the interface.

    Args:
        outer: process in the control plane's network namespace.
        mark: of the lab; it is written on the interface, for whoever finds it in the way.
    """
    return [
        f"link add {HOST_INTERFACE} type veth peer name {UPLINK} netns {outer}",
        f"addr add {HOST_ADDRESS}/24 dev {HOST_INTERFACE}",
        f"link set {HOST_INTERFACE} alias {mark}",
        f"link set {HOST_INTERFACE} up",
        *(f"route add {network} via {API_ADDRESS}" for network in (NODE_NETWORK, POD_NETWORK, SERVICE_NETWORK)),
    ]


def outer_lines(nodes: Sequence[NodeAddress]) -> list[str]:
    """Return what is done in the control plane's namespace before there is any node."""
    return [
        "link set lo up",
        f"addr add {API_ADDRESS}/24 dev {UPLINK}",
        f"link set {UPLINK} up",
        f"link add {BRIDGE} type bridge",
        f"addr add {GATEWAY_ADDRESS}/24 dev {BRIDGE}",
        f"link set {BRIDGE} up",
        *(f"route add {node.pod_network} via {node.address}" for node in nodes),
        f"route add {SERVICE_NETWORK} via {nodes[0].address}",
    ]


def cable_lines(node: NodeAddress, init: int) -> list[str]:
    """Return what is done in the control plane's namespace to connect a node.

    Args:
        node: the node.
        init: process in the node's network namespace.
    """
    return [
        f"link add {node.name} type veth peer name eth0 netns {init}",
        f"link set {node.name} master {BRIDGE}",
        f"link set {node.name} up",
    ]


def node_lines(node: NodeAddress, nodes: Iterable[NodeAddress]) -> list[str]:
    """Return what is done in a node's namespace.

    The route of ClusterIPs only has to exist for a packet to get as far as kube-proxy's rules.
    """
    return [
        "link set lo up",
        f"addr add {node.address}/24 dev eth0",
        "link set eth0 up",
        f"route add {OUTER_NETWORK} via {GATEWAY_ADDRESS}",
        *(f"route add {other.pod_network} via {other.address}" for other in nodes if other != node),
        f"route add {SERVICE_NETWORK} dev eth0 src {node.address}",
    ]


def settings() -> list[str]:
    """Return the kernel's settings in each of the lab's network namespaces.

    A connection that nobody holds any more keeps its namespace, and so the host's interface, until the other side has
    said that it is closed; when the lab is killed the other side may be gone. By default the kernel asks for a minute.
    """
    return ["net.ipv4.ip_forward=1", "net.ipv4.tcp_orphan_retries=1"]


def in_the_way(links: Iterable[Mapping[str, Any]], routes: Iterable[Mapping[str, Any]]) -> str:
    """Return why the lab's networks cannot be used on this host, "" if they can.

    Args:
        links: what ``ip -json link`` says.
        routes: what ``ip -json route`` says.
    """
    for interface in links:
        if interface["ifname"] == HOST_INTERFACE:
            name = owner([interface]).rpartition("-")[0]
            return (
                f"a lab called {name!r} has the addresses and only one lab can run at a time;"
                f" end it with: python -m tests.lab down --name {name}"
            )
    for route in routes:
        taken = _overlap(str(route["dst"]))
        if taken:
            return (
                f"the lab needs the network {taken}, and this machine has {route['dst']} on interface"
                f" {route.get('dev', '?')}; take that down and try again (ip route)"
            )
    return ""


def owner(links: Iterable[Mapping[str, Any]]) -> str:
    """Return the mark of the lab whose interface the host has, "" if it has none.

    Args:
        links: what ``ip -json link`` says.
    """
    return next((one.get("ifalias", "?") for one in links if one["ifname"] == HOST_INTERFACE), "")


def _overlap(destination: str) -> str:
    if destination == "default":
        return ""
    network = ip_network(destination, strict=False)
    for ours in (LAB_NETWORKS, POD_NETWORK, SERVICE_NETWORK):
        if network.prefixlen > 0 and network.version == 4 and network.overlaps(ip_network(ours)):
            return ours
    return ""
