"""Looks for a Prometheus in the cluster, by the labels and names that its usual installations have.

Reads Services and nothing else. Where rights do not reach, it finds less, and says nothing.
"""

from collections.abc import Iterable, Sequence

from selfheal_core.cluster.kubernetes import paths
from selfheal_core.cluster.kubernetes.api_errors import Forbidden, NotFound
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.cluster.prometheus.address import ServiceAddress
from selfheal_core.domain.objects import Metadata, Wire

QUESTIONS = (
    {"labelSelector": "app.kubernetes.io/name=prometheus"},
    {"fieldSelector": "metadata.name=prometheus-operated"},
    {"fieldSelector": "metadata.name=prometheus-server"},
    {"fieldSelector": "metadata.name=prometheus"},
)
"""Most telling first: the recommended label (kube-prometheus, the community's chart), the Service that the Prometheus
operator makes, and the names of the charts' own."""
USUAL_NAMESPACES = ("monitoring", "prometheus", "observability")
"""Looked into where listing all namespaces is not allowed, besides the scope."""
PORT_NAMES = ("web", "http-web", "http", "https-web", "https")
PORT_NUMBERS = (9090, 80)
LIMIT = "50"
DEADLINE_SECONDS = 5.0


class ServicePort(Wire, frozen=True):
    """A port of a Service."""

    port: int
    name: str = ""


class ServiceSpec(Wire, frozen=True):
    """What is read of a Service."""

    ports: tuple[ServicePort, ...] = ()


class Service(Wire, frozen=True):
    """A Service, reduced."""

    metadata: Metadata
    spec: ServiceSpec = ServiceSpec()


class ServiceList(Wire, frozen=True):
    """A list of Services."""

    items: tuple[Service, ...] = ()


async def discover(client: KubernetesClient, namespaces: Sequence[str] = ()) -> ServiceAddress | None:
    """Find a Prometheus; None if there is none, or none that we may see.

    Args:
        client: The cluster.
        namespaces: Scope; looked into, with the usual ones, where listing all namespaces is not allowed.

    Raises:
        ApiError: The API server can't be asked at all.
    """
    places: tuple[str, ...] = ("",)
    for question in QUESTIONS:
        try:
            found = await _ask(client, places, question)
        except Forbidden:
            places = tuple(dict.fromkeys((*namespaces, *USUAL_NAMESPACES)))
            found = await _ask_where_allowed(client, places, question)
        address = choose(found)
        if address is not None:
            return address
    return None


async def _ask_where_allowed(
    client: KubernetesClient, namespaces: Iterable[str], question: dict[str, str]
) -> list[Service]:
    found: list[Service] = []
    for namespace in namespaces:
        try:
            found += await _ask(client, (namespace,), question)
        except Forbidden:
            continue
    return found


async def _ask(client: KubernetesClient, namespaces: Iterable[str], question: dict[str, str]) -> list[Service]:
    found: list[Service] = []
    for namespace in namespaces:
        where = paths.path("v1", "services", namespace=namespace)
        try:
            listed = await client.get(
                where, ServiceList, params={**question, "limit": LIMIT}, deadline_seconds=DEADLINE_SECONDS
            )
        except NotFound:
            continue
        found += listed.items
    return found


def choose(services: Iterable[Service]) -> ServiceAddress | None:
    """The first Service, by namespace and name, with a port on which a Prometheus would answer."""
    for service in sorted(services, key=lambda each: (each.metadata.namespace, each.metadata.name)):
        port = _port(service)
        if port is not None:
            scheme = "https" if port.name.startswith("https") else "http"
            return ServiceAddress(service.metadata.namespace, service.metadata.name, str(port.port), scheme)
    return None


def _port(service: Service) -> ServicePort | None:
    by_name = {port.name: port for port in service.spec.ports}
    by_number = {port.port: port for port in service.spec.ports}
    named = next((by_name[name] for name in PORT_NAMES if name in by_name), None)
    return named or next((by_number[number] for number in PORT_NUMBERS if number in by_number), None)
