"""Objects between the version they are stored in and another version they are served in.

Three kinds of pairs exist: autoscaling/v1 over v2, events.k8s.io/v1 over core events, and versions of a custom
resource, which differ in `apiVersion` only (conversion strategy None).
"""

import json
from typing import Any

from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.store.objects import Object

_EVENT_FIELDS = {
    "count": "deprecatedCount",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "involvedObject": "regarding",
    "lastTimestamp": "deprecatedLastTimestamp",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
}
"""Names of the fields of a core event that are called otherwise in events.k8s.io/v1."""

_ANNOTATION = "autoscaling.alpha.kubernetes.io/"
_SPEC_PARTS = {"metrics": f"{_ANNOTATION}metrics", "behavior": f"{_ANNOTATION}behavior"}
_STATUS_PARTS = {"currentMetrics": f"{_ANNOTATION}current-metrics", "conditions": f"{_ANNOTATION}conditions"}
"""Annotations that carry what autoscaling/v1 has no fields for. Upstream writes a form of its own there; here the
value is the field of v2 as it is."""


def from_storage(resource: Resource, obj: Object) -> Object:
    """A stored object in the version of a resource; the object itself when it is stored in that version."""
    if resource.storage_of is None:
        return obj
    served = {**obj, "apiVersion": resource.group_version}
    if resource.group == "events.k8s.io":
        return _renamed(served, _EVENT_FIELDS)
    if resource.group == "autoscaling":
        return _autoscaler_v1(served)
    return served


def to_storage(resource: Resource, obj: Object) -> Object:
    """An object in the version of a resource as it is stored; the inverse of `from_storage`."""
    if resource.storage_of is None:
        return obj
    group, version, _ = resource.storage_of
    stored = {**obj, "apiVersion": f"{group}/{version}" if group else version}
    if resource.group == "events.k8s.io":
        return _renamed(stored, {new: old for old, new in _EVENT_FIELDS.items()})
    if resource.group == "autoscaling":
        return _autoscaler_v2(stored)
    return stored


def _renamed(obj: Object, names: dict[str, str]) -> Object:
    return {names.get(name, name): value for name, value in obj.items()}


def _is_cpu_share(metric: Object, value: str) -> bool:
    resource = metric.get("resource") or {}
    return resource.get("name") == "cpu" and (resource.get(value) or {}).get("averageUtilization") is not None


def _autoscaler_v1(obj: Object) -> Object:
    """A v2 autoscaler as v1: one CPU target in a field, everything else in annotations."""
    annotations: dict[str, str] = {}
    result = dict(obj)
    if isinstance(obj.get("spec"), dict):
        spec = result["spec"] = {k: v for k, v in obj["spec"].items() if k not in _SPEC_PARTS}
        metrics = obj["spec"].get("metrics") or []
        cpu = next((metric for metric in metrics if _is_cpu_share(metric, "target")), None)
        if cpu is not None:
            spec["targetCPUUtilizationPercentage"] = cpu["resource"]["target"]["averageUtilization"]
        others = [metric for metric in metrics if metric is not cpu]
        annotations |= _written({**obj["spec"], "metrics": others}, _SPEC_PARTS)
    if isinstance(obj.get("status"), dict):
        status = result["status"] = {k: v for k, v in obj["status"].items() if k not in _STATUS_PARTS}
        current = obj["status"].get("currentMetrics") or []
        cpu = next((metric for metric in current if _is_cpu_share(metric, "current")), None)
        if cpu is not None:
            status["currentCPUUtilizationPercentage"] = cpu["resource"]["current"]["averageUtilization"]
        annotations |= _written(obj["status"], _STATUS_PARTS)
    if annotations:
        metadata = obj.get("metadata") or {}
        result["metadata"] = {**metadata, "annotations": {**(metadata.get("annotations") or {}), **annotations}}
    return result


def _autoscaler_v2(obj: Object) -> Object:
    """A v1 autoscaler as v2."""
    metadata = obj.get("metadata") or {}
    annotations = dict(metadata.get("annotations") or {})
    spec_parts, status_parts = _read(annotations, _SPEC_PARTS), _read(annotations, _STATUS_PARTS)
    result = dict(obj)
    if metadata.get("annotations"):
        kept = {key: value for key, value in metadata.items() if key != "annotations"}
        result["metadata"] = {**kept, "annotations": annotations} if annotations else kept
    if isinstance(obj.get("spec"), dict):
        spec = result["spec"] = {**obj["spec"], **spec_parts}
        share = spec.pop("targetCPUUtilizationPercentage", None)
        if share is not None:
            spec["metrics"] = [_cpu_metric("target", {"type": "Utilization", "averageUtilization": share})] + (
                spec_parts.get("metrics") or []
            )
    if isinstance(obj.get("status"), dict):
        status = result["status"] = {**obj["status"], **status_parts}
        share = status.pop("currentCPUUtilizationPercentage", None)
        if share is not None and not status.get("currentMetrics"):
            status["currentMetrics"] = [_cpu_metric("current", {"averageUtilization": share})]
    return result


def _cpu_metric(name: str, value: Object) -> Object:
    return {"type": "Resource", "resource": {"name": "cpu", name: value}}


def _written(owner: Object, annotations: dict[str, str]) -> dict[str, str]:
    present = (name for name in annotations if owner.get(name))
    return {annotations[name]: json.dumps(owner[name], separators=(",", ":")) for name in present}


def _read(found: dict[str, str], annotations: dict[str, str]) -> dict[str, Any]:
    """Take the fields out of annotations; one that is not JSON is dropped."""
    result = {}
    for name, annotation in annotations.items():
        text = found.pop(annotation, None)
        if text is not None:
            try:
                result[name] = json.loads(text)
            except ValueError:
                continue
    return result
