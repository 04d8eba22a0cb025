"""What must hold for pods and pod templates (pkg/apis/core/validation upstream; the part that people run into)."""

from collections.abc import Iterable, Iterator
from typing import Any

from selfheal_sandbox.kinds import cause
from selfheal_sandbox.kinds.cause import Cause
from selfheal_sandbox.kinds.filling import parts
from selfheal_sandbox.kinds.label_rules import label_causes
from selfheal_sandbox.kinds.name_rules import dns_label, port_name, qualified_name
from selfheal_sandbox.kinds.placement_rules import placement_causes
from selfheal_sandbox.kinds.quantity import parse_quantity
from selfheal_sandbox.store.objects import Object

PORT_RANGE = "must be between 1 and 65535, inclusive"
IMMUTABLE_SPEC = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)

MAX_DEADLINE_SECONDS = 2**31 - 1

_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_COUNTS_OF_PROBE = (
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
)
_MUTABLE = {"activeDeadlineSeconds", "schedulingGates", "tolerations"}
"""Fields of a pod's spec that may change, each by rules of its own."""
_VOLUME_SOURCES = (
    "emptyDir",
    "hostPath",
    "secret",
    "nfs",
    "iscsi",
    "persistentVolumeClaim",
    "downwardAPI",
    "configMap",
    "projected",
    "csi",
    "ephemeral",
    "image",
)
"""In the order in which the API server looks at them: the first one that is there is the one that may be."""


def pod_causes(pod: Object, old: Object | None) -> Iterator[Cause]:
    """Rules of a pod, and of a change to one."""
    spec = pod.get("spec") or {}
    yield from pod_spec_causes(spec, "spec")
    for field in ("containers", "initContainers"):
        for index, container in enumerate(parts(spec, field)):
            yield from _image_causes(container.get("image") or "", f"spec.{field}[{index}].image")
    if old is not None:
        yield from _change_causes(spec, old.get("spec") or {})
    elif spec.get("ephemeralContainers"):
        yield cause.forbidden("spec.ephemeralContainers", "cannot be set on create")
    if old is None and spec.get("nodeName") and spec.get("schedulingGates"):
        yield cause.forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared")


def _image_causes(image: str, path: str) -> Iterator[Cause]:
    """Rule of an image of a pod; a template may have such a one."""
    if image != image.strip():
        yield cause.invalid(path, image, "must not have leading or trailing whitespace")


def _change_causes(spec: Object, before: Object) -> Iterator[Cause]:
    """Rules of a change to a pod's spec (ValidatePodUpdate upstream)."""
    for name in ("containers", "initContainers"):
        if len(parts(spec, name)) != len(parts(before, name)):
            yield cause.forbidden(f"spec.{name}", "pod updates may not add or remove containers")
            return
    deadline, deadline_before = spec.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds")
    if deadline is not None and deadline < 0:
        return
    if deadline_before is not None and deadline is None:
        detail = "must not update from a positive integer to nil value"
        yield cause.invalid("spec.activeDeadlineSeconds", None, detail)
    elif deadline_before is not None and deadline_before < deadline:
        detail = "must be less than or equal to previous value"
        yield cause.invalid("spec.activeDeadlineSeconds", deadline, detail)
        return
    if not _keeps_tolerations(spec, before):
        detail = "existing toleration can not be modified except its tolerationSeconds"
        yield cause.forbidden("spec.tolerations", detail)
    gates = {gate.get("name") for gate in parts(before, "schedulingGates")}
    for index, gate in enumerate(parts(spec, "schedulingGates")):
        if gate.get("name") not in gates:
            detail = f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'"
            yield cause.forbidden(f"spec.schedulingGates[{index}].name", detail)
    if _fixed_part(spec) != _fixed_part(before):
        yield cause.forbidden("spec", IMMUTABLE_SPEC)


def _keeps_tolerations(spec: Object, before: Object) -> bool:
    """Whether all tolerations are still there; how long they hold may change."""
    kept = [_timeless(toleration) for toleration in parts(spec, "tolerations")]
    return all(_timeless(toleration) in kept for toleration in parts(before, "tolerations"))


def _timeless(toleration: Object) -> Object:
    return {name: value for name, value in toleration.items() if name != "tolerationSeconds"}


def _fixed_part(spec: Object) -> Object:
    """What of a pod's spec may not change; the node neither: a pod is put on one by its `binding`."""
    fixed = {name: value for name, value in spec.items() if name not in _MUTABLE and value not in (None, [], {})}
    for name in ("containers", "initContainers"):
        fixed[name] = [{k: v for k, v in item.items() if k != "image"} for item in parts(spec, name)]
    return fixed


