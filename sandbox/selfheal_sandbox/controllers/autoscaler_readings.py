"""Reading one metric of an autoscaler: from its spec and the pods' usage to a proposal and an entry of the status."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from selfheal_sandbox.api.ports import ContainerUsage
from selfheal_sandbox.controllers.amounts import millicores, whole
from selfheal_sandbox.controllers.autoscaler_metrics import (
    MetricError,
    Proposal,
    Tolerance,
    by_average_value,
    by_utilization,
)
from selfheal_sandbox.controllers.autoscaler_samples import Metric, samples
from selfheal_sandbox.store.objects import Object, name_of


@dataclass(frozen=True, slots=True)
class Reading:
    """What one metric says.

    Attributes:
        label: its name in messages, such as ``cpu resource utilization (percentage of request)``.
        status: its entry of ``status.currentMetrics``.
    """

    proposal: Proposal
    label: str
    status: Object


def read(
    spec: Object,
    current: int,
    pods: Sequence[Object],
    usage_of: Callable[[Object], Iterable[ContainerUsage]],
    tolerance: Tolerance,
    now: datetime,
    speed: float,
) -> Reading:
    """Read one metric.

    Args:
        spec: an entry of ``spec.metrics``.
        current: replicas of the target.
        pods: its pods, as `counted_pods` returns them.
        usage_of: present usage of a pod's containers.
        tolerance: what counts as on target.
        now: the time.
        speed: of the sandbox.

    Raises:
        MetricError: it cannot be used now, or is of a type the sandbox has no source for.
    """
    metric, field = _metric_of(spec)
    target = spec[field]["target"]
    try:
        found = samples(metric, pods, usage_of, now, speed)
        if target.get("averageUtilization") is not None:
            requests = {name_of(pod): metric.requested(pod) for pod in pods}
            percent = int(target["averageUtilization"])
            proposal = by_utilization(current, found, requests, percent, tolerance)
        else:
            proposal = by_average_value(current, found, _amount(metric, target["averageValue"]), tolerance)
    except MetricError as error:
        raise MetricError(error.reason, f"failed to get {metric.resource} utilization: {error}") from None
    suffix = " utilization (percentage of request)" if proposal.utilization is not None else ""
    return Reading(proposal, f"{metric.label}{suffix}", _status(spec["type"], field, metric, proposal))


def _metric_of(spec: Object) -> tuple[Metric, str]:
    match spec["type"]:
        case "Resource":
            return Metric(spec["resource"]["name"]), "resource"
        case "ContainerResource":
            source = spec["containerResource"]
            return Metric(source["name"], source["container"]), "containerResource"
    kind = str(spec["type"])
    api = "external.metrics.k8s.io" if kind == "External" else "custom.metrics.k8s.io"
    text = f"unable to fetch metrics from custom metrics API: no metrics API ({api}) registered"
    raise MetricError(f"FailedGet{kind}Metric", text)


def _amount(metric: Metric, value: str) -> int:
    return millicores(value) if metric.resource == "cpu" else whole(value)


def _status(kind: str, field: str, metric: Metric, proposal: Proposal) -> Object:
    average = f"{proposal.average}m" if metric.resource == "cpu" else str(proposal.average)
    utilization = {} if proposal.utilization is None else {"averageUtilization": proposal.utilization}
    container = {"container": metric.container} if metric.container else {}
    current = {**utilization, "averageValue": average}
    return {"type": kind, field: {"name": metric.resource, **container, "current": current}}
