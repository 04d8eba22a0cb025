"""CustomResourceDefinitions: the kinds they add to the registry, and the status that says so."""

from datetime import datetime

from selfheal_sandbox.kinds.registry import Registry, resources_of_definition
from selfheal_sandbox.store.objects import Key, Object, now_rfc3339, spec_of, status_of

KEY: Key = ("apiextensions.k8s.io", "customresourcedefinitions")


def served_key(definition: Object) -> Key:
    """Return the key of the objects that a definition allows."""
    spec = spec_of(definition)
    return spec["group"], spec["names"]["plural"]


def register(registry: Registry, old: Object | None, new: Object) -> None:
    """Serve what a new or changed definition says, and no longer what only the old one said."""
    wanted = resources_of_definition(new)
    versions = {resource.version for resource in wanted}
    if old is not None:
        for resource in resources_of_definition(old):
            if resource.version not in versions:
                registry.remove(resource)
    for resource in wanted:
        registry.add(resource)


def unregister(registry: Registry, definition: Object) -> None:
    """Serve nothing of a removed definition any more."""
    for resource in resources_of_definition(definition):
        registry.remove(resource)


def established_status(definition: Object, now: datetime) -> Object:
    """Return the status of a definition that is served; conditions keep the time they began."""
    spec = spec_of(definition)
    conditions = status_of(definition).get("conditions") or [
        _condition("NamesAccepted", "NoConflicts", "no conflicts found", now),
        _condition("Established", "InitialNamesAccepted", "the initial names have been accepted", now),
    ]
    stored = [version["name"] for version in spec["versions"] if version.get("storage")]
    known = status_of(definition).get("storedVersions") or []
    return {
        "conditions": conditions,
        "acceptedNames": spec["names"],
        "storedVersions": known + [version for version in stored if version not in known],
    }


def _condition(kind: str, reason: str, message: str, now: datetime) -> Object:
    return {
        "type": kind,
        "status": "True",
        "lastTransitionTime": now_rfc3339(now),
        "reason": reason,
        "message": message,
    }
