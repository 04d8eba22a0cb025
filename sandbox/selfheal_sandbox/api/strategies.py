"""What the API server does for single kinds beyond defaults and validation: first statuses, kept and given fields."""

from selfheal_sandbox.api.errors import invalid_kind
from selfheal_sandbox.api.ports import ServiceAddresses
from selfheal_sandbox.kinds import cause
from selfheal_sandbox.kinds.filling import fill_zero
from selfheal_sandbox.kinds.pod_defaults import admission_defaults, tolerate_node_loss
from selfheal_sandbox.kinds.quantity import parse_quantity
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.store.objects import Object, name_of, spec_of, status_of

SERVICE_RANGE = "127.0.0.0/8"
_COUNTED = frozenset({"cpu", "memory"})
"""Resources that make a pod's QoS class."""
_STATUS_SETTABLE_AT_CREATION = frozenset({"Node", "Namespace", "CustomResourceDefinition"})
_FIRST_STATUS: dict[str, Object] = {
    "PodDisruptionBudget": {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0},
    "HorizontalPodAutoscaler": {"desiredReplicas": 0},
    "Namespace": {"phase": "Active"},
    "ReplicaSet": {"replicas": 0},
    "Deployment": {},
    "StatefulSet": {"replicas": 0, "availableReplicas": 0},
    "Service": {"loadBalancer": {}},
}


def prepare_create(resource: Resource, obj: Object) -> None:
    """Give a new object its first status, in place: clients do not choose it where a status subresource exists."""
    if "status" in resource.subresources and resource.kind not in _STATUS_SETTABLE_AT_CREATION:
        obj.pop("status", None)
    if resource.kind == "Pod":
        obj["status"] = {"phase": "Pending", "qosClass": quality_of_service(obj)}
    elif resource.kind == "Namespace":
        obj["status"] = {"phase": "Active"}
        obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    elif resource.kind in _FIRST_STATUS:
        obj["status"] = dict(_FIRST_STATUS[resource.kind])


def complete_created(resource: Resource, obj: Object) -> None:
    """Add, in place, what nobody owns because no client wrote it: admission plugins do so, after owners are told."""
    if resource.kind == "Pod":
        admission_defaults(obj["spec"])
    elif resource.kind == "Service":
        _fill_ip_families(obj)


def complete_updated(resource: Resource, obj: Object) -> None:
    """Add, in place, what admission plugins add to a changed object, if a client took it away."""
    if resource.kind == "Pod":
        tolerate_node_loss(obj["spec"])


def _fill_ip_families(service: Object) -> None:
    """Say which addresses a Service has; one without address and without selector may have endpoints of both families.

    See initIPFamilyFields of Kubernetes' pkg/registry/core/service/storage/alloc.go.

    Raises:
        ApiError: 422, it needs addresses of both families.
    """
    spec = service["spec"]
    if spec.get("type") == "ExternalName":
        if spec.get("clusterIP"):  # Kubernetes lets it pass when the former type had an address
            fill_zero(spec, clusterIPs=[spec["clusterIP"]])
        return
    is_free = spec.get("clusterIP") == "None" and not spec.get("selector")
    fill_zero(spec, ipFamilyPolicy="RequireDualStack" if is_free else "SingleStack")
    needs_both = spec["ipFamilyPolicy"] == "RequireDualStack"
    if needs_both and not is_free:
        problem = "this cluster is not configured for dual-stack services"
        broken = cause.invalid("spec.ipFamilyPolicy", spec["ipFamilyPolicy"], problem)
        raise invalid_kind("Service", "", name_of(service), [broken])
    fill_zero(spec, ipFamilies=["IPv4", "IPv6"] if needs_both else ["IPv4"])


def prepare_update(resource: Resource, old: Object, new: Object) -> None:
    """Keep values that clients do not choose, or that they left out, in place."""
    if resource.kind == "Pod" and "qosClass" in status_of(old):
        new["status"] = {**(new.get("status") or {}), "qosClass": status_of(old)["qosClass"]}
    if resource.kind == "Service" and isinstance(new.get("spec"), dict):
        _keep_cluster_ip(spec_of(old), new["spec"])


