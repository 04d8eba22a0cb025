"""Namespaces: what every namespace has, and how one is emptied before it goes."""

from collections import Counter
from collections.abc import Iterable

from selfheal_sandbox.api.errors import ApiError
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.controllers.conditions import Verdict, with_verdict
from selfheal_sandbox.controllers.controller import Place, newest, place_of
from selfheal_sandbox.controllers.keys import CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS
from selfheal_sandbox.store.objects import (
    Key,
    Object,
    finalizers_of,
    is_terminating,
    name_of,
    namespace_of,
    status_of,
    with_spec,
)
from selfheal_sandbox.store.store import Change

ROOT_CERTIFICATE = "kube-root-ca.crt"
_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)
RECHECK_SECONDS = 5.0
"""Every deletion of content wakes the controller up; this is for content that goes in ways it does not see."""


class NamespaceDefaults:
    """Gives each namespace its default ServiceAccount and the ConfigMap with the API server's CA certificate."""

    name = "namespace-defaults"
    watches = frozenset({NAMESPACES, SERVICE_ACCOUNTS, CONFIG_MAPS})

    def __init__(self, objects: Objects, root_certificate: str) -> None:
        self._objects = objects
        self._root_certificate = root_certificate

    def items_for(self, change: Change) -> Iterable[Place]:
        """Return the namespace that appeared or lost one of the two objects."""
        obj = newest(change)
        if change.key == NAMESPACES:
            return [Place("", name_of(obj))] if change.type == "ADDED" else []
        is_default = name_of(obj) == (ROOT_CERTIFICATE if change.key == CONFIG_MAPS else "default")
        return [Place("", namespace_of(obj))] if is_default and change.type != "ADDED" else []

    def everything(self) -> Iterable[Place]:
        """Return every namespace."""
        return [place_of(each) for each in self._objects.store.list(NAMESPACES)]

    def reconcile(self, item: Place) -> float | None:
        """Create what is missing in one namespace, and put a changed certificate right."""
        namespace = self._objects.store.get(NAMESPACES, *item)
        if namespace is None or is_terminating(namespace):
            return None
        if self._objects.store.get(SERVICE_ACCOUNTS, item.name, "default") is None:
            self._objects.create(SERVICE_ACCOUNTS, item.name, {"metadata": {"name": "default"}})
        data = {"ca.crt": self._root_certificate}
        current = self._objects.store.get(CONFIG_MAPS, item.name, ROOT_CERTIFICATE)
        if current is None:
            metadata = {"name": ROOT_CERTIFICATE, "annotations": {"kubernetes.io/description": _DESCRIPTION}}
            self._objects.create(CONFIG_MAPS, item.name, {"metadata": metadata, "data": data})
        elif current.get("data") != data:
            self._objects.patch_object(CONFIG_MAPS, current, lambda old: {**old, "data": data})
        return None


class NamespaceDeletion:
    """Deletes everything in a terminating namespace, then lets the namespace go."""

    name = "namespace"
    watches = None

    def __init__(self, objects: Objects, *, speed: float) -> None:
        self._objects = objects
        self._recheck_seconds = RECHECK_SECONDS / speed

    def items_for(self, change: Change) -> Iterable[Place]:
        """Return the terminating namespace that a change concerns: its own, or the loss of something in it."""
        obj = newest(change)
        if change.key == NAMESPACES:
            return [place_of(obj)] if is_terminating(obj) and change.type != "DELETED" else []
        if change.type != "DELETED" or not namespace_of(obj):
            return []
        namespace = self._objects.store.get(NAMESPACES, "", namespace_of(obj))
        return [place_of(namespace)] if namespace is not None and is_terminating(namespace) else []

    def everything(self) -> Iterable[Place]:
        """Return every terminating namespace."""
        return [place_of(each) for each in self._objects.store.list(NAMESPACES) if is_terminating(each)]

    def reconcile(self, item: Place) -> float | None:
        """Delete what is left in one terminating namespace."""
        namespace = self._objects.store.get(NAMESPACES, *item)
        if namespace is None or not is_terminating(namespace):
            return None
        failures = self._delete_content(item.name)
        left = self._content(item.name)
        if not left:
            self._objects.patch_object(NAMESPACES, namespace, lambda current: with_spec(current, finalizers=[]))
            return None
        self._report(namespace, left, failures)
        return self._recheck_seconds

    def _content(self, namespace: str) -> list[tuple[Key, Object]]:
        store = self._objects.store
        return [(key, obj) for key in store.keys() for obj in store.list(key, namespace)]  # noqa: SIM118

    def _delete_content(self, namespace: str) -> list[str]:
        """Ask for the deletion of everything; return why some of it was refused."""
        failures = []
        for key, obj in self._content(namespace):
            if is_terminating(obj) or self._objects.store.get(key, namespace, name_of(obj)) is None:
                continue
            try:
                self._objects.delete(key, namespace, name_of(obj))
            except ApiError as error:
                failures.append(error.message)
        return failures

    def _report(self, namespace: Object, left: list[tuple[Key, Object]], failures: list[str]) -> None:
        """Say in conditions what keeps the namespace, in the words of the namespace controller."""
        now = self._objects.clock()
        conditions: list[Object] = list(status_of(namespace).get("conditions") or [])
        for verdict in (_failure(failures), _remaining(left), _finalizers(left)):
            conditions = with_verdict(conditions, verdict, now)
        status = {**status_of(namespace), "phase": "Terminating", "conditions": conditions}
        self._objects.set_status(NAMESPACES, namespace, status)


def _failure(failures: list[str]) -> Verdict:
    if failures:
        return Verdict("NamespaceDeletionContentFailure", "True", "ContentDeletionFailed", failures[0])
    text = "All content successfully deleted, may be waiting on finalization"
    return Verdict("NamespaceDeletionContentFailure", "False", "ContentDeleted", text)


def _remaining(left: list[tuple[Key, Object]]) -> Verdict:
    counts = Counter(".".join(part for part in (key[1], key[0]) if part) for key, _ in left)
    listed = ", ".join(f"{kind} has {count} resource instances" for kind, count in sorted(counts.items()))
    return Verdict(
        "NamespaceContentRemaining", "True", "SomeResourcesRemain", f"Some resources are remaining: {listed}"
    )


def _finalizers(left: list[tuple[Key, Object]]) -> Verdict:
    counts = Counter(finalizer for _, obj in left for finalizer in finalizers_of(obj))
    if not counts:
        text = "All content-preserving finalizers finished"
        return Verdict("NamespaceFinalizersRemaining", "False", "ContentHasNoFinalizers", text)
    listed = ", ".join(f"{finalizer} in {count} resource instances" for finalizer, count in sorted(counts.items()))
    text = f"Some content in the namespace has finalizers remaining: {listed}"
    return Verdict("NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain", text)
