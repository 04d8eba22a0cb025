"""When two pod templates are the same, and the hash that names a ReplicaSet after its template."""

import json
from typing import Any

from selfheal_sandbox.store.objects import Object

HASH_LABEL = "pod-template-hash"
_SAFE_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Letters that form no words; Kubernetes writes hashes and random suffixes with them."""
_FNV_OFFSET = 2166136261
_FNV_PRIME = 16777619


def same_template(one: Object, other: Object) -> bool:
    """Return whether two pod templates ask for the same pods.

    The template-hash label is ignored, and so is the difference between null, empty and absent, which clients write
    as they like; without that ``kubectl rollout undo`` would make a ReplicaSet nobody needs.
    """
    return bool(_essence(one) == _essence(other))


def template_hash(template: Object, collisions: int = 0) -> str:
    """Return the value of the template-hash label for a template.

    Args:
        template: the pod template.
        collisions: how often the hash already met a ReplicaSet with another template (``status.collisionCount``).
    """
    text = json.dumps(_essence(template), sort_keys=True, separators=(",", ":"))
    return safe_hash(f"{text}{collisions or ''}")


def safe_hash(text: str) -> str:
    """Return 32 bits of FNV-1a as up to ten safe letters, the form in which Kubernetes shows hashes."""
    value = _FNV_OFFSET
    for byte in text.encode():
        value = ((value ^ byte) * _FNV_PRIME) & 0xFFFFFFFF
    return "".join(_SAFE_ALPHABET[ord(digit) % len(_SAFE_ALPHABET)] for digit in str(value))


def labelled(template: Object, hash_value: str) -> Object:
    """Return the template with the template-hash label."""
    metadata = template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), HASH_LABEL: hash_value}
    return {**template, "metadata": {**metadata, "labels": labels}}


def _essence(template: Object) -> Any:
    metadata = template.get("metadata") or {}
    labels = {label: value for label, value in (metadata.get("labels") or {}).items() if label != HASH_LABEL}
    return _without_empty({**template, "metadata": {**metadata, "labels": labels}})


def _without_empty(value: Any) -> Any:
    """Drop nulls, empty maps and empty lists, at every depth."""
    if isinstance(value, dict):
        kept = ((field, _without_empty(inner)) for field, inner in value.items())
        return {field: inner for field, inner in kept if inner is not None and inner != {} and inner != []}
    if isinstance(value, list):
        return [_without_empty(inner) for inner in value]
    return value
