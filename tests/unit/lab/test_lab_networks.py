"""The lab's networks, and what is said when they are taken."""

from ipaddress import ip_address, ip_network

import pytest

from tests.lab import network
from tests.lab.network import NODES


def test_every_node_has_an_address_and_a_network_of_its_own() -> None:
    assert len({node.address for node in NODES}) == len({node.pod_network for node in NODES}) == len(NODES) == 2
    for node in NODES:
        assert ip_address(node.address) in ip_network(network.NODE_NETWORK)
        assert ip_network(node.pod_network).subnet_of(ip_network(network.POD_NETWORK))  # type: ignore[arg-type]


def test_nothing_has_a_way_out() -> None:
    everything = [
        *network.host_lines(1, "lab"),
        *network.outer_lines(NODES),
        *(line for node in NODES for line in network.node_lines(node, NODES)),
    ]

    assert not [line for line in everything if "default" in line or "0.0.0.0/0" in line]


def test_a_node_reaches_the_pods_of_the_others_directly_and_its_own_by_no_route() -> None:
    routes = [line for line in network.node_lines(NODES[0], NODES) if line.startswith("route")]

    assert f"route add {NODES[1].pod_network} via {NODES[1].address}" in routes
    assert not [line for line in routes if NODES[0].pod_network in line]


def test_interface_names_are_short_enough_for_the_kernel() -> None:
    names = (network.HOST_INTERFACE, network.UPLINK, network.BRIDGE, *(node.name for node in NODES))

    assert max(map(len, names)) <= 15


def test_a_free_machine_is_free() -> None:
    links = [{"ifname": "lo"}, {"ifname": "eth0"}]
    routes = [{"dst": "default", "dev": "eth0"}, {"dst": "192.0.2.0/24", "dev": "eth0"}]

    assert network.in_the_way(links, routes) == ""


def test_another_lab_is_named_with_the_command_that_ends_it() -> None:
    links = [{"ifname": network.HOST_INTERFACE, "ifalias": "hers-0123abcd"}]

    assert network.in_the_way(links, []).endswith("end it with: python -m tests.lab down --name hers")


@pytest.mark.parametrize("taken", ["10.77.0.0/24", "10.77.3.4", "10.96.0.0/12", "10.0.0.0/8", "10.244.2.0/24"])
def test_a_network_in_use_is_named_with_its_interface(taken: str) -> None:
    said = network.in_the_way([], [{"dst": taken, "dev": "eth1"}])

    assert taken in said
    assert "eth1" in said


def test_the_default_route_overlaps_everything_and_is_not_in_the_way() -> None:
    assert network.in_the_way([], [{"dst": "0.0.0.0/0", "dev": "eth0"}, {"dst": "default"}]) == ""
