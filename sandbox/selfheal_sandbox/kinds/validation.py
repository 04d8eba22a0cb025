"""What must hold for an object beyond its shape: names, labels, the rules of its kind, fields that may not change."""

from collections.abc import Callable, Iterable, Iterator

from selfheal_sandbox.kinds import cause, object_rules, pod_rules, workload_rules
from selfheal_sandbox.kinds.cause import Cause
from selfheal_sandbox.kinds.custom_rules import custom_causes
from selfheal_sandbox.kinds.filling import parts
from selfheal_sandbox.kinds.label_rules import label_causes
from selfheal_sandbox.kinds.name_rules import (
    NameRule,
    dns_label,
    dns_subdomain,
    path_segment,
    qualified_name,
)
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.store.objects import Key, Object

__all__ = ["Cause", "causes"]

MAX_ANNOTATION_BYTES = 256 * 1024
"""Size of all annotations together (apimachinery TotalAnnotationSizeLimitB)."""

KindRule = Callable[[Object, Object | None], Iterable[Cause]]

_RBAC = "rbac.authorization.k8s.io"
_NAME_RULES: dict[Key, NameRule] = {
    ("", "events"): path_segment,
    ("", "namespaces"): dns_label,
    ("", "services"): dns_label,
    ("policy", "poddisruptionbudgets"): path_segment,
    (_RBAC, "clusterrolebindings"): path_segment,
    (_RBAC, "clusterroles"): path_segment,
    (_RBAC, "rolebindings"): path_segment,
    (_RBAC, "roles"): path_segment,
}
"""How objects may be called where a DNS subdomain is not the rule."""

_KIND_RULES: dict[Key, KindRule] = {
    ("", "configmaps"): object_rules.config_map_causes,
    ("", "events"): object_rules.event_causes,
    ("", "persistentvolumeclaims"): object_rules.volume_claim_causes,
    ("", "pods"): pod_rules.pod_causes,
    ("", "podtemplates"): workload_rules.pod_template_causes,
    ("", "replicationcontrollers"): workload_rules.replication_controller_causes,
    ("", "secrets"): object_rules.secret_causes,
    ("", "services"): object_rules.service_causes,
    ("apiextensions.k8s.io", "customresourcedefinitions"): object_rules.definition_causes,
    ("apps", "daemonsets"): workload_rules.workload_causes,
    ("apps", "deployments"): workload_rules.deployment_causes,
    ("apps", "replicasets"): workload_rules.replica_set_causes,
    ("apps", "statefulsets"): workload_rules.stateful_set_causes,
    ("autoscaling", "horizontalpodautoscalers"): workload_rules.autoscaler_causes,
    ("batch", "cronjobs"): workload_rules.cron_job_causes,
    ("batch", "jobs"): workload_rules.job_causes,
    ("coordination.k8s.io", "leases"): object_rules.lease_causes,
    ("discovery.k8s.io", "endpointslices"): object_rules.endpoint_slice_causes,
    ("policy", "poddisruptionbudgets"): workload_rules.budget_causes,
    (_RBAC, "clusterrolebindings"): object_rules.role_binding_causes,
    (_RBAC, "clusterroles"): object_rules.role_causes,
    (_RBAC, "rolebindings"): object_rules.role_binding_causes,
    (_RBAC, "roles"): object_rules.role_causes,
}


def causes(resource: Resource, obj: Object, old: Object | None) -> list[Cause]:
    """Everything that is wrong with an object whose shape is right and whose defaults are filled in.

    A missing field may be named here and by `schema.check` too; the first of both should be told.

    Args:
        resource: What it is.
        obj: The object to store.
        old: The stored object that it replaces, or None when it is created.
    """
    found = list(metadata_causes(resource, obj.get("metadata") or {}))
    found += _finalizer_causes(resource, obj.get("metadata") or {})
    if old is None:
        found += _prefix_causes(resource, obj.get("metadata") or {})
    else:
        found += _deletion_causes(obj.get("metadata") or {}, old.get("metadata") or {})
    rule = _KIND_RULES.get(resource.key)
    if rule is not None:
        found += rule(obj, old)
    if resource.is_custom:
        found += custom_causes(resource, obj, old)
    return found


