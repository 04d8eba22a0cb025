"""Tables as `kubectl get` shows them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from selfheal_sandbox.kinds.ages import age, human_duration
from selfheal_sandbox.kinds.printing import cells, columns
from selfheal_sandbox.kinds.registry import BUILTIN, Resource, resources_of_definition

Find = Callable[[str], Resource]
Object = dict[str, Any]
NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def ago(**units: float) -> str:
    return (NOW - timedelta(**units)).strftime("%Y-%m-%dT%H:%M:%SZ")


def row(resource: Resource, obj: Object) -> dict[str, Any]:
    """Cells of an object by the name of their column."""
    names = [column["name"] for column in columns(resource)]
    found = cells(resource, obj, NOW)
    assert len(found) == len(names)
    return dict(zip(names, found, strict=True))


def wide(resource: Resource) -> list[str]:
    return [column["name"] for column in columns(resource) if column["priority"]]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (200, "3m20s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (7 * 3600 + 60, "7h1m"),
        (8 * 3600 + 60, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (51 * 3600, "2d3h"),
        (8 * 86400 + 3600, "8d"),
        (730 * 86400, "2y"),
        (731 * 86400, "2y1d"),
        (8 * 365 * 86400 + 86400, "8y"),
    ],
)
def test_durations_get_coarser_as_they_grow(seconds: int, text: str) -> None:
    assert human_duration(seconds) == text


def test_age_of_no_time_is_unknown_and_of_nonsense_invalid() -> None:
    assert age(None, NOW) == "<unknown>"
    assert age("yesterday", NOW) == "<invalid>"
    assert age("2026-01-01T11:59:00.500000Z", NOW) == "59s"


@pytest.mark.parametrize("resource", BUILTIN, ids=lambda resource: f"{resource.group_resource}.{resource.version}")
def test_every_kind_has_as_many_cells_as_columns_even_when_empty(resource: Resource) -> None:
    found = row(resource, {"metadata": {"name": "x"}})
    assert found["Name"] == "x"
    assert all(isinstance(cell, str | int | bool | None) for cell in found.values())


def container(**fields: Any) -> Object:
    return {"name": "web", "ready": False, "restartCount": 0, **fields}


def status_of(pod: Object, *containers: Object, **status: Any) -> Object:
    return {**pod, "status": {"phase": "Running", **status, "containerStatuses": list(containers)}}


RUNNING = {"running": {"startedAt": ago(minutes=5)}}


def test_running_pod(find: Find, pod: Object) -> None:
    pod["metadata"]["creationTimestamp"] = ago(minutes=5)
    pod["spec"]["nodeName"] = "node-1"
    pod = status_of(pod, container(ready=True, state=RUNNING), podIP="127.64.0.7")
    assert row(find("pods"), pod) == {
        "Name": "web-1",
        "Ready": "1/1",
        "Status": "Running",
        "Restarts": "0",
        "Age": "5m",
        "IP": "127.64.0.7",
        "Node": "node-1",
        "Nominated Node": "<none>",
        "Readiness Gates": "<none>",
    }
    assert wide(find("pods")) == ["IP", "Node", "Nominated Node", "Readiness Gates"]


def test_crashing_pod_shows_why_and_when(find: Find, pod: Object) -> None:
    state = {"waiting": {"reason": "CrashLoopBackOff"}}
    last = {"terminated": {"finishedAt": ago(seconds=70)}}
    found = row(find("pods"), status_of(pod, container(restartCount=3, state=state, lastState=last)))
    assert (found["Ready"], found["Status"], found["Restarts"]) == ("0/1", "CrashLoopBackOff", "3 (70s ago)")


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ({"waiting": {"reason": "ErrImagePull"}}, "ErrImagePull"),
        ({"terminated": {"reason": "Error", "exitCode": 1}}, "Error"),
        ({"terminated": {"exitCode": 137, "signal": 9}}, "Signal:9"),
        ({"terminated": {"exitCode": 3}}, "ExitCode:3"),
    ],
)
def test_state_of_a_container_is_the_status_of_its_pod(find: Find, pod: Object, state: Object, text: str) -> None:
    assert row(find("pods"), status_of(pod, container(state=state)))["Status"] == text


def test_deleted_pod_is_terminating_unless_it_has_ended(find: Find, pod: Object) -> None:
    pod["metadata"]["deletionTimestamp"] = ago(seconds=1)
    assert row(find("pods"), status_of(pod))["Status"] == "Terminating"
    assert row(find("pods"), status_of(pod, phase="Succeeded"))["Status"] == "Succeeded"
    assert row(find("pods"), status_of(pod, reason="NodeLost"))["Status"] == "Unknown"


def test_pod_with_one_finished_and_one_running_container_is_not_completed(find: Find, pod: Object) -> None:
    done = container(state={"terminated": {"reason": "Completed", "exitCode": 0}})
    pod = status_of(pod, done, container(ready=True, state=RUNNING))
    assert row(find("pods"), pod)["Status"] == "NotReady"
    pod["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    assert row(find("pods"), pod)["Status"] == "Running"


def test_failing_init_container_is_named(find: Find, pod: Object) -> None:
    pod["spec"]["initContainers"] = [{"name": "a"}, {"name": "b"}]
    done = container(state={"terminated": {"exitCode": 0}})
    for state, text in (
        ({"waiting": {"reason": "PodInitializing"}}, "Init:1/2"),
        ({"waiting": {"reason": "CrashLoopBackOff"}}, "Init:CrashLoopBackOff"),
        ({"terminated": {"exitCode": 2}}, "Init:ExitCode:2"),
    ):
        pod["status"] = {"phase": "Pending", "initContainerStatuses": [done, container(state=state)]}
        assert row(find("pods"), pod)["Status"] == text


def test_sidecars_count_as_containers_and_their_restarts_stay(find: Find, pod: Object) -> None:
    pod["spec"]["initContainers"] = [{"name": "proxy", "restartPolicy": "Always"}, {"name": "first"}]
    proxy = {**container(ready=True, state=RUNNING, restartCount=2), "name": "proxy", "started": True}
    first = {**container(state={"waiting": {"reason": "PodInitializing"}}, restartCount=1), "name": "first"}
    pod["status"] = {"phase": "Pending", "initContainerStatuses": [proxy, first]}
    shown = row(find("pods"), pod)
    assert (shown["Ready"], shown["Status"], shown["Restarts"]) == ("1/2", "Init:1/2", "3")

    done = {**first, "state": {"terminated": {"exitCode": 0}}}
    pod = status_of(pod, container(ready=True, state=RUNNING))
    pod["status"]["initContainerStatuses"] = [proxy, done]
    shown = row(find("pods"), pod)
    assert (shown["Ready"], shown["Status"], shown["Restarts"]) == ("2/2", "Running", "2")


def test_deployment_row(find: Find, deployment: Object) -> None:
    deployment["metadata"]["creationTimestamp"] = ago(hours=2)
    deployment["status"] = {"replicas": 3, "readyReplicas": 2, "updatedReplicas": 1, "availableReplicas": 2}
    assert row(find("deployments.apps"), deployment) == {
        "Name": "web",
        "Ready": "2/3",
        "Up-to-date": 1,
        "Available": 2,
        "Age": "120m",
        "Containers": "web",
        "Images": "selfheal-service:1.0",
        "Selector": "app=web",
    }


def test_service_row(find: Find) -> None:
    spec: Object = {"type": "NodePort", "clusterIP": "127.64.255.1", "selector": {"b": "2", "a": "1"}}
    spec["ports"] = [{"port": 80, "protocol": "TCP"}, {"port": 443, "nodePort": 30443, "protocol": "TCP"}]
    found = row(find("services"), {"metadata": {"name": "s"}, "spec": spec})
    assert found["Port(s)"] == "80/TCP,443:30443/TCP"
    assert (found["Type"], found["Cluster-IP"], found["External-IP"]) == ("NodePort", "127.64.255.1", "<none>")
    assert found["Selector"] == "a=1,b=2"


def test_balanced_service_waits_for_its_address(find: Find) -> None:
    service: Object = {"metadata": {"name": "s"}, "spec": {"type": "LoadBalancer"}}
    assert row(find("services"), service)["External-IP"] == "<pending>"
    service["status"] = {"loadBalancer": {"ingress": [{"hostname": "b.example"}, {"ip": "10.0.0.1"}]}}
    assert row(find("services"), service)["External-IP"] == "10.0.0.1,b.example"


def test_node_row(find: Find) -> None:
    node: Object = {
        "metadata": {"name": "node-1", "labels": {"node-role.kubernetes.io/worker": ""}},
        "spec": {"unschedulable": True},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": "127.64.1.1"}],
            "nodeInfo": {"kubeletVersion": "v1.37.0"},
        },
    }
    found = row(find("nodes"), node)
    assert (found["Status"], found["Roles"], found["Version"]) == ("Ready,SchedulingDisabled", "worker", "v1.37.0")
    assert (found["Internal-IP"], found["External-IP"], found["OS-Image"]) == ("127.64.1.1", "<none>", "<unknown>")
    node["status"] = {"conditions": [{"type": "Ready", "status": "Unknown"}]}
    assert row(find("nodes"), node)["Status"] == "NotReady,SchedulingDisabled"


@pytest.mark.parametrize("resource", ["events", "events.events.k8s.io"])
def test_event_row_in_either_version(find: Find, resource: str) -> None:
    old = {
        "metadata": {"name": "web-1.17"},
        "involvedObject": {"kind": "Pod", "name": "web-1", "fieldPath": "spec.containers{web}"},
        "type": "Warning",
        "reason": "BackOff",
        "message": "Back-off restarting failed container\n",
        "source": {"component": "kubelet", "host": "node-1"},
        "firstTimestamp": ago(minutes=9),
        "lastTimestamp": ago(seconds=30),
        "count": 7,
    }
    renamed = {
        "involvedObject": "regarding",
        "message": "note",
        "source": "deprecatedSource",
        "firstTimestamp": "deprecatedFirstTimestamp",
        "lastTimestamp": "deprecatedLastTimestamp",
        "count": "deprecatedCount",
    }
    new = {renamed.get(name, name): value for name, value in old.items()}
    assert row(find(resource), old if resource == "events" else new) == {
        "Last Seen": "30s",
        "Type": "Warning",
        "Reason": "BackOff",
        "Object": "pod/web-1",
        "Subobject": "spec.containers{web}",
        "Source": "kubelet, node-1",
        "Message": "Back-off restarting failed container",
        "First Seen": "9m",
        "Count": 7,
        "Name": "web-1.17",
    }


def test_autoscaler_shows_what_is_and_what_should_be(find: Find) -> None:
    autoscaler: Object = {
        "apiVersion": "autoscaling/v2",
        "metadata": {"name": "h"},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "web"},
            "minReplicas": 2,
            "maxReplicas": 5,
            "metrics": [
                {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 50}}},
                {"type": "Resource", "resource": {"name": "memory", "target": {"averageValue": "1Gi"}}},
                {"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"averageValue": "10"}}},
            ],
        },
    }
    resource = find("horizontalpodautoscalers.v2.autoscaling")
    found = row(resource, autoscaler)
    assert found["Targets"] == "cpu: <unknown>/50%, memory: <unknown>/1Gi + 1 more..."
    assert (found["Reference"], found["MinPods"], found["MaxPods"], found["Replicas"]) == ("Deployment/web", "2", 5, 0)
    autoscaler["status"] = {
        "currentReplicas": 4,
        "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 91}}}],
    }
    found = row(resource, autoscaler)
    assert found["Targets"].startswith("cpu: 91%/50%, ")
    assert found["Replicas"] == 4


def test_old_autoscaler_shows_its_cpu_target(find: Find) -> None:
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "targetCPUUtilizationPercentage": 50}
    obj = {"apiVersion": "autoscaling/v1", "metadata": {"name": "h"}, "spec": spec}
    resource = find("horizontalpodautoscalers.v1.autoscaling")
    assert row(resource, obj)["Targets"] == "cpu: <unknown>/50%"


def test_budget_says_not_available_for_the_bound_it_does_not_set(find: Find) -> None:
    budget = {"metadata": {"name": "b"}, "spec": {"minAvailable": "50%"}, "status": {"disruptionsAllowed": 1}}
    found = row(find("poddisruptionbudgets.policy"), budget)
    assert (found["Min Available"], found["Max Unavailable"], found["Allowed Disruptions"]) == ("50%", "N/A", 1)


def test_long_lists_of_addresses_are_cut(find: Find) -> None:
    addresses = [f"127.64.0.{number}" for number in range(1, 6)]
    endpoints = {
        "metadata": {"name": "e"},
        "subsets": [{"addresses": [{"ip": ip} for ip in addresses], "ports": [{"port": 80}]}],
    }
    shown = "127.64.0.1:80,127.64.0.2:80,127.64.0.3:80 + 2 more..."
    assert row(find("endpoints"), endpoints)["Endpoints"] == shown
    slices = {"metadata": {"name": "e"}, "endpoints": [{"addresses": addresses[:2]}], "ports": []}
    found = row(find("endpointslices.discovery.k8s.io"), slices)
    assert (found["Endpoints"], found["Ports"]) == ("127.64.0.1,127.64.0.2", "<unset>")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, ("Running", "0/1", "")),
        ({"startTime": ago(minutes=3)}, ("Running", "0/1", "3m")),
        (
            {
                "startTime": ago(minutes=3),
                "completionTime": ago(minutes=1),
                "succeeded": 1,
                "conditions": [{"type": "Complete", "status": "True"}],
            },
            ("Complete", "1/1", "2m"),
        ),
    ],
)
def test_job_row(find: Find, status: Object, expected: tuple[str, str, str]) -> None:
    found = row(find("jobs.batch"), {"metadata": {"name": "j"}, "spec": {"completions": 1}, "status": status})
    assert (found["Status"], found["Completions"], found["Duration"]) == expected


def test_role_binding_names_its_subjects(find: Find) -> None:
    subjects = [
        {"kind": "User", "name": "ann"},
        {"kind": "User", "name": "bob"},
        {"kind": "ServiceAccount", "name": "robot", "namespace": "shop"},
    ]
    binding = {"metadata": {"name": "b"}, "roleRef": {"kind": "Role", "name": "r"}, "subjects": subjects}
    found = row(find("rolebindings.rbac.authorization.k8s.io"), binding)
    assert (found["Role"], found["Users"], found["ServiceAccounts"]) == ("Role/r", "ann, bob", "shop/robot")


def test_custom_columns_follow_their_paths(crd: Object) -> None:
    widgets = resources_of_definition(crd)[1]
    obj = {
        "metadata": {"name": "w"},
        "spec": {"size": 3},
        "status": {"conditions": [{"type": "Other"}, {"type": "Ready", "status": "True"}], "seen": ago(minutes=4)},
    }
    assert row(widgets, obj) == {"Name": "w", "Size": 3, "Ready": "True", "Seen": "4m"}
    assert wide(widgets) == ["Ready"]
    assert row(widgets, {"metadata": {"name": "w"}}) == {"Name": "w", "Size": None, "Ready": None, "Seen": None}


def test_custom_resource_without_columns_shows_its_age(crd: Object) -> None:
    beta = resources_of_definition(crd)[0]
    assert row(beta, {"metadata": {"name": "w", "creationTimestamp": ago(days=3)}}) == {"Name": "w", "Age": "3d"}
