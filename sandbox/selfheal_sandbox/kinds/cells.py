"""What single cells of tables show (upstream pkg/printers/internalversion/printers.go)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from selfheal_sandbox.kinds.ages import age, human_duration
from selfheal_sandbox.kinds.filling import parts
from selfheal_sandbox.store.objects import (
    Object,
    condition,
    controller_of,
    labels_of,
    parse_rfc3339,
    spec_of,
    status_of,
)
from selfheal_sandbox.store.selectors import selector_text

NONE = "<none>"
UNKNOWN = "<unknown>"
UNSET = "<unset>"
_SHOWN = 3
_SHOWN_METRICS = 2
_ROLE_LABEL = "node-role.kubernetes.io/"
_ACCESS_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}
_METRIC_SOURCES = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}


def first_few(items: Iterable[str], shown: int = _SHOWN, empty: str = NONE, separator: str = ",") -> str:
    """Some items and how many more there are: `a,b,c + 2 more...`."""
    texts = list(items)
    if not texts:
        return empty
    more = f" + {len(texts) - shown} more..." if len(texts) > shown else ""
    return separator.join(texts[:shown]) + more


def labels(values: Mapping[str, str] | None) -> str:
    """Labels as text: `app=web,tier=front`."""
    return ",".join(f"{key}={value}" for key, value in sorted((values or {}).items())) or NONE


def selector(obj: Object) -> str:
    """The label selector of a workload."""
    return selector_text(spec_of(obj).get("selector")) or NONE


def template_containers(obj: Object, field: str) -> str:
    """Names or images of the containers of a pod template."""
    template = obj.get("template") or spec_of(obj).get("template") or {}
    return _containers(template, field)


def cron_job_containers(obj: Object, field: str) -> str:
    """Names or images of the containers of a CronJob."""
    job = (spec_of(obj).get("jobTemplate") or {}).get("spec") or {}
    return _containers(job.get("template") or {}, field)


def _containers(template: Object, field: str) -> str:
    return ",".join(container.get(field) or "" for container in parts(template.get("spec") or {}, "containers"))


def ready_replicas(obj: Object) -> str:
    """`2/3` replicas are ready."""
    return f"{status_of(obj).get('readyReplicas') or 0}/{spec_of(obj).get('replicas') or 0}"


def external_ip(service: Object) -> str:
    """Addresses of a service outside the cluster."""
    spec = spec_of(service)
    addresses = list(spec.get("externalIPs") or ())
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName") or "")
    if spec.get("type") == "LoadBalancer":
        addresses = ([text] if (text := ingress_addresses(service)) else []) + addresses
        return ",".join(addresses) or "<pending>"
    return ",".join(addresses) or NONE


def ingress_addresses(obj: Object) -> str:
    """Addresses of a load balancer."""
    points = parts(status_of(obj).get("loadBalancer") or {}, "ingress")
    return ",".join(sorted({point.get("ip") or point.get("hostname") or "" for point in points} - {""}))


def service_ports(service: Object) -> str:
    """`80/TCP,443:30443/TCP`."""
    return ",".join(_service_port(port) for port in parts(spec_of(service), "ports")) or NONE


def _service_port(port: Object) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{node_port}/{port.get('protocol') or 'TCP'}"


def endpoint_addresses(endpoints: Object) -> str:
    """Addresses and ports of an Endpoints object."""
    return first_few(
        f"{address.get('ip')}:{port.get('port')}"
        for subset in parts(endpoints, "subsets")
        for port in parts(subset, "ports")
        for address in parts(subset, "addresses")
    )


def slice_addresses(endpoint_slice: Object) -> str:
    """Addresses of an EndpointSlice."""
    found = (address for item in parts(endpoint_slice, "endpoints") for address in item.get("addresses") or ())
    return first_few(found, empty=UNSET)


def slice_ports(endpoint_slice: Object) -> str:
    """Ports of an EndpointSlice."""
    found = (str(port.get("port") or port.get("name") or "*") for port in parts(endpoint_slice, "ports"))
    return first_few(found, empty=UNSET)


def node_status(node: Object) -> str:
    """`Ready`, `NotReady,SchedulingDisabled`."""
    ready = condition(node, "Ready")
    text = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    return f"{text},SchedulingDisabled" if spec_of(node).get("unschedulable") else text


def node_roles(node: Object) -> str:
    """Roles that the labels of a node give it."""
    known = {key.removeprefix(_ROLE_LABEL) for key in labels_of(node) if key.startswith(_ROLE_LABEL)}
    known.add(labels_of(node).get("kubernetes.io/role", ""))
    return ",".join(sorted(known - {""})) or NONE


def node_address(node: Object, kind: str) -> str:
    """The first address of a node of a kind ("InternalIP", "ExternalIP")."""
    found = (item["address"] for item in parts(status_of(node), "addresses") if item.get("type") == kind)
    return next(found, NONE)


def node_info(node: Object, field: str) -> str:
    """A field of `status.nodeInfo`."""
    return (status_of(node).get("nodeInfo") or {}).get(field) or UNKNOWN


def event_object(event: Object) -> str:
    """What an event is about: `pod/web-1`."""
    about = event.get("involvedObject") or event.get("regarding") or {}
    return f"{(about.get('kind') or '').lower()}/{about.get('name') or ''}"


def event_part(event: Object) -> str:
    """Which part of it: `spec.containers{web}`."""
    return (event.get("involvedObject") or event.get("regarding") or {}).get("fieldPath") or ""


def event_source(event: Object) -> str:
    """Who reported an event: `kubelet, node-1`."""
    source = event.get("source") or event.get("deprecatedSource") or {}
    component = source.get("component") or event.get("reportingComponent") or event.get("reportingController") or ""
    host = source.get("host") or event.get("reportingInstance") or ""
    return f"{component}, {host}" if host else component


def event_message(event: Object) -> str:
    """The text of an event."""
    return (event.get("message") or event.get("note") or "").strip()


def event_count(event: Object) -> int:
    """How often an event was seen."""
    series = event.get("series") or {}
    return series.get("count") or event.get("count") or event.get("deprecatedCount") or 1


def first_seen(event: Object, now: datetime) -> str:
    """When an event was first seen."""
    return age(event.get("firstTimestamp") or event.get("deprecatedFirstTimestamp") or event.get("eventTime"), now)


def last_seen(event: Object, now: datetime) -> str:
    """When an event was last seen."""
    series = (event.get("series") or {}).get("lastObservedTime")
    last = event.get("lastTimestamp") or event.get("deprecatedLastTimestamp")
    return age(series or last, now) if series or last else first_seen(event, now)


def scale_target(autoscaler: Object) -> str:
    """What an autoscaler scales: `Deployment/web`."""
    target = spec_of(autoscaler).get("scaleTargetRef") or {}
    return f"{target.get('kind')}/{target.get('name')}"


def metric_targets(autoscaler: Object) -> str:
    """Observed and wanted values of an autoscaler's metrics: `cpu: 40%/50%`."""
    current = parts(status_of(autoscaler), "currentMetrics")
    metrics = parts(spec_of(autoscaler), "metrics")
    shown = [_metric(metric, current[index] if index < len(current) else {}) for index, metric in enumerate(metrics)]
    return first_few(shown, _SHOWN_METRICS, separator=", ")