def template_causes(template: Object, path: str, restart_policies: tuple[str, ...] = ("Always",)) -> Iterator[Cause]:
    """Rules of the pod template of a workload, which may ask for certain restart policies."""
    metadata = template.get("metadata") or {}
    yield from label_causes(metadata.get("labels"), f"{path}.labels")
    for key in metadata.get("annotations") or {}:
        yield from (cause.invalid(f"{path}.annotations", key, problem) for problem in qualified_name(key.lower()))
    spec = template.get("spec") or {}
    yield from pod_spec_causes(spec, f"{path}.spec")
    policy = spec.get("restartPolicy") or "Always"
    if policy not in restart_policies:
        yield cause.not_supported(f"{path}.spec.restartPolicy", policy, restart_policies)


def pod_spec_causes(spec: Object, path: str) -> Iterator[Cause]:
    """Rules of a pod's spec."""
    if not spec.get("containers"):
        yield cause.required(f"{path}.containers")
    volumes = set()
    for index, volume in enumerate(parts(spec, "volumes")):
        problems = list(_volume_causes(volume, f"{path}.volumes[{index}]"))
        yield from problems
        if not problems:
            volumes.add(volume.get("name"))
    yield from _repeated_names(spec, path, "volumes")
    yield from _repeated_names(spec, path, "containers", "initContainers")
    for field in ("initContainers", "containers"):
        for index, container in enumerate(parts(spec, field)):
            yield from _container_causes(container, volumes, f"{path}.{field}[{index}]")
    for index, container in enumerate(parts(spec, "initContainers")):
        yield from _init_container_causes(container, f"{path}.initContainers[{index}]")
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= MAX_DEADLINE_SECONDS:
        detail = f"must be between 1 and {MAX_DEADLINE_SECONDS}, inclusive"
        yield cause.invalid(f"{path}.activeDeadlineSeconds", deadline, detail)
    if spec.get("dnsPolicy") == "None" and not spec.get("dnsConfig"):
        yield cause.required(f"{path}.dnsConfig", "must provide `dnsConfig` when `dnsPolicy` is None")
    yield from placement_causes(spec, path)


def not_negative() -> str:
    """Wording of a number that may not be negative."""
    return "must be greater than or equal to 0"


def _repeated_names(spec: Object, path: str, *fields: str) -> Iterator[Cause]:
    seen = set()
    for field in fields:
        for index, item in enumerate(parts(spec, field)):
            name = item.get("name")
            if name in seen:
                yield cause.duplicate(f"{path}.{field}[{index}].name", name)
            seen.add(name)


def name_causes(item: Object, path: str) -> Iterator[Cause]:
    """Rules of the `name` of a container or volume; an absent one is reported by the schema."""
    name = item.get("name")
    if name == "":
        yield cause.required(f"{path}.name")
    elif name is not None:
        yield from (cause.invalid(f"{path}.name", name, problem) for problem in dns_label(name))


def _volume_causes(volume: Object, path: str) -> Iterator[Cause]:
    yield from name_causes(volume, path)
    sources = sorted(
        (name for name, value in volume.items() if name != "name" and value is not None), key=_source_order
    )
    for extra in sources[1:]:
        yield cause.forbidden(f"{path}.{extra}", "may not specify more than 1 volume type")
    names = {"configMap": "name", "secret": "secretName", "persistentVolumeClaim": "claimName"}
    for source, name in names.items():
        if source in sources and not volume[source].get(name):
            yield cause.required(f"{path}.{source}.{name}")


def _source_order(name: str) -> int:
    return _VOLUME_SOURCES.index(name) if name in _VOLUME_SOURCES else len(_VOLUME_SOURCES)


def _container_causes(container: Object, volumes: set[Any], path: str) -> Iterator[Cause]:
    yield from name_causes(container, path)
    if not container.get("image"):
        yield cause.required(f"{path}.image")
    yield from _port_causes(container, path)
    for index, variable in enumerate(parts(container, "env")):
        yield from _variable_causes(variable, f"{path}.env[{index}]")
    for index, source in enumerate(parts(container, "envFrom")):
        yield from _variables_causes(source, f"{path}.envFrom", index)
    yield from _mount_causes(container, volumes, path)
    yield from _resource_causes(container.get("resources") or {}, f"{path}.resources")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(name) is not None:
            yield from _probe_causes(container[name], name, f"{path}.{name}")
    for name in ("postStart", "preStop"):
        handler = (container.get("lifecycle") or {}).get(name)
        if handler is not None:
            yield from _handler_causes(handler, (*_HANDLERS, "sleep"), f"{path}.lifecycle.{name}")


def _init_container_causes(container: Object, path: str) -> Iterator[Cause]:
    if container.get("restartPolicy") == "Always":
        return
    for name in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(name) is not None:
            yield cause.forbidden(f"{path}.{name}", "may not be set for init containers without restartPolicy=Always")


def _port_causes(container: Object, path: str) -> Iterator[Cause]:
    names = set()
    for index, port in enumerate(parts(container, "ports")):
        field = f"{path}.ports[{index}]"
        if port.get("containerPort") == 0:
            yield cause.required(f"{field}.containerPort")
        else:
            yield from port_number_causes(port, "containerPort", field)
        if port.get("hostPort"):
            yield from port_number_causes(port, "hostPort", field)
        name = port.get("name")
        if name:
            yield from (cause.invalid(f"{field}.name", name, problem) for problem in port_name(name))
            if name in names:
                yield cause.duplicate(f"{field}.name", name)
            names.add(name)


