"""The steps a written object goes through before it is stored: each a function from objects to objects or errors."""

import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from selfheal_sandbox.api import errors
from selfheal_sandbox.kinds import cause, defaults, schema, validation
from selfheal_sandbox.kinds.cause import Cause
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.store.objects import Object, name_of, now_rfc3339, uid_of

SERVER_FIELDS = ("uid", "creationTimestamp", "generation", "selfLink")
"""Metadata that only the server sets."""
DELETION_FIELDS = ("deletionTimestamp", "deletionGracePeriodSeconds")
"""Metadata that a deletion sets."""
_NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # no vowels, so no words (k8s.io/apimachinery/pkg/util/rand)
_GENERATED_LENGTH = 5
_MAX_GENERATED_PREFIX = 63 - _GENERATED_LENGTH
_WITHOUT_GENERATION = frozenset(
    {
        "ConfigMap",
        "Endpoints",
        "Event",
        "Lease",
        "LimitRange",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "Secret",
        "Service",
        "ServiceAccount",
        "StorageClass",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
        "HorizontalPodAutoscaler",
        "ControllerRevision",
        "ResourceQuota",
    }
)
"""Kinds whose objects carry no ``metadata.generation``."""


_PROTECTED_FROM_STATUS = {"Deployment": ("labels",), "Pod": ("ownerReferences",), "Node": ("ownerReferences",)}
"""Metadata that a status request may not change (PrepareForUpdate of the kinds' status strategies upstream)."""


def without_nulls(value: Any) -> Any:
    """Return a deep copy without null fields: typed clients write ``creationTimestamp: null`` and mean "not set".

    A null in a list becomes an empty object, which is what it decodes into where the list is one of objects.
    """
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [{} if item is None else without_nulls(item) for item in value]
    return value


def random_suffix() -> str:
    """Return what the server appends to ``generateName``."""
    return "".join(secrets.choice(_NAME_ALPHABET) for _ in range(_GENERATED_LENGTH))


def prepare_new(resource: Resource, namespace: str, obj: Object, now: datetime, *, by_update: bool = False) -> Object:
    """Return a copy of an object to be created, with the metadata that the server sets.

    Args:
        resource: what it is.
        namespace: where; "" for cluster-scoped kinds.
        obj: in the stored version.
        now: the time.
        by_update: a replacement or an application creates it: its version says nothing, and what it says of a deletion
            is left.

    Raises:
        ApiError: 400, the object contradicts the request; 422, it has no name.
    """
    new: Object = without_nulls(obj)
    metadata = new["metadata"] = _metadata_of(resource, new)
    new["apiVersion"], new["kind"] = resource.group_version, resource.kind
    _place(resource, namespace, metadata)
    if metadata.pop("resourceVersion", "") and not by_update:
        raise errors.bad_request("resourceVersion should not be set on objects to be created")
    for field in SERVER_FIELDS if by_update else SERVER_FIELDS + DELETION_FIELDS:
        if field != "generation" or resource.kind not in _WITHOUT_GENERATION:
            metadata.pop(field, None)
    _name(metadata)
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = now_rfc3339(now)
    if resource.kind not in _WITHOUT_GENERATION:
        metadata["generation"] = 1
    return new


def _metadata_of(resource: Resource, obj: Object) -> Object:
    metadata = obj.get("metadata", {})
    if not isinstance(metadata, dict):
        raise errors.wrong_type(resource, f"metadata must be an object, not {cause.shown(metadata)}")
    for field in ("name", "namespace", "generateName", "resourceVersion", "uid"):
        if not isinstance(metadata.get(field, ""), str):
            raise errors.wrong_type(resource, f"metadata.{field} must be a string, not {cause.shown(metadata[field])}")
    finalizers = metadata.get("finalizers", [])
    if not isinstance(finalizers, list) or not all(isinstance(finalizer, str) for finalizer in finalizers):
        raise errors.wrong_type(resource, "metadata.finalizers must be a list of strings")
    return metadata


