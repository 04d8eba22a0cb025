"""Changes pods of a real cluster at a steady rate: each change is one more restart in the status of some pod.

``python -m benchmarks.changer KUBECONFIG NAMESPACE`` obeys lines on its standard input until that ends: a number is the
rate from now on, in changes a second; an empty line asks how many changes were answered so far, and is answered by a
line with that number.
"""

import asyncio
import itertools
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Self

from tests.contract.api import STRATEGIC_PATCH, Api
from tests.lab.kwok import TAKE_TURNS, administrator, pod_paths

BEHIND_SECONDS = 0.5
"""So much lateness is made up for; more is given up, or the rate would be followed by bursts."""


def started_again(restarts: int) -> dict[str, Any]:
    """What a kubelet says of a container that runs again; the list that it is in is replaced as a whole."""
    names = {"name": "main", "image": "registry.lab/crowd:1", "imageID": ""}
    state = {"running": {"startedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}}
    return {**names, "ready": True, "started": True, "restartCount": restarts, "state": state}


class Changes:
    """Changes pods, as fast as told and as the server answers.

    Args:
        api: A client of the cluster.
        pods: Paths of the pods.
    """

    def __init__(self, api: Api, pods: list[str]) -> None:
        self.answered = 0
        self._api = api
        self._pods = pods
        self._random = random.Random(1)
        self._restarts = itertools.count(1)
        self._due = 0.0
        self._per_second = 0.0
        self._changing = asyncio.Event()

    def change(self, per_second: float) -> None:
        """Send so many changes a second from now on; 0 sends none."""
        self._per_second = per_second
        if per_second:
            self._changing.set()
        else:
            self._changing.clear()

    async def _turn(self) -> None:
        """Wait until the next change is due."""
        loop = asyncio.get_running_loop()
        await self._changing.wait()
        due = self._due = max(self._due + 1 / self._per_second, loop.time() - BEHIND_SECONDS)
        await asyncio.sleep(max(0.0, due - loop.time()))

    async def work(self) -> None:
        """Send one change after the other; several do so at once."""
        while True:
            await self._turn()
            status = {"containerStatuses": [started_again(next(self._restarts))]}
            path = f"{self._random.choice(self._pods)}/status"
            (await self._api.patch(path, {"status": status}, STRATEGIC_PATCH)).expect(200)
            self.answered += 1


@asynccontextmanager
async def lines() -> AsyncIterator[asyncio.StreamReader]:
    """Standard input."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        yield reader
    finally:
        transport.close()


async def obey(changes: Changes) -> None:
    """Do what the lines on standard input say."""
    async with lines() as reader:
        while line := await reader.readline():
            if text := line.strip():
                changes.change(float(text))
            else:
                print(changes.answered, flush=True)


async def serve(kubeconfig: Path, namespace: str) -> None:
    """Change pods as told, until standard input ends."""
    async with administrator(kubeconfig) as api:
        changes = Changes(api, await pod_paths(api, namespace))
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(changes.work()) for _ in range(TAKE_TURNS)]
            await obey(changes)
            for worker in workers:
                worker.cancel()


class Changer:
    """A process that changes pods."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    @classmethod
    @contextmanager
    def running(cls, kubeconfig: Path, namespace: str) -> Iterator[Self]:
        """One for as long as the context lasts; it changes nothing before it is told a rate."""
        command = [sys.executable, "-m", "benchmarks.changer", str(kubeconfig), namespace]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield cls(process)
            finally:
                assert process.stdin is not None
                process.stdin.close()

    def change(self, per_second: float) -> None:
        """Change pods at a rate from now on."""
        self._say(f"{per_second:g}")

    def answered(self) -> int:
        """How many changes the server took so far."""
        self._say("")
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2]))
