"""The columns of every built-in kind (upstream pkg/printers/internalversion/printers.go, Kubernetes 1.37)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from selfheal_sandbox.kinds import cells, pod_cells
from selfheal_sandbox.kinds.ages import age
from selfheal_sandbox.store.objects import Key, Object, name_of, spec_of, status_of

WIDE = 1
"""Priority of a column that only `-o wide` shows."""


@dataclass(frozen=True, slots=True)
class Column:
    """Head of one column of a table."""

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns of a kind, and the cells of one object in the same order."""

    columns: tuple[Column, ...]
    cells: Callable[[Object, datetime], list[Any]]


NAME = Column("Name", format="name")
AGE = Column("Age")
_CONTAINERS = (Column("Containers", priority=WIDE), Column("Images", priority=WIDE))
_SELECTOR = Column("Selector", priority=WIDE)


def _text(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name) for name in names)


def _numbers(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, "integer") for name in names)


def _wide(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, priority=WIDE) for name in names)


def created(obj: Object, now: datetime) -> str:
    """Age of an object."""
    return age(obj["metadata"].get("creationTimestamp"), now)


def _created_at(obj: Object, _: datetime) -> list[Any]:
    return [name_of(obj), obj["metadata"].get("creationTimestamp")]


def by_age(obj: Object, now: datetime) -> list[Any]:
    """Cells of a kind without columns of its own."""
    return [name_of(obj), created(obj, now)]


def _counts(obj: Object, *fields: str) -> list[int]:
    status = status_of(obj)
    return [status.get(field) or 0 for field in fields]


def _template(obj: Object) -> list[str]:
    return [cells.template_containers(obj, "name"), cells.template_containers(obj, "image")]


def _pod(obj: Object, now: datetime) -> list[Any]:
    pod, status = pod_cells.summarise(obj), status_of(obj)
    return [
        name_of(obj),
        f"{pod.ready}/{pod.total}",
        pod.reason,
        pod.restart_text(now),
        created(obj, now),
        status.get("podIP") or cells.NONE,
        spec_of(obj).get("nodeName") or cells.NONE,
        status.get("nominatedNodeName") or cells.NONE,
        pod_cells.readiness_gates(obj),
    ]


def _pod_template(obj: Object, _: datetime) -> list[Any]:
    labels = ((obj.get("template") or {}).get("metadata") or {}).get("labels")
    return [name_of(obj), *_template(obj), cells.labels(labels)]


def _replicas(obj: Object, now: datetime) -> list[Any]:
    wanted = spec_of(obj).get("replicas") or 0
    counts = _counts(obj, "replicas", "readyReplicas")
    selector = spec_of(obj).get("selector")
    text = cells.labels(selector) if obj.get("kind") == "ReplicationController" else cells.selector(obj)
    return [name_of(obj), wanted, *counts, created(obj, now), *_template(obj), text]


def _deployment(obj: Object, now: datetime) -> list[Any]:
    counts = _counts(obj, "updatedReplicas", "availableReplicas")
    ready = cells.ready_replicas(obj)
    return [name_of(obj), ready, *counts, created(obj, now), *_template(obj), cells.selector(obj)]


def _stateful_set(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), cells.ready_replicas(obj), created(obj, now), *_template(obj)]


def _daemon_set(obj: Object, now: datetime) -> list[Any]:
    counts = _counts(
        obj,
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    )
    template = (spec_of(obj).get("template") or {}).get("spec") or {}
    nodes = cells.labels(template.get("nodeSelector"))
    return [name_of(obj), *counts, nodes, created(obj, now), *_template(obj), cells.selector(obj)]


def _job(obj: Object, now: datetime) -> list[Any]:
    summary = [cells.job_status(obj), cells.job_completions(obj), cells.job_duration(obj, now)]
    return [name_of(obj), *summary, created(obj, now), *_template(obj), cells.selector(obj)]


def _cron_job(obj: Object, now: datetime) -> list[Any]:
    spec, status = spec_of(obj), status_of(obj)
    last = status.get("lastScheduleTime")
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    return [
        name_of(obj),
        spec.get("schedule"),
        spec.get("timeZone") or cells.NONE,
        str(bool(spec.get("suspend"))),
        len(status.get("active") or ()),
        age(last, now) if last else cells.NONE,
        created(obj, now),
        cells.cron_job_containers(obj, "name"),
        cells.cron_job_containers(obj, "image"),
        cells.selector({"spec": job}),
    ]


