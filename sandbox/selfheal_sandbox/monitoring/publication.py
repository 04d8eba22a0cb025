"""Makes Prometheus reachable in the cluster: Service ``monitoring/prometheus``, which has no pods of its own."""

from selfheal_sandbox.api.errors import ApiError
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.controllers.keys import ENDPOINTS, NAMESPACES, SERVICES
from selfheal_sandbox.monitoring.configuration import PORT
from selfheal_sandbox.store.objects import Object

NAMESPACE = "monitoring"
NAME = "prometheus"
_LABELS = {"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/managed-by": "selfheal-sandbox"}


class Publication:
    """The Service, and where it leads."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def open(self, address: str) -> None:
        """Let the Service lead to an address, after making what is missing.

        Raises:
            ApiError: an object could not be written; a namespace that is being deleted, for example.
        """
        if self._objects.store.get(NAMESPACES, "", NAMESPACE) is None:
            self._objects.create(NAMESPACES, "", {"metadata": {"name": NAMESPACE}})
        if self._objects.store.get(SERVICES, NAMESPACE, NAME) is None:
            ports = [{"name": "web", "port": PORT, "targetPort": PORT}]
            self._objects.create(SERVICES, NAMESPACE, {"metadata": _metadata(), "spec": {"ports": ports}})
        self._lead_to([{"addresses": [{"ip": address}], "ports": [{"name": "web", "port": PORT}]}])

    def close(self) -> None:
        """Let the Service lead nowhere; whoever asks is told that it has no endpoints."""
        if self._objects.store.get(ENDPOINTS, NAMESPACE, NAME) is not None:
            self._lead_to([])

    def remove(self) -> None:
        """Remove Service and Endpoints."""
        for key in (ENDPOINTS, SERVICES):
            try:
                self._objects.delete(key, NAMESPACE, NAME)
            except ApiError:
                continue

    def _lead_to(self, subsets: list[Object]) -> None:
        current = self._objects.store.get(ENDPOINTS, NAMESPACE, NAME)
        if current is None:
            self._objects.create(ENDPOINTS, NAMESPACE, {"metadata": _metadata(), "subsets": subsets})
        else:
            self._objects.patch_object(ENDPOINTS, current, lambda old: {**old, "subsets": subsets})


def _metadata() -> Object:
    return {"name": NAME, "labels": dict(_LABELS)}
