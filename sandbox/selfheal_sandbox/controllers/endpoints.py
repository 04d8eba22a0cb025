"""The Endpoints and EndpointSlice controllers in one: both are written from the same list of backends."""

from collections.abc import Iterable

from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.controllers.controller import Place, differs, intent, newest, place_of, states
from selfheal_sandbox.controllers.endpoint_sets import (
    HEADLESS,
    MANAGED_BY,
    SLICE_CONTROLLER,
    Backend,
    backends,
    facts,
    selects,
    slices,
    subsets,
)
from selfheal_sandbox.controllers.keys import ENDPOINT_SLICES, ENDPOINTS, PODS, SERVICES
from selfheal_sandbox.controllers.ownership import Ownership
from selfheal_sandbox.store.objects import (
    Object,
    annotations_of,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    now_rfc3339,
    owner_reference,
    spec_of,
    uid_of,
    with_metadata,
)
from selfheal_sandbox.store.store import Change

_LAST_TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"


class EndpointsController:
    """Keeps the Endpoints and the EndpointSlices of every Service with a selector."""

    name = "endpoints"
    watches = frozenset({SERVICES, PODS, ENDPOINTS, ENDPOINT_SLICES})

    def __init__(self, objects: Objects, ownership: Ownership) -> None:
        self._objects = objects
        self._ownership = ownership

    def items_for(self, change: Change) -> Iterable[Place]:
        """Return the Services that a change concerns."""
        if change.key == SERVICES:
            return [place_of(newest(change))] if differs(change, intent) else []
        if change.key == ENDPOINTS:
            return [place_of(newest(change))] if change.type == "DELETED" else []
        if change.key == ENDPOINT_SLICES:
            return _services_of_slice(newest(change)) if change.type == "DELETED" else []
        if not differs(change, facts):
            return []
        services = self._objects.store.list(SERVICES, namespace_of(newest(change)))
        return [place_of(each) for each in services if any(selects(each, pod) for pod in states(change))]

    def everything(self) -> Iterable[Place]:
        """Return every Service."""
        return [place_of(service) for service in self._objects.store.list(SERVICES)]

    def reconcile(self, item: Place) -> float | None:
        """Write the Endpoints and EndpointSlices of one Service; without the Service, remove its Endpoints."""
        store = self._objects.store
        service = store.get(SERVICES, *item)
        if service is None or is_terminating(service):
            if store.get(ENDPOINTS, *item) is not None:
                self._objects.delete(ENDPOINTS, *item)
            return None
        if spec_of(service).get("selector") and spec_of(service).get("type") != "ExternalName":
            found = backends(service, store.list(PODS, item.namespace))
            self._write_slices(service, found)
            self._write_endpoints(service, found)
        return None

    def _write_endpoints(self, service: Object, found: list[Backend]) -> None:
        headless = {HEADLESS: ""} if spec_of(service).get("clusterIP") == "None" else {}
        wanted = {"labels": {**labels_of(service), **headless}, "subsets": subsets(found)}
        trigger = {_LAST_TRIGGER: now_rfc3339(self._objects.clock())}
        current = self._objects.store.get(ENDPOINTS, *place_of(service))
        if current is None:
            metadata = {"name": name_of(service), "labels": wanted["labels"], "annotations": trigger}
            body = {"metadata": metadata, "subsets": wanted["subsets"]}
            self._objects.create(ENDPOINTS, namespace_of(service), body)
        elif (current.get("subsets") or [], labels_of(current)) != (wanted["subsets"], wanted["labels"]):
            self._objects.patch_object(
                ENDPOINTS,
                current,
                lambda old: {
                    **with_metadata(old, labels=wanted["labels"], annotations={**annotations_of(old), **trigger}),
                    "subsets": wanted["subsets"],
                },
            )

    def _write_slices(self, service: Object, found: list[Backend]) -> None:
        owned = self._ownership.children(uid_of(service), ENDPOINT_SLICES)
        current = {name_of(each): each for each in owned if labels_of(each).get(MANAGED_BY) == SLICE_CONTROLLER}
        wanted = slices(service, found)
        for name, content in wanted.items():
            self._write_slice(service, name, content, current.get(name))
        for name in current.keys() - wanted.keys():
            self._objects.delete(ENDPOINT_SLICES, namespace_of(service), name)

    def _write_slice(self, service: Object, name: str, content: Object, current: Object | None) -> None:
        labels = content["labels"]
        fields = {field: value for field, value in content.items() if field != "labels"}
        if current is None:
            metadata = {"name": name, "labels": labels, "ownerReferences": [owner_reference(service)]}
            self._objects.create(ENDPOINT_SLICES, namespace_of(service), {"metadata": metadata, **fields})
        elif labels_of(current) != labels or any(current.get(field) != value for field, value in fields.items()):
            self._objects.patch_object(
                ENDPOINT_SLICES, current, lambda old: {**with_metadata(old, labels=labels), **fields}
            )


def _services_of_slice(endpoint_slice: Object) -> list[Place]:
    owners = endpoint_slice["metadata"].get("ownerReferences") or []
    return [Place(namespace_of(endpoint_slice), each["name"]) for each in owners if each["kind"] == "Service"]