def port_number_causes(owner: Object, name: str, path: str) -> Iterator[Cause]:
    """Rule of a port number, if there is one."""
    port = owner.get(name)
    if isinstance(port, int) and not 1 <= port <= 65535:
        yield cause.invalid(f"{path}.{name}", port, PORT_RANGE)


def _variable_causes(variable: Object, path: str) -> Iterator[Cause]:
    if variable.get("name") == "":
        yield cause.required(f"{path}.name")
    elif "=" in (variable.get("name") or ""):
        yield cause.invalid(f"{path}.name", variable["name"], "a valid environment variable name must not contain '='")
    source = variable.get("valueFrom")
    if source is None:
        return
    if variable.get("value"):
        yield cause.invalid(f"{path}.valueFrom", "", "may not be specified when `value` is not empty")
    given = [name for name, value in source.items() if value is not None]
    if len(given) > 1:
        yield cause.invalid(f"{path}.valueFrom", "", "may not have more than one field specified at a time")
    if not given:
        yield cause.invalid(f"{path}.valueFrom", "", "must specify one of: `fieldRef`, `resourceFieldRef`, "
                            "`configMapKeyRef` or `secretKeyRef`")  # fmt: skip


def _variables_causes(source: Object, path: str, index: int) -> Iterator[Cause]:
    """Rules of all variables of a ConfigMap or Secret."""
    given = [name for name in ("configMapRef", "secretRef") if source.get(name) is not None]
    for name in given:
        if not source[name].get("name"):
            yield cause.required(f"{path}[{index}].{name}.name")
    if len(given) > 1:
        yield cause.invalid(path, "", "may not have more than one field specified at a time")
    if not given:
        yield cause.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")


def _mount_causes(container: Object, volumes: set[Any], path: str) -> Iterator[Cause]:
    taken = set()
    for index, mount in enumerate(parts(container, "volumeMounts")):
        field = f"{path}.volumeMounts[{index}]"
        if mount.get("name") not in volumes:
            yield cause.not_found(f"{field}.name", mount.get("name", ""))
        mount_path = mount.get("mountPath")
        if mount_path == "":
            yield cause.required(f"{field}.mountPath")
        elif mount_path in taken:
            yield cause.invalid(f"{field}.mountPath", mount_path, "must be unique")
        taken.add(mount_path)


def _resource_causes(resources: Object, path: str) -> Iterator[Cause]:
    limits = resources.get("limits") or {}
    for name, amount in (resources.get("requests") or {}).items():
        if parse_quantity(amount) < 0:
            yield cause.invalid(f"{path}.requests[{name}]", amount, not_negative())
        if name in limits and parse_quantity(amount) > parse_quantity(limits[name]):
            detail = f"must be less than or equal to {name} limit of {limits[name]}"
            yield cause.invalid(f"{path}.requests", amount, detail)


def _probe_causes(probe: Object, name: str, path: str) -> Iterator[Cause]:
    yield from _handler_causes(probe, _HANDLERS, path)
    yield from _negative_causes(probe, _COUNTS_OF_PROBE, path)
    if name != "readinessProbe" and probe.get("successThreshold", 1) != 1:
        yield cause.invalid(f"{path}.successThreshold", probe["successThreshold"], "must be 1")
    grace_seconds, field = probe.get("terminationGracePeriodSeconds"), f"{path}.terminationGracePeriodSeconds"
    if grace_seconds is not None and name == "readinessProbe":
        yield cause.invalid(field, grace_seconds, "must not be set for readinessProbes")
    if grace_seconds is not None and grace_seconds <= 0:
        yield cause.invalid(field, grace_seconds, "must be greater than 0")


def _handler_causes(owner: Object, handlers: tuple[str, ...], path: str) -> Iterator[Cause]:
    """Rules of what a probe or hook does: one thing."""
    given = [handler for handler in handlers if owner.get(handler) is not None]
    if not given:
        yield cause.required(path, "must specify a handler type")
        return
    for extra in given[1:]:
        yield cause.forbidden(f"{path}.{extra}", "may not specify more than 1 handler type")
    field, handler = f"{path}.{given[0]}", owner[given[0]]
    yield from port_number_causes(handler, "port", field)
    if isinstance(handler.get("port"), str):
        yield from (cause.invalid(f"{field}.port", handler["port"], problem) for problem in port_name(handler["port"]))
    if given[0] == "exec" and not handler.get("command"):
        yield cause.required(f"{field}.command")


def _negative_causes(owner: Object, names: Iterable[str], path: str) -> Iterator[Cause]:
    for name in names:
        if (owner.get(name) or 0) < 0:
            yield cause.invalid(f"{path}.{name}", owner[name], not_negative())
