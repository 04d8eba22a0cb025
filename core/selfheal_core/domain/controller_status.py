"""What is known of healerd, from its Deployment and its Events."""

from collections.abc import Iterable

from selfheal_core.domain.escape import printable
from selfheal_core.domain.objects import Event, Workload
from selfheal_core.domain.snapshot import ControllerStatus
from selfheal_core.domain.times import parse_time

CONTROLLER_NAME = "healerd"
NAME_LABEL = "app.kubernetes.io/name"
VERSION_LABEL = "app.kubernetes.io/version"
CONTROLLER_SELECTOR = f"{NAME_LABEL}={CONTROLLER_NAME}"
MESSAGE_LIMIT = 300


def event_time(event: Event) -> float:
    """When an event last happened; 0 if it does not say."""
    for text in (event.last_timestamp, event.event_time, event.first_timestamp, event.metadata.creation_timestamp):
        at = parse_time(text)
        if at is not None:
            return at
    return 0.0


def is_controller(workload: Workload) -> bool:
    """Whether a Deployment is healerd's."""
    return workload.metadata.labels.get(NAME_LABEL) == CONTROLLER_NAME


def by_controller(event: Event) -> bool:
    """Whether healerd wrote an event."""
    return event.reporting_component == CONTROLLER_NAME


def controller_status(deployments: Iterable[Workload], last_event: Event | None, *, looked: bool) -> ControllerStatus:
    """Say what is known of healerd.

    Args:
        deployments: Its Deployments, in the namespaces that could be looked at.
        last_event: Its newest Event.
        looked: Whether all places where it could be were looked at; otherwise its absence is not known.
    """
    found = sorted(deployments, key=lambda workload: -workload.status.ready_replicas)
    action = printable(last_event.message, limit=MESSAGE_LIMIT) if last_event is not None else ""
    action_at = event_time(last_event) if last_event is not None else None
    if not found:
        return ControllerStatus(present=False if looked else None, last_action=action, last_action_at=action_at)
    best = found[0]
    return ControllerStatus(
        present=True,
        version=_version(best),
        ready=best.status.ready_replicas,
        desired=1 if best.spec.replicas is None else best.spec.replicas,
        last_action=action,
        last_action_at=action_at,
    )


def _version(workload: Workload) -> str:
    label = workload.metadata.labels.get(VERSION_LABEL, "")
    if label:
        return label
    containers = workload.spec.template.spec.containers
    return containers[0].image.rpartition(":")[2] if containers else ""
