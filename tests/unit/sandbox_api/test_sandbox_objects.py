"""The verbs in process, as controllers and the kubelet use them."""

from collections.abc import Callable
from typing import Any

import pytest

from selfheal_sandbox.api.deletion import DeleteOptions, Propagation
from selfheal_sandbox.api.errors import ApiError
from selfheal_sandbox.api.objects import DEFAULT_NAMESPACES, Objects
from selfheal_sandbox.store.objects import (
    Key,
    Object,
    condition,
    is_terminating,
    name_of,
    spec_of,
    status_of,
    uid_of,
    with_spec,
    with_status,
)
from tests.unit.sandbox_api.bodies import (
    BUDGETS,
    CONFIG_MAPS,
    DEFINITIONS,
    DEPLOYMENTS,
    NAMESPACES,
    PODS,
    SERVICES,
    WIDGETS,
    config_map,
    definition,
    deployment,
    pod,
    service,
    widget,
)
from tests.unit.sandbox_api.fakes import FakeNetwork, ManualClock, make_objects

NS = "default"
INVALID = (422, "Invalid")


def refused(action: Callable[[], Any], code: int, reason: str) -> ApiError:
    with pytest.raises(ApiError) as caught:
        action()
    assert (caught.value.code, caught.value.reason) == (code, reason), caught.value.message
    return caught.value


def data(value: str) -> Callable[[Object], Object]:
    return lambda old: {**old, "data": {"a": value}}


def test_it_starts_with_the_namespaces_of_every_cluster(objects: Objects) -> None:
    assert [name_of(each) for each in objects.store.list(NAMESPACES)] == list(DEFAULT_NAMESPACES)
    assert [name_of(each) for each in objects.store.list(("", "serviceaccounts"))] == ["default"] * 4


def test_create_sets_what_the_server_sets_and_leaves_the_argument_alone(objects: Objects) -> None:
    given = config_map("c")
    stored = objects.create(CONFIG_MAPS, NS, given)
    metadata = stored["metadata"]

    assert metadata["namespace"] == NS
    assert metadata["creationTimestamp"] == "2026-03-01T12:00:00Z"
    assert len(metadata["uid"]) == 36
    assert metadata["resourceVersion"] == str(objects.store.revision)
    assert given == config_map("c")


def test_create_fills_in_defaults_and_the_first_status(objects: Objects) -> None:
    stored = objects.create(PODS, NS, {**pod("p"), "status": {"phase": "Running"}})

    assert spec_of(stored)["restartPolicy"] == "Always"
    assert status_of(stored) == {"phase": "Pending", "qosClass": "BestEffort"}
    assert objects.create(DEPLOYMENTS, NS, deployment("d"))["metadata"]["generation"] == 1


def test_nulls_of_typed_clients_mean_not_set(objects: Objects) -> None:
    given = config_map("c", creationTimestamp=None)
    given["data"]["gone"] = None

    assert objects.create(CONFIG_MAPS, NS, given)["data"] == {"a": "1"}


def test_names_are_generated_after_a_prefix(objects: Objects) -> None:
    given = {"metadata": {"generateName": "x" * 70}}
    stored = [name_of(objects.create(CONFIG_MAPS, NS, given)) for _ in range(3)]

    assert len(set(stored)) == 3
    assert all(len(name) == 63 for name in stored)


@pytest.mark.parametrize(("prefix", "told"), [("X_", True), ("-", True), ("web-", False), ("web.", True)])
def test_a_prefix_of_names_must_be_a_name_but_for_a_dash_at_its_end(objects: Objects, prefix: str, told: bool) -> None:
    error = refused(
        lambda: objects.create(CONFIG_MAPS, NS, {"metadata": {"name": "Bad_", "generateName": prefix}}), *INVALID
    )

    assert ("metadata.generateName" in [each["field"] for each in error.details["causes"]]) == told