def cpu_target(autoscaler: Object) -> str:
    """The same of an autoscaling/v1 autoscaler."""
    current = status_of(autoscaler).get("currentCPUUtilizationPercentage")
    wanted = spec_of(autoscaler).get("targetCPUUtilizationPercentage")
    return f"cpu: {_share(current, UNKNOWN)}/{_share(wanted, '<auto>')}"


def _metric(metric: Object, status: Object) -> str:
    source = _METRIC_SOURCES.get(metric.get("type") or "", "")
    wanted, seen = metric.get(source) or {}, status.get(source) or {}
    target, current = wanted.get("target") or {}, seen.get("current") or {}
    name = f"{wanted['name']}: " if wanted.get("name") else ""
    if target.get("averageValue") is not None:
        average = " (avg)" if source in ("external", "object") else ""
        return f"{name}{current.get('averageValue', UNKNOWN)}/{target['averageValue']}{average}"
    if target.get("value") is not None:
        return f"{name}{current.get('value', UNKNOWN)}/{target['value']}"
    seen_share, wanted_share = current.get("averageUtilization"), target.get("averageUtilization")
    return f"{name}{_share(seen_share, UNKNOWN)}/{_share(wanted_share, '<auto>')}"


def _share(percent: int | None, missing: str) -> str:
    return missing if percent is None else f"{percent}%"


