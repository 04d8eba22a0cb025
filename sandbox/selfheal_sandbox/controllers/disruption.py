"""The disruption controller: keeps the status of PodDisruptionBudgets, which the eviction subresource decides by."""

from collections.abc import Iterable

from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.controllers.conditions import Verdict, with_verdict
from selfheal_sandbox.controllers.controller import Place, differs, intent, newest, place_of, states
from selfheal_sandbox.controllers.disruption_budget import (
    DISRUPTION_ALLOWED,
    Budget,
    Disrupted,
    budget,
    expectation,
    needs_scale,
    still_disrupted,
)
from selfheal_sandbox.controllers.keys import (
    DEPLOYMENTS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    STATEFUL_SETS,
)
from selfheal_sandbox.store.objects import (
    Key,
    Object,
    controller_of,
    is_ready,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    spec_of,
    status_of,
)
from selfheal_sandbox.store.selectors import matches_selector
from selfheal_sandbox.store.store import Change

_COMPONENT = "controllermanager"
_SCALED: dict[str, Key] = {
    "Deployment": DEPLOYMENTS,
    "ReplicaSet": REPLICA_SETS,
    "ReplicationController": REPLICATION_CONTROLLERS,
    "StatefulSet": STATEFUL_SETS,
}


class DisruptionController:
    """Counts healthy pods against what each budget wants."""

    name = "disruption"
    watches = frozenset({POD_DISRUPTION_BUDGETS, PODS, *_SCALED.values()})

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def items_for(self, change: Change) -> Iterable[Place]:
        """Return the budgets that a change concerns."""
        if change.key == POD_DISRUPTION_BUDGETS:
            return [place_of(newest(change))] if differs(change, _budget_facts) else []
        budgets = self._objects.store.list(POD_DISRUPTION_BUDGETS, namespace_of(newest(change)))
        if change.key == PODS:
            if not differs(change, _pod_facts):
                return []
            return [place_of(each) for each in budgets if any(_selects(each, pod) for pod in states(change))]
        return [place_of(each) for each in budgets] if differs(change, _replicas_of) else []

    def everything(self) -> Iterable[Place]:
        """Return every budget."""
        return [place_of(each) for each in self._objects.store.list(POD_DISRUPTION_BUDGETS)]

    def reconcile(self, item: Place) -> float | None:
        """Write the status of one budget."""
        found = self._objects.store.get(POD_DISRUPTION_BUDGETS, *item)
        if found is None or is_terminating(found):
            return None
        pods = [pod for pod in self._objects.store.list(PODS, item.namespace) if _selects(found, pod)]
        if not pods:
            self._objects.record_event(found, "NoPods", "No matching pods found", component=_COMPONENT)
        now = self._objects.clock()
        disrupted = still_disrupted(status_of(found).get("disruptedPods") or {}, pods, now)
        self._report_overdue(found, disrupted)
        try:
            scale = self._scale(pods) if needs_scale(spec_of(found)) else len(pods)
            numbers = budget(expectation(spec_of(found), scale), pods, disrupted.pending)
        except (LookupError, ValueError) as error:
            self._fail_safe(found, str(error))
        else:
            self._write(found, numbers, numbers.verdict(), disrupted)
        return disrupted.next_check_seconds

    def _scale(self, pods: list[Object]) -> int:
        """Return the replicas that the controllers of these pods ask for together.

        Raises:
            LookupError: a pod has no controller with a number of replicas.
        """
        scales: dict[str, int] = {}
        for pod in pods:
            owner = self._scaled_owner(pod)
            scales[owner["metadata"]["uid"]] = int(spec_of(owner).get("replicas") or 0)
        return sum(scales.values())

    def _scaled_owner(self, pod: Object) -> Object:
        """Return the top-most controller of a pod that has a number of replicas."""
        found, current = None, pod
        while (reference := controller_of(current)) is not None and reference["kind"] in _SCALED:
            owner = self._objects.store.get(_SCALED[reference["kind"]], namespace_of(pod), reference["name"])
            if owner is None:
                break
            found = current = owner
        if found is None:
            raise LookupError(f'found no controller ref for pod "{name_of(pod)}"')
        return found

    def _report_overdue(self, found: Object, disrupted: Disrupted) -> None:
        for name in disrupted.overdue:
            place = place_of(found)
            text = f"Pod {name} was expected by PDB {place.namespace}/{place.name} to be deleted but it wasn't"
            self._objects.record_event(found, "NotDeleted", text, type="Warning", component=_COMPONENT)

    def _fail_safe(self, found: Object, why: str) -> None:
        """Allow no disruption while it is not known how many pods there should be."""
        text = f"Failed to calculate the number of expected pods: {why}"
        self._objects.record_event(found, "CalculateExpectedPodCountFailed", text, type="Warning", component=_COMPONENT)
        status = {**status_of(found), "disruptionsAllowed": 0, "observedGeneration": _generation(found)}
        for field in ("currentHealthy", "desiredHealthy", "expectedPods"):
            status.setdefault(field, 0)
        self._set(found, status, Verdict(DISRUPTION_ALLOWED, "False", "SyncFailed", why))

    def _write(self, found: Object, numbers: Budget, verdict: Verdict, disrupted: Disrupted) -> None:
        status = {
            "currentHealthy": numbers.current_healthy,
            "desiredHealthy": numbers.desired_healthy,
            "disruptionsAllowed": numbers.allowed,
            "expectedPods": numbers.expected,
            "observedGeneration": _generation(found),
            **({"disruptedPods": disrupted.pending} if disrupted.pending else {}),
            "conditions": status_of(found).get("conditions") or [],
        }
        self._set(found, status, verdict)

    def _set(self, found: Object, status: Object, verdict: Verdict) -> None:
        conditions = with_verdict(status.get("conditions") or [], verdict, self._objects.clock())
        observed = {"observedGeneration": _generation(found)}
        conditions = [{**each, **observed} if each["type"] == verdict.type else each for each in conditions]
        self._objects.set_status(POD_DISRUPTION_BUDGETS, found, {**status, "conditions": conditions})


def _generation(obj: Object) -> int:
    return int(obj["metadata"].get("generation", 1))


def _selects(found: Object, pod: Object) -> bool:
    return matches_selector(spec_of(found).get("selector"), labels_of(pod))


def _pod_facts(pod: Object) -> object:
    return is_ready(pod), is_terminating(pod), labels_of(pod), controller_of(pod)


def _budget_facts(found: Object) -> object:
    return intent(found), status_of(found).get("disruptedPods")


def _replicas_of(owner: Object) -> object:
    return spec_of(owner).get("replicas")
