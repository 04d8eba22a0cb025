"""Bodies of the writes that we send. Pure; ``now`` is seconds since the epoch."""

from collections.abc import Mapping
from typing import Any, Protocol

from selfheal_core.domain.times import rfc3339, rfc3339_micro

DRY_RUN = ["All"]
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
"""The annotation by which ``kubectl rollout restart`` changes a pod template."""


class Access(Protocol):
    """A permission to ask for: a verb on a resource."""

    @property
    def verb(self) -> str:
        """``get``, ``list``, ``create``, ..."""

    @property
    def group(self) -> str:
        """API group; "" for the core group."""

    @property
    def resource(self) -> str:
        """Plural, e.g. ``pods``."""

    @property
    def subresource(self) -> str:
        """E.g. ``eviction``; "" for the object itself."""


def eviction(
    namespace: str, pod: str, *, uid: str, dry_run: bool = False, grace_seconds: int | None = None
) -> dict[str, Any]:
    """Ask to remove exactly the pod with this uid, as far as disruption budgets allow."""
    options = delete_options(uid=uid, grace_seconds=grace_seconds)
    if dry_run:
        options["dryRun"] = DRY_RUN
    return {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace},
        "deleteOptions": options,
    }


def delete_options(
    *, uid: str | None = None, resource_version: str | None = None, grace_seconds: int | None = None
) -> dict[str, Any]:
    """Options of a delete; with a uid or version, another object of the same name is left alone."""
    preconditions = {"uid": uid, "resourceVersion": resource_version}
    options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
    if any(preconditions.values()):
        options["preconditions"] = {key: value for key, value in preconditions.items() if value}
    if grace_seconds is not None:
        options["gracePeriodSeconds"] = grace_seconds
    return options


def restart_patch(now: float, *, resource_version: str | None = None) -> dict[str, Any]:
    """Strategic merge patch that restarts a workload as ``kubectl rollout restart`` does.

    With a resource version, a workload that moved since then refuses it (409).
    """
    patch: dict[str, Any] = {
        "spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: rfc3339(now)}}}},
    }
    if resource_version:
        patch["metadata"] = {"resourceVersion": resource_version}
    return patch


def access_review(access: Access, namespace: str, name: str = "") -> dict[str, Any]:
    """Ask whether we may do something; an empty namespace means in all of them."""
    attributes = {
        "verb": access.verb,
        "group": access.group,
        "resource": access.resource,
        "subresource": access.subresource,
        "namespace": namespace,
        "name": name,
    }
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
    }


def lease(
    namespace: str,
    name: str,
    *,
    holder: str,
    duration_seconds: int,
    acquired_at: float,
    renewed_at: float,
    transitions: int = 0,
    resource_version: str = "",
    annotations: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A coordination.k8s.io/v1 Lease; with a resource version it replaces exactly that one."""
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if resource_version:
        metadata["resourceVersion"] = resource_version
    if annotations:
        metadata["annotations"] = dict(annotations)
    if labels:
        metadata["labels"] = dict(labels)
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata,
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": duration_seconds,
            "acquireTime": rfc3339_micro(acquired_at),
            "renewTime": rfc3339_micro(renewed_at),
            "leaseTransitions": transitions,
        },
    }


def event(
    *,
    involved: Mapping[str, str],
    reason: str,
    message: str,
    component: str,
    instance: str,
    now: float,
    kind: str = "Normal",
) -> dict[str, Any]:
    """A core/v1 Event about an object.

    Args:
        involved: ``apiVersion``, ``kind``, ``namespace``, ``name`` and ``uid`` of the object it is about.
        reason: One CamelCase word.
        message: A sentence; cut to the 1,024 characters that the API server accepts.
        component: Who reports, e.g. ``healerd``.
        instance: Which of its processes.
        now: Seconds since the epoch.
        kind: ``Normal`` or ``Warning``.
    """
    namespace = involved.get("namespace") or "default"
    at = rfc3339(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{involved.get('name', 'object')[:200]}.", "namespace": namespace},
        "involvedObject": dict(involved),
        "reason": reason,
        "message": message[:1024],
        "type": kind,
        "count": 1,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "source": {"component": component},
        "reportingComponent": component,
        "reportingInstance": instance,
    }


def log_params(
    container: str, previous: bool, tail_lines: int | None, since_seconds: int | None, timestamps: bool
) -> dict[str, str]:
    """Query parameters for a container's log; what is not asked for is left out."""
    params = {"container": container} if container else {}
    if previous:
        params["previous"] = "true"
    if tail_lines is not None:
        params["tailLines"] = str(tail_lines)
    if since_seconds is not None:
        params["sinceSeconds"] = str(since_seconds)
    if timestamps:
        params["timestamps"] = "true"
    return params
