"""Server-side apply and managed fields, as pure functions over objects."""

from datetime import timedelta
from typing import Any

import pytest

from selfheal_sandbox.api import field_sets, managed_fields, server_side_apply
from selfheal_sandbox.api.errors import ApiError
from selfheal_sandbox.kinds import schema_node
from selfheal_sandbox.kinds.registry import Registry
from selfheal_sandbox.store.objects import Object
from tests.unit.sandbox_api.bodies import CONFIG_MAPS, DEPLOYMENTS, config_map, deployment
from tests.unit.sandbox_api.fakes import NOON

REGISTRY = Registry()
EVENTS = ("", "events")
LATER = NOON + timedelta(hours=1)


def resource(obj: Object) -> Any:
    return REGISTRY.by_key({"ConfigMap": CONFIG_MAPS, "Event": EVENTS}.get(obj["kind"], DEPLOYMENTS))


def created(applied: Object, manager: str = "one") -> Object:
    return server_side_apply.first_apply(resource(applied), applied, manager, NOON)


def applied(live: Object, wanted: Object, manager: str, *, force: bool = False) -> Object:
    return server_side_apply.apply(resource(live), live, wanted, manager, force=force, subresource="", now=LATER)


def updated(old: Object | None, new: Object, manager: str, subresource: str = "") -> Object:
    result = {**new, "metadata": dict(new["metadata"])}
    managed_fields.track(resource(new), old, result, manager, subresource, LATER)
    return result


def owners(obj: Object, path: str) -> list[str]:
    return sorted(
        entry["manager"]
        for entry in managed_fields.entries_of(obj)
        if path in [field_sets.text_of(each) for each in field_sets.paths(entry["fieldsV1"])]
    )


def test_the_first_apply_owns_what_it_says() -> None:
    live = created(config_map("c", {"a": "1"}))
    (entry,) = live["metadata"]["managedFields"]

    assert entry == {
        "manager": "one",
        "operation": "Apply",
        "apiVersion": "v1",
        "time": "2026-03-01T12:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {"f:a": {}}},
    }


def test_a_field_that_a_manager_no_longer_applies_is_removed() -> None:
    live = applied(created(config_map("c", {"a": "1", "b": "1"})), config_map("c", {"a": "1"}), "one")

    assert live["data"] == {"a": "1"}


@pytest.mark.parametrize(("field", "value"), [("nodeSelector", {"disk": "ssd"}), ("tolerations", [{"key": "a"}])])
def test_a_null_takes_away_what_has_one_owner_as_a_whole(field: str, value: Any) -> None:
    with_value, with_null = deployment("d"), deployment("d")
    with_value["spec"]["template"]["spec"][field] = value
    with_null["spec"]["template"]["spec"][field] = None
    live = created(with_value)
    with pytest.raises(ApiError) as caught:
        applied(live, with_null, "two")

    assert [each["field"] for each in caught.value.details["causes"]] == [f".spec.template.spec.{field}"]
    for changed in (applied(live, with_null, "one"), applied(live, with_null, "two", force=True)):
        assert changed["spec"]["template"]["spec"].get(field) is None


def test_a_struct_that_is_no_longer_applied_goes_with_its_defaults() -> None:
    probing = deployment("d")
    (container,) = probing["spec"]["template"]["spec"]["containers"]
    container["readinessProbe"] = {"httpGet": {"port": 80}, "periodSeconds": 3}
    live = created(probing)
    (running,) = live["spec"]["template"]["spec"]["containers"]
    running["readinessProbe"] |= {"httpGet": {"port": 80, "scheme": "HTTP"}, "timeoutSeconds": 1}
    without = applied(live, deployment("d"), "one")
    assert without["spec"]["template"]["spec"]["containers"] == [{"name": "main", "image": "busybox:1"}]


def test_what_others_put_into_a_map_stays_when_it_is_no_longer_applied() -> None:
    live = created({**config_map("c", {"a": "1"}), "metadata": {"name": "c", "labels": {"x": "y"}}})
    live["metadata"]["labels"]["of"] = "a-controller"
    assert applied(live, config_map("c", {"a": "1"}), "one")["metadata"]["labels"] == {"of": "a-controller"}


def test_a_dropped_field_stays_while_another_manager_owns_it() -> None:
    live = created(config_map("c", {"a": "1", "b": "1"}))
    live = applied(live, config_map("c", {"b": "1"}), "two")
    live = applied(live, config_map("c", {"a": "1"}), "one")

    assert live["data"] == {"a": "1", "b": "1"}
    assert owners(live, ".data.b") == ["two"]


