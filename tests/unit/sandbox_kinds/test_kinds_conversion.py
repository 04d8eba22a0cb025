"""Objects in the version they are stored in, and in the others."""

from collections.abc import Callable
from typing import Any

from selfheal_sandbox.kinds import schema
from selfheal_sandbox.kinds.conversion import from_storage, to_storage
from selfheal_sandbox.kinds.registry import Resource, resources_of_definition

Find = Callable[[str], Resource]
Object = dict[str, Any]

CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
MEMORY = {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}}


def autoscaler(*metrics: Object, **spec: Any) -> Object:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h", "annotations": {"note": "mine"}},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 1,
            "maxReplicas": 5,
            "metrics": list(metrics),
            **spec,
        },
    }


def test_stored_version_is_served_as_it_is(find: Find, pod: Object) -> None:
    assert from_storage(find("pods"), pod) is pod
    assert to_storage(find("pods"), pod) is pod


def test_event_is_renamed_both_ways(find: Find) -> None:
    resource = find("events.events.k8s.io")
    old = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": "shop"},
        "involvedObject": {"kind": "Pod", "name": "p"},
        "message": "hello",
        "reason": "Test",
        "count": 2,
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:01Z",
        "source": {"component": "kubelet"},
        "reportingComponent": "kubelet",
        "eventTime": "2026-01-01T00:00:00.000000Z",
    }
    new = from_storage(resource, old)
    assert new["apiVersion"] == "events.k8s.io/v1"
    assert new["regarding"] == {"kind": "Pod", "name": "p"}
    assert (new["note"], new["deprecatedCount"], new["reportingController"]) == ("hello", 2, "kubelet")
    assert schema.check(resource, new) == schema.Findings()
    assert to_storage(resource, new) == old


def test_cpu_target_is_a_field_in_the_old_version(find: Find) -> None:
    resource = find("horizontalpodautoscalers.v1.autoscaling")
    stored = autoscaler(CPU)
    served = from_storage(resource, stored)
    assert served["apiVersion"] == "autoscaling/v1"
    assert served["spec"]["targetCPUUtilizationPercentage"] == 50
    assert "metrics" not in served["spec"]
    assert served["metadata"]["annotations"] == {"note": "mine"}
    assert schema.check(resource, served) == schema.Findings()
    assert to_storage(resource, served) == stored


def test_what_the_old_version_cannot_say_survives_in_annotations(find: Find) -> None:
    resource = find("horizontalpodautoscalers.v1.autoscaling")
    stored = autoscaler(CPU, MEMORY, behavior={"scaleDown": {"selectPolicy": "Disabled"}})
    current = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 91}}}
    stored["status"] = {"currentReplicas": 2, "currentMetrics": [current], "conditions": [{"type": "AbleToScale"}]}
    served = from_storage(resource, stored)
    assert served["status"] == {"currentReplicas": 2, "currentCPUUtilizationPercentage": 91}
    assert schema.check(resource, served) == schema.Findings()
    assert to_storage(resource, served) == stored


def test_new_autoscaler_of_the_old_version_needs_no_annotations(find: Find) -> None:
    served = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h"},
        "spec": {"maxReplicas": 5, "targetCPUUtilizationPercentage": 70},
    }
    stored = to_storage(find("horizontalpodautoscalers.v1.autoscaling"), served)
    assert stored["metadata"] == {"name": "h"}
    (metric,) = stored["spec"]["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}


def test_annotation_that_is_no_json_is_dropped(find: Find) -> None:
    served = {
        "apiVersion": "autoscaling/v1",
        "metadata": {"name": "h", "annotations": {"autoscaling.alpha.kubernetes.io/metrics": "{oops"}},
        "spec": {"maxReplicas": 5},
    }
    stored = to_storage(find("horizontalpodautoscalers.v1.autoscaling"), served)
    assert stored["spec"] == {"maxReplicas": 5}
    assert stored["metadata"] == {"name": "h"}


def test_versions_of_a_custom_resource_differ_in_name_only(crd: Object) -> None:
    beta = resources_of_definition(crd)[0]
    stored = {"apiVersion": "example.io/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}}
    served = from_storage(beta, stored)
    assert served == {**stored, "apiVersion": "example.io/v1beta1"}
    assert to_storage(beta, served) == stored


def test_conversion_does_not_change_what_is_stored(find: Find) -> None:
    stored = autoscaler(CPU, MEMORY)
    before = repr(stored)
    from_storage(find("horizontalpodautoscalers.v1.autoscaling"), stored)
    assert repr(stored) == before
