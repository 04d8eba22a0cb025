"""Structural checks, pruning, and what the schema says about merging lists."""

from collections.abc import Callable
from typing import Any

import pytest

from selfheal_sandbox.kinds import schema
from selfheal_sandbox.kinds.registry import BUILTIN, REVIEWS, Resource, resources_of_definition
from selfheal_sandbox.kinds.schema_node import ANY, SchemaNode

Find = Callable[[str], Resource]


@pytest.fixture
def widgets(crd: dict[str, Any]) -> Resource:
    return resources_of_definition(crd)[1]


def widget(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "example.io/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec}


@pytest.mark.parametrize("resource", [*BUILTIN, *REVIEWS], ids=lambda resource: resource.group_resource)
def test_every_builtin_has_a_definition_of_its_own_kind(resource: Resource) -> None:
    kinds = schema.root(resource).keywords["x-kubernetes-group-version-kind"]
    assert {"group": resource.group, "version": resource.version, "kind": resource.kind} in kinds


def test_well_formed_object_has_no_findings(find: Find, deployment: dict[str, Any]) -> None:
    assert schema.check(find("deployments.apps"), deployment) == schema.Findings()


def test_wrong_type_is_told_as_go_tells_it(find: Find, deployment: dict[str, Any]) -> None:
    deployment["spec"]["replicas"] = "three"
    found = schema.check(find("deployments.apps"), deployment)
    assert found.type_errors == [
        "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
    ]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (True, "cannot unmarshal bool into"),
        (2.5, "cannot unmarshal number 2.5 into"),
        (1 << 31, "cannot unmarshal number 2147483648 into"),
        ([], "cannot unmarshal array into"),
        ({}, "cannot unmarshal object into"),
    ],
)
def test_only_a_number_that_fits_is_an_int32(find: Find, deployment: dict[str, Any], value: Any, problem: str) -> None:
    deployment["spec"]["replicas"] = value
    (message,) = schema.check(find("deployments.apps"), deployment).type_errors
    assert problem in message


def test_null_counts_as_absent(find: Find, deployment: dict[str, Any]) -> None:
    deployment["spec"]["replicas"] = None
    deployment["metadata"]["creationTimestamp"] = None
    assert schema.check(find("deployments.apps"), deployment) == schema.Findings()
    deployment["spec"]["selector"] = None
    (missing,) = schema.check(find("deployments.apps"), deployment).causes
    assert (missing.reason, missing.field) == ("FieldValueRequired", "spec.selector")


def test_unknown_fields_are_listed_by_path_and_pruned(find: Find, deployment: dict[str, Any]) -> None:
    deployment["spec"]["replicaz"] = 1
    deployment["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    deployments = find("deployments.apps")
    assert schema.check(deployments, deployment).unknown_fields == [
        "spec.template.spec.containers[0].imagee",
        "spec.replicaz",
    ]
    schema.prune(deployments, deployment)
    assert schema.check(deployments, deployment) == schema.Findings()
    assert "replicaz" not in deployment["spec"]


def test_labels_and_data_may_have_any_key(find: Find) -> None:
    config_map = {"metadata": {"name": "c", "labels": {"a": "b"}}, "data": {"whatever": "1"}}
    assert schema.check(find("configmaps"), config_map) == schema.Findings()
    schema.prune(find("configmaps"), config_map)
    assert config_map["data"] == {"whatever": "1"}


def test_value_outside_a_closed_set_is_not_supported(find: Find, pod: dict[str, Any]) -> None:
    pod["spec"]["restartPolicy"] = "Sometimes"
    (found,) = schema.check(find("pods"), pod).causes
    assert found.reason == "FieldValueNotSupported"
    assert found.message == 'Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"'


def test_empty_text_is_not_a_choice_but_no_choice(find: Find, pod: dict[str, Any]) -> None:
    pod["spec"]["restartPolicy"] = ""
    assert schema.check(find("pods"), pod).causes == []


def test_empty_text_is_wrong_where_a_choice_must_be_made(find: Find, deployment: dict[str, Any]) -> None:
    deployment["spec"]["selector"] = {"matchExpressions": [{"key": "app", "operator": ""}]}
    (found,) = schema.check(find("deployments.apps"), deployment).causes
    assert (found.reason, found.field) == (
        "FieldValueInvalid",
        "spec.selector.matchExpressions[0].operator",
    )


def test_unknown_operator_of_a_selector_is_invalid_and_not_unsupported(find: Find, deployment: dict[str, Any]) -> None:
    deployment["spec"]["selector"] = {"matchExpressions": [{"key": "app", "operator": "Is"}]}
    (found,) = schema.check(find("deployments.apps"), deployment).causes
    assert (found.reason, found.message) == (
        "FieldValueInvalid",
        'Invalid value: "Is": not a valid selector operator',
    )


def test_status_need_not_be_complete(find: Find) -> None:
    budget = {"metadata": {"name": "b"}, "spec": {}, "status": {"conditions": [{"type": "x"}]}}
    assert schema.check(find("poddisruptionbudgets.policy"), budget) == schema.Findings()


@pytest.mark.parametrize("amount", ["500m", "1", "1.5Gi", "1e3", "-2", "100E", 2, 0.5])
def test_quantities_are_texts_or_numbers(find: Find, pod: dict[str, Any], amount: Any) -> None:
    pod["spec"]["containers"][0]["resources"] = {"requests": {"cpu": amount}}
    assert schema.check(find("pods"), pod).type_errors == []


@pytest.mark.parametrize("amount", ["", "lots", "1Kib", "1.2.3", "0x10", "1e999", float("inf")])
def test_anything_else_is_no_quantity(find: Find, pod: dict[str, Any], amount: str | float) -> None:
    pod["spec"]["containers"][0]["resources"] = {"requests": {"cpu": amount}}
    (message,) = schema.check(find("pods"), pod).type_errors
    assert message.startswith("quantities must match the regular expression")


def test_times_and_bytes_are_checked_where_they_are_decoded(find: Find) -> None:
    lease = {"metadata": {"name": "l"}, "spec": {"renewTime": "yesterday"}}
    (message,) = schema.check(find("leases.coordination.k8s.io"), lease).type_errors
    assert message.startswith('parsing time "yesterday"')
    secret = {"metadata": {"name": "s"}, "data": {"k": "not base64!"}}
    (message,) = schema.check(find("secrets"), secret).type_errors
    assert message == "illegal base64 data in data.k"


def test_port_may_be_a_number_or_a_name(find: Find) -> None:
    service = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80, "targetPort": "http"}]}}
    assert schema.check(find("services"), service).type_errors == []
    for wrong in ([1], True, 0.5, 1 << 31):
        service["spec"] = {"ports": [{"port": 80, "targetPort": wrong}]}
        (message,) = schema.check(find("services"), service).type_errors
        assert "ServicePort.spec.ports.targetPort" in message