def _service(obj: Object, now: datetime) -> list[Any]:
    spec = spec_of(obj)
    return [
        name_of(obj),
        spec.get("type"),
        spec.get("clusterIP") or cells.NONE,
        cells.external_ip(obj),
        cells.service_ports(obj),
        created(obj, now),
        cells.labels(spec.get("selector")),
    ]


def _ingress(obj: Object, now: datetime) -> list[Any]:
    spec = spec_of(obj)
    return [
        name_of(obj),
        spec.get("ingressClassName") or cells.NONE,
        cells.ingress_hosts(obj),
        cells.ingress_addresses(obj),
        "80, 443" if spec.get("tls") else "80",
        created(obj, now),
    ]


def _ingress_class(obj: Object, now: datetime) -> list[Any]:
    spec = spec_of(obj)
    return [name_of(obj), spec.get("controller"), cells.reference(spec.get("parameters")), created(obj, now)]


def _endpoints(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), cells.endpoint_addresses(obj), created(obj, now)]


def _endpoint_slice(obj: Object, now: datetime) -> list[Any]:
    ports, addresses = cells.slice_ports(obj), cells.slice_addresses(obj)
    return [name_of(obj), obj.get("addressType"), ports, addresses, created(obj, now)]


def _network_policy(obj: Object, now: datetime) -> list[Any]:
    chosen = {"spec": {"selector": spec_of(obj).get("podSelector")}}
    return [name_of(obj), cells.selector(chosen), created(obj, now)]


def _node(obj: Object, now: datetime) -> list[Any]:
    return [
        name_of(obj),
        cells.node_status(obj),
        cells.node_roles(obj),
        created(obj, now),
        cells.node_info(obj, "kubeletVersion"),
        cells.node_address(obj, "InternalIP"),
        cells.node_address(obj, "ExternalIP"),
        cells.node_info(obj, "osImage"),
        cells.node_info(obj, "kernelVersion"),
        cells.node_info(obj, "containerRuntimeVersion"),
    ]


def _namespace(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), status_of(obj).get("phase"), created(obj, now)]


def _event(obj: Object, now: datetime) -> list[Any]:
    return [
        cells.last_seen(obj, now),
        obj.get("type"),
        obj.get("reason"),
        cells.event_object(obj),
        cells.event_part(obj),
        cells.event_source(obj),
        cells.event_message(obj),
        cells.first_seen(obj, now),
        cells.event_count(obj),
        name_of(obj),
    ]


def _config_map(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), created(obj, now)]


def _secret(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), obj.get("type"), len(obj.get("data") or ()), created(obj, now)]


def _service_account(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), len(obj.get("secrets") or ()), created(obj, now)]


def _resource_quota(obj: Object, now: datetime) -> list[Any]:
    requests, limits = cells.quota(obj, "limits.", inverted=True), cells.quota(obj, "limits.")
    return [name_of(obj), requests, limits, created(obj, now)]


def _volume(obj: Object, now: datetime) -> list[Any]:
    spec = spec_of(obj)
    return [
        name_of(obj),
        (spec.get("capacity") or {}).get("storage") or "",
        cells.access_modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy"),
        cells.phase_or_terminating(obj),
        cells.claim_reference(obj),
        spec.get("storageClassName") or "",
        spec.get("volumeAttributesClassName") or cells.UNSET,
        status_of(obj).get("reason") or "",
        created(obj, now),
        spec.get("volumeMode") or cells.UNSET,
    ]


def _volume_claim(obj: Object, now: datetime) -> list[Any]:
    spec, status = spec_of(obj), status_of(obj)
    is_bound = bool(spec.get("volumeName"))
    return [
        name_of(obj),
        cells.phase_or_terminating(obj),
        spec.get("volumeName") or "",
        (status.get("capacity") or {}).get("storage") or "" if is_bound else "",
        cells.access_modes(status.get("accessModes")) if is_bound else "",
        spec.get("storageClassName") or "",
        spec.get("volumeAttributesClassName") or cells.UNSET,
        created(obj, now),
        spec.get("volumeMode") or cells.UNSET,
    ]


def _autoscaler(obj: Object, now: datetime) -> list[Any]:
    spec = spec_of(obj)
    is_v1 = obj.get("apiVersion") == "autoscaling/v1"
    return [
        name_of(obj),
        cells.scale_target(obj),
        cells.cpu_target(obj) if is_v1 else cells.metric_targets(obj),
        cells.UNSET if spec.get("minReplicas") is None else str(spec["minReplicas"]),
        spec.get("maxReplicas"),
        status_of(obj).get("currentReplicas") or 0,
        created(obj, now),
    ]