def _keep_cluster_ip(old: Object, new: Object) -> None:
    """A client that replaces a Service without its cluster IP keeps it, unless the type now has none."""
    if new.get("type") == "ExternalName":
        if old.get("type") != "ExternalName" and new.get("clusterIP") == old.get("clusterIP"):
            for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
                new.pop(field, None)
        return
    if new.get("clusterIP") not in (None, "", old.get("clusterIP")):
        return
    for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if old.get(field) and not new.get(field):
            new[field] = old[field]


def quality_of_service(pod: Object) -> str:
    """Return a pod's QoS class (kubernetes.io/docs/concepts/workloads/pods/pod-qos): CPU and memory alone count."""
    containers = [*spec_of(pod).get("containers", ()), *spec_of(pod).get("initContainers", ())]
    resources = [container.get("resources") or {} for container in containers]
    if not any(_counted(entry.get("requests")) or _counted(entry.get("limits")) for entry in resources):
        return "BestEffort"
    if all(_is_guaranteed(entry) for entry in resources):
        return "Guaranteed"
    return "Burstable"


def _counted(amounts: Object | None) -> Object:
    """Return those amounts that make the class: an amount of zero is none."""
    return {name: each for name, each in (amounts or {}).items() if name in _COUNTED and parse_quantity(each) > 0}


def _is_guaranteed(resources: Object) -> bool:
    limits = _counted(resources.get("limits"))
    requests = {**limits, **(resources.get("requests") or {})}
    return limits.keys() >= _COUNTED and all(requests[name] == limits[name] for name in _COUNTED)


def needs_cluster_ip(service: Object) -> bool:
    """Return whether a Service gets an address: not the headless and not the ExternalName ones."""
    spec = spec_of(service)
    return spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None"


def assign_cluster_ip(service: Object, others: list[Object], addresses: ServiceAddresses | None) -> None:
    """Give a new Service its cluster IP, in place.

    Raises:
        ApiError: 422, the address that the client asks for is taken or not a loopback address.
    """
    if not needs_cluster_ip(service):
        if spec_of(service).get("clusterIP"):
            service["spec"]["clusterIPs"] = [service["spec"]["clusterIP"]]
        return
    taken = {spec_of(other).get("clusterIP") for other in others}
    spec = service["spec"]
    wanted = spec.get("clusterIP")
    if wanted:
        _check_cluster_ip(service, wanted, taken)
    elif addresses is not None:
        wanted = addresses.allocate_service_ip()
        while wanted in taken:  # a client chose it by hand
            wanted = addresses.allocate_service_ip()
    if wanted:
        spec["clusterIP"] = wanted
        spec["clusterIPs"] = [wanted]


def reassign_cluster_ip(old: Object, service: Object, others: list[Object], addresses: ServiceAddresses | None) -> None:
    """Say which addresses a changed Service has, in place, and give it one when its former type had none.

    Raises:
        ApiError: 422, as `assign_cluster_ip`, or it needs addresses of both families.
    """
    _fill_ip_families(service)
    if spec_of(old).get("type") == "ExternalName" != spec_of(service).get("type"):
        assign_cluster_ip(service, others, addresses)


def _check_cluster_ip(service: Object, wanted: str, taken: set[str | None]) -> None:
    problem = ""
    if wanted in taken:
        problem = "failed to allocate IP: provided IP is already allocated"
    elif not wanted.startswith("127."):
        problem = f"failed to allocate IP: the provided IP ({wanted}) is not in the valid range {SERVICE_RANGE}"
    if problem:
        broken = cause.invalid("spec.clusterIPs", [wanted], problem)
        raise invalid_kind("Service", "", name_of(service), [broken])


def release_cluster_ip(service: Object, addresses: ServiceAddresses | None) -> None:
    """Give the cluster IP of a removed Service back; what an ExternalName has for one was never given to it."""
    ip = spec_of(service).get("clusterIP")
    if ip and needs_cluster_ip(service) and addresses is not None:
        addresses.release_service_ip(ip)


def release_other_cluster_ip(service: Object, other: Object, addresses: ServiceAddresses | None) -> None:
    """Give the cluster IP of a Service back unless the other one has it too."""
    if spec_of(service).get("clusterIP") != spec_of(other).get("clusterIP"):
        release_cluster_ip(service, addresses)