def _deletion_causes(metadata: Object, before: Object) -> Iterator[Cause]:
    """Only a deletion sets these fields, and after it no finalizer is added."""
    added = sorted(set(metadata.get("finalizers") or ()) - set(before.get("finalizers") or ()))
    if added and before.get("deletionTimestamp"):
        text = f"no new finalizers can be added if the object is being deleted, found new finalizers {added}"
        yield cause.forbidden("metadata.finalizers", text)
    for field in ("deletionTimestamp", "deletionGracePeriodSeconds"):
        if metadata.get(field) != before.get(field):
            yield cause.invalid(f"metadata.{field}", metadata.get(field), "field is immutable")


_STANDARD_FINALIZERS = frozenset({"foregroundDeletion", "kubernetes", "orphan"})
_FREE_FINALIZERS = frozenset({"Event", "Lease", "PodDisruptionBudget"})
"""Kinds whose metadata is validated without pkg/apis/core, which wants finalizers to be qualified."""


def _finalizer_causes(resource: Resource, metadata: Object) -> Iterator[Cause]:
    if resource.is_custom or resource.kind in _FREE_FINALIZERS:
        return
    for index, name in enumerate(metadata.get("finalizers") or ()):
        if "/" not in name and name not in _STANDARD_FINALIZERS:
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            yield cause.invalid(f"metadata.finalizers[{index}]", name, detail)


def finalizer_warnings(obj: Object, old: Object | None) -> Iterator[str]:
    """Yield what a client is told of new finalizers of a custom object that have no domain."""
    known = ((old or {}).get("metadata") or {}).get("finalizers") or ()
    for name in (obj.get("metadata") or {}).get("finalizers") or ():
        if "/" not in name and name not in _STANDARD_FINALIZERS and name not in known:
            yield (
                f'metadata.finalizers: "{name}": prefer a domain-qualified finalizer name to avoid accidental '
                "conflicts with other finalizer writers"
            )


def metadata_causes(resource: Resource, metadata: Object) -> Iterator[Cause]:
    """Rules of the metadata of any object."""
    yield from _name_causes(_NAME_RULES.get(resource.key, dns_subdomain), metadata)
    yield from label_causes(metadata.get("labels"), "metadata.labels")
    yield from _annotation_causes(metadata.get("annotations") or {})
    for finalizer in metadata.get("finalizers") or ():
        yield from (cause.invalid("metadata.finalizers", finalizer, problem) for problem in qualified_name(finalizer))
    yield from _owner_causes(parts(metadata, "ownerReferences"))


def _name_causes(rule: NameRule, metadata: Object) -> Iterator[Cause]:
    name = metadata.get("name")
    if not name:
        yield cause.required("metadata.name", "name or generateName is required")
    else:
        yield from (cause.invalid("metadata.name", name, problem) for problem in rule(name))


def _prefix_causes(resource: Resource, metadata: Object) -> Iterator[Cause]:
    """What a name is made of must be one itself; a dash at its end is followed by something else."""
    prefix = metadata.get("generateName") or ""
    rule = _NAME_RULES.get(resource.key, dns_subdomain)
    masked = f"{prefix[:-2]}a" if prefix.endswith("-") and len(prefix) > 1 else prefix
    if prefix:
        yield from (cause.invalid("metadata.generateName", prefix, problem) for problem in rule(masked))


def _annotation_causes(annotations: dict[str, str]) -> Iterator[Cause]:
    for key in annotations:
        yield from (cause.invalid("metadata.annotations", key, problem) for problem in qualified_name(key.lower()))
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > MAX_ANNOTATION_BYTES:
        yield cause.too_long("metadata.annotations", MAX_ANNOTATION_BYTES)


def _owner_causes(owners: list[Object]) -> Iterator[Cause]:
    for owner in owners:
        for name in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(name):
                detail = "version must not be empty" if name == "apiVersion" else "must not be empty"
                yield cause.invalid(f"metadata.ownerReferences.{name}", "", detail)
    controllers = [owner for owner in owners if owner.get("controller")]
    if len(controllers) > 1:
        names = " and ".join(f"{owner.get('kind')}/{owner.get('name')}" for owner in controllers[:2])
        detail = f'Only one reference can have Controller set to true. Found "true" in references for {names}'
        yield cause.invalid("metadata.ownerReferences", owners, detail)
