"""What is said of pods and workloads that are valid and still hardly meant so."""

from collections.abc import Callable
from typing import Any

import pytest

from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.kinds.workload_warnings import change_warnings, creation_warnings

Find = Callable[[str], Resource]
Object = dict[str, Any]

LONG_NAME = "a" * 64


def pod_of(*containers: Object, **spec: Any) -> Object:
    return {"metadata": {"name": "a"}, "spec": {"containers": list(containers), **spec}}


def said(find: Find, *containers: Object, **spec: Any) -> list[str]:
    return list(creation_warnings(find("pods"), pod_of(*containers, **spec)))


@pytest.mark.parametrize(
    ("resource", "use"),
    [
        ("pods", "the Pod's hostname"),
        ("deployments.apps", "Pod names and hostnames"),
        ("replicasets.apps", "Pod names and hostnames"),
        ("jobs.batch", "Pod names and hostnames"),
    ],
)
def test_a_name_that_is_no_host_name_is_warned_about(find: Find, resource: str, use: str) -> None:
    (warning,) = creation_warnings(find(resource), {"metadata": {"name": LONG_NAME}, "spec": {}})
    assert warning == (
        f"metadata.name: this is used in {use}, which can result in surprising behavior; "
        "a DNS label is recommended: [must be no more than 63 characters]"
    )


@pytest.mark.parametrize("resource", ["daemonsets.apps", "statefulsets.apps", "configmaps", "services"])
def test_other_kinds_may_have_long_names(find: Find, resource: str) -> None:
    assert list(creation_warnings(find(resource), {"metadata": {"name": LONG_NAME}, "spec": {}})) == []


def test_a_plain_pod_has_no_warning(find: Find) -> None:
    ports = [{"containerPort": 80, "protocol": "TCP", "name": "web"}, {"containerPort": 80, "protocol": "UDP"}]
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)"}, {"name": "A", "value": "$(A):2"}]
    assert said(find, {"name": "c", "ports": ports, "env": env}, terminationGracePeriodSeconds=0) == []


def test_a_variable_that_hides_another_one_is_warned_about(find: Find) -> None:
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}, {"name": "A", "valueFrom": {"fieldRef": {}}}]
    wording = 'hides previous definition of "A", which may be dropped when using apply'
    assert said(find, {"name": "c", "env": env}) == [
        f"spec.containers[0].env[1]: {wording}",
        f"spec.containers[0].env[2]: {wording}",
    ]


def test_a_part_of_a_byte_is_warned_about(find: Find) -> None:
    resources = {"limits": {"memory": "64Mi", "cpu": "100m"}, "requests": {"memory": "100m"}}
    assert said(find, {"name": "c", "resources": resources}) == [
        'spec.containers[0].resources.requests[memory]: fractional byte value "100m" is invalid, must be an integer'
    ]


def test_ports_and_their_names_that_are_declared_twice_are_warned_about(find: Find) -> None:
    web = {"containerPort": 80, "protocol": "TCP", "name": "web"}
    again = {"containerPort": 80, "protocol": "TCP", "hostPort": 8080}
    found = said(find, {"name": "c", "ports": [web]}, {"name": "d", "ports": [dict(web), again]})
    first = "spec.containers[0].ports[0]"
    assert found == [
        f"spec.containers[1].ports[0]: duplicate port definition with {first}",
        f"spec.containers[1].ports[1]: overlapping port definition with {first}",
        "spec.containers[1].ports[1]: overlapping port definition with spec.containers[1].ports[0]",
        f'spec.containers[1].ports[0]: duplicate port name "web" with {first}, services and probes that select ports '
        f"by name will use {first}",
    ]


def test_one_host_port_at_one_and_at_all_addresses_is_ambiguous(find: Find) -> None:
    port = {"containerPort": 80, "protocol": "TCP", "hostPort": 80}
    (warning,) = said(find, {"name": "c", "ports": [port, {**port, "hostIP": "127.0.0.1"}]})
    assert "dangerously ambiguous port definition" in warning


def test_a_template_is_warned_about_when_the_specification_changes(find: Find) -> None:
    deployments = find("deployments.apps")
    template = {"spec": {"containers": [], "terminationGracePeriodSeconds": -1}}
    old = {"metadata": {"name": "a", "generation": 1}, "spec": {"template": template}}
    changed = {**old, "metadata": {"name": "a", "generation": 2}}
    wording = (
        "spec.template.spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be "
        "treated as 1"
    )
    assert list(creation_warnings(deployments, old)) == [wording]
    assert list(change_warnings(deployments, old, changed)) == [wording]
    assert list(change_warnings(deployments, old, old)) == []


def test_pods_are_warned_about_when_they_are_created_only(find: Find) -> None:
    env = [{"name": "A"}, {"name": "A"}]
    old = {**pod_of({"name": "c", "env": env}), "metadata": {"name": "a", "generation": 1}}
    assert list(creation_warnings(find("pods"), old)) != []
    assert list(change_warnings(find("pods"), old, {**old, "metadata": {"name": "a", "generation": 2}})) == []