def test_custom_object_with_wrong_types_has_causes_not_type_errors(widgets: Resource) -> None:
    found = schema.check(widgets, widget(size="big", color="red"))
    assert found.type_errors == []
    (problem,) = found.causes
    assert problem.reason == "FieldValueTypeInvalid"
    assert problem.message == 'Invalid value: "string": spec.size in body must be of type integer: "string"'


def test_custom_field_with_a_default_may_be_left_out(widgets: Resource) -> None:
    missing = [(cause.reason, cause.field) for cause in schema.check(widgets, widget()).causes]
    assert missing == [("FieldValueRequired", "spec.color")]


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"size": 0, "color": "red"}, "spec.size", "should be greater than or equal to 1"),
        ({"size": 10, "color": "red"}, "spec.size", "should be less than or equal to 9"),
        ({"color": "green"}, "spec.color", 'supported values: "red", "blue"'),
        ({"color": "red", "items": [{"n": "x"}]}, "spec.items[0].n", "must be of type integer"),
        ({"color": "red", "share": True}, "spec.share", "must be of type integer or string"),
    ],
)
def test_custom_rules_are_enforced(widgets: Resource, spec: dict[str, Any], field: str, message: str) -> None:
    (problem,) = schema.check(widgets, widget(**spec)).causes
    assert problem.field == field
    assert message in problem.message


def test_custom_object_is_pruned_but_where_its_schema_is_open(widgets: Resource) -> None:
    obj = widget(color="red", extra=1, free={"any": {"thing": 1}}, labels={"a": "b"}, items=[{"n": 1, "m": 2}])
    obj["status"] = {"phase": "Good"}
    assert schema.check(widgets, obj).unknown_fields == ["spec.extra", "spec.items[0].m"]
    schema.prune(widgets, obj)
    assert obj["spec"] == {"color": "red", "free": {"any": {"thing": 1}}, "labels": {"a": "b"}, "items": [{"n": 1}]}
    assert obj["status"] == {"phase": "Good"}
    assert obj["metadata"] == {"name": "w"}


def node_at(root: SchemaNode, *names: str) -> SchemaNode:
    for name in names:
        root = schema.child(root, name)
    return root


def test_lists_merge_by_their_keys(find: Find) -> None:
    root = schema.root(find("deployments.apps"))
    containers = node_at(root, "spec", "template", "spec", "containers")
    assert schema.merge_key(containers) == "name"
    assert schema.patch_strategy(containers) == {"merge"}
    assert (schema.list_type(containers), schema.list_map_keys(containers)) == ("map", ("name",))
    ports = node_at(containers, "ports")
    assert schema.merge_key(ports) == "containerPort"
    assert schema.list_map_keys(ports) == ("containerPort", "protocol")
    assert node_at(ports, "protocol").keywords["default"] == "TCP"


def test_lists_without_keys_are_sets_or_atomic(find: Find) -> None:
    finalizers = node_at(schema.root(find("pods")), "metadata", "finalizers")
    assert (schema.list_type(finalizers), schema.list_map_keys(finalizers)) == ("set", ())
    command = node_at(schema.root(find("pods")), "spec", "containers", "command")
    assert (schema.list_type(command), schema.is_atomic(command)) == ("atomic", True)


def test_maps_may_be_atomic(find: Find) -> None:
    spec = node_at(schema.root(find("services")), "spec")
    assert schema.is_atomic(node_at(spec, "selector"))
    assert not schema.is_atomic(spec)


def test_strategy_keeps_retain_keys_apart(find: Find) -> None:
    strategy = node_at(schema.root(find("deployments.apps")), "spec", "strategy")
    assert schema.patch_strategy(strategy) == {"retainKeys"}


def test_unknown_places_say_nothing(find: Find) -> None:
    assert node_at(schema.root(find("pods")), "spec", "nonsense") is ANY
    assert schema.list_type(ANY) == "atomic"
    assert schema.merge_key(ANY) is None


def test_values_of_a_map_have_the_schema_of_its_values(find: Find) -> None:
    limits = node_at(schema.root(find("pods")), "spec", "containers", "resources", "limits")
    assert node_at(limits, "cpu").name.endswith("Quantity")