def _budget(obj: Object, now: datetime) -> list[Any]:
    spec = spec_of(obj)
    amounts = [cells.amount_or_absent(spec.get(field)) for field in ("minAvailable", "maxUnavailable")]
    return [name_of(obj), *amounts, status_of(obj).get("disruptionsAllowed") or 0, created(obj, now)]


def _lease(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), spec_of(obj).get("holderIdentity") or "", created(obj, now)]


def _role_binding(obj: Object, now: datetime) -> list[Any]:
    subjects = [cells.subjects(obj, kind) for kind in ("User", "Group", "ServiceAccount")]
    return [name_of(obj), cells.role_reference(obj), created(obj, now), *subjects]


def _controller_revision(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), cells.controller_name(obj), obj.get("revision"), created(obj, now)]


def _priority_class(obj: Object, now: datetime) -> list[Any]:
    value, is_default = obj.get("value") or 0, bool(obj.get("globalDefault"))
    return [name_of(obj), value, is_default, created(obj, now), obj.get("preemptionPolicy")]


def _storage_class(obj: Object, now: datetime) -> list[Any]:
    policies = [obj.get("reclaimPolicy"), obj.get("volumeBindingMode"), bool(obj.get("allowVolumeExpansion"))]
    return [name_of(obj), obj.get("provisioner"), *policies, created(obj, now)]


def _admission_policy(obj: Object, now: datetime) -> list[Any]:
    spec = spec_of(obj)
    kind = spec.get("paramKind")
    parameters = f"{kind.get('apiVersion')}/{kind.get('kind')}" if kind else cells.UNSET
    return [name_of(obj), len(spec.get("validations") or ()), parameters, created(obj, now)]


def _admission_policy_binding(obj: Object, now: datetime) -> list[Any]:
    spec = spec_of(obj)
    parameters = spec.get("paramRef")
    where = f"{parameters.get('namespace') or '*'}/{parameters.get('name') or '*'}" if parameters else cells.UNSET
    return [name_of(obj), spec.get("policyName"), where, created(obj, now)]


_EVENT_COLUMNS = (
    *_text("Last Seen", "Type", "Reason", "Object"),
    *_wide("Subobject", "Source"),
    Column("Message"),
    *_wide("First Seen", "Count"),
    Column("Name", format="name", priority=WIDE),
)
_REPLICA_COLUMNS = (NAME, *_numbers("Desired", "Current", "Ready"), AGE, *_CONTAINERS, _SELECTOR)
_DAEMON_SET_COUNTS = _numbers("Desired", "Current", "Ready", "Up-to-date", "Available")
_BINDING_COLUMNS = (NAME, Column("Role"), AGE, *_wide("Users", "Groups", "ServiceAccounts"))
_NODE_DETAILS = _wide("Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime")
_CREATED_AT = Layout((NAME, Column("Created At", "date")), _created_at)
_EVENTS = Layout(_EVENT_COLUMNS, _event)
_BINDINGS = Layout(_BINDING_COLUMNS, _role_binding)
_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"

BY_AGE = Layout((NAME, AGE), by_age)
"""Of kinds without columns of their own."""