def amount_or_absent(value: Any) -> str:
    """A number or share of pods; `N/A` when not set."""
    return "N/A" if value is None else str(value)


def job_status(job: Object) -> str:
    """How a job stands: `Running`, `Complete`, `Failed`, `Suspended`."""
    names = ("Complete", "Failed", "SuccessCriteriaMet", "FailureTarget", "Suspended")
    for name in names:
        if (condition(job, name) or {}).get("status") == "True":
            return name
    return "Terminating" if job["metadata"].get("deletionTimestamp") else "Running"


def job_completions(job: Object) -> str:
    """`1/3` completions."""
    wanted, parallelism = spec_of(job).get("completions"), spec_of(job).get("parallelism") or 0
    done = status_of(job).get("succeeded") or 0
    if wanted is not None:
        return f"{done}/{wanted}"
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def job_duration(job: Object, now: datetime) -> str:
    """How long a job has run."""
    start, end = status_of(job).get("startTime"), status_of(job).get("completionTime")
    if not start:
        return ""
    last = parse_rfc3339(end) if end else now
    return human_duration((last - parse_rfc3339(start)).total_seconds())


def role_reference(binding: Object) -> str:
    """`Role/reader`."""
    reference = binding.get("roleRef") or {}
    return f"{reference.get('kind')}/{reference.get('name')}"


def subjects(binding: Object, kind: str) -> str:
    """Names of the subjects of a kind."""
    found = [item for item in parts(binding, "subjects") if item.get("kind") == kind]
    names = [f"{item['namespace']}/{item['name']}" if item.get("namespace") else item["name"] for item in found]
    return ", ".join(names)


def access_modes(modes: Iterable[str] | None) -> str:
    """Short forms of access modes: `RWO,ROX`."""
    return ",".join(_ACCESS_MODES.get(mode, mode) for mode in modes or ())


def phase_or_terminating(obj: Object) -> str:
    """The phase of a volume or claim."""
    return "Terminating" if obj["metadata"].get("deletionTimestamp") else status_of(obj).get("phase") or ""


def claim_reference(volume: Object) -> str:
    """The claim that a volume is bound to."""
    claim = spec_of(volume).get("claimRef")
    return f"{claim.get('namespace')}/{claim.get('name')}" if claim else ""


def quota(obj: Object, prefix: str, *, inverted: bool = False) -> str:
    """Used and allowed amounts of a ResourceQuota: `cpu: 1/4`; those whose names begin with a prefix, or the others."""
    hard, used = status_of(obj).get("hard") or {}, status_of(obj).get("used") or {}
    names = [name for name in sorted(hard) if name.startswith(prefix) != inverted]
    return ", ".join(f"{name}: {used.get(name, '0')}/{hard[name]}" for name in names)


def controller_name(obj: Object) -> str:
    """The controller of an object: `daemonset.apps/agent`."""
    owner = controller_of(obj)
    if owner is None:
        return NONE
    group = owner["apiVersion"].rpartition("/")[0]
    return f"{owner['kind'].lower()}{'.' + group if group else ''}/{owner['name']}"


def ingress_hosts(ingress: Object) -> str:
    """Host names of an Ingress."""
    return first_few((rule["host"] for rule in parts(spec_of(ingress), "rules") if rule.get("host")), empty="*")


def reference(value: Object | None) -> str:
    """A reference to parameters: `Kind.group/name`."""
    if not value:
        return NONE
    group = f".{value['apiGroup']}" if value.get("apiGroup") else ""
    return f"{value.get('kind')}{group}/{value.get('name')}"
