"""What a pod may ask for that the sandbox does not have; such a pod is not started, and an Event says why."""

from collections.abc import Iterator

from selfheal_sandbox.kubelet.volumes import SOURCES, source_of
from selfheal_sandbox.store.objects import Object, spec_of

PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def unsupported(pod: Object) -> list[str]:
    """Return one sentence for each thing that keeps the pod from running here; empty when it can run."""
    return list(_reasons(spec_of(pod)))


def _reasons(spec: Object) -> Iterator[str]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield f"{field} is refused: a pod of the sandbox gets no namespaces of the host"
    for volume in spec.get("volumes") or []:
        if (kind := source_of(volume)) not in SOURCES:
            yield f"volume {volume['name']}: {kind} is refused: the sandbox has {', '.join(SOURCES)}"
    for container in spec.get("initContainers") or []:
        yield from _container_reasons(container, restart_policies=(None, "Always"))
    for container in spec.get("containers") or []:
        yield from _container_reasons(container, restart_policies=(None,))


def _container_reasons(container: Object, *, restart_policies: tuple[str | None, ...]) -> Iterator[str]:
    name = container["name"]
    if container.get("restartPolicy") not in restart_policies or container.get("restartPolicyRules"):
        yield f"container {name}: a restart policy of its own is refused: the sandbox goes by that of the pod"
    if (container.get("securityContext") or {}).get("privileged"):
        yield f"container {name}: privileged is refused: the sandbox runs everything as the user who started it"
    if container.get("tty"):
        yield f"container {name}: tty is refused: the sandbox has no terminals"
    for field in PROBES:
        if "grpc" in (container.get(field) or {}):
            yield f"container {name}: {field}.grpc is refused: the sandbox probes with httpGet, tcpSocket and exec"
