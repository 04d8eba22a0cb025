"""JSON patch, merge patch and strategic merge patch, as pure functions."""

import copy
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal_sandbox.api.errors import ApiError
from selfheal_sandbox.api.json_patch import OPERATION_LIMIT, json_patch
from selfheal_sandbox.api.merge_patch import merge_patch
from selfheal_sandbox.api.strategic_merge import strategic_merge
from selfheal_sandbox.kinds.registry import Registry
from selfheal_sandbox.kinds.schema import root
from selfheal_sandbox.store.objects import Object
from tests.unit.sandbox_api.bodies import DEPLOYMENTS, PODS, deployment, pod

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab/~", max_size=3),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text("ab/~", max_size=2), children, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("document", "operations", "expected"),
    [
        ({"a": 1}, [{"op": "add", "path": "/b", "value": 2}], {"a": 1, "b": 2}),
        ({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2, 3]}),
        ({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2]}),
        ({"a": 1, "b": 2}, [{"op": "remove", "path": "/a"}], {"b": 2}),
        ({"a": [1, 2, 3]}, [{"op": "remove", "path": "/a/1"}], {"a": [1, 3]}),
        ({"a": [1, 2, 3]}, [{"op": "replace", "path": "/a/1", "value": 9}], {"a": [1, 9, 3]}),
        ({"a": {"b": 1}}, [{"op": "move", "from": "/a/b", "path": "/c"}], {"a": {}, "c": 1}),
        ({"a": {"b": 1}}, [{"op": "copy", "from": "/a", "path": "/c"}], {"a": {"b": 1}, "c": {"b": 1}}),
        ({"a/b": 1, "m~n": 2}, [{"op": "replace", "path": "/a~1b", "value": 3}], {"a/b": 3, "m~n": 2}),
        ({"m~n": 2}, [{"op": "remove", "path": "/m~0n"}], {}),
        ({"a": 1}, [{"op": "test", "path": "/a", "value": 1}, {"op": "remove", "path": "/a"}], {}),
        ({"a": None}, [{"op": "test", "path": "/a", "value": None}], {"a": None}),
        ({"a": 1}, [{"op": "replace", "path": "", "value": {"b": 2}}], {"b": 2}),
        ({"": 1}, [{"op": "replace", "path": "/", "value": 2}], {"": 2}),
    ],
)
def test_json_patch(document: Any, operations: list[Object], expected: Any) -> None:
    before = copy.deepcopy(document)

    assert json_patch(document, operations) == expected
    assert document == before


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/missing"},
        {"op": "replace", "path": "/missing/below", "value": 1},
        {"op": "add", "path": "/missing/deeper", "value": 1},
        {"op": "add", "path": "/list/9", "value": 1},
        {"op": "add", "path": "/list/x", "value": 1},
        {"op": "add", "path": "no-slash", "value": 1},
        {"op": "add", "path": "/a"},
        {"op": "add", "path": 3, "value": 1},
        {"op": "move", "from": "/map", "path": "/map/inside"},
        {"op": "test", "path": "/a", "value": True},
        {"op": "test", "path": "/list", "value": [True]},
        {"op": "jump", "path": "/a"},
        {"op": None, "path": "/a"},
        {},
        "add",
    ],
)
def test_json_patch_refuses(operation: Any) -> None:
    with pytest.raises(ApiError) as caught:
        json_patch({"a": 1, "list": [1], "map": {}}, [operation])

    assert caught.value.code == 422


def test_json_patch_refuses_what_is_no_list_or_too_long() -> None:
    with pytest.raises(ApiError) as caught:
        json_patch({}, {"op": "add"})
    assert caught.value.code == 422

    with pytest.raises(ApiError) as caught:
        json_patch({}, [{"op": "test", "path": "", "value": {}}] * (OPERATION_LIMIT + 1))
    assert caught.value.code == 413