def _place(resource: Resource, namespace: str, metadata: Object) -> None:
    if not resource.namespaced:
        metadata.pop("namespace", None)
        return
    if metadata.get("namespace", "") not in ("", namespace):
        raise errors.wrong_namespace()
    metadata["namespace"] = namespace


def _name(metadata: Object) -> None:
    if metadata.get("name"):
        return
    prefix = metadata.get("generateName")
    metadata["name"] = prefix[:_MAX_GENERATED_PREFIX] + random_suffix() if prefix else ""  # which `validate` refuses


def prepare_changed(resource: Resource, old: Object, changed: Any, subresource: str) -> Object:
    """Return a copy of a changed object with what the request may not touch taken from the old one.

    Raises:
        ApiError: 400, it is no object or has another name; 409, its resource version or uid is not the stored one.
    """
    if not isinstance(changed, dict):
        raise errors.bad_request(f"expected an object, got {cause.shown(changed)}")
    new: Object = without_nulls(changed)
    metadata = new["metadata"] = _metadata_of(resource, new)
    _check_identity(resource, old, metadata)
    new["apiVersion"], new["kind"] = old["apiVersion"], old["kind"]
    for field in ("name", "namespace", "resourceVersion", *SERVER_FIELDS):
        if field in old["metadata"]:
            metadata[field] = old["metadata"][field]
        else:
            metadata.pop(field, None)
    return _limit_to_subresource(resource, old, new, subresource)


def keep_deletion(old: Object, new: Object) -> None:
    """Keep, in place, what an update cannot take away: when the object is deleted, and how long it has."""
    metadata, before = new["metadata"], old["metadata"]
    if "deletionTimestamp" in before:
        metadata["deletionTimestamp"] = before["deletionTimestamp"]
    if "deletionGracePeriodSeconds" in before:
        metadata.setdefault("deletionGracePeriodSeconds", before["deletionGracePeriodSeconds"])


def check_place(metadata: Object, namespace: str, name: str) -> None:
    """Refuse an object that says another name or namespace than the path.

    Raises:
        ApiError: 400.
    """
    if metadata.get("name", name) != name:
        text = f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
        raise errors.bad_request(text)
    if metadata.get("namespace", "") not in ("", namespace):
        raise errors.wrong_namespace()


def other_uid(resource: Resource, metadata: Object, asked: str, found: str) -> str:
    """Return how the API server words it that an object to be replaced has another uid."""
    plural = {"nodes": "minions", "services": "services/specs", "endpoints": "services/endpoints"}.get(
        resource.plural, resource.plural
    )
    place = f"{resource.group}/{plural}" if resource.is_custom else plural
    parts = [part for part in ("/registry", place, metadata.get("namespace", ""), metadata["name"]) if part]
    return (
        f"StorageError: invalid object, Code: 4, Key: {'/'.join(parts)}, ResourceVersion: 0, AdditionalErrorMsg: "
        f"Precondition failed: UID in precondition: {asked}, UID in object meta: {found}"
    )


def _check_identity(resource: Resource, old: Object, metadata: Object) -> None:
    name = name_of(old)
    check_place(metadata, old["metadata"].get("namespace", ""), name)
    uid = metadata.get("uid", "")
    if uid not in ("", uid_of(old)):
        raise errors.conflict(resource, name, other_uid(resource, old["metadata"], uid, uid_of(old)))
    if metadata.get("resourceVersion", "") not in ("", old["metadata"]["resourceVersion"]):
        raise errors.conflict(resource, name)


def _limit_to_subresource(resource: Resource, old: Object, new: Object, subresource: str) -> Object:
    """A status request changes the status alone; any other request changes everything but the status."""
    if subresource == "status":
        kept = {field: value for field, value in old.items() if field != "status"}
        status = {"status": new["status"]} if "status" in new else {}
        return {**without_nulls(kept), "metadata": _metadata_with_status(resource, old, new["metadata"]), **status}
    if "status" in resource.subresources:
        new.pop("status", None)
        if "status" in old:
            new["status"] = without_nulls(old["status"])
    return new


