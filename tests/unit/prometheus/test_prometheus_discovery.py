"""Finding a Prometheus by the marks of its usual installations, with few rights too."""

from typing import Any

import pytest

from selfheal_core.cluster.kubernetes.api_errors import ApiError
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.prometheus.address import ServiceAddress
from selfheal_core.cluster.prometheus.discovery import discover
from tests.faults import behaviours
from tests.faults.exchange import Behaviour, Exchange
from tests.faults.server import FaultServer

EVERYWHERE = "/api/v1/services"


def service(name: str, *ports: tuple[str, int], namespace: str = "monitoring") -> dict[str, Any]:
    spec = {"ports": [{"name": port, "port": number} for port, number in ports]}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


def answers(**by_question: dict[str, Any]) -> Behaviour:
    """Services by the value that a selector asks for."""

    async def answer(exchange: Exchange) -> None:
        query = exchange.request.query
        wanted = (query.get("labelSelector") or query.get("fieldSelector") or "").rpartition("=")[2]
        found = by_question.get(wanted.replace("-", "_"))
        await exchange.answer_json(200, {"items": [found] if found else []})

    return answer


@pytest.mark.parametrize(
    ("found", "address"),
    [
        ({"prometheus": service("prometheus-k8s", ("web", 9090), ("reloader-web", 8080))}, "prometheus-k8s:9090"),
        ({"prometheus": service("kps-server", ("http", 80))}, "kps-server:80"),
        ({"prometheus_operated": service("prometheus-operated", ("http-web", 9090))}, "prometheus-operated:9090"),
        ({"prometheus_server": service("prometheus-server", ("", 9090))}, "prometheus-server:9090"),
    ],
)
async def test_usual_installations_are_found(
    server: FaultServer, client: KubernetesClient, found: dict[str, Any], address: str
) -> None:
    server.script("GET", EVERYWHERE, answers(**found))
    assert str(await discover(client)) == f"monitoring/{address}"
    assert client.writes == 0


async def test_a_port_that_speaks_tls_is_asked_so(server: FaultServer, client: KubernetesClient) -> None:
    server.script("GET", EVERYWHERE, answers(prometheus=service("p", ("https", 9091))))
    assert await discover(client) == ServiceAddress("monitoring", "p", "9091", "https")


async def test_a_service_without_a_port_for_questions_is_none(server: FaultServer, client: KubernetesClient) -> None:
    server.script("GET", EVERYWHERE, answers(prometheus=service("p", ("grpc", 10901))))
    assert await discover(client) is None


async def test_without_the_right_to_list_all_namespaces_the_usual_ones_are_looked_into(
    server: FaultServer, client: KubernetesClient
) -> None:
    server.script("GET", EVERYWHERE, behaviours.status(403, "Forbidden"))
    for namespace in ("shop", "prometheus", "observability"):
        server.script("GET", f"/api/v1/namespaces/{namespace}/services", behaviours.status(403, "Forbidden"))
    found = service("prometheus", ("web", 9090))
    server.script("GET", "/api/v1/namespaces/monitoring/services", answers(prometheus=found))
    assert await discover(client, ["shop"]) == ServiceAddress("monitoring", "prometheus", "9090")


async def test_without_any_right_nothing_is_found_and_nothing_fails(
    server: FaultServer, client: KubernetesClient
) -> None:
    for path in (EVERYWHERE, *(f"/api/v1/namespaces/{name}/services" for name in ("monitoring", "prometheus"))):
        server.script("GET", path, behaviours.status(403, "Forbidden"))
    assert await discover(client) is None


async def test_an_api_server_that_is_away_is_not_called_without_prometheus(
    server: FaultServer, client: KubernetesClient
) -> None:
    server.script("GET", EVERYWHERE, behaviours.close_at_once())
    with pytest.raises(ApiError):
        await discover(client)
