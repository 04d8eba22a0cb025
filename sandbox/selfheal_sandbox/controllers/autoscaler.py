"""The HorizontalPodAutoscaler controller: scales a workload by what its pods use."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from selfheal_sandbox.api.errors import ApiError
from selfheal_sandbox.api.events import EventType
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.api.ports import PodRuntime
from selfheal_sandbox.controllers.autoscaler_behavior import (
    Behavior,
    Bounded,
    Recommendation,
    Scaling,
    behavior_of,
    limit,
    stabilise,
)
from selfheal_sandbox.controllers.autoscaler_metrics import MetricError, combine
from selfheal_sandbox.controllers.autoscaler_readings import Reading, read
from selfheal_sandbox.controllers.autoscaler_samples import counted_pods
from selfheal_sandbox.controllers.conditions import Verdict, with_verdict
from selfheal_sandbox.controllers.controller import Place, differs, intent, newest, place_of
from selfheal_sandbox.controllers.keys import HORIZONTAL_POD_AUTOSCALERS, PODS
from selfheal_sandbox.store.objects import (
    Key,
    Object,
    labels_of,
    now_rfc3339,
    spec_of,
    status_of,
    uid_of,
    with_spec,
)
from selfheal_sandbox.store.selectors import matches_selector
from selfheal_sandbox.store.store import Change

SYNC_SECONDS = 15.0
"""How often an autoscaler looks at its metrics (``--horizontal-pod-autoscaler-sync-period``)."""
MANAGER = "kube-controller-manager"
_COMPONENT = "horizontal-pod-autoscaler"
_FASTEST_SYNC_SECONDS = 0.5
"""However high the speed: usage of processes is not measured more often than about this."""


@dataclass(slots=True)
class _Memory:
    """What the controller remembers of one autoscaler between looks."""

    recommendations: list[Recommendation] = field(default_factory=list)
    scalings: list[Scaling] = field(default_factory=list)

    def forget_before(self, cutoff: datetime) -> None:
        """Drop what is too old to matter."""
        self.recommendations = [each for each in self.recommendations if each.time > cutoff]
        self.scalings = [each for each in self.scalings if each.time > cutoff]


@dataclass(slots=True)
class _Look:
    """One look at one autoscaler: what it found so far, and what it will say."""

    autoscaler: Object
    behavior: Behavior
    memory: _Memory
    now: datetime
    current: int = 0
    verdicts: list[Verdict] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)

    def say(self, condition_type: str, status: str, reason: str, message: str) -> None:
        """Set what a condition will say; the last word of a look counts."""
        self.verdicts = [each for each in self.verdicts if each.type != condition_type]
        self.verdicts.append(Verdict(condition_type, status, reason, message))


class AutoscalerController:
    """Looks at every autoscaler in turn and scales its target.

    Missing data never scales down: without any sample nothing changes, and a failed metric among several can only add.
    """

    name = "horizontal-pod-autoscaler"
    watches = frozenset({HORIZONTAL_POD_AUTOSCALERS})

    def __init__(self, objects: Objects, runtime: PodRuntime, *, speed: float) -> None:
        self._objects = objects
        self._runtime = runtime
        self._speed = speed
        self._period_seconds = max(SYNC_SECONDS / speed, _FASTEST_SYNC_SECONDS)
        self._memories: dict[str, _Memory] = {}

    def items_for(self, change: Change) -> Iterable[Place]:
        """Return an autoscaler that is new or was changed by somebody; the rest goes by time."""
        if change.type == "DELETED":
            self._memories.pop(uid_of(change.new.obj), None)
            return []
        return [place_of(newest(change))] if differs(change, intent) else []

    def everything(self) -> Iterable[Place]:
        """Return every autoscaler."""
        return [place_of(each) for each in self._objects.store.list(HORIZONTAL_POD_AUTOSCALERS)]

    def reconcile(self, item: Place) -> float | None:
        """Take one look at one autoscaler.

        Raises:
            ApiError: the target refused its new size.
        """
        autoscaler = self._objects.store.get(HORIZONTAL_POD_AUTOSCALERS, *item)
        if autoscaler is None:
            return None
        now = self._objects.clock()
        memory = self._memories.setdefault(uid_of(autoscaler), _Memory())
        look = _Look(autoscaler, behavior_of(spec_of(autoscaler), self._speed), memory, now)
        memory.forget_before(now - look.behavior.memory)
        try:
            key, target = self._target(autoscaler)
        except MetricError as error:
            text = f"the HPA controller was unable to get the target's current scale: {error}"
            look.say("AbleToScale", "False", "FailedGetScale", text)
            self._event(look, "FailedGetScale", str(error), "Warning")
            self._write_status(look, desired=0)
            return self._period_seconds
        self._scale(look, key, target)
        return self._period_seconds

    def _target(self, autoscaler: Object) -> tuple[Key, Object]:
        """Return the workload to scale.

        Raises:
            MetricError: there is none, or nothing tells how to scale it.
        """
        reference = spec_of(autoscaler)["scaleTargetRef"]
        group, _, version = reference.get("apiVersion", "v1").rpartition("/")
        resource = self._objects.registry.by_kind(group, version, reference["kind"])
        if resource is None or "scale" not in resource.subresources or resource.is_custom:
            text = f'no matches for kind "{reference["kind"]}" in group "{group}"'
            raise MetricError("FailedGetScale", text)
        target = self._objects.store.get(resource.key, place_of(autoscaler).namespace, reference["name"])
        if target is None:
            raise MetricError("FailedGetScale", f'{resource.group_resource} "{reference["name"]}" not found')
        return resource.key, target

    def _scale(self, look: _Look, key: Key, target: Object) -> None:
        look.current = int(spec_of(target).get("replicas", 1))
        text = "the HPA controller was able to get the target's current scale"
        look.say("AbleToScale", "True", "SucceededGetScale", text)
        least, most = _bounds(look.autoscaler)
        desired, why = look.current, ""
        if look.current == 0 and least != 0:
            text = "scaling is disabled since the replica count of the target is zero"
            look.say("ScalingActive", "False", "ScalingDisabled", text)
        elif look.current > most:
            desired, why = most, "Current number of replicas above Spec.MaxReplicas"
        elif look.current < least:
            desired, why = least, "Current number of replicas below Spec.MinReplicas"
        else:
            desired, why = self._by_metrics(look, target)
        if desired != look.current:
            self._rescale(look, key, target, desired, why)
        self._write_status(look, desired)

    def _by_metrics(self, look: _Look, target: Object) -> tuple[int, str]:
        """Return the size the metrics ask for, within all limits, and the reason in words."""
        proposed = self._read_metrics(look, target)
        if proposed is None:
            return look.current, ""
        best = max(look.readings, key=lambda each: each.proposal.replicas)
        text = f"the HPA was able to successfully calculate a replica count from {best.label}"
        look.say("ScalingActive", "True", "ValidMetricFound", text)
        if not look.memory.recommendations:  # the first look must not scale down at once
            look.memory.recommendations.append(Recommendation(look.now, look.current))
        held = stabilise(look.current, proposed, look.memory.recommendations, look.behavior, look.now)
        look.memory.recommendations.append(Recommendation(look.now, proposed))
        look.say("AbleToScale", "True", held.reason, held.message)
        bounded = self._limit(look, held)
        is_limited = "False" if bounded.reason == "DesiredWithinRange" else "True"
        look.say("ScalingLimited", is_limited, bounded.reason, bounded.message)
        why = f"{best.label} above target" if proposed > look.current else "All metrics below target"
        return bounded.replicas, why

    def _limit(self, look: _Look, held: Bounded) -> Bounded:
        least, most = _bounds(look.autoscaler)
        return limit(look.current, held.replicas, least, most, look.memory.scalings, look.behavior, look.now)

    def _read_metrics(self, look: _Look, target: Object) -> int | None:
        """Read every metric into the look; return what they ask for together, None when they cannot be trusted."""
        selector = spec_of(target).get("selector")
        pods = self._objects.store.list(PODS, place_of(target).namespace)
        pods = counted_pods(pod for pod in pods if matches_selector(selector, labels_of(pod)))
        failures: list[MetricError] = []
        metrics = spec_of(look.autoscaler).get("metrics") or [_DEFAULT_METRIC]
        for metric in metrics:
            try:
                look.readings.append(
                    read(
                        metric, look.current, pods, self._runtime.usage, look.behavior.tolerance, look.now, self._speed
                    )
                )
            except MetricError as error:
                failures.append(error)
        proposed = combine([each.proposal.replicas for each in look.readings], len(failures), look.current)
        if failures:
            self._report_failures(look, failures, len(metrics), is_fatal=proposed is None)
        return proposed

    def _report_failures(self, look: _Look, failures: list[MetricError], count: int, *, is_fatal: bool) -> None:
        for error in failures:
            self._event(look, error.reason, str(error), "Warning")
        if is_fatal:
            first = failures[0]
            text = f"invalid metrics ({len(failures)} invalid out of {count}), first error is: {first}"
            self._event(look, "FailedComputeMetricsReplicas", text, "Warning")
            text = f"the HPA was unable to compute the replica count: {first}"
            look.say("ScalingActive", "False", first.reason, text)

    def _rescale(self, look: _Look, key: Key, target: Object, desired: int, why: str) -> None:
        place = place_of(target)
        try:
            self._objects.update(
                key,
                *place,
                lambda current: with_spec(current, replicas=desired),
                manager=MANAGER,
                subresource="scale",
            )
        except ApiError as error:
            text = f"the HPA controller was unable to update the target scale: {error.message}"
            look.say("AbleToScale", "False", "FailedUpdateScale", text)
            self._event(look, "FailedRescale", f"New size: {desired}; reason: {why}; error: {error.message}", "Warning")
            self._write_status(look, look.current)
            raise
        text = f"the HPA controller was able to update the target scale to {desired}"
        look.say("AbleToScale", "True", "SucceededRescale", text)
        look.memory.scalings.append(Scaling(look.now, desired - look.current))
        self._event(look, "SuccessfulRescale", f"New size: {desired}; reason: {why}")

    def _event(self, look: _Look, reason: str, message: str, event_type: EventType = "Normal") -> None:
        self._objects.record_event(look.autoscaler, reason, message, type=event_type, component=_COMPONENT)

    def _write_status(self, look: _Look, desired: int) -> None:
        old = status_of(look.autoscaler)
        scaled = any(each.time == look.now for each in look.memory.scalings)
        last_scale = now_rfc3339(look.now) if scaled else old.get("lastScaleTime")
        conditions: list[Object] = list(old.get("conditions") or [])
        for verdict in look.verdicts:
            conditions = with_verdict(conditions, verdict, look.now)
        status = {
            "observedGeneration": look.autoscaler["metadata"].get("generation", 1),
            **({"lastScaleTime": last_scale} if last_scale else {}),
            "currentReplicas": look.current,
            "desiredReplicas": desired,
            **({"currentMetrics": [each.status for each in look.readings]} if look.readings else {}),
            "conditions": conditions,
        }
        self._objects.set_status(HORIZONTAL_POD_AUTOSCALERS, look.autoscaler, status)


_DEFAULT_METRIC: Object = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}
"""What an autoscaler without metrics uses: the default of the API."""


def _bounds(autoscaler: Object) -> tuple[int, int]:
    spec = spec_of(autoscaler)
    return int(spec.get("minReplicas", 1)), int(spec["maxReplicas"])