LAYOUTS: dict[Key, Layout] = {
    ("", "configmaps"): Layout((NAME, *_numbers("Data"), AGE), _config_map),
    ("", "endpoints"): Layout((NAME, Column("Endpoints"), AGE), _endpoints),
    ("", "events"): _EVENTS,
    ("", "limitranges"): _CREATED_AT,
    ("", "namespaces"): Layout((NAME, Column("Status"), AGE), _namespace),
    ("", "nodes"): Layout((NAME, *_text("Status", "Roles", "Age", "Version"), *_NODE_DETAILS), _node),
    ("", "persistentvolumeclaims"): Layout(
        (
            NAME,
            *_text("Status", "Volume", "Capacity", "Access Modes", "StorageClass", "VolumeAttributesClass", "Age"),
            *_wide("VolumeMode"),
        ),
        _volume_claim,
    ),
    ("", "persistentvolumes"): Layout(
        (
            NAME,
            *_text("Capacity", "Access Modes", "Reclaim Policy", "Status", "Claim", "StorageClass"),
            *_text("VolumeAttributesClass", "Reason", "Age"),
            *_wide("VolumeMode"),
        ),
        _volume,
    ),
    ("", "pods"): Layout(
        (
            NAME,
            *_text("Ready", "Status", "Restarts", "Age"),
            *_wide("IP", "Node", "Nominated Node", "Readiness Gates"),
        ),
        _pod,
    ),
    ("", "podtemplates"): Layout((NAME, *_text("Containers", "Images", "Pod Labels")), _pod_template),
    ("", "replicationcontrollers"): Layout(_REPLICA_COLUMNS, _replicas),
    ("", "resourcequotas"): Layout((NAME, *_text("Request", "Limit"), AGE), _resource_quota),
    ("", "secrets"): Layout((NAME, Column("Type"), *_numbers("Data"), AGE), _secret),
    ("", "serviceaccounts"): Layout((NAME, *_numbers("Secrets"), AGE), _service_account),
    ("", "services"): Layout(
        (NAME, *_text("Type", "Cluster-IP", "External-IP", "Port(s)", "Age"), _SELECTOR), _service
    ),
    (_ADMISSION, "validatingadmissionpolicies"): Layout(
        (NAME, *_numbers("Validations"), Column("ParamKind"), AGE), _admission_policy
    ),
    (_ADMISSION, "validatingadmissionpolicybindings"): Layout(
        (NAME, *_text("PolicyName", "ParamRef"), AGE), _admission_policy_binding
    ),
    ("apiextensions.k8s.io", "customresourcedefinitions"): _CREATED_AT,
    ("apps", "controllerrevisions"): Layout(
        (NAME, Column("Controller"), *_numbers("Revision"), AGE), _controller_revision
    ),
    ("apps", "daemonsets"): Layout(
        (NAME, *_DAEMON_SET_COUNTS, Column("Node Selector"), AGE, *_CONTAINERS, _SELECTOR), _daemon_set
    ),
    ("apps", "deployments"): Layout(
        (NAME, Column("Ready"), *_numbers("Up-to-date", "Available"), AGE, *_CONTAINERS, _SELECTOR), _deployment
    ),
    ("apps", "replicasets"): Layout(_REPLICA_COLUMNS, _replicas),
    ("apps", "statefulsets"): Layout((NAME, Column("Ready"), AGE, *_CONTAINERS), _stateful_set),
    ("autoscaling", "horizontalpodautoscalers"): Layout(
        (NAME, *_text("Reference", "Targets", "MinPods"), *_numbers("MaxPods", "Replicas"), AGE), _autoscaler
    ),
    ("batch", "cronjobs"): Layout(
        (
            NAME,
            *_text("Schedule", "Timezone", "Suspend"),
            *_numbers("Active"),
            *_text("Last Schedule", "Age"),
            *_CONTAINERS,
            _SELECTOR,
        ),
        _cron_job,
    ),
    ("batch", "jobs"): Layout(
        (NAME, *_text("Status", "Completions", "Duration", "Age"), *_CONTAINERS, _SELECTOR), _job
    ),
    ("coordination.k8s.io", "leases"): Layout((NAME, Column("Holder"), AGE), _lease),
    ("discovery.k8s.io", "endpointslices"): Layout(
        (NAME, *_text("AddressType", "Ports", "Endpoints"), AGE), _endpoint_slice
    ),
    ("events.k8s.io", "events"): _EVENTS,
    ("networking.k8s.io", "ingressclasses"): Layout((NAME, *_text("Controller", "Parameters"), AGE), _ingress_class),
    ("networking.k8s.io", "ingresses"): Layout((NAME, *_text("Class", "Hosts", "Address", "Ports"), AGE), _ingress),
    ("networking.k8s.io", "networkpolicies"): Layout((NAME, Column("Pod-Selector"), AGE), _network_policy),
    ("policy", "poddisruptionbudgets"): Layout(
        (NAME, *_text("Min Available", "Max Unavailable"), *_numbers("Allowed Disruptions"), AGE), _budget
    ),
    (_RBAC, "clusterrolebindings"): _BINDINGS,
    (_RBAC, "clusterroles"): _CREATED_AT,
    (_RBAC, "rolebindings"): _BINDINGS,
    (_RBAC, "roles"): _CREATED_AT,
    ("scheduling.k8s.io", "priorityclasses"): Layout(
        (NAME, *_numbers("Value"), Column("Global-Default", "boolean"), AGE, Column("PreemptionPolicy")),
        _priority_class,
    ),
    ("storage.k8s.io", "storageclasses"): Layout(
        (
            NAME,
            *_text("Provisioner", "ReclaimPolicy", "VolumeBindingMode"),
            Column("AllowVolumeExpansion", "boolean"),
            AGE,
        ),
        _storage_class,
    ),
}
"""Columns and cells by kind."""