@given(
    document=JSON,
    operations=JSON
    | st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
                "path": st.sampled_from(["", "/", "/a", "/a/b", "/0", "/-", "/a/-1", "/~1"]),
                "from": st.sampled_from(["", "/a", "/a/0"]),
                "value": JSON,
            },
        ),
        max_size=4,
    ),
)
def test_json_patch_either_works_or_is_refused(document: Any, operations: Any) -> None:
    before = copy.deepcopy(document)
    with suppress(ApiError):
        json_patch(document, operations)

    assert document == before


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        (["a"], {"x": {"y": None}}, {"x": {}}),
        ({"a": 1}, ["c"], ["c"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ],
)
def test_merge_patch_follows_the_examples_of_its_standard(target: Any, patch: Any, expected: Any) -> None:
    assert merge_patch(target, patch) == expected


def merged(obj: Object, patch: Object) -> Object:
    key = PODS if obj["kind"] == "Pod" else DEPLOYMENTS
    result: Object = strategic_merge(obj, patch, root(Registry().by_key(key)))
    return result


def containers(*pairs: tuple[str, str]) -> list[Object]:
    return [{"name": name, "image": image} for name, image in pairs]


def images(obj: Object) -> dict[str, str]:
    return {each["name"]: each["image"] for each in obj["spec"]["containers"]}


def test_strategic_merge_finds_containers_by_name() -> None:
    old = pod("p", containers=containers(("a", "1"), ("b", "1")))
    new = merged(old, {"spec": {"containers": containers(("b", "2"), ("c", "1"))}})

    assert images(new) == {"a": "1", "b": "2", "c": "1"}
    assert images(old) == {"a": "1", "b": "1"}


def test_strategic_merge_deletes_an_item_or_a_map_by_directive() -> None:
    old = pod("p", containers=containers(("a", "1"), ("b", "1")), nodeSelector={"x": "y"})
    new = merged(
        old, {"spec": {"containers": [{"name": "a", "$patch": "delete"}], "nodeSelector": {"$patch": "delete"}}}
    )

    assert images(new) == {"b": "1"}
    assert not new["spec"].get("nodeSelector")


def test_strategic_merge_replaces_a_list_or_a_map_by_directive() -> None:
    old = pod("p", containers=containers(("a", "1"), ("b", "1")), nodeSelector={"x": "y"})
    new = merged(
        old,
        {
            "spec": {
                "containers": [{"$patch": "replace"}, {"name": "c", "image": "1"}],
                "nodeSelector": {"$patch": "replace", "z": "1"},
            }
        },
    )

    assert images(new) == {"c": "1"}
    assert new["spec"]["nodeSelector"] == {"z": "1"}


def test_strategic_merge_replaces_lists_without_a_strategy() -> None:
    old = pod("p", containers=[{"name": "a", "image": "1", "args": ["x", "y"]}])
    new = merged(old, {"spec": {"containers": [{"name": "a", "args": ["z"]}]}})

    assert new["spec"]["containers"][0] == {"name": "a", "image": "1", "args": ["z"]}


def test_strategic_merge_adds_to_and_deletes_from_lists_of_values() -> None:
    old = {**pod("p"), "metadata": {"name": "p", "finalizers": ["a/a", "b/b"]}}

    added = merged(old, {"metadata": {"finalizers": ["b/b", "c/c"]}})
    assert added["metadata"]["finalizers"] == ["a/a", "b/b", "c/c"]

    removed = merged(added, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/a"]}})
    assert removed["metadata"]["finalizers"] == ["b/b", "c/c"]


def test_strategic_merge_sorts_as_the_client_says_and_keeps_what_it_does_not_know() -> None:
    old = pod("p", containers=containers(("a", "1"), ("side", "1"), ("b", "1")))
    order = {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}
    new = merged(old, {"spec": order})

    assert [each["name"] for each in new["spec"]["containers"]] == ["b", "a", "side"]


def test_strategic_merge_retains_only_the_named_keys() -> None:
    old = deployment("d")
    old["spec"]["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}
    new = merged(old, {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}})

    assert new["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize(
    "patch",
    [
        [],
        {"spec": {"containers": ["a"]}},
        {"spec": {"containers": [{"image": "no key"}]}},
        {"spec": {"$retainKeys": "x"}},
        {"spec": {"$patch": "explode"}},
        {"spec": {"$setElementOrder/containers": 3}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": "x"}},
    ],
)
def test_strategic_merge_refuses_malformed_patches(patch: Any) -> None:
    with pytest.raises(ApiError) as caught:
        merged(pod("p"), patch)

    assert caught.value.code == 400