def _metadata_with_status(resource: Resource, old: Object, new: Object) -> Object:
    """Return the metadata that a status request leaves: most kinds let it change labels, annotations and finalizers."""
    kept = old["metadata"]
    if resource.is_custom:
        managed = {name: new[name] for name in ("managedFields",) if name in new}
        return {**{name: value for name, value in kept.items() if name != "managedFields"}, **managed}
    protected = _PROTECTED_FROM_STATUS.get(resource.kind, ())
    return {
        **{name: value for name, value in new.items() if name not in protected},
        **{name: kept[name] for name in protected if name in kept},
    }


def decode(
    resource: Resource,
    obj: Object,
    old: Object | None,
    strictness: Literal["Ignore", "Warn", "Strict"],
    warnings: list[str] | None,
) -> list[Cause]:
    """Check the shape of an object, fill in its defaults, in place, and return what is wrong with its shape.

    Raises:
        ApiError: 400, wrong types or (when strict) unknown fields.
    """
    findings = check_decoding(resource, obj, strictness, warnings)
    if findings.unknown_fields:
        schema.prune(resource, obj)
    if warnings is not None and resource.is_custom:
        warnings.extend(validation.finalizer_warnings(obj, old))
    for owner, field in findings.empty_fields:
        owner.pop(field, None)
    defaults.apply_defaults(resource, obj)
    return findings.causes


def check_decoding(
    resource: Resource, obj: Object, strictness: Literal["Ignore", "Warn", "Strict"], warnings: list[str] | None
) -> schema.Findings:
    """Check that a body can be read as an object of its kind.

    Raises:
        ApiError: 400, wrong types or (when strict) unknown fields.
    """
    findings = schema.check(resource, obj)
    if findings.type_errors:
        raise errors.wrong_type(resource, findings.type_errors[0])
    unknown = [f'unknown field "{field}"' for field in findings.unknown_fields]
    if unknown and strictness == "Strict":
        raise errors.wrong_type(resource, f"strict decoding error: {', '.join(unknown)}")
    if unknown and strictness == "Warn" and warnings is not None:
        warnings.extend(unknown)
    return findings


def validate(resource: Resource, obj: Object, old: Object | None, found: Sequence[Cause]) -> None:
    """Refuse an object for every broken rule of its kind, after those of its shape that were found before.

    Raises:
        ApiError: 422, with the first cause of each field and reason.
    """
    causes = [*found, *validation.causes(resource, obj, old)]
    if causes:
        first = {(problem.field, problem.reason): problem for problem in reversed(causes)}
        raise errors.invalid(resource, name_of(obj), list(reversed(first.values())))


def bump_generation(old: Object, new: Object, *, counts_annotations: bool = False) -> None:
    """Raise ``metadata.generation`` of ``new``, in place, when anything but metadata and status changed.

    Clients' changes to the annotations of a Deployment count too; its controller writes them with the status.
    """
    generation = old["metadata"].get("generation")
    if generation is None or old["kind"] in _WITHOUT_GENERATION:  # which a client may have given one all the same
        return
    fields = (old.keys() | new.keys()) - {"metadata", "status"}
    annotated = counts_annotations and (
        (old["metadata"].get("annotations") or {}) != (new["metadata"].get("annotations") or {})
    )
    if annotated or any(old.get(field) != new.get(field) for field in fields):
        new["metadata"]["generation"] = generation + 1


def is_unchanged(old: Object, new: Object) -> bool:
    """Return whether a write would store what is stored; times in managed fields do not count."""
    if old.keys() != new.keys() or any(old[field] != new[field] for field in old if field != "metadata"):
        return False
    return _comparable(old["metadata"]) == _comparable(new["metadata"])


def _comparable(metadata: Object) -> Object:
    managed = metadata.get("managedFields") or []
    timeless = [{field: value for field, value in entry.items() if field != "time"} for entry in managed]
    return {**metadata, "managedFields": timeless}
