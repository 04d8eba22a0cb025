import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal_sandbox.store.objects import Object
from selfheal_sandbox.store.store import Change, ExpiredError, Store

KEY = ("", "things")
OTHER = ("", "others")


def thing(name: str, namespace: str = "a", **fields: object) -> Object:
    return {"kind": "Thing", "metadata": {"name": name, "namespace": namespace}, **fields}


def names(listed: list[Object]) -> list[str]:
    return [obj["metadata"]["name"] for obj in listed]


def test_every_write_gets_the_next_revision() -> None:
    store = Store()
    first = store.put(KEY, thing("x"))
    second = store.put(OTHER, thing("y"))

    assert int(second["metadata"]["resourceVersion"]) == int(first["metadata"]["resourceVersion"]) + 1
    assert store.revision == int(second["metadata"]["resourceVersion"])


def test_list_is_sorted_and_limited_to_a_namespace() -> None:
    store = Store()
    for name, namespace in (("b", "one"), ("a", "two"), ("a", "one"), ("c", "on")):
        store.put(KEY, thing(name, namespace))

    assert names(store.list(KEY, "one")) == ["a", "b"]
    assert [(o["metadata"]["namespace"], o["metadata"]["name"]) for o in store.list(KEY)] == [
        ("on", "c"),
        ("one", "a"),
        ("one", "b"),
        ("two", "a"),
    ]


def test_remove_returns_the_last_state_under_a_new_revision() -> None:
    store = Store()
    stored = store.put(KEY, thing("x", size=1))
    removed = store.remove(KEY, "a", "x")

    assert removed is not None
    assert removed["size"] == 1
    assert int(removed["metadata"]["resourceVersion"]) > int(stored["metadata"]["resourceVersion"])
    assert store.get(KEY, "a", "x") is None
    assert store.remove(KEY, "a", "x") is None


def test_subscribers_see_old_and_new_until_they_leave() -> None:
    store, seen = Store(), list[Change]()
    leave = store.subscribe(seen.append)
    store.put(KEY, thing("x", size=1))
    store.put(KEY, thing("x", size=2))
    store.remove(KEY, "a", "x")
    leave()
    leave()
    store.put(KEY, thing("y"))

    assert [change.type for change in seen] == ["ADDED", "MODIFIED", "DELETED"]
    assert seen[1].old is not None
    assert (seen[1].old.obj["size"], seen[1].new.obj["size"]) == (1, 2)


def test_json_of_an_entry_is_made_once() -> None:
    store = Store()
    store.put(KEY, thing("x"))
    (entry,) = store.entries(KEY)

    assert entry.raw is entry.raw
    assert b'"name":"x"' in entry.raw


def test_history_forgets_the_oldest_changes_and_says_so() -> None:
    store = Store(history_limit=3)
    start = store.revision
    for number in range(5):
        store.put(KEY, thing(f"x{number}"))

    assert [change.new.obj["metadata"]["name"] for change in store.changes_since(KEY, start + 2)] == ["x2", "x3", "x4"]
    with pytest.raises(ExpiredError, match=f"too old resource version: {start + 1}"):
        store.changes_since(KEY, start + 1)


def test_a_kind_without_changes_can_be_watched_from_any_revision_since_the_start() -> None:
    store = Store()
    start = store.revision
    store.put(OTHER, thing("x"))

    assert list(store.changes_since(KEY, start)) == []


def test_a_slow_watcher_is_marked_instead_of_growing() -> None:
    store = Store(watch_queue_limit=2)
    queue = store.open_watch(KEY)
    for number in range(4):
        store.put(KEY, thing(f"x{number}"))

    assert queue.overflowed
    assert queue.drain() == []


async def test_a_watcher_is_woken_by_a_change_and_only_by_its_kind() -> None:
    store = Store()
    queue = store.open_watch(KEY)
    store.put(OTHER, thing("x"))
    await queue.wait(0.01)
    assert queue.drain() == []

    asyncio.get_running_loop().call_later(0.01, lambda: store.put(KEY, thing("y")))
    await queue.wait(5.0)

    assert [change.new.obj["metadata"]["name"] for change in queue.drain()] == ["y"]
    store.close_watch(KEY, queue)
    assert store.watchers(KEY) == 0


Write = tuple[str, str, str]
WRITES = st.lists(
    st.tuples(st.sampled_from(["put", "put", "remove"]), st.sampled_from("ab"), st.sampled_from("xyz")), max_size=30
)


def write(store: Store, step: Write, size: int) -> None:
    kind, namespace, name = step
    if kind == "put":
        store.put(KEY, thing(name, namespace, size=size))
    else:
        store.remove(KEY, namespace, name)


@given(steps=WRITES, namespace=st.sampled_from([None, "a"]))
@settings(max_examples=100)
def test_any_past_state_can_be_listed_again(steps: list[Write], namespace: str | None) -> None:
    store = Store()
    states = {store.revision: store.list(KEY, namespace)}
    for number, step in enumerate(steps):
        write(store, step, number)
        states[store.revision] = store.list(KEY, namespace)

    for revision, state in states.items():
        assert [entry.obj for entry in store.entries_at(KEY, namespace, revision)] == state
