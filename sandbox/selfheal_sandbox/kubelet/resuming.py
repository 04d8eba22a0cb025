"""Containers of pods that an earlier kubelet ran: where they go on from, told by the status that it left."""

from collections.abc import Sequence
from dataclasses import replace

from selfheal_sandbox.kubelet.states import ContainerRecord, State, Terminated, Waiting
from selfheal_sandbox.store.objects import Object, parse_rfc3339, status_of


def records_of(pod: Object, specs: Sequence[Object], field: str, waits: Waiting) -> list[ContainerRecord]:
    """Return the records of containers, in the order of their specs.

    Args:
        pod: as stored.
        specs: the containers.
        field: of the status that tells of them: ``containerStatuses`` or ``initContainerStatuses``.
        waits: the state of those that no kubelet has run yet.
    """
    told = {entry["name"]: entry for entry in status_of(pod).get(field) or []}
    new = [ContainerRecord(spec["name"], spec["image"], waits) for spec in specs]
    return [_resumed(record, told[record.name]) if record.name in told else record for record in new]


def _resumed(new: ContainerRecord, status: Object) -> ContainerRecord:
    return replace(
        new,
        state=_ended(status.get("state")) or new.state,
        last=_ended(status.get("lastState")),
        restart_count=int(status.get("restartCount") or 0),
    )


def _ended(state: Object | None) -> Terminated | None:
    """Return how an instance ended; None for one that did not, or whose end is not told whole."""
    end = (state or {}).get("terminated") or {}
    if "startedAt" not in end or "finishedAt" not in end:
        return None
    return Terminated(
        exit_code=int(end.get("exitCode") or 0),
        reason=str(end.get("reason") or ""),
        started_at=parse_rfc3339(end["startedAt"]),
        finished_at=parse_rfc3339(end["finishedAt"]),
        container_id=str(end.get("containerID") or ""),
        message=str(end.get("message") or ""),
    )


def to_run_again(record: ContainerRecord, waits: State) -> ContainerRecord:
    """Return the record of an init container that has to run again with its pod, whatever it did before."""
    ended = record.state if isinstance(record.state, Terminated) else record.last
    return replace(record, state=waits, last=ended)
