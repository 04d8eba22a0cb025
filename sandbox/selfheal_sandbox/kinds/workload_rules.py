"""What must hold for workloads and what steers them: deployments and the like, jobs, autoscalers, budgets."""

from collections.abc import Iterator
from typing import Any

from selfheal_sandbox.kinds import cause
from selfheal_sandbox.kinds.cause import Cause
from selfheal_sandbox.kinds.filling import parts
from selfheal_sandbox.kinds.label_rules import label_causes
from selfheal_sandbox.kinds.name_rules import label_value, path_segment, percent, qualified_name
from selfheal_sandbox.kinds.pod_rules import not_negative, template_causes
from selfheal_sandbox.store.objects import Object
from selfheal_sandbox.store.selectors import matches_selector

STATEFUL_SET_UPDATES = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)

SELECTOR_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")

_STATEFUL_SET_MUTABLE = {
    "minReadySeconds",
    "ordinals",
    "persistentVolumeClaimRetentionPolicy",
    "replicas",
    "revisionHistoryLimit",
    "template",
    "updateStrategy",
}
_METRIC_SOURCES = ("containerResource", "external", "object", "pods", "resource")
_MAX_STABILIZATION_SECONDS = 3600
_MAX_POLICY_PERIOD_SECONDS = 1800


def deployment_causes(obj: Object, old: Object | None) -> Iterator[Cause]:
    """Rules of a Deployment."""
    yield from _workload_causes(obj, old)
    yield from _replica_count_causes(obj, "updatedReplicas", "readyReplicas", "availableReplicas")
    yield from status_count_causes(obj, "unavailableReplicas")
    spec = obj.get("spec") or {}
    minimum, deadline = spec.get("minReadySeconds") or 0, spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= minimum:
        yield cause.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")
    strategy = spec.get("strategy") or {}
    rolling = strategy.get("rollingUpdate")
    if strategy.get("type") == "Recreate":
        if rolling is not None:
            detail = "may not be specified when strategy `type` is 'Recreate'"
            yield cause.forbidden("spec.strategy.rollingUpdate", detail)
    elif rolling is not None:
        yield from _rolling_update_causes(rolling, "spec.strategy.rollingUpdate")


def _rolling_update_causes(rolling: Object, path: str) -> Iterator[Cause]:
    for name in ("maxUnavailable", "maxSurge"):
        yield from amount_causes(rolling.get(name), f"{path}.{name}")
    if _is_zero(rolling.get("maxUnavailable")) and _is_zero(rolling.get("maxSurge")):
        value = rolling["maxUnavailable"]
        yield cause.invalid(f"{path}.maxUnavailable", value, "may not be 0 when `maxSurge` is 0")
    yield from _whole_causes(rolling.get("maxUnavailable"), f"{path}.maxUnavailable")


def _is_zero(amount: Any) -> bool:
    return amount in (0, "0%")


def amount_causes(amount: Any, path: str) -> Iterator[Cause]:
    """Rules of a number of pods or a share of them."""
    if isinstance(amount, str):
        yield from (cause.invalid(path, amount, problem) for problem in percent(amount))
    elif amount is not None and amount < 0:
        yield cause.invalid(path, amount, not_negative())


def _whole_causes(amount: Any, path: str) -> Iterator[Cause]:
    """Rule of a share that may not be more than all."""
    if isinstance(amount, str) and not percent(amount) and int(amount[:-1]) > 100:
        yield cause.invalid(path, amount, "must not be greater than 100%")


def _replica_count_causes(obj: Object, *names: str) -> Iterator[Cause]:
    """Counts of a workload's status: none is negative, or more than there are replicas or ready ones."""
    yield from status_count_causes(obj, "replicas", *names)
    status = obj.get("status") or {}
    total, ready = status.get("replicas") or 0, status.get("readyReplicas") or 0
    for name in names:
        if (status.get(name) or 0) > total:
            yield cause.invalid(f"status.{name}", status.get(name) or 0, "cannot be greater than status.replicas")
    if (status.get("availableReplicas") or 0) > ready:
        detail = "cannot be greater than readyReplicas"
        yield cause.invalid("status.availableReplicas", status["availableReplicas"], detail)