def test_applying_the_same_value_shares_the_field_without_conflict() -> None:
    live = applied(created(config_map("c", {"a": "1"})), config_map("c", {"a": "1"}), "two")

    assert owners(live, ".data.a") == ["one", "two"]


def test_applying_another_value_is_a_conflict_that_names_manager_and_field() -> None:
    with pytest.raises(ApiError) as caught:
        applied(created(config_map("c", {"a": "1"})), config_map("c", {"a": "2"}), "two")

    assert caught.value.code == 409
    assert caught.value.message == 'Apply failed with 1 conflict: conflict with "one": .data.a'
    assert caught.value.details["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.a"}
    ]


def test_several_conflicts_are_listed_by_manager() -> None:
    live = created(deployment("d"), "helm")
    scaled = {**live, "spec": {**live["spec"], "replicas": 5}}
    live = updated(live, scaled, "kubectl", "scale")
    wanted = deployment("d")
    wanted["spec"]["template"]["spec"]["containers"][0]["image"] = "busybox:2"
    with pytest.raises(ApiError) as caught:
        applied(live, wanted, "argo")

    assert caught.value.message == (
        "Apply failed with 2 conflicts: "
        'conflicts with "helm":\n- .spec.template.spec.containers[name="main"].image\n'
        'conflicts with "kubectl" with subresource "scale" using apps/v1:\n- .spec.replicas'
    )


def test_conflicts_with_a_scale_are_listed_before_those_with_the_rest_of_its_manager() -> None:
    live = updated(None, deployment("d"), "kubectl")
    live = updated(live, {**live, "spec": {**live["spec"], "replicas": 5}}, "kubectl", "scale")
    wanted = deployment("d")
    wanted["spec"]["template"]["spec"]["containers"][0]["image"] = "busybox:2"
    with pytest.raises(ApiError) as caught:
        applied(live, wanted, "argo")
    assert caught.value.message.index('"kubectl" with subresource') < caught.value.message.index('"kubectl" using')


def test_force_takes_the_field_from_the_other_manager() -> None:
    live = created(config_map("c", {"a": "1", "b": "1"}))
    live = applied(live, config_map("c", {"a": "2"}), "two", force=True)

    assert live["data"] == {"a": "2", "b": "1"}
    assert owners(live, ".data.a") == ["two"]
    assert owners(live, ".data.b") == ["one"]


def test_items_of_keyed_lists_are_merged_and_dropped_one_by_one() -> None:
    live = created(deployment("d"))
    side = deployment("d")
    side["spec"] = {"template": {"spec": {"containers": [{"name": "side", "image": "s:1"}]}}}
    live = applied(live, side, "two")
    names = [each["name"] for each in live["spec"]["template"]["spec"]["containers"]]
    assert names == ["main", "side"]

    side["spec"] = {}
    live = applied(live, side, "two")
    names = [each["name"] for each in live["spec"]["template"]["spec"]["containers"]]
    assert names == ["main"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("ab", "ba", "ba"),
        ("x", "ab", "xab"),
        ("b", "ab", "ab"),
        ("axb", "ba", "xba"),
        ("ab", "cad", "cabd"),
        ("abc", "", "abc"),
        ("", "ab", "ab"),
        ("xay", "ya", "xya"),
    ],
)
def test_items_are_in_the_order_in_which_they_are_applied(old: str, new: str, expected: str) -> None:
    assert "".join(server_side_apply.merged_order(list(old), list(new))) == expected


@pytest.mark.timeout(5)  # the API server answers nobody else meanwhile
def test_long_lists_are_put_in_order_at_once() -> None:
    old, new = [f"old-{number}" for number in range(2000)], [f"new-{number}" for number in range(2000)]
    assert server_side_apply.merged_order(old, new) == [*old, *new]


@pytest.mark.parametrize("spec", [{"ports": []}, {"template": {"containers": []}}])
def test_a_map_of_nothing_but_empty_lists_has_no_owner(spec: Object) -> None:
    ports = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    fields = {"ports": ports, "template": {"type": "object", "properties": {"containers": ports}}}
    node = schema_node.node_of({"properties": {"spec": {"type": "object", "properties": fields}}})

    assert field_sets.of_value({"spec": spec, "kind": "x"}, node) == {"f:kind": {}}


