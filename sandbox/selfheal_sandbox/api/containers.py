"""Choosing the container that a pod subresource means."""

from selfheal_sandbox.api.errors import bad_request
from selfheal_sandbox.store.objects import Object, name_of, spec_of


def container_named(pod: Object, asked: str) -> str:
    """Return the asked-for container, or the only one when none is asked for.

    Raises:
        ApiError: 400, the pod has no such container, or has several and none is named.
    """
    containers = [entry["name"] for entry in spec_of(pod).get("containers") or ()]
    initial = [entry["name"] for entry in spec_of(pod).get("initContainers") or ()]
    if asked:
        if asked not in containers + initial:
            raise bad_request(f"container {asked} is not valid for pod {name_of(pod)}")
        return asked
    if len(containers) == 1:
        return str(containers[0])
    init = f" or one of the init containers: [{' '.join(initial)}]" if initial else ""
    raise bad_request(
        f"a container name must be specified for pod {name_of(pod)}, choose one of: [{' '.join(containers)}]{init}"
    )