@pytest.mark.parametrize(
    ("key", "namespace", "obj", "code", "reason"),
    [
        (CONFIG_MAPS, "nowhere", config_map("c"), 404, "NotFound"),
        (CONFIG_MAPS, NS, config_map("c", namespace="other"), 400, "BadRequest"),
        (CONFIG_MAPS, NS, config_map("c", resourceVersion="7"), 400, "BadRequest"),
        (CONFIG_MAPS, NS, {"metadata": {}}, 422, "Invalid"),
        (CONFIG_MAPS, NS, {"metadata": []}, 400, "BadRequest"),
        (CONFIG_MAPS, NS, {"metadata": {"name": 3}}, 400, "BadRequest"),
        (CONFIG_MAPS, NS, config_map("Bad_Name"), 422, "Invalid"),
        (CONFIG_MAPS, NS, {**config_map("c"), "data": ["x"]}, 400, "BadRequest"),
        (("", "nothings"), NS, config_map("c"), 404, "NotFound"),
        (DEPLOYMENTS, NS, {"metadata": {"name": "d"}, "spec": {"replicas": 1}}, 422, "Invalid"),
    ],
)
def test_create_refuses(objects: Objects, key: Key, namespace: str, obj: Object, code: int, reason: str) -> None:
    refused(lambda: objects.create(key, namespace, obj), code, reason)


@pytest.mark.parametrize(("name", "taken"), [("Web_1", True), ("a" * 254, True), ("a/b", False), ("..", False)])
def test_an_event_is_called_anything_that_fits_into_a_path(objects: Objects, name: str, taken: bool) -> None:
    event: Object = {"metadata": {"name": name}, "involvedObject": {"namespace": NS}, "reason": "Started"}
    if taken:
        assert name_of(objects.create(("", "events"), NS, event)) == name
    else:
        refused(lambda: objects.create(("", "events"), NS, event), *INVALID)


def test_a_taken_name_is_refused(objects: Objects) -> None:
    objects.create(CONFIG_MAPS, NS, config_map("c"))

    error = refused(lambda: objects.create(CONFIG_MAPS, NS, config_map("c")), 409, "AlreadyExists")
    assert error.message == 'configmaps "c" already exists'


def test_nothing_is_created_in_a_terminating_namespace(objects: Objects) -> None:
    objects.create(NAMESPACES, "", {"metadata": {"name": "shop"}})
    objects.delete(NAMESPACES, "", "shop")

    error = refused(lambda: objects.create(CONFIG_MAPS, "shop", config_map("c")), 403, "Forbidden")
    assert error.details["causes"][0]["reason"] == "NamespaceTerminating"


@pytest.mark.parametrize("strictness", ["Ignore", "Warn", "Strict"])
def test_unknown_fields_are_ignored_told_or_refused(objects: Objects, strictness: Any) -> None:
    given, warnings = {**config_map("c"), "dta": {}}, list[str]()

    def create() -> Object:
        return objects.create(CONFIG_MAPS, NS, given, strictness=strictness, warnings=warnings)

    if strictness == "Strict":
        error = refused(create, 400, "BadRequest")
        assert 'strict decoding error: unknown field "dta"' in error.message
    else:
        assert "dta" not in create()
        assert warnings == (['unknown field "dta"'] if strictness == "Warn" else [])


@pytest.mark.parametrize(
    ("resources", "qos_class"),
    [
        ({"limits": {"example.com/gpu": "1"}}, "BestEffort"),
        ({"limits": {"cpu": "0", "memory": "0"}}, "BestEffort"),
        ({"requests": {"cpu": "0"}}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "0"}}, "Burstable"),
        ({"limits": {"memory": "64Mi"}}, "Burstable"),
        ({"limits": {"cpu": "0.1", "memory": "64Mi"}, "requests": {"cpu": "100m"}}, "Guaranteed"),
    ],
)
def test_cpu_and_memory_make_the_class_of_a_pod(objects: Objects, resources: Object, qos_class: str) -> None:
    given = pod("p", containers=[{"name": "main", "image": "busybox:1", "resources": resources}])
    assert status_of(objects.create(PODS, NS, given))["qosClass"] == qos_class