def replica_set_causes(obj: Object, old: Object | None) -> Iterator[Cause]:
    """Rules of a ReplicaSet."""
    yield from _workload_causes(obj, old)
    yield from _replica_count_causes(obj, "fullyLabeledReplicas", "readyReplicas", "availableReplicas")


def workload_causes(obj: Object, old: Object | None) -> Iterator[Cause]:
    """Rules of a DaemonSet."""
    yield from _workload_causes(obj, old)


def pod_template_causes(obj: Object, _: Object | None) -> Iterator[Cause]:
    """Rules of a PodTemplate."""
    yield from template_causes(obj.get("template") or {}, "template", ("Always", "Never", "OnFailure"))


def replication_controller_causes(obj: Object, _: Object | None) -> Iterator[Cause]:
    """Rules of a ReplicationController, whose selector is a plain map of labels."""
    spec = obj.get("spec") or {}
    yield from _count_causes(spec)
    template, selector = spec.get("template") or {}, spec.get("selector")
    if not selector:
        yield cause.required("spec.selector")
    else:
        yield from _match_causes({"matchLabels": selector}, template)
    yield from template_causes(template, "spec.template")


def stateful_set_causes(obj: Object, old: Object | None) -> Iterator[Cause]:
    """Rules of a StatefulSet."""
    yield from _workload_causes(obj, None)
    if old is not None and _fixed(old.get("spec") or {}) != _fixed(obj.get("spec") or {}):
        yield cause.forbidden("spec", STATEFUL_SET_UPDATES)


def _fixed(spec: Object) -> Object:
    return {name: value for name, value in spec.items() if name not in _STATEFUL_SET_MUTABLE}


def _workload_causes(obj: Object, old: Object | None) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    yield from _count_causes(spec)
    template, selector, kind = spec.get("template") or {}, spec.get("selector"), obj.get("kind", "")
    if _is_usable(selector):
        yield from _template_causes(template, selector, kind)
    else:
        yield from selector_causes(selector or {}, "spec.selector")
        if kind == "DaemonSet":
            yield from template_causes(template, "spec.template")
        else:  # then the API server says nothing of the template
            yield cause.invalid("spec.selector", selector, "invalid label selector")
    yield from immutable_causes(obj, old, "selector")


def _template_causes(template: Object, selector: Object | None, kind: str) -> Iterator[Cause]:
    """Rules of a workload's template, which its selector must choose."""
    if selector is None:  # no selector selects nothing, not even the template
        yield cause.invalid("spec.template.metadata.labels", {}, "`selector` does not match template `labels`")
    elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield cause.invalid("spec.selector", selector, f"empty selector is invalid for {kind.lower()}")
    else:
        yield from _match_causes(selector, template)
    spec = template.get("spec") or {}
    if spec.get("activeDeadlineSeconds") is not None:
        text = f"activeDeadlineSeconds in {'ReplicaSet' if kind == 'Deployment' else kind} is not Supported"
        yield cause.forbidden("spec.template.spec.activeDeadlineSeconds", text)
    if kind == "StatefulSet":  # its pods get names of their own, so nobody looks at those of the template
        named = ("hostname", "subdomain")
        template = {**template, "spec": {name: value for name, value in spec.items() if name not in named}}
    yield from template_causes(template, "spec.template")


def _is_usable(selector: Object | None) -> bool:
    """Whether every term of a selector can be evaluated."""
    terms = parts(selector or {}, "matchExpressions")
    known = all(term.get("key") and term.get("operator") in SELECTOR_OPERATORS for term in terms)
    return known and not list(selector_causes(selector or {}, "spec.selector"))


def _count_causes(spec: Object) -> Iterator[Cause]:
    for name in ("replicas", "minReadySeconds", "revisionHistoryLimit"):
        if (spec.get(name) or 0) < 0:
            yield cause.invalid(f"spec.{name}", spec[name], not_negative())


