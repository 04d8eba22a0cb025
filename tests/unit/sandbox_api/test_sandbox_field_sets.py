"""Sets of fields: the tree form of managedFields agrees with plain sets of paths."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal_sandbox.api import field_sets
from selfheal_sandbox.api.field_sets import FieldSet, Path
from selfheal_sandbox.kinds.registry import Registry
from selfheal_sandbox.kinds.schema import root
from selfheal_sandbox.kinds.schema_node import SchemaNode
from tests.unit.sandbox_api.bodies import DEPLOYMENTS, PODS, deployment, pod, service

PATHS = st.frozensets(st.lists(st.sampled_from(["f:a", "f:b", "v:1"]), min_size=1, max_size=3).map(tuple), max_size=6)


def tree(paths: frozenset[Path]) -> FieldSet:
    found: FieldSet = {}
    for path in paths:
        node: FieldSet = {}
        for edge in reversed(path):
            node = {edge: node}
        found = field_sets.union(found, node)
    return found


def members(fields: FieldSet) -> frozenset[Path]:
    return frozenset(field_sets.paths(fields))


@given(PATHS)
def test_a_tree_holds_exactly_its_paths(paths: frozenset[Path]) -> None:
    assert members(tree(paths)) == paths
    assert field_sets.is_field_set(tree(paths))


@given(PATHS, PATHS)
def test_operations_agree_with_sets(first: frozenset[Path], second: frozenset[Path]) -> None:
    left, right = tree(first), tree(second)

    assert members(field_sets.union(left, right)) == first | second
    assert members(field_sets.difference(left, right)) == first - second
    assert members(field_sets.intersection(left, right)) == first & second
    assert members(left) == first
    assert members(right) == second


def node(key: tuple[str, str]) -> SchemaNode:
    return root(Registry().by_key(key))


def texts(fields: FieldSet) -> list[str]:
    return [field_sets.text_of(path) for path in field_sets.paths(fields)]


def test_lists_are_owned_by_key_by_value_or_as_a_whole() -> None:
    value = {
        "metadata": {"finalizers": ["x/y"]},
        "spec": {"containers": [{"name": "a", "image": "1", "args": ["p"], "ports": [{"containerPort": 80}]}]},
    }

    assert texts(field_sets.of_value(value, node(PODS))) == [
        '.metadata.finalizers[="x/y"]',
        '.spec.containers[name="a"]',
        '.spec.containers[name="a"].args',
        '.spec.containers[name="a"].image',
        '.spec.containers[name="a"].name',
        '.spec.containers[name="a"].ports[containerPort=80,protocol="TCP"]',
        '.spec.containers[name="a"].ports[containerPort=80,protocol="TCP"].containerPort',
    ]


def test_an_atomic_map_has_one_owner() -> None:
    fields = field_sets.of_value(deployment("d"), node(DEPLOYMENTS))

    assert ".spec.selector" in texts(fields)
    assert ".spec.selector.matchLabels.app" not in texts(fields)


def test_changes_are_what_was_added_changed_or_removed() -> None:
    old = pod("p", {"app": "web"}, containers=[{"name": "a", "image": "1"}, {"name": "b", "image": "1"}])
    new = pod("p", {"app": "api", "new": "1"}, containers=[{"name": "a", "image": "2"}])
    changed, removed = field_sets.changes(old, new, node(PODS))

    assert texts(changed) == [".metadata.labels.app", ".metadata.labels.new", '.spec.containers[name="a"].image']
    assert texts(removed) == [
        '.spec.containers[name="b"]',
        '.spec.containers[name="b"].image',
        '.spec.containers[name="b"].name',
    ]


def test_a_map_that_becomes_empty_stays_with_its_owner() -> None:
    old, new = pod("p", {"app": "web"}), pod("p", {})
    changed, removed = field_sets.changes(old, new, node(PODS))

    assert texts(changed) == []
    assert texts(removed) == [".metadata.labels.app"]


def test_equal_values_have_no_changes() -> None:
    assert field_sets.changes(service("s"), service("s"), node(("", "services"))) == ({}, {})


@pytest.mark.parametrize("value", [None, 3, "x", [], {"f:a": 1}, {"f:a": {"f:b": []}}])
def test_other_things_are_no_field_sets(value: Any) -> None:
    assert not field_sets.is_field_set(value)
