"""What ``--speed`` divides, measured: two kubelets side by side, one four times as fast as the other."""

import sys
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from tests.unit.sandbox_kubelet.conftest import Cluster, running_kubelet, shell

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="loopback addresses per pod are Linux")

SLOW, FAST = 25, 100
NOTES = {"volumeMounts": [{"name": "notes", "mountPath": "/notes"}]}
MOMENT = "date +%s.%N >> /notes/times"


def gaps(cluster: Cluster) -> list[float]:
    """Seconds between the moments that a pod wrote down."""
    notes = cluster.folder / cluster.pod()["metadata"]["uid"] / "volumes" / "notes" / "times"
    times = [float(line) for line in notes.read_text().split()] if notes.exists() else []
    return [later - earlier for earlier, later in pairwise(times)]


async def noted(clusters: tuple[Cluster, ...], count: int) -> None:
    """Wait until the pod of each has written so many moments down after its first."""
    for cluster in clusters:
        await cluster.until(partial(lambda one: len(gaps(one)) >= count, cluster), f"{count} more moments")


async def test_back_off_is_divided_by_the_speed(tmp_path: Path) -> None:
    async with running_kubelet(tmp_path / "slow", SLOW) as slow, running_kubelet(tmp_path / "fast", FAST) as fast:
        for cluster in (slow, fast):
            cluster.run(shell(f"{MOMENT}; exit 1", **NOTES), volumes=[{"name": "notes", "emptyDir": {}}])
        await noted((slow, fast), 4)

        # At once, then 10, 20 and 40 s divided by the speed.
        slow_seconds, fast_seconds = gaps(slow)[1:4], gaps(fast)[1:4]

    assert sum(slow_seconds) == pytest.approx(70 / SLOW, rel=0.35)
    assert sum(slow_seconds) / sum(fast_seconds) == pytest.approx(FAST / SLOW, rel=0.4)
    assert slow_seconds[2] > 1.5 * slow_seconds[1] > 2 * slow_seconds[0]  # it doubles at every speed


async def test_probes_keep_their_times_at_every_speed(tmp_path: Path) -> None:
    probe = {"exec": {"command": ["/bin/sh", "-c", MOMENT]}, "periodSeconds": 5}  # half a second, as tests hurry
    async with running_kubelet(tmp_path / "slow", SLOW) as slow, running_kubelet(tmp_path / "fast", FAST) as fast:
        for cluster in (slow, fast):
            volumes = [{"name": "notes", "emptyDir": {}}]
            cluster.run(shell("sleep 60", livenessProbe=probe, **NOTES), volumes=volumes)
        await noted((slow, fast), 3)

        assert sum(gaps(slow)[:3]) == pytest.approx(1.5, abs=0.4)
        assert sum(gaps(fast)[:3]) == pytest.approx(1.5, abs=0.4)
