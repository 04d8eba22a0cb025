"""Defaults of pods and pod templates (pkg/apis/core/v1/defaults.go upstream, and three admission plugins)."""

from selfheal_sandbox.kinds.filling import canonicalize, fill, fill_zero, part, parts
from selfheal_sandbox.store.objects import Object

FILE_MODE = 0o644
"""`defaultMode` of files in ConfigMap, Secret, projected and downward-API volumes."""

TOKEN_SECONDS = 3600
"""`expirationSeconds` of a projected service-account token."""

NODE_LOSS_TOLERANCE_SECONDS = 300
"""How long a pod stays on a node that is not ready or cannot be reached (DefaultTolerationSeconds admission)."""

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_FILE_VOLUMES = ("configMap", "secret", "projected", "downwardAPI")


def pod_defaults(pod: Object) -> None:
    """Fill in a pod."""
    spec = part(pod, "spec")
    pod_spec_defaults(spec)
    fill(spec, enableServiceLinks=True)
    if spec["terminationGracePeriodSeconds"] < 0:
        spec["terminationGracePeriodSeconds"] = 1  # of a pod, not of a template (Convert_v1_Pod_To_core_Pod)
    for container in parts(spec, "containers", "initContainers"):
        _requests_from_limits(container)
        if spec.get("hostNetwork"):
            for port in parts(container, "ports"):
                fill_zero(port, hostPort=port.get("containerPort"))


def template_defaults(owner: Object) -> None:
    """Fill in the pod template in the `template` field of a workload's spec."""
    template = part(owner, "template")
    part(template, "metadata")
    pod_spec_defaults(part(template, "spec"))


def pod_spec_defaults(spec: Object) -> None:
    """Fill in what a pod and a pod template have in common."""
    fill_zero(spec, dnsPolicy="ClusterFirst", restartPolicy="Always", schedulerName="default-scheduler")
    fill(spec, terminationGracePeriodSeconds=30, securityContext={})
    if account := spec.get("serviceAccountName") or spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"] = account  # the second is the old name of the first
    for container in parts(spec, "containers", "initContainers", "ephemeralContainers"):
        _container(container)
    for volume in parts(spec, "volumes"):
        _volume(volume)


def _requests_from_limits(container: Object) -> None:
    resources = part(container, "resources")
    if resources.get("limits"):
        fill(part(resources, "requests"), **resources["limits"])


def admission_defaults(spec: Object) -> None:
    """Fill in what three admission plugins give a new pod; nobody owns these fields."""
    fill_zero(spec, serviceAccountName="default", serviceAccount=spec.get("serviceAccountName") or "default")
    fill(spec, priority=0, preemptionPolicy="PreemptLowerPriority")
    tolerate_node_loss(spec)


def tolerate_node_loss(spec: Object) -> None:
    """Let a pod stay for a while on a node that is lost, unless it says otherwise (DefaultTolerationSeconds)."""
    tolerations = spec.get("tolerations") or []
    known = {toleration.get("key") for toleration in tolerations if toleration.get("effect") in (None, "", "NoExecute")}
    if None in known or "" in known:  # something is tolerated whatever its key
        return
    missing = [key for name in ("not-ready", "unreachable") if (key := f"node.kubernetes.io/{name}") not in known]
    spec["tolerations"] = [*tolerations, *(_tolerated_for_a_while(key) for key in missing)]


def _tolerated_for_a_while(key: str) -> Object:
    seconds = NODE_LOSS_TOLERANCE_SECONDS
    return {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds}


def _container(container: Object) -> None:
    fill_zero(
        container,
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        imagePullPolicy="Always" if is_latest(container.get("image") or "") else "IfNotPresent",
    )
    resources = part(container, "resources")
    for name in ("requests", "limits"):
        canonicalize(resources.get(name))
    for port in parts(container, "ports"):
        fill_zero(port, protocol="TCP")
    for name in _PROBES:
        if container.get(name):
            _probe(container[name])
    lifecycle = container.get("lifecycle") or {}
    for handler in (lifecycle.get("postStart"), lifecycle.get("preStop")):
        _http_get(handler or {})
    for variable in parts(container, "env"):
        _field_reference(variable.get("valueFrom") or {})


def is_latest(image: str) -> bool:
    """Whether an image reference means the newest image: tag `latest`, or neither tag nor digest."""
    name, digest = image.partition("@")[::2]
    tag = name.rsplit("/", 1)[-1].partition(":")[2]
    return tag == "latest" or not (tag or digest)


def _probe(probe: Object) -> None:
    fill_zero(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    _http_get(probe)
    if probe.get("grpc") is not None:
        fill(probe["grpc"], service="")


def _http_get(handler: Object) -> None:
    if handler.get("httpGet") is not None:
        fill_zero(handler["httpGet"], path="/", scheme="HTTP")


def _field_reference(source: Object) -> None:
    if source.get("fieldRef") is not None:
        fill_zero(source["fieldRef"], apiVersion="v1")
    if source.get("resourceFieldRef") is not None:
        fill(source["resourceFieldRef"], divisor="0")  # which stands for 1


def _volume(volume: Object) -> None:
    if all(value is None for name, value in volume.items() if name != "name"):
        volume["emptyDir"] = {}
    for kind in _FILE_VOLUMES:
        if volume.get(kind) is not None:
            fill(volume[kind], defaultMode=FILE_MODE)
    if volume.get("hostPath") is not None:
        fill(volume["hostPath"], type="")
    if volume.get("ephemeral") is not None:
        fill(part(part(volume["ephemeral"], "volumeClaimTemplate"), "spec"), volumeMode="Filesystem")
    for item in parts(volume.get("downwardAPI") or {}, "items"):
        _field_reference(item)
    for source in parts(volume.get("projected") or {}, "sources"):
        _projection(source)


def _projection(source: Object) -> None:
    if source.get("serviceAccountToken") is not None:
        fill(source["serviceAccountToken"], expirationSeconds=TOKEN_SECONDS)
    for item in parts(source.get("downwardAPI") or {}, "items"):
        _field_reference(item)
