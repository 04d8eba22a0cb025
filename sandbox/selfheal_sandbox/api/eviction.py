"""The ``eviction`` subresource: deletion of a pod, if its PodDisruptionBudgets allow it.

See pkg/registry/core/pod/storage/eviction.go upstream. The budget is charged in the same step that deletes the pod, so
that two evictions never share one allowed disruption; the disruption controller counts it anew later.
"""

from dataclasses import replace
from datetime import datetime

from aiohttp import web

from selfheal_sandbox.api import errors
from selfheal_sandbox.api.deletion import DeleteOptions, delete_options
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.api.request import Request
from selfheal_sandbox.api.responses import json_response
from selfheal_sandbox.api.shapes import EVICTION, checked_object
from selfheal_sandbox.api.target import Target
from selfheal_sandbox.store.objects import (
    Key,
    Object,
    is_ready,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    now_rfc3339,
    spec_of,
    status_of,
)
from selfheal_sandbox.store.selectors import matches_selector

BUDGETS: Key = ("policy", "poddisruptionbudgets")
_FINISHED = ("Succeeded", "Failed")
RETRY_AFTER_SECONDS = 10
_MANAGER = "kube-apiserver"
"""Who owns what an eviction writes into a budget."""


def evict(objects: Objects, request: Request, target: Target) -> web.Response:
    """POST of an Eviction.

    Raises:
        ApiError: 400 malformed, 404 no such pod, 409 precondition, 429 a budget does not allow it now,
            500 more than one budget covers the pod, as the API server has it.
    """
    eviction = checked_object(EVICTION, request.object())
    if (eviction.get("metadata") or {}).get("name", target.name) != target.name:
        raise errors.bad_request("name in URL does not match name in Eviction object")
    options = delete_options(eviction.get("deleteOptions") or {}, {"dryRun": ["All"]} if request.dry_run() else {})
    evict_pod(objects, target.resource.key, target.place, target.name, options)
    return json_response(errors.success(201), code=201)


def evict_pod(objects: Objects, key: Key, namespace: str, name: str, options: DeleteOptions) -> None:
    """Evict one pod, or raise what `evict` raises."""
    pod = objects.get(key, namespace, name)
    # A deletion that would be refused must not use up a disruption: the budget would allow none for two minutes.
    objects.delete(key, namespace, name, options=replace(options, dry_run=True))
    if not ignores_budgets(pod):
        budget = _budget_of(objects, pod)
        if budget is not None and not _is_free(pod, budget):
            charge(objects, budget, pod, options)
    if not options.dry_run:
        objects.set_status(key, pod, disrupted(status_of(pod), objects.clock()))
        options = replace(options, resource_version=None)  # held a moment ago; the condition made a new version
    objects.delete(key, namespace, name, options=options)


def disrupted(status: Object, now: datetime) -> Object:
    """Return the status of a pod that is evicted: a condition says so, since the first time that it was."""
    condition: Object = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastTransitionTime": now_rfc3339(now),
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    conditions: list[Object] = status.get("conditions") or []
    known = next((each for each in conditions if each.get("type") == condition["type"]), None)
    if known is None:
        return {**status, "conditions": [*conditions, condition]}
    if known.get("status") == "True":
        condition["lastTransitionTime"] = known.get("lastTransitionTime")
    return {**status, "conditions": [condition if each is known else each for each in conditions]}


def ignores_budgets(pod: Object) -> bool:
    """Return whether a pod is no disruption any more: finished, not started, or already on its way out."""
    return is_terminating(pod) or status_of(pod).get("phase") in (*_FINISHED, "Pending", None)


def _budget_of(objects: Objects, pod: Object) -> Object | None:
    """Return the budget that covers a pod.

    Raises:
        ApiError: 500 as the API server has it, worded as it is, when more than one covers it.
    """
    budgets = [
        budget
        for budget in objects.store.list(BUDGETS, namespace_of(pod))
        if matches_selector(spec_of(budget).get("selector"), labels_of(pod))
    ]
    if len(budgets) > 1:
        text = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise errors.ApiError(500, "", text)
    return budgets[0] if budgets else None


def _is_free(pod: Object, budget: Object) -> bool:
    """Return whether a pod that is not Ready may go without being charged (``unhealthyPodEvictionPolicy``)."""
    if is_ready(pod):
        return False
    if spec_of(budget).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = status_of(budget)
    healthy, desired = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    return bool(healthy >= desired > 0)


def charge(objects: Objects, budget: Object, pod: Object, options: DeleteOptions) -> None:
    """Take one allowed disruption from a budget.

    Raises:
        ApiError: 429, there is none, or the budget was not looked at since it was changed.
    """
    status = status_of(budget)
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        text = f"The disruption budget {name_of(budget)} is still being processed by the server."
        raise _refused(text, retry_after_seconds=RETRY_AFTER_SECONDS)
    if status.get("disruptionsAllowed", 0) <= 0:
        needed, healthy = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
        text = f"The disruption budget {name_of(budget)} needs {needed} healthy pods and has {healthy} currently"
        raise _refused(text)
    if not options.dry_run:
        left = charged(status, name_of(pod), objects.clock())
        place = namespace_of(budget), name_of(budget)
        objects.update(BUDGETS, *place, lambda old: {**old, "status": left}, manager=_MANAGER, subresource="status")


def charged(status: Object, pod_name: str, now: datetime) -> Object:
    """Return the status of a budget after one disruption."""
    disrupted = {**(status.get("disruptedPods") or {}), pod_name: now_rfc3339(now)}
    left = {**status, "disruptionsAllowed": status["disruptionsAllowed"] - 1, "disruptedPods": disrupted}
    if left["disruptionsAllowed"]:
        return left
    condition = {
        "type": "DisruptionAllowed",
        "status": "False",
        "observedGeneration": status.get("observedGeneration", 0),
        "lastTransitionTime": now_rfc3339(now),
        "reason": "InsufficientPods",
        "message": "",
    }
    others = [each for each in status.get("conditions") or () if each.get("type") != condition["type"]]
    return {**left, "conditions": [*others, condition]}


def _refused(cause: str, *, retry_after_seconds: int = 0) -> errors.ApiError:
    """Word the refusal; without a time to wait clients choose their own, and kubectl says that it waits."""
    details: Object = {"causes": [{"reason": "DisruptionBudget", "message": cause}]}
    text = "Cannot evict pod as it would violate the pod's disruption budget."
    if not retry_after_seconds:
        return errors.ApiError(429, "TooManyRequests", text, details)
    details["retryAfterSeconds"] = retry_after_seconds
    return errors.ApiError(429, "TooManyRequests", text, details, {"Retry-After": str(retry_after_seconds)})
