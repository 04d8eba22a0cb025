"""Ten thousand rows behave as ten do: what a frame costs hardly depends on how many pods there are."""

import time
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from selfheal_core.domain.snapshot import PodRow, Snapshot
from selfheal_tui.showcase import NOW, showcase_snapshot
from tests.tui.conftest import Console

FEW, MANY = 100, 10_000
CHANGED = 50
"""Pods that change between two frames: 200 a second at 4 frames a second."""
FRAMES = 20
TIMES = 3.0
"""A hundred times the rows may cost at most this many times as much; it costs less, since fewer changes are in view."""


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
