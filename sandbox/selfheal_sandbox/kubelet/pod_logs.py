"""Which log a request for a container's log means, or why there is none, as a kubelet says it."""

from selfheal_sandbox.api.errors import ApiError, bad_request
from selfheal_sandbox.kubelet.states import ContainerRecord, Terminated, Waiting

_NO_IMAGE = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
    "ErrImageNeverPull": "image can't be pulled",
}


def container_id_of(record: ContainerRecord, pod_name: str, *, previous: bool) -> str:
    """Return the id of the run whose log is meant.

    Raises:
        ApiError: 400, there is no such run.
    """
    ended = record.last.container_id if record.last else ""
    if previous:
        if not ended:
            raise bad_request(f'previous terminated container "{record.name}" in pod "{pod_name}" not found')
        return ended
    if not isinstance(record.state, Waiting):
        return record.state.container_id if isinstance(record.state, Terminated) else record.container_id
    if ended:
        return ended
    raise _waits(record.name, pod_name, record.state.reason)


def _waits(name: str, pod_name: str, reason: str) -> ApiError:
    why = _NO_IMAGE.get(reason, reason)
    return bad_request(f'container "{name}" in pod "{pod_name}" is waiting to start: {why}')
