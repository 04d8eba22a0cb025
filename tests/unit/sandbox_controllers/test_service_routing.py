"""Where the connections of a Service may go."""

from collections import Counter
from typing import Any

import pytest

from selfheal_sandbox.network.listener import choose
from selfheal_sandbox.network.routing import Endpoint, find_port, listen_address, other_protocols, routes_of, tcp_ports

SERVICE: dict[str, Any] = {
    "metadata": {"name": "web"},
    "spec": {
        "selector": {"app": "web"},
        "clusterIP": "127.64.128.1",
        "ports": [{"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}],
    },
}


def endpoint_slice(*endpoints: tuple[str, bool, bool], service: str = "web") -> dict[str, Any]:
    """Return a slice; each endpoint is (address, ready, serving), terminating when not ready but serving."""
    return {
        "metadata": {"name": "s", "labels": {"kubernetes.io/service-name": service}},
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": [
            {
                "addresses": [ip],
                "conditions": {"ready": ready, "serving": serving, "terminating": serving and not ready},
            }
            for ip, ready, serving in endpoints
        ],
    }


def test_only_ready_endpoints_of_the_service_count() -> None:
    mine = endpoint_slice(("127.64.0.1", True, True), ("127.64.0.2", False, False))
    other = endpoint_slice(("127.64.0.9", True, True), service="other")
    assert routes_of(SERVICE, [mine, other], None) == {"http": (Endpoint("127.64.0.1", 8080),)}


def test_leaving_endpoints_serve_only_when_nobody_else_does() -> None:
    both = endpoint_slice(("127.64.0.1", True, True), ("127.64.0.2", False, True))
    assert routes_of(SERVICE, [both], None)["http"] == (Endpoint("127.64.0.1", 8080),)
    last = endpoint_slice(("127.64.0.2", False, True), ("127.64.0.3", False, False))
    assert routes_of(SERVICE, [last], None)["http"] == (Endpoint("127.64.0.2", 8080),)


def test_several_slices_add_up() -> None:
    slices = [endpoint_slice(("127.64.0.1", True, True)), endpoint_slice(("127.64.0.2", True, True))]
    assert len(routes_of(SERVICE, slices, None)["http"]) == 2


def test_hand_made_endpoints_count_for_a_service_without_selector() -> None:
    bare = {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    endpoints = {"subsets": [{"addresses": [{"ip": "127.0.0.9"}], "ports": [{"port": 99}]}]}
    assert routes_of(bare, [], endpoints) == {"": (Endpoint("127.0.0.9", 99),)}
    assert routes_of(SERVICE, [], endpoints) == {}


def test_ports_are_found_by_number_and_name() -> None:
    assert (find_port(SERVICE, 80) or {})["name"] == "http"
    assert (find_port(SERVICE, "http") or {})["port"] == 80
    assert find_port(SERVICE, "other") is None


def test_only_tcp_is_forwarded_and_the_rest_named() -> None:
    assert [port["name"] for port in tcp_ports(SERVICE)] == ["http"]
    assert other_protocols(SERVICE) == ["53/UDP"]


@pytest.mark.parametrize("spec", [{"clusterIP": "None"}, {}, {"clusterIP": "127.64.128.1", "type": "ExternalName"}])
def test_headless_and_external_services_listen_nowhere(spec: dict[str, Any]) -> None:
    assert listen_address({"metadata": {"name": "web"}, "spec": spec}) is None


def test_fewest_connections_win_then_the_longest_unused() -> None:
    one, two, three = (Endpoint(f"127.64.0.{number}", 80) for number in (1, 2, 3))
    assert choose([one, two], Counter({one: 2, two: 1}), {}) == two
    assert choose([one, two, three], Counter(), {one: 5, two: 3, three: 4}) == two
    assert choose([one, two], Counter(), {one: 5}) == two
    assert choose([], Counter(), {}) is None
