"""Ten thousand rows behave as ten do: what a frame costs hardly depends on how many pods there are."""

import random
import time
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from selfheal_core.domain.objects import Container, ContainerStatus, Metadata, Pod, PodSpec, PodStatus
from selfheal_core.domain.snapshot import PodRow, Snapshot
from selfheal_core.observe.join import Join
from selfheal_tui.present.ordering import RowOrder
from selfheal_tui.showcase import NOW, showcase_snapshot
from tests.tui.conftest import Console

FEW, MANY, VERY_MANY = 100, 10_000, 50_000
CHANGED = 50
"""Pods that change between two frames: 200 a second at 4 frames a second."""
CHURN = 1_000
"""Pods that change in a second under churn."""
FRAMES = 20
TIMES = 3.0
"""A hundred times the rows may cost at most this many times as much; it costs less, since fewer changes are in view."""
PODS_PER_APP = 50


def many_pods(count: int) -> Snapshot:
    """The showcase with copies of its first pod."""
    shown = showcase_snapshot(NOW)
    pattern = next(iter(shown.pods.values()))
    rows = [msgspec.structs.replace(pattern, uid=f"uid-{n}", name=f"pod-{n:05d}") for n in range(count)]
    return replace(shown, pods={row.uid: row for row in rows})


def restarted(snapshot: Snapshot, number: int) -> Snapshot:
    """The next snapshot: some pods have restarted once more."""
    pods: dict[str, PodRow] = dict(snapshot.pods)
    uids = list(pods)
    for n in range(CHANGED):
        uid = uids[(number * CHANGED + n) % len(uids)]
        row = pods[uid]
        pods[uid] = msgspec.structs.replace(row, restarts=row.restarts + 1, resource_version=f"{number}-{n}")
    return replace(snapshot, pods=pods, sequence=snapshot.sequence + 1)


async def cost_of_frames(console: Console, count: int) -> float:
    """CPU seconds of the console for some frames, each with a new snapshot."""
    snapshot = many_pods(count)
    await console.show(snapshot)
    await console.press("2")
    spent = 0.0
    for number in range(FRAMES):
        snapshot = restarted(snapshot, number)
        began = time.process_time()
        console.clock.pass_seconds(0.25)
        console.pulse.pass_seconds(0.25)
        await console.show(snapshot)
        spent += time.process_time() - began
    return spent


@pytest.mark.timeout(60)
async def test_a_frame_costs_about_the_same_with_ten_thousand_pods_as_with_a_hundred(
    make_console: Callable[..., Console],
) -> None:
    costs = []
    for count in (FEW, MANY):
        console = make_console()
        async with console.app.run_test(size=(80, 24)):
            costs.append(await cost_of_frames(console, count))
    cheap, costly = costs

    assert costly <= TIMES * cheap, f"{costly:.3f} s against {cheap:.3f} s"


def least_cpu_seconds(work: Callable[[int], object], rounds: int = 5) -> float:
    """CPU time of the cheapest of some rounds; whatever else runs on the machine can only add."""
    costs = []
    for number in range(rounds):
        began = time.process_time()
        work(number)
        costs.append(time.process_time() - began)
    return min(costs)


def pod(number: int, restarts: int) -> Pod:
    """One of many; fifty make an application."""
    app = f"app-{number // PODS_PER_APP:04d}"
    labels = {"app": app, "track": "stable"}
    status = ContainerStatus(name="app", ready=True, restart_count=restarts)
    return Pod(
        metadata=Metadata(f"{app}-{number:05d}", "load", f"uid-{number}", f"{number}-{restarts}", labels=labels),
        spec=PodSpec(containers=(Container(name="app"),), node_name="node-1"),
        status=PodStatus(phase="Running", container_statuses=(status,)),
    )


def joined(count: int) -> Join:
    join = Join()
    for number in range(count):
        join.put_pod(pod(number, 0))
    join.set_pods_known(True)
    join.refresh(NOW)
    return join


def test_joining_what_changed_in_a_second_costs_far_less_than_joining_all() -> None:
    join, chosen = joined(MANY), random.Random(1)

    def churn(number: int) -> None:
        for index in chosen.sample(range(MANY), CHURN):
            join.put_pod(pod(index, number + 1))
        assert join.refresh(NOW)

    all_at_once = least_cpu_seconds(lambda _: joined(MANY), 2)
    # A tenth of the pods; measured: a seventh of the time.
    assert least_cpu_seconds(churn) * 3 <= all_at_once


def test_a_thousand_changes_cost_the_same_among_fifty_thousand_pods_as_among_ten_thousand() -> None:
    def cost(count: int) -> float:
        join = joined(count)

        def churn(number: int) -> None:
            for index in range(0, count, count // CHURN):
                join.put_pod(pod(index, number + 1))
            assert join.refresh(NOW)

        return least_cpu_seconds(churn)

    # Spread over all applications: five times as many are touched, so five times as many are counted anew.
    assert cost(VERY_MANY) <= 5 * cost(MANY)


class Rank:
    """A sort key that counts how often it is compared."""

    compared = 0

    def __init__(self, row: PodRow) -> None:
        self.key = (row.severity, row.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rank) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __lt__(self, other: "Rank") -> bool:
        Rank.compared += 1
        return self.key < other.key


def test_a_few_rows_are_put_in_their_places_without_looking_at_all_the_others() -> None:
    rows = dict(many_pods(MANY).pods)
    order: RowOrder[str, PodRow] = RowOrder(Rank)
    order.update(rows, held=False)
    newest = dict(rows)
    for index in range(CHANGED):
        row = newest[f"uid-{index * 7}"]
        newest[row.uid] = msgspec.structs.replace(row, severity="ok")

    Rank.compared = 0
    assert order.update(newest, held=False)
    compared = Rank.compared

    assert compared < CHANGED * 2 * MANY.bit_length()  # a bisection each, where a sort compares every neighbour
    assert order.keys == sorted(newest, key=lambda uid: Rank(newest[uid]))