def status_count_causes(obj: Object, *names: str) -> Iterator[Cause]:
    """Numbers in a status that may not be negative."""
    status = obj.get("status") or {}
    for name in names:
        if (status.get(name) or 0) < 0:
            yield cause.invalid(f"status.{name}", status[name], not_negative())


def _match_causes(selector: Object, template: Object) -> Iterator[Cause]:
    labels = (template.get("metadata") or {}).get("labels") or {}
    if not matches_selector(selector, labels):
        detail = "`selector` does not match template `labels`"
        yield cause.invalid("spec.template.metadata.labels", labels, detail)


def selector_causes(selector: Object, path: str) -> Iterator[Cause]:
    """Rules of a label selector; operators that do not exist are reported by the schema."""
    yield from label_causes(selector.get("matchLabels"), f"{path}.matchLabels")
    for index, term in enumerate(parts(selector, "matchExpressions")):
        yield from _term_causes(term, f"{path}.matchExpressions[{index}]")


def _term_causes(term: Object, path: str) -> Iterator[Cause]:
    operator, key = term.get("operator"), term.get("key")
    if operator in ("In", "NotIn") and not term.get("values"):
        yield cause.required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    if operator in ("Exists", "DoesNotExist") and term.get("values"):
        yield cause.forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    if key is not None:
        yield from (cause.invalid(f"{path}.key", key, problem) for problem in qualified_name(key))
    for index, value in enumerate(term.get("values") or ()):
        yield from (cause.invalid(f"{path}.values[{index}]", value, problem) for problem in label_value(value))


def immutable_causes(obj: Object, old: Object | None, *names: str) -> Iterator[Cause]:
    """Fields of the spec that may not change."""
    if old is None:
        return
    before, after = old.get("spec") or {}, obj.get("spec") or {}
    for name in names:
        if before.get(name) != after.get(name):
            yield cause.invalid(f"spec.{name}", after.get(name), "field is immutable")


def job_causes(obj: Object, old: Object | None) -> Iterator[Cause]:
    """Rules of a Job."""
    spec = obj.get("spec") or {}
    yield from template_causes(spec.get("template") or {}, "spec.template", ("OnFailure", "Never"))
    for name in ("parallelism", "completions", "backoffLimit", "ttlSecondsAfterFinished"):
        if (spec.get(name) or 0) < 0:
            yield cause.invalid(f"spec.{name}", spec[name], not_negative())
    yield from immutable_causes(obj, old, "selector", "completionMode")
    if old is not None and not (old.get("spec") or {}).get("suspend"):
        yield from immutable_causes(obj, old, "template")


def cron_job_causes(obj: Object, _: Object | None) -> Iterator[Cause]:
    """Rules of a CronJob."""
    spec = obj.get("spec") or {}
    if spec.get("schedule") == "":
        yield cause.required("spec.schedule")
    template = ((spec.get("jobTemplate") or {}).get("spec") or {}).get("template") or {}
    yield from template_causes(template, "spec.jobTemplate.spec.template", ("OnFailure", "Never"))


def autoscaler_causes(obj: Object, old: Object | None) -> Iterator[Cause]:
    """Rules of a HorizontalPodAutoscaler."""
    yield from status_count_causes(obj, "currentReplicas", "desiredReplicas")
    spec = obj.get("spec") or {}
    minimum, maximum = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    if minimum is not None and minimum < 1:
        yield cause.invalid("spec.minReplicas", minimum, "must be greater than or equal to 1")
    if maximum < 1:
        yield cause.invalid("spec.maxReplicas", maximum, "must be greater than 0")
    if maximum == 0:
        yield cause.required("spec.maxReplicas")
    if minimum is not None and maximum < minimum:
        yield cause.invalid("spec.maxReplicas", maximum, "must be greater than or equal to `minReplicas`")
    target = spec.get("scaleTargetRef") or {}
    yield from _scale_target_causes(target, "spec.scaleTargetRef")
    if old is None or not _is_same_kind(target, old["spec"].get("scaleTargetRef") or {}):
        yield from _scale_target_group_causes(target, "spec.scaleTargetRef")
    for index, metric in enumerate(parts(spec, "metrics")):
        yield from _metric_causes(metric, f"spec.metrics[{index}]")
    if minimum == 0 and not {"External", "Object"} & {metric.get("type") for metric in parts(spec, "metrics")}:
        detail = "must specify at least one Object or External metric to support scaling to zero replicas"
        yield cause.forbidden("spec.metrics", detail)
    for name in ("scaleUp", "scaleDown"):
        rules = (spec.get("behavior") or {}).get(name)
        if rules is not None:
            yield from _scaling_rule_causes(rules, f"spec.behavior.{name}")