def test_an_item_stays_while_someone_owns_a_field_of_it() -> None:
    live = created(deployment("d"))
    with_env = updated(
        live,
        {
            **live,
            "spec": {
                **live["spec"],
                "template": {
                    **live["spec"]["template"],
                    "spec": {
                        "containers": [{"name": "main", "image": "busybox:1", "env": [{"name": "X", "value": "1"}]}]
                    },
                },
            },
        },
        "kubectl-set",
    )
    without = deployment("d")
    without["spec"]["template"]["spec"]["containers"] = []
    result = applied(with_env, without, "one")

    assert result["spec"]["template"]["spec"]["containers"] == [{"env": [{"name": "X", "value": "1"}]}]


def test_an_unchanged_apply_keeps_its_time() -> None:
    live = created(config_map("c", {"a": "1"}))

    assert applied(live, config_map("c", {"a": "1"}), "one") == live


def test_an_update_takes_the_fields_it_changes() -> None:
    live = created(config_map("c", {"a": "1", "b": "1"}))
    live = updated(live, {**live, "data": {"a": "9", "b": "1"}}, "kubectl-edit")

    assert owners(live, ".data.a") == ["kubectl-edit"]
    assert owners(live, ".data.b") == ["one"]


def test_a_removed_field_has_no_owner_and_an_empty_entry_goes() -> None:
    live = updated(None, config_map("c", {"a": "1"}), "creator")
    live = updated(live, {**live, "data": {"b": "1"}}, "editor")

    assert owners(live, ".data.a") == []
    assert owners(live, ".data") == ["creator"]  # who made the map keeps it
    without_data = {name: value for name, value in live.items() if name != "data"}
    live = updated(live, {**without_data, "immutable": True}, "editor")
    assert [entry["manager"] for entry in managed_fields.entries_of(live)] == ["editor"]


def test_who_takes_the_time_of_an_event_away_owns_the_null_in_its_place() -> None:
    event: Object = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "reason": "Started"}
    live = updated(None, {**event, "lastTimestamp": "2026-03-01T12:00:00Z"}, "one")
    live = updated(live, event, "two")

    assert owners(live, ".lastTimestamp") == ["two"]
    assert owners(live, ".firstTimestamp") == []


def test_a_field_that_is_not_declared_owns_the_map_that_it_is() -> None:
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    node = schema_node.node_of({"type": "object", "properties": {"free": free}})

    assert field_sets.of_value({"free": {"x": {"y": 1}}}, node) == {"f:free": {"f:x": {".": {}, "f:y": {}}}}


def test_status_and_spec_are_owned_apart() -> None:
    live = updated(None, deployment("d"), "kubectl")
    live = updated(live, {**live, "status": {"replicas": 2}}, "kube-controller-manager", "status")

    assert owners(live, ".status.replicas") == ["kube-controller-manager"]
    assert {entry["manager"]: entry.get("subresource") for entry in managed_fields.entries_of(live)} == {
        "kube-controller-manager": "status",
        "kubectl": None,
    }


def test_a_client_may_rewrite_the_entries() -> None:
    live = updated(None, config_map("c", {"a": "1"}), "kubectl-client-side-apply")
    moved = [{**entry, "manager": "kubectl", "operation": "Apply"} for entry in managed_fields.entries_of(live)]
    live = updated(live, {**live, "metadata": {**live["metadata"], "managedFields": moved}}, "kubectl")

    assert [(entry["manager"], entry["operation"]) for entry in managed_fields.entries_of(live)] == [
        ("kubectl", "Apply")
    ]


@pytest.mark.parametrize("entries", ["x", [3], [{"fieldsV1": {"f:a": 1}}]])
def test_malformed_entries_are_refused(entries: Any) -> None:
    live = config_map("c")
    with pytest.raises(ApiError) as caught:
        updated(live, {**live, "metadata": {**live["metadata"], "managedFields": entries}}, "x")

    assert caught.value.code == 422


def test_many_update_managers_are_merged_into_one_old_entry() -> None:
    live = updated(None, config_map("c", {"a": "0"}), "manager-0")
    for number in range(1, 20):
        live = updated(live, {**live, "data": {**live["data"], f"k{number}": "1"}}, f"manager-{number}")

    entries = managed_fields.entries_of(live)
    assert len(entries) <= managed_fields.UPDATE_MANAGER_LIMIT
    assert owners(live, ".data.k1") == ["ancient-changes"]
    assert owners(live, ".data.k19") == ["manager-19"]
