"""Addresses of Services whose type changes, and what is said of fields that mean nothing for a type."""

import pytest

from selfheal_sandbox.api.errors import ApiError
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.store.objects import Object, spec_of
from tests.unit.sandbox_api.bodies import SERVICES, service
from tests.unit.sandbox_api.fakes import FakeNetwork

NS = "default"
EXTERNAL: Object = {"type": "ExternalName", "externalName": "example.com"}
PORTS: Object = {"ports": [{"port": 80}]}


def named(name: str) -> Object:
    return {"metadata": {"name": name}, "spec": EXTERNAL}


def patched(objects: Objects, **change: object) -> Object:
    """Return a Service after a change of single fields; None takes a field away."""

    def changed(old: Object) -> Object:
        spec = {**old["spec"], **change}
        return {**old, "spec": {name: value for name, value in spec.items() if value is not None}}

    return objects.update(SERVICES, NS, "a", changed, manager="two")


def test_a_service_that_was_a_name_gets_an_address(objects: Objects) -> None:
    objects.create(SERVICES, NS, named("a"))
    changed = objects.update(SERVICES, NS, "a", lambda _: service("a"))

    assert spec_of(changed)["clusterIP"].startswith("127.")
    assert spec_of(changed)["clusterIPs"] == [spec_of(changed)["clusterIP"]]
    assert (spec_of(changed)["ipFamilies"], spec_of(changed)["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")


def test_a_service_that_becomes_a_name_gives_its_address_back(objects: Objects, network: FakeNetwork) -> None:
    address = spec_of(objects.create(SERVICES, NS, service("a")))["clusterIP"]
    changed = patched(objects, **EXTERNAL)

    assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"} & spec_of(changed).keys()
    assert network.released == [address]


def test_another_address_is_told_with_whatever_else_is_wrong(objects: Objects) -> None:
    objects.create(SERVICES, NS, service("a"))
    with pytest.raises(ApiError) as caught:
        patched(objects, clusterIP="None", clusterIPs=None, ports=[{"port": 0}])

    fields = {each["field"] for each in caught.value.details["causes"]}
    assert {"spec.clusterIPs[0]", "spec.ports[0].port"} <= fields


def test_a_name_may_be_given_an_address_once_as_kubernetes_has_it(objects: Objects) -> None:
    objects.create(SERVICES, NS, service("a"))
    wanted = {"metadata": {"name": "a"}, "spec": {**EXTERNAL, "clusterIP": "None"}}
    changed = objects.update(SERVICES, NS, "a", lambda _: wanted)

    assert spec_of(changed)["clusterIPs"] == ["None"]
    with pytest.raises(ApiError):
        objects.update(SERVICES, NS, "a", lambda _: wanted)


def test_an_address_of_another_service_is_not_given_back_with_a_name(objects: Objects, network: FakeNetwork) -> None:
    address = spec_of(objects.create(SERVICES, NS, service("b")))["clusterIP"]
    own = spec_of(objects.create(SERVICES, NS, service("a")))["clusterIP"]
    patched(objects, **EXTERNAL, clusterIP=address, clusterIPs=None)
    objects.delete(SERVICES, NS, "a")

    assert network.released == [own]


def test_an_empty_address_is_as_good_as_none(objects: Objects) -> None:
    given = service("a", clusterIP="", loadBalancerIP="", externalName="")
    created = objects.create(SERVICES, NS, given, manager="one")
    changed = objects.update(SERVICES, NS, "a", lambda _: given, manager="two")

    assert changed == created
    assert not {"loadBalancerIP", "externalName"} & spec_of(created).keys()
    (entry,) = created["metadata"]["managedFields"]
    assert not {"f:clusterIP", "f:loadBalancerIP", "f:externalName"} & entry["fieldsV1"]["f:spec"].keys()


def test_a_dry_run_keeps_no_address(objects: Objects, network: FakeNetwork) -> None:
    objects.create(SERVICES, NS, named("a"))
    tried = objects.update(SERVICES, NS, "a", lambda _: service("a"), dry_run=True)

    assert network.released == [spec_of(tried)["clusterIP"]]
    assert "clusterIP" not in spec_of(objects.get(SERVICES, NS, "a"))


def test_an_address_that_a_client_takes_away_comes_back_without_its_owner(objects: Objects) -> None:
    objects.create(SERVICES, NS, service("a", clusterIP="127.3.3.3"), manager="one")
    changed = patched(objects, clusterIP=None, clusterIPs=None)

    owned = [entry["fieldsV1"].get("f:spec", {}) for entry in changed["metadata"]["managedFields"]]
    assert spec_of(changed)["clusterIP"] == "127.3.3.3"
    assert not any("f:clusterIP" in fields for fields in owned)


def test_a_headless_service_without_a_selector_has_both_families(objects: Objects) -> None:
    created = objects.create(SERVICES, NS, {"metadata": {"name": "a"}, "spec": {"clusterIP": "None", **PORTS}})

    assert (spec_of(created)["ipFamilies"], spec_of(created)["ipFamilyPolicy"]) == (
        ["IPv4", "IPv6"],
        "RequireDualStack",
    )
    with pytest.raises(ApiError) as caught:
        patched(objects, selector={"app": "a"})
    assert (caught.value.code, caught.value.details["causes"][0]["field"]) == (422, "spec.ipFamilyPolicy")


@pytest.mark.parametrize(
    ("spec", "warning"),
    [
        ({**PORTS}, None),
        ({**EXTERNAL}, None),
        ({**PORTS, "externalName": "example.com"}, 'spec.externalName is ignored when spec.type is not "ExternalName"'),
        ({"clusterIP": "None", "sessionAffinity": "ClientIP"}, "spec.SessionAffinity is ignored for headless services"),
    ],
)
def test_fields_that_mean_nothing_are_told(objects: Objects, spec: Object, warning: str | None) -> None:
    warnings: list[str] = []
    objects.create(SERVICES, NS, {"metadata": {"name": "a"}, "spec": spec}, warnings=warnings)
    again: list[str] = []
    objects.update(SERVICES, NS, "a", lambda old: {**old, "metadata": {"labels": {"a": "b"}}}, warnings=again)

    assert warnings == again == ([warning] if warning else [])