def _scale_target_causes(target: Object, path: str) -> Iterator[Cause]:
    for name in ("kind", "name"):
        if target.get(name) == "":
            yield cause.required(f"{path}.{name}")
        elif target.get(name):
            problems = path_segment(target[name])
            yield from (cause.invalid(f"{path}.{name}", target[name], problem) for problem in problems)


def _is_same_kind(target: Object, before: Object) -> bool:
    return all((target.get(name) or "") == (before.get(name) or "") for name in ("apiVersion", "kind"))


def _scale_target_group_causes(target: Object, path: str) -> Iterator[Cause]:
    if "/" not in (target.get("apiVersion") or "") and target.get("kind") != "ReplicationController":
        yield cause.invalid(f"{path}.apiVersion", target.get("apiVersion") or "", "apiVersion must specify API group")


def _metric_causes(metric: Object, path: str) -> Iterator[Cause]:
    kind = metric.get("type") or ""
    source = kind[:1].lower() + kind[1:]
    if source not in _METRIC_SOURCES:  # that is reported by the schema
        return
    if metric.get(source) is None:
        yield cause.required(f"{path}.{source}", "must populate information for the given metric source")
        return
    target = metric[source].get("target") or {}
    values = [name for name in ("averageUtilization", "averageValue", "value") if target.get(name) is not None]
    if not values and source in ("resource", "containerResource"):
        detail = "must set either a target raw value or a target utilization"
        yield cause.required(f"{path}.{source}.target.averageUtilization", detail)
    utilization = target.get("averageUtilization")
    if utilization is not None and utilization < 1:
        yield cause.invalid(f"{path}.{source}.target.averageUtilization", utilization, "must be greater than 0")


def _scaling_rule_causes(rules: Object, path: str) -> Iterator[Cause]:
    if rules.get("policies") == []:
        yield cause.required(f"{path}.policies", "must specify at least one Policy")
    window = rules.get("stabilizationWindowSeconds")
    if window is not None and window < 0:
        yield cause.invalid(f"{path}.stabilizationWindowSeconds", window, "must be greater than or equal to zero")
    if window is not None and window > _MAX_STABILIZATION_SECONDS:
        detail = f"must be less than or equal to {_MAX_STABILIZATION_SECONDS}"
        yield cause.invalid(f"{path}.stabilizationWindowSeconds", window, detail)
    for index, policy in enumerate(parts(rules, "policies")):
        field, period = f"{path}.policies[{index}]", policy.get("periodSeconds")
        for name in ("value", "periodSeconds"):
            if policy.get(name) is not None and policy[name] <= 0:
                yield cause.invalid(f"{field}.{name}", policy[name], "must be greater than zero")
        if period is not None and period > _MAX_POLICY_PERIOD_SECONDS:
            detail = f"must be less than or equal to {_MAX_POLICY_PERIOD_SECONDS}"
            yield cause.invalid(f"{field}.periodSeconds", period, detail)


_BUDGET_COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


def budget_causes(obj: Object, _: Object | None) -> Iterator[Cause]:
    """Rules of a PodDisruptionBudget."""
    yield from status_count_causes(obj, *_BUDGET_COUNTS)
    spec = obj.get("spec") or {}
    minimum, maximum = spec.get("minAvailable"), spec.get("maxUnavailable")
    if minimum is not None and maximum is not None:
        yield cause.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")
    for name in ("minAvailable", "maxUnavailable"):
        yield from amount_causes(spec.get(name), f"spec.{name}")
        yield from _whole_causes(spec.get(name), f"spec.{name}")
    yield from selector_causes(spec.get("selector") or {}, "spec.selector")
