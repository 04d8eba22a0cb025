"""The registry: what is served, in which version it is stored, and what custom resource definitions add."""

from collections.abc import Callable
from typing import Any

import pytest

from selfheal_sandbox.kinds.registry import BUILTIN, REVIEWS, Registry, Resource, resources_of_definition


def test_every_group_version_and_plural_is_listed_once() -> None:
    paths = [(resource.group, resource.version, resource.plural) for resource in (*BUILTIN, *REVIEWS)]
    assert len(paths) == len(set(paths))


def test_finds_a_resource_by_path_and_by_kind(registry: Registry) -> None:
    by_path = registry.find("apps", "v1", "deployments")
    assert by_path is not None
    assert by_path is registry.by_kind("apps", "v1", "Deployment")
    assert registry.find("apps", "v2", "deployments") is None


def test_names_as_error_messages_and_discovery_write_them(find: Callable[[str], Resource]) -> None:
    deployments, pods = find("deployments.apps"), find("pods")
    assert (deployments.group_version, deployments.group_resource, deployments.key, deployments.singular) == (
        "apps/v1",
        "deployments.apps",
        ("apps", "deployments"),
        "deployment",
    )
    assert (pods.group_version, pods.group_resource, pods.list_kind) == ("v1", "pods", "PodList")


def test_key_leads_to_the_version_objects_are_stored_in(registry: Registry) -> None:
    assert registry.by_key(("autoscaling", "horizontalpodautoscalers")).version == "v2"
    with pytest.raises(KeyError):
        registry.by_key(("apps", "nonsense"))


def test_old_autoscalers_and_new_events_share_a_store_with_their_siblings(find: Callable[[str], Resource]) -> None:
    old = find("horizontalpodautoscalers.v1.autoscaling")
    assert old.storage_key == ("autoscaling", "horizontalpodautoscalers")
    assert find("events.events.k8s.io").storage_key == ("", "events") == find("events").storage_key


def test_definition_yields_its_served_versions(crd: dict[str, Any]) -> None:
    beta, stable = resources_of_definition(crd)
    assert [beta.version, stable.version] == ["v1beta1", "v1"]
    assert stable.storage_of is None
    assert beta.storage_of == ("example.io", "v1", "widgets")
    assert stable.subresources == ("scale", "status")
    assert stable.scale_paths == (".spec.size", ".status.size", "")
    assert [column.name for column in stable.printer_columns] == ["Size", "Ready", "Seen"]
    assert stable.short_names == ("wd",)
    assert stable.is_custom


def test_custom_resources_come_and_go(registry: Registry, crd: dict[str, Any]) -> None:
    generation = registry.generation
    added = resources_of_definition(crd)
    for resource in added:
        registry.add(resource)
    assert registry.by_key(("example.io", "widgets")).version == "v1"
    assert registry.generation > generation
    generation = registry.generation
    for resource in added:
        registry.remove(resource)
    assert registry.find("example.io", "v1", "widgets") is None
    assert registry.by_kind("example.io", "v1", "Widget") is None
    assert registry.generation > generation


def test_adding_a_changed_resource_replaces_it_whole(registry: Registry, crd: dict[str, Any]) -> None:
    registry.add(resources_of_definition(crd)[1])
    crd["spec"]["names"]["kind"] = "Gadget"
    registry.add(resources_of_definition(crd)[1])
    assert registry.by_kind("example.io", "v1", "Widget") is None
    assert registry.by_kind("example.io", "v1", "Gadget") is registry.find("example.io", "v1", "widgets")


def test_removing_what_is_not_served_changes_nothing(registry: Registry, crd: dict[str, Any]) -> None:
    generation = registry.generation
    registry.remove(resources_of_definition(crd)[0])
    assert registry.generation == generation


def test_resources_can_be_put_in_sets_in_spite_of_their_schemas(crd: dict[str, Any]) -> None:
    assert len(set(resources_of_definition(crd))) == 2
