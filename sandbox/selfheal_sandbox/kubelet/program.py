"""What exactly to run for a container: arguments, environment and working directory."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from selfheal_sandbox.controllers.keys import SERVICES
from selfheal_sandbox.kubelet.environment import Lookup, PodContext, container_environment, expand, service_links
from selfheal_sandbox.kubelet.folders import root_folder
from selfheal_sandbox.kubelet.images import Image
from selfheal_sandbox.kubelet.pod_files import PodFiles
from selfheal_sandbox.kubelet.processes import ProgramSpec
from selfheal_sandbox.kubelet.runtime import Runtime
from selfheal_sandbox.kubelet.service_names import ServiceNames
from selfheal_sandbox.kubelet.watchdog import SANDBOX_VARIABLE
from selfheal_sandbox.store.objects import Object, name_of, namespace_of, spec_of

# What containers must never send through a proxy: each other.
NO_PROXY = "127.0.0.0/8,localhost"


@dataclass(frozen=True, slots=True)
class PodSurroundings:
    """What a container takes from its pod and the pod's node."""

    pod: Object
    ip: str
    files: PodFiles
    lookup: Lookup
    allocatable: Mapping[str, str]


def program_spec(
    runtime: Runtime, surroundings: PodSurroundings, container: Object, image: Image, container_id: str
) -> ProgramSpec:
    """Return what to run; mount paths and the names of Services become what they stand for on this machine.

    Raises:
        ConfigError: a ConfigMap, Secret, key or field is missing.
    """
    pod, files = surroundings.pod, surroundings.files
    services = runtime.objects.store.list(SERVICES)
    names = ServiceNames(services, namespace_of(pod), runtime.options.listening_port)
    paths = files.paths(pod, container)
    context = PodContext(_with_ip(pod, surroundings.ip), surroundings.lookup, surroundings.allocatable)
    first = {
        **_machine(runtime, surroundings),
        **_services(pod, services),
        **image.environment,
    }
    values = container_environment(context, container, first)
    argv = image.argv(
        [expand(text, values) for text in container.get("command") or []],
        [expand(text, values) for text in container.get("args") or []],
    )

    def translate(text: str) -> str:
        return names.resolve(paths.rewrite(text))

    environment = {name: translate(value) for name, value in values.items()}
    if image.bind_variable:
        environment[image.bind_variable] = surroundings.ip
    root = root_folder(files.folder, container["name"])
    asked = container.get("workingDir")
    return ProgramSpec(
        argv=[translate(text) for text in argv],
        environment={**environment, SANDBOX_VARIABLE: runtime.options.sandbox_id},
        directory=_made(paths.working_directory(asked, root) if asked else root),
        container_id=container_id,
        translate=translate,
    )


def _with_ip(pod: Object, ip: str) -> Object:
    """Return the pod with its address, which the stored one may not show yet."""
    return {**pod, "status": {**(pod.get("status") or {}), "podIP": ip, "podIPs": [{"ip": ip}]}}


def _made(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _machine(runtime: Runtime, surroundings: PodSurroundings) -> dict[str, str]:
    """Return the variables every container starts from; nothing else of the sandbox's own environment reaches it."""
    programs = os.path.dirname(sys.executable)
    host, port = runtime.options.api_address
    return {
        "PATH": os.pathsep.join([programs, os.environ.get("PATH", os.defpath)]),
        "HOME": str(surroundings.files.folder),
        "TMPDIR": str(surroundings.files.folder / "tmp"),
        "HOSTNAME": name_of(surroundings.pod),
        "LANG": "C.UTF-8",
        "NO_PROXY": NO_PROXY,
        "no_proxy": NO_PROXY,
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": str(port),
        "KUBERNETES_SERVICE_PORT_HTTPS": str(port),
    }


def _services(pod: Object, services: list[Object]) -> dict[str, str]:
    if spec_of(pod).get("enableServiceLinks") is False:
        return {}
    own = [service for service in services if namespace_of(service) == namespace_of(pod)]
    return {name: value for name, value in service_links(own).items() if not name.startswith("KUBERNETES_")}
