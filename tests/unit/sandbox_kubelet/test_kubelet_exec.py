"""Programs run inside containers, and what containers use."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from selfheal_sandbox.api.errors import ApiError
from tests.unit.sandbox_kubelet.conftest import Cluster, shell

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="loopback addresses per pod are Linux")


async def test_exec_runs_in_the_container(cluster: Cluster) -> None:
    cluster.run(
        shell("sleep 60", env=[{"name": "A", "value": "1"}], volumeMounts=[{"name": "d", "mountPath": "/d"}]),
        volumes=[{"name": "d", "emptyDir": {}}],
    )
    await cluster.until(lambda: cluster.state() == "running")

    async def stdin() -> Any:
        yield b"in"
        yield b"put"

    argv = ["/bin/sh", "-c", 'cat; echo " $A" >&2; touch /d/made; exit 7']
    stream = await cluster.kubelet.execute(cluster.pod(), "c0", argv, stdin())
    output: dict[int, bytes] = {1: b"", 2: b""}
    async for channel, data in stream:
        output[channel] += data

    assert await stream.wait() == 7
    assert output == {1: b"input", 2: b" 1\n"}
    assert next(cluster.folder.glob("*/volumes/d/made")).exists()
    await stream.close()


async def test_exec_of_a_missing_program_says_so_and_ends_with_127(cluster: Cluster) -> None:
    cluster.run(shell("sleep 60"))
    await cluster.until(lambda: cluster.state() == "running")

    stream = await cluster.kubelet.execute(cluster.pod(), "c0", ["no-such"], None)

    assert [data async for _, data in stream] == [b'exec: "no-such": executable file not found in $PATH\n']
    assert await stream.wait() == 127


async def test_exec_into_a_container_that_does_not_run_is_refused(cluster: Cluster) -> None:
    cluster.run(shell("true"), restartPolicy="Never")
    await cluster.output()

    with pytest.raises(ApiError, match="container not found"):
        await cluster.kubelet.execute(cluster.pod(), "c0", ["true"], None)


async def test_closing_an_exec_kills_it(cluster: Cluster) -> None:
    cluster.run(shell("sleep 60"))
    await cluster.until(lambda: cluster.state() == "running")
    stream = await cluster.kubelet.execute(cluster.pod(), "c0", ["/bin/sh", "-c", "echo $$; sleep 300"], None)
    _, data = await anext(aiter(stream))

    await stream.close()

    assert await stream.wait() == 137
    await cluster.until(lambda: not Path(f"/proc/{int(data)}/exe").exists())


async def test_usage_is_measured_on_the_processes(cluster: Cluster) -> None:
    cluster.run(shell("while :; do :; done"))
    await cluster.until(lambda: cluster.kubelet.usage(cluster.pod()))

    (usage,) = cluster.kubelet.usage(cluster.pod())
    node = cluster.kubelet.node_usage("node-1")

    assert usage.name == "c0"
    assert usage.cpu_millicores > 100
    assert usage.memory_bytes > 100_000
    assert node is not None
    assert node.cpu_millicores == usage.cpu_millicores


async def test_a_slow_reader_gets_all_output_of_a_program_that_ended(cluster: Cluster) -> None:
    cluster.run(shell("sleep 60"))
    await cluster.until(lambda: cluster.state() == "running")
    argv = ["/bin/sh", "-c", "head -c 400000 /dev/zero"]
    stream = await cluster.kubelet.execute(cluster.pod(), "", argv, None)

    received = 0
    async for _, data in stream:
        received += len(data)
        await asyncio.sleep(0.02 if received < 300_000 else 0)

    assert received == 400_000
    await stream.close()


async def test_a_program_that_leaves_another_one_behind_still_ends(cluster: Cluster) -> None:
    cluster.run(shell("sleep 60"))
    await cluster.until(lambda: cluster.state() == "running")
    stream = await cluster.kubelet.execute(cluster.pod(), "", ["/bin/sh", "-c", "sleep 300 & echo done"], None)

    assert [data async for _, data in stream] == [b"done\n"]
    assert await stream.wait() == 0
    await stream.close()