def test_what_is_hardly_meant_is_told(objects: Objects) -> None:
    warnings = list[str]()
    given = deployment("d")
    given["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = -1
    objects.create(DEPLOYMENTS, NS, given, warnings=warnings)
    objects.update(
        DEPLOYMENTS, NS, "d", lambda old: with_status(old, replicas=7), subresource="status", warnings=warnings
    )
    assert len(warnings) == 1

    objects.update(DEPLOYMENTS, NS, "d", lambda old: with_spec(old, replicas=7), warnings=warnings)
    assert len(warnings) == 2
    assert all("negative values are invalid and will be treated as 1" in warning for warning in warnings)


def test_a_missing_name_is_told_with_all_else(objects: Objects) -> None:
    given = {"metadata": {}, "data": {"not a key": "x"}}
    error = refused(lambda: objects.create(CONFIG_MAPS, NS, given), 422, "Invalid")
    assert [each["field"] for each in error.details["causes"]] == ["metadata.name", "data[not a key]"]


def test_tolerations_that_every_pod_has_come_back(objects: Objects) -> None:
    objects.create(PODS, NS, pod("p"))
    mine = {"key": "x", "operator": "Exists"}
    changed = objects.update(PODS, NS, "p", lambda old: with_spec(old, tolerations=[mine]))
    keys = [toleration["key"] for toleration in spec_of(changed)["tolerations"]]
    assert keys == ["x", "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]


def test_a_budget_has_a_spec_in_any_case(objects: Objects) -> None:
    assert objects.create(BUDGETS, NS, {"metadata": {"name": "b"}})["spec"] == {}


def test_a_dry_run_stores_nothing(objects: Objects) -> None:
    revision = objects.store.revision
    objects.create(CONFIG_MAPS, NS, config_map("c"), dry_run=True)
    assert objects.store.get(CONFIG_MAPS, NS, "c") is None

    objects.create(CONFIG_MAPS, NS, config_map("c"))
    changed = objects.update(CONFIG_MAPS, NS, "c", data("2"), dry_run=True)
    objects.delete(CONFIG_MAPS, NS, "c", dry_run=True)

    assert changed["data"] == {"a": "2"}
    assert objects.get(CONFIG_MAPS, NS, "c")["data"] == {"a": "1"}
    assert objects.store.revision == revision + 1


def test_update_writes_only_when_something_changed(objects: Objects) -> None:
    stored = objects.create(CONFIG_MAPS, NS, config_map("c"), manager="m")

    assert objects.update(CONFIG_MAPS, NS, "c", dict, manager="other") is stored
    changed = objects.update(CONFIG_MAPS, NS, "c", data("2"))
    assert int(changed["metadata"]["resourceVersion"]) == int(stored["metadata"]["resourceVersion"]) + 1
    assert stored["data"] == {"a": "1"}


def test_generation_counts_changes_of_the_spec_only(objects: Objects) -> None:
    objects.create(DEPLOYMENTS, NS, deployment("d"))

    def generation(mutate: Callable[[Object], Object], subresource: str = "") -> int:
        changed = objects.update(DEPLOYMENTS, NS, "d", mutate, subresource=subresource)
        return int(changed["metadata"]["generation"])

    assert generation(lambda old: with_spec(old, replicas=7)) == 2
    assert generation(lambda old: {**old, "metadata": {**old["metadata"], "labels": {"x": "y"}}}) == 2
    assert generation(lambda old: with_status(old, replicas=7), "status") == 2


def test_a_generation_that_a_client_gave_is_not_counted_on(objects: Objects) -> None:
    objects.create(CONFIG_MAPS, NS, config_map("c", generation=7))

    assert objects.update(CONFIG_MAPS, NS, "c", data("2"))["metadata"]["generation"] == 7


def test_generation_counts_annotations_of_a_deployment_that_clients_change(objects: Objects) -> None:
    created = objects.create(DEPLOYMENTS, NS, deployment("d"))

    def annotated(old: Object) -> Object:
        count = len(old["metadata"].get("annotations") or {})
        annotations = {**(old["metadata"].get("annotations") or {}), f"note-{count}": "x"}
        return {**old, "metadata": {**old["metadata"], "annotations": annotations}}

    by_controller = objects.patch_object(DEPLOYMENTS, created, annotated)
    with_its_status = objects.update(DEPLOYMENTS, NS, "d", annotated, subresource="status")
    by_client = objects.update(DEPLOYMENTS, NS, "d", annotated)
    generations = [each["metadata"]["generation"] for each in (by_controller, with_its_status, by_client)]
    assert generations == [1, 1, 2]
    assert len(by_client["metadata"]["annotations"]) == 3


def test_status_and_spec_are_written_through_their_own_doors(objects: Objects) -> None:
    objects.create(DEPLOYMENTS, NS, deployment("d"))

    def both(old: Object) -> Object:
        return with_status(with_spec(old, replicas=7), replicas=9)

    through_status = objects.update(DEPLOYMENTS, NS, "d", both, subresource="status")
    assert (through_status["spec"]["replicas"], through_status["status"]["replicas"]) == (2, 9)

    through_main = objects.update(DEPLOYMENTS, NS, "d", lambda old: with_status(with_spec(old, replicas=7), replicas=1))
    assert (through_main["spec"]["replicas"], through_main["status"]["replicas"]) == (7, 9)


@pytest.mark.parametrize(
    ("metadata", "code", "reason"),
    [
        ({"resourceVersion": "1"}, 409, "Conflict"),
        ({"uid": "another"}, 409, "Conflict"),
        ({"name": "other"}, 400, "BadRequest"),
        ({"namespace": "kube-system"}, 400, "BadRequest"),
        ({"labels": {"x": "not ok!"}}, 422, "Invalid"),
    ],
)
def test_update_refuses(objects: Objects, metadata: Object, code: int, reason: str) -> None:
    objects.create(CONFIG_MAPS, NS, config_map("c"))

    def mutate(old: Object) -> Object:
        return {**old, "metadata": {**old["metadata"], **metadata}}

    refused(lambda: objects.update(CONFIG_MAPS, NS, "c", mutate), code, reason)


def test_update_of_nothing_or_into_nothing_is_refused(objects: Objects) -> None:
    refused(lambda: objects.update(CONFIG_MAPS, NS, "c", data("1")), 404, "NotFound")
    objects.create(CONFIG_MAPS, NS, config_map("c"))
    nothing: Any = lambda old: [old]  # noqa: E731
    refused(lambda: objects.update(CONFIG_MAPS, NS, "c", nothing), 400, "BadRequest")


def test_server_fields_survive_an_update_that_drops_them(objects: Objects) -> None:
    stored = objects.create(CONFIG_MAPS, NS, config_map("c"))
    changed = objects.update(CONFIG_MAPS, NS, "c", lambda _: config_map("c", {"a": "2"}))

    for field in ("uid", "creationTimestamp", "namespace"):
        assert changed["metadata"][field] == stored["metadata"][field]


def test_set_status_is_for_the_same_object_and_for_changes(objects: Objects) -> None:
    stored = objects.create(DEPLOYMENTS, NS, deployment("d"))
    first = objects.set_status(DEPLOYMENTS, stored, {"replicas": 1})

    assert first is not None
    assert objects.set_status(DEPLOYMENTS, stored, {"replicas": 1}) is first
    assert first["spec"] is stored["spec"]
    stranger = {**stored, "metadata": {**stored["metadata"], "uid": "another"}}
    assert objects.set_status(DEPLOYMENTS, stranger, {"replicas": 2}) is None
    objects.delete(DEPLOYMENTS, NS, "d")
    assert objects.set_status(DEPLOYMENTS, stored, {"replicas": 2}) is None


def test_patch_object_counts_generations_and_refuses_strangers(objects: Objects) -> None:
    stored = objects.create(DEPLOYMENTS, NS, deployment("d"))
    changed = objects.patch_object(DEPLOYMENTS, stored, lambda old: with_spec(old, replicas=5))

    assert changed["metadata"]["generation"] == 2
    assert objects.patch_object(DEPLOYMENTS, stored, lambda old: with_spec(old, replicas=5)) is changed
    stranger = {**stored, "metadata": {**stored["metadata"], "uid": "another"}}
    refused(lambda: objects.patch_object(DEPLOYMENTS, stranger, lambda old: old), 409, "Conflict")
    objects.delete(DEPLOYMENTS, NS, "d")
    refused(lambda: objects.patch_object(DEPLOYMENTS, stored, lambda old: old), 404, "NotFound")


def test_an_object_with_finalizers_goes_when_the_last_one_goes(objects: Objects) -> None:
    objects.create(CONFIG_MAPS, NS, config_map("c", finalizers=["x.io/a"]))
    assert is_terminating(objects.delete(CONFIG_MAPS, NS, "c"))

    def more(old: Object) -> Object:
        return {**old, "metadata": {**old["metadata"], "finalizers": ["x.io/a", "x.io/b"]}}

    def none(old: Object) -> Object:
        return {**old, "metadata": {**old["metadata"], "finalizers": None}}

    refused(lambda: objects.update(CONFIG_MAPS, NS, "c", more), 422, "Invalid")
    objects.update(CONFIG_MAPS, NS, "c", none)
    assert objects.store.get(CONFIG_MAPS, NS, "c") is None


def test_deletion_checks_preconditions(objects: Objects) -> None:
    stored = objects.create(CONFIG_MAPS, NS, config_map("c"))

    def delete(**options: Any) -> Object:
        return objects.delete(CONFIG_MAPS, NS, "c", options=DeleteOptions(**options))

    refused(lambda: delete(uid="another"), 409, "Conflict")
    refused(lambda: delete(resource_version="1"), 409, "Conflict")
    delete(uid=uid_of(stored), resource_version=stored["metadata"]["resourceVersion"])
    refused(lambda: objects.get(CONFIG_MAPS, NS, "c"), 404, "NotFound")


def test_a_pod_on_a_node_stays_for_its_kubelet_to_end(objects: Objects) -> None:
    objects.create(PODS, NS, pod("p", nodeName="node-1"))
    asked = objects.delete(PODS, NS, "p")

    assert asked["metadata"]["deletionTimestamp"] == "2026-03-01T12:00:30Z"
    assert asked["metadata"]["deletionGracePeriodSeconds"] == 30
    assert objects.delete(PODS, NS, "p") is objects.get(PODS, NS, "p")
    objects.delete(PODS, NS, "p", options=DeleteOptions(grace_period_seconds=0))
    assert objects.store.get(PODS, NS, "p") is None


@pytest.mark.parametrize("propagation", ["Foreground", "Orphan"])
def test_a_deletion_that_is_about_dependents_waits_for_the_garbage_collector(
    objects: Objects, propagation: Propagation
) -> None:
    objects.create(CONFIG_MAPS, NS, config_map("owner"))
    objects.delete(CONFIG_MAPS, NS, "owner", options=DeleteOptions(propagation=propagation))

    assert is_terminating(objects.get(CONFIG_MAPS, NS, "owner"))


def test_a_namespace_terminates_until_it_is_finalized(objects: Objects) -> None:
    objects.create(NAMESPACES, "", {"metadata": {"name": "shop"}})
    assert status_of(objects.delete(NAMESPACES, "", "shop"))["phase"] == "Terminating"
    assert objects.delete(NAMESPACES, "", "shop") is objects.get(NAMESPACES, "", "shop")

    objects.update(NAMESPACES, "", "shop", lambda old: {**old, "spec": {}}, subresource="finalize")
    assert objects.store.get(NAMESPACES, "", "shop") is None


def test_namespaces_of_every_cluster_cannot_be_deleted(objects: Objects) -> None:
    refused(lambda: objects.delete(NAMESPACES, "", "kube-system"), 403, "Forbidden")


def test_services_get_addresses_and_give_them_back(clock: ManualClock, network: FakeNetwork) -> None:
    objects = make_objects(clock, network)
    first = spec_of(objects.create(SERVICES, NS, service("a")))
    objects.create(SERVICES, NS, service("b", clusterIP="127.99.0.2"))
    third = spec_of(objects.create(SERVICES, NS, service("c")))

    assert (first["clusterIP"], first["clusterIPs"], third["clusterIP"]) == ("127.99.0.1", ["127.99.0.1"], "127.99.0.3")
    assert spec_of(objects.create(SERVICES, NS, service("headless", clusterIP="None")))["clusterIP"] == "None"
    objects.delete(SERVICES, NS, "a")
    assert network.released == ["127.99.0.1"]


@pytest.mark.parametrize("wanted", ["127.99.0.1", "10.0.0.1"])
def test_a_taken_or_foreign_cluster_ip_is_refused(objects: Objects, wanted: str) -> None:
    objects.create(SERVICES, NS, service("a"))

    refused(lambda: objects.create(SERVICES, NS, service("b", clusterIP=wanted)), 422, "Invalid")


def test_a_service_keeps_its_address_when_a_client_leaves_it_out(objects: Objects) -> None:
    stored = objects.create(SERVICES, NS, service("a"))
    changed = objects.update(
        SERVICES, NS, "a", lambda _: {**service("a"), "metadata": {"name": "a", "labels": {"x": "y"}}}
    )

    assert spec_of(changed)["clusterIP"] == spec_of(stored)["clusterIP"]


def test_a_definition_adds_a_kind_and_its_removal_takes_it_with_its_objects(objects: Objects) -> None:
    stored = objects.create(DEFINITIONS, "", definition())
    established = condition(stored, "Established")
    assert established is not None
    assert established["status"] == "True"

    assert spec_of(objects.create(WIDGETS, NS, widget("w"))) == {"size": 3}
    objects.create(WIDGETS, NS, {**widget("held"), "metadata": {"name": "held", "finalizers": ["x.io/a"]}})
    objects.delete(DEFINITIONS, "", "widgets.example.org")

    assert objects.store.list(WIDGETS) == []
    refused(lambda: objects.get(WIDGETS, NS, "w"), 404, "NotFound")


def test_a_changed_definition_is_served_in_its_new_form(objects: Objects) -> None:
    objects.create(DEFINITIONS, "", definition())
    generation = objects.registry.generation

    def with_second_version(old: Object) -> Object:
        (first,) = spec_of(old)["versions"]
        return with_spec(old, versions=[first, {**first, "name": "v2", "storage": False}])

    changed = objects.update(DEFINITIONS, "", "widgets.example.org", with_second_version)
    assert objects.registry.generation > generation
    assert objects.registry.find("example.org", "v2", "widgets") is not None

    objects.update(DEFINITIONS, "", name_of(changed), lambda old: with_spec(old, versions=spec_of(old)["versions"][:1]))
    assert objects.registry.find("example.org", "v2", "widgets") is None
    assert objects.registry.find("example.org", "v1", "widgets") is not None


def test_accessors_do_not_trip_over_missing_parts() -> None:
    bare: Object = {"metadata": {"name": "x"}}

    assert spec_of(bare) == status_of(bare) == {}
    assert condition(bare, "Ready") is None
    assert not is_terminating(bare)


def test_a_null_in_a_list_is_an_empty_item(objects: Objects) -> None:
    refused(lambda: objects.create(PODS, NS, pod("p", containers=[None])), 422, "Invalid")
    refused(lambda: objects.create(PODS, NS, pod("p", containers=[{"name": "a", "args": [None]}])), 400, "BadRequest")
