"""Kubernetes objects as plain JSON dicts, and the small accessors every part of the sandbox shares.

An object in the store is never mutated. A change makes a new dict that may share its unchanged parts with the old one.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]
"""A Kubernetes object, or a part of one, as decoded from JSON."""

Key: TypeAlias = tuple[str, str]
"""Which kind of object: (API group, plural resource name), for example ``("apps", "deployments")``."""


def name_of(obj: Mapping[str, Any]) -> str:
    """Return ``metadata.name``."""
    return str(obj["metadata"]["name"])


def namespace_of(obj: Mapping[str, Any]) -> str:
    """Return ``metadata.namespace``, or "" for a cluster-scoped object."""
    return str(obj["metadata"].get("namespace") or "")


def uid_of(obj: Mapping[str, Any]) -> str:
    """Return ``metadata.uid``, or "" for an object that was never stored."""
    return str(obj["metadata"].get("uid") or "")


def revision_of(obj: Mapping[str, Any]) -> int:
    """Return ``metadata.resourceVersion`` as a number, or 0 for an object that was never stored."""
    return int(obj["metadata"].get("resourceVersion") or 0)


def labels_of(obj: Mapping[str, Any]) -> dict[str, str]:
    """Return ``metadata.labels``, never None; do not change the result."""
    return obj["metadata"].get("labels") or {}


def annotations_of(obj: Mapping[str, Any]) -> dict[str, str]:
    """Return ``metadata.annotations``, never None; do not change the result."""
    return obj["metadata"].get("annotations") or {}


def finalizers_of(obj: Mapping[str, Any]) -> list[str]:
    """Return ``metadata.finalizers``, never None; do not change the result."""
    return obj["metadata"].get("finalizers") or []


def spec_of(obj: Mapping[str, Any]) -> Object:
    """Return ``spec``, never None; do not change the result."""
    return obj.get("spec") or {}


def status_of(obj: Mapping[str, Any]) -> Object:
    """Return ``status``, never None; do not change the result."""
    return obj.get("status") or {}


def owners_of(obj: Mapping[str, Any]) -> list[Object]:
    """Return ``metadata.ownerReferences``, never None; do not change the result."""
    return obj["metadata"].get("ownerReferences") or []


def controller_of(obj: Mapping[str, Any]) -> Object | None:
    """Return the owner reference that says ``controller: true``, or None."""
    return next((owner for owner in owners_of(obj) if owner.get("controller")), None)


def lasting_containers(pod: Mapping[str, Any]) -> list[Object]:
    """Return the containers of a pod that run as long as it does: the usual ones, and the sidecars."""
    spec = spec_of(pod)
    sidecars = [one for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"]
    return [*(spec.get("containers") or []), *sidecars]


def owner_reference(owner: Mapping[str, Any]) -> Object:
    """Return a controlling owner reference to ``owner``, as a controller puts on what it creates."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(obj: Mapping[str, Any], condition_type: str) -> Object | None:
    """Return the entry of ``status.conditions`` with this type, or None."""
    conditions = status_of(obj).get("conditions") or []
    return next((entry for entry in conditions if entry.get("type") == condition_type), None)


def is_condition_true(obj: Mapping[str, Any], condition_type: str) -> bool:
    """Return whether the condition exists and its status is "True"."""
    entry = condition(obj, condition_type)
    return entry is not None and entry.get("status") == "True"


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Return whether the Ready condition is True (works for pods and nodes)."""
    return is_condition_true(pod, "Ready")


def is_terminating(obj: Mapping[str, Any]) -> bool:
    """Return whether deletion was asked for: ``metadata.deletionTimestamp`` is set."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def with_metadata(obj: Object, **fields: Any) -> Object:
    """Return a copy of ``obj`` with these metadata fields set; a None removes its field."""
    metadata = {**obj["metadata"], **fields}
    return {**obj, "metadata": {field: value for field, value in metadata.items() if value is not None}}


def with_spec(obj: Object, **fields: Any) -> Object:
    """Return a copy of ``obj`` with these spec fields set."""
    return {**obj, "spec": {**spec_of(obj), **fields}}


def with_status(obj: Object, **fields: Any) -> Object:
    """Return a copy of ``obj`` with these status fields set."""
    return {**obj, "status": {**status_of(obj), **fields}}


def now_rfc3339(now: datetime) -> str:
    """Return ``now`` as Kubernetes writes a Time: UTC, whole seconds, ``2026-01-02T03:04:05Z``."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def now_rfc3339_micro(now: datetime) -> str:
    """Return ``now`` as Kubernetes writes a MicroTime: UTC, six decimals, as Leases use."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_rfc3339(text: str) -> datetime:
    """Return the time a Time or MicroTime names.

    Raises:
        ValueError: the text is not an RFC 3339 time.
    """
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
