"""Both servers of the comparison, started and joined."""

import select
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from tests.contract.cluster import cluster_of
from tests.fuzz.arena import Arena, connected, prepare
from tests.fuzz.sandbox_server import TOKEN
from tests.lab.api_server import ApiServer, compact

ROOT = Path(__file__).parents[2]
START_SECONDS = 30.0
STOP_SECONDS = 10.0


@contextmanager
def sandbox_server(bug: str = "") -> Iterator[str]:
    """Run the sandbox's API server in a process of its own; gives its URL.

    Args:
        bug: of `tests.fuzz.planted.BUGS`; "" for none.
    """
    command = [sys.executable, "-m", "tests.fuzz.sandbox_server", *([bug] if bug else [])]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield f"http://127.0.0.1:{_port(process)}"
    finally:
        try:
            process.communicate(timeout=STOP_SECONDS)  # it ends when its input is closed
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


def _port(process: "subprocess.Popen[bytes]") -> int:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    line = process.stdout.readline() if ready else b""
    assert line, f"the sandbox's server did not start within {START_SECONDS:.0f} s"
    return int(line)


@asynccontextmanager
async def arena(real: ApiServer, sandbox_url: str) -> AsyncIterator[Arena]:
    """Give an arena of two servers that were started for it, after what both need in advance."""
    cluster = cluster_of(real.kubeconfig, is_sandbox=False)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(connected(cluster.url, cluster.headers, cluster.tls))
        second = await stack.enter_async_context(connected(sandbox_url, {"Authorization": f"Bearer {TOKEN}"}))
        for api in (first, second):
            await prepare(api)
        compact(real.plane)
        yield Arena(first, second)
