"""What the API server says about pods and workloads that are valid and still hardly meant so.

Those of `warningsForPodSpecAndMeta` (pkg/api/pod/warnings.go upstream) that people run into. Pods are warned about when
they are created, workloads also when their specification changes.
"""

from collections.abc import Iterator

from selfheal_sandbox.kinds.filling import parts
from selfheal_sandbox.kinds.name_rules import dns_label
from selfheal_sandbox.kinds.quantity import parse_quantity
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.store.objects import Key, Object

_TEMPLATES: dict[Key, tuple[str, ...]] = {
    ("", "pods"): (),
    ("", "podtemplates"): ("template",),
    ("", "replicationcontrollers"): ("spec", "template"),
    ("apps", "daemonsets"): ("spec", "template"),
    ("apps", "deployments"): ("spec", "template"),
    ("apps", "replicasets"): ("spec", "template"),
    ("apps", "statefulsets"): ("spec", "template"),
    ("batch", "cronjobs"): ("spec", "jobTemplate", "spec", "template"),
    ("batch", "jobs"): ("spec", "template"),
}
"""Where the pod template of a kind is; a pod is its own."""
_USES_OF_NAME: dict[Key, str] = {
    ("", "pods"): "the Pod's hostname",
    ("", "replicationcontrollers"): "Pod names and hostnames",
    ("apps", "deployments"): "Pod names and hostnames",
    ("apps", "replicasets"): "Pod names and hostnames",
    ("batch", "cronjobs"): "Pod names and hostnames",
    ("batch", "jobs"): "Pod names and hostnames",
}


def creation_warnings(resource: Resource, obj: Object) -> Iterator[str]:
    """Yield what is said of a new object."""
    use = _USES_OF_NAME.get(resource.key)
    problems = dns_label(obj["metadata"]["name"]) if use else []
    if problems:
        yield (
            f"metadata.name: this is used in {use}, which can result in surprising behavior; "
            f"a DNS label is recommended: [{' '.join(problems)}]"
        )
    yield from _template_warnings(resource, obj)


def change_warnings(resource: Resource, old: Object, new: Object) -> Iterator[str]:
    """Yield what is said of a changed object, whose generation tells whether its specification changed."""
    if resource.kind != "Pod" and old["metadata"].get("generation") != new["metadata"].get("generation"):
        yield from _template_warnings(resource, new)


def _template_warnings(resource: Resource, obj: Object) -> Iterator[str]:
    steps = _TEMPLATES.get(resource.key)
    if steps is None:
        return
    template = obj
    for step in steps:
        template = template.get(step) or {}
    spec, path = template.get("spec") or {}, ".".join((*steps, "spec"))
    containers = [
        (container, f"{path}.{field}[{index}]")
        for field in ("initContainers", "containers")
        for index, container in enumerate(parts(spec, field))
    ]
    for container, place in containers:
        yield from _memory_warnings(container.get("resources") or {}, f"{place}.resources")
        yield from _variable_warnings(container, place)
    yield from _port_warnings(containers)
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        yield (
            f"{path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"
        )


def _memory_warnings(resources: Object, path: str) -> Iterator[str]:
    """Yield a warning for each amount of memory with a part of a byte: mostly an `m` that was to be an `M`."""
    for field in ("limits", "requests"):
        for name in ("memory", "ephemeral-storage"):
            amount = (resources.get(field) or {}).get(name)
            if amount is not None and parse_quantity(amount) % 1:
                yield f'{path}.{field}[{name}]: fractional byte value "{amount}" is invalid, must be an integer'


def _variable_warnings(container: Object, path: str) -> Iterator[str]:
    """Yield a warning for each environment variable that replaces one before it without using it."""
    names = set()
    for index, variable in enumerate(parts(container, "env")):
        name, value = variable.get("name"), variable.get("value") or ""
        reference = f"$({name})"
        if name in names and (variable.get("valueFrom") or value == reference or reference not in value):
            yield (f'{path}.env[{index}]: hides previous definition of "{name}", which may be dropped when using apply')
        names.add(name)


def _port_warnings(containers: list[tuple[Object, str]]) -> Iterator[str]:
    """Yield a warning for each port that is declared twice, then for each name that two ports have."""
    ports = [
        (port, f"{path}.ports[{index}]")
        for container, path in containers
        for index, port in enumerate(parts(container, "ports"))
    ]
    for number, (port, place) in enumerate(ports):
        for other, other_place in ports[:number]:
            if all(port.get(field) == other.get(field) for field in ("containerPort", "protocol")):
                yield from _overlap_warnings(port, place, other, other_place)
    named: dict[str, str] = {}
    for port, place in ports:
        name = port.get("name")
        if name and name in named:
            first = named[name]
            yield (
                f'{place}: duplicate port name "{name}" with {first}, services and probes that select ports by name '
                f"will use {first}"
            )
        elif name:
            named[name] = place


def _overlap_warnings(port: Object, place: str, other: Object, other_place: str) -> Iterator[str]:
    host_ports = port.get("hostPort") or 0, other.get("hostPort") or 0
    host_ips = port.get("hostIP") or "", other.get("hostIP") or ""
    if host_ports[0] == host_ports[1] and host_ips[0] == host_ips[1]:
        yield f"{place}: duplicate port definition with {other_place}"
    elif 0 in host_ports:
        yield f"{place}: overlapping port definition with {other_place}"
    elif host_ports[0] == host_ports[1] and "" in host_ips:
        yield f"{place}: dangerously ambiguous port definition with {other_place}"
